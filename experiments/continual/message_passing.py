"""Message passing on permuted images, one task after the other: nothing is stored, no task is named.

    python -m experiments.continual.message_passing configs/continual/continual.toml

The posterior of a task is the prior of the next. All seeds of a model are one program and see the same
permutations.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.networks import (
    Model,
    errors_of,
    hold_out,
    initial_states,
    percent,
    samples_of,
    schedules_of,
    side_by_side,
    spec_of,
)
from experiments.common.runs import main, run_jobs
from mpnn.data import Dataset, load_dataset
from mpnn.message_passing import network
from mpnn.message_passing.training import train_many

PERMUTATIONS_SEED = 0


@dataclass(frozen=True)
class Config:
    """Models on permutations of one data set.

    held_out: see experiments.common.networks.hold_out.
    """

    dataset: str
    seeds: list[int]
    num_tasks: int
    num_epochs: int
    models: list[Model]
    batch_size: int = 128
    held_out: int = 0


def learn_tasks(config: Config, data: Dataset, job: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracies ``[task][earlier task][seed]`` in percent, of the modes and of the beliefs."""
    model = Model(**job["model"])
    data = hold_out(data, config.held_out) if config.held_out else data
    (inputs, labels), (test_inputs, test_labels), num_outputs, _ = samples_of(data, "classes")
    spec = spec_of(model, inputs.shape[1], num_outputs)
    schedules = schedules_of(model, config.num_epochs, len(labels), config.batch_size)
    hyper = schedules.at_sweep(0, spec.num_layers)
    keys = jax.vmap(jax.random.key)(jnp.asarray(config.seeds))
    state = initial_states(model, spec, hyper, keys)
    orders = permutations(config.num_tasks, inputs.shape[1])
    found: dict[str, Any] = {"mode": [], "bayes": []}
    for task, order in enumerate(orders):
        state, _ = train_many(
            jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, task),
            spec,
            state,
            side_by_side(inputs[:, order], labels, len(keys)),
            schedules,
            num_epochs=config.num_epochs,
            batch_size=config.batch_size,
        )
        errors = [
            percent(errors_of(spec, state, hyper, test_inputs[:, earlier], test_labels))
            for earlier in orders[: task + 1]
        ]
        for kind, accuracies in found.items():
            accuracies.append([[round(100.0 - wrong, 3) for wrong in each[kind]] for each in errors])
        print(model.name, f"task {task + 1}:", averages(found["bayes"])[-1], flush=True)
        if spec.anchored:
            state = network.anchor_at_posterior(state)
    return {f"average_{kind}": averages(accuracies) for kind, accuracies in found.items()} | found


def permutations(num_tasks: int, num_features: int) -> list[np.ndarray]:
    """Orders of the pixels, one a task."""
    generator = np.random.default_rng(PERMUTATIONS_SEED)
    return [generator.permutation(num_features) for _ in range(num_tasks)]


def averages(accuracies: list[list[list[float]]]) -> list[list[float]]:
    """Mean over the tasks seen so far, ``[task][seed]``."""
    return [np.mean(rows, axis=0).round(3).tolist() for rows in accuracies]


def run(config: Config, output: Path, command: str) -> None:
    """Learn the tasks with every model, then print a line of Markdown a model and prediction."""
    lengths = {
        name: getattr(config, name)
        for name in ("dataset", "seeds", "num_tasks", "num_epochs", "batch_size", "held_out")
    }
    jobs = [{"model": asdict(model), **lengths} for model in config.models]
    rows = run_jobs(jobs, partial(learn_tasks, config, load_dataset(config.dataset)), output, config, command)
    print("| model | prediction | average after each task | last spread | seeds |\n|---|---|---|---|---|")
    for row in rows:
        for kind in ("mode", "bayes"):
            values = np.array(row[f"average_{kind}"])
            means = ", ".join(f"{value:.1f}" for value in values.mean(axis=1))
            spread = values[-1].std(ddof=1) if values.shape[1] > 1 else float("nan")
            print(f"| {row['model']['name']} | {kind} | {means} | {spread:.1f} | {values.shape[1]} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
