"""How long training takes to a test error: message passing and gradients, for several counts of epochs.

    python -m experiments.full_data.time_to_error configs/time_to_error/time_to_error_mnist.toml

A training whose step falls to nothing is at its best in its last epoch alone: every count of epochs is a
training of its own. Seconds are those of the processor: the median epoch times epochs, and what follows the
last one. Programs are compiled before, by a training of one epoch.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from sklearn.base import clone

from experiments.common.networks import hold_out
from experiments.common.runs import main, run_jobs
from mpnn import MessagePassingClassifier
from mpnn.callbacks import Callback, Epoch
from mpnn.data import Dataset, load_dataset
from mpnn.gradient import STEClassifier

CLASSIFIERS = {each.__name__: each for each in (MessagePassingClassifier, STEClassifier)}


@dataclass(frozen=True)
class Model:
    """A classifier and its parameters, apart from its epochs and seed."""

    name: str
    classifier: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Config:
    """Every model, count of epochs and seed is a row; so many training images `held_out` are the test."""

    dataset: str
    seeds: list[int]
    num_epochs: list[int]
    models: list[Model]
    held_out: int = 0


class Clock(Callback):
    """The processor's seconds at the end of every epoch."""

    def on_begin(self, total: int) -> None:
        """Start with no epoch."""
        self.ends: list[float] = []

    def on_epoch(self, epoch: Epoch) -> None:
        """Note the time."""
        self.ends.append(process_time())


def run(config: Config, output: Path, command: str) -> None:
    """Train what has no row yet, then print errors against seconds."""
    data = load_dataset(config.dataset)
    data = hold_out(data, config.held_out) if config.held_out else data
    jobs = [
        {
            "model": asdict(model),
            "dataset": config.dataset,
            "held_out": config.held_out,
            "num_epochs": epochs,
            "seed": seed,
        }
        for seed in config.seeds
        for epochs in config.num_epochs
        for model in config.models
    ]
    summarize(run_jobs(jobs, lambda job: fit_and_score(job, data), output, config, command))


def fit_and_score(job: Mapping[str, Any], data: Dataset) -> dict[str, Any]:
    """Test error in per cent, and the processor's seconds of an epoch and of what follows the last."""
    own = CLASSIFIERS[job["model"]["classifier"]](**job["model"]["params"], random_state=job["seed"])
    clone(own).set_params(num_epochs=1).fit(data.x_train, data.y_train)
    own.set_params(num_epochs=job["num_epochs"], callbacks=[Clock()]).fit(data.x_train, data.y_train)
    end, epochs = process_time(), own.callbacks[0].ends
    return {
        "test_error": 100 * float(np.mean(own.predict(data.x_test) != data.y_test)),
        "seconds_an_epoch": float(np.median(np.diff(epochs))),
        "seconds_after": end - epochs[-1],
    }


def seconds_of(row: Mapping[str, Any]) -> float:
    """Processor seconds of a training."""
    return row["num_epochs"] * row["seconds_an_epoch"] + row["seconds_after"]


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a model and count of epochs."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["model"]["name"], row["num_epochs"]), []).append(row)
    print("| model | epochs | processor seconds | error | seeds |\n|---|---|---|---|---|")
    for (name, epochs), own in sorted(groups.items()):
        errors = [row["test_error"] for row in own]
        spread = f" ± {np.std(errors, ddof=1):.2f}" if len(errors) > 1 else ""
        seconds = np.mean([seconds_of(row) for row in own])
        print(f"| {name} | {epochs} | {seconds:.0f} | {np.mean(errors):.2f}{spread} | {len(errors)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
