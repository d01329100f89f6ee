"""Errors of single networks in mini-batches: what the estimator chooses, and posterior as prior.

    python -m experiments.full_data.mini_batches

What the defaults for many samples rest on. Training images only: the first ones train, the last ones are
scored, whose inputs are as the estimator makes them.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import tyro

from experiments.common.networks import hold_out
from mpnn import MessagePassingClassifier
from mpnn.data import Dataset, load_dataset


@dataclass(frozen=True)
class Options:
    """What is compared. lengths: samples, epochs and batch size of a training."""

    datasets: tuple[str, ...] = ("mnist", "fashion_mnist")
    lengths: tuple[tuple[int, int, int], ...] = ((500, 10, 50), (3000, 20, 128), (10_000, 10, 128))
    hidden: tuple[tuple[int, ...], ...] = ((), (101, 101))
    weights: tuple[str, ...] = ("binary", "ternary")
    rule: str = "mean_field"
    seeds: int = 2
    held_out: int = 10_000


def ways(num_hidden: int) -> dict[str, dict[str, Any]]:
    """Parameters of what is compared."""
    prior = {"rho": (1.0001,) * num_hidden + (0.9,) if num_hidden else 1.0}
    return {
        "posterior as prior": prior,
        "the same, rooted inputs": prior | {"input_scaling": "root"},
        "falling step, chosen": {},
    }


def errors(data: Dataset, num_samples: int, seeds: int, parameters: dict[str, Any]) -> str:
    """Percent wrong of the discrete weights and of the Bayesian prediction, means over seeds."""
    train, test = (x.reshape(len(x), -1).astype(np.float32) for x in (data.x_train, data.x_test))
    found = []
    for seed in range(seeds):
        # the mode of each weight: what is compared is training
        network = MessagePassingClassifier(**parameters, rounding="mode", random_state=seed)
        network.fit(train[:num_samples], data.y_train[:num_samples])
        scores = (network.set_params(prediction=how).score(test, data.y_test) for how in ("mode", "bayes"))
        found.append([100.0 * (1.0 - score) for score in scores])
    mode, bayes = np.mean(found, axis=0)
    return f"{mode:.1f} / {bayes:.1f}"


def main(options: Options) -> None:
    """Print a table, a line as soon as it is known."""
    names = list(ways(0))
    print(f"| images | samples, epochs, batch | hidden | weights | {' | '.join(names)} |")
    print(f"|---|---|---|---|{'---|' * len(names)}")
    for name in options.datasets:
        data = hold_out(load_dataset(name), options.held_out)
        for length, hidden, weights in product(options.lengths, options.hidden, options.weights):
            num_samples, num_epochs, batch_size = length
            shared = {"hidden": hidden, "weights": weights, "rule": options.rule}
            shared |= {"num_epochs": num_epochs, "batch_size": batch_size}
            cells = [
                errors(data, num_samples, options.seeds, shared | own) for own in ways(len(hidden)).values()
            ]
            shape = "-".join(map(str, hidden)) or "none"
            about = f"{name} | {num_samples}, {num_epochs}, {batch_size} | {shape} | {weights}"
            print(f"| {about} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
