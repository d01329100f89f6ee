"""How flat the solutions of several methods are: the training error that flipped weights add.

    python -m experiments.uncertainty.flatness configs/flatness/flatness.toml

All networks have binary weights and sign units, see the same inputs and are measured by one function, from
their int8 weights alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax import Array

from experiments.common.methods import (
    Classifier,
    discrete_spec,
    discrete_weights,
    fit_classifiers,
    method_of,
    train_networks,
)
from experiments.common.networks import Model, samples_of
from experiments.common.runs import main, run_jobs
from mpnn.compare.report.palette import COLOURS, MARKERS
from mpnn.data import Dataset, load_dataset
from mpnn.message_passing.diagnostics import local_energy
from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import discrete_outputs, winner
from mpnn.message_passing.spec import NetworkSpec


@dataclass(frozen=True)
class Config:
    """Models and classifiers on a data set.

    tasks: "classes", or "odd_even" for odd labels against even ones. num_epochs and batch_size are the
    models'; classifiers have their own among their parameters. flips: probabilities that a weight changes its
    sign; num_draws: of the weights that do, for each. num_measured: training samples, the first ones, whose
    error is the training error. input_scaling: see mpnn.preprocessing.scaling.fit_transform_of.
    """

    dataset: str
    tasks: list[str]
    seeds: list[int]
    flips: list[float]
    num_epochs: int
    models: list[Model]
    classifiers: list[Classifier]
    batch_size: int = 128
    num_draws: int = 10
    num_measured: int = 20_000
    input_scaling: str = "standard"


def measure(config: Config, data: Dataset, job: Mapping[str, Any]) -> dict[str, Any]:
    """Errors in percent ``[seed]``, and the points of training error that flips add ``[seed][flip]``."""
    method = method_of(job)
    (inputs, labels), test, num_outputs, _ = samples_of(data, job["task"], config.input_scaling)
    if isinstance(method, Model):
        trained = train_networks(
            method, inputs, labels, num_outputs, config.seeds, config.num_epochs, config.batch_size
        )
        spec, networks = trained.spec, discrete_weights(trained)
    else:
        spec = discrete_spec(method, inputs.shape[1], num_outputs)
        networks = [found.weights_ for found in fit_classifiers(method, inputs, labels, config.seeds)]
    found: dict[str, Any] = {"train_error": [], "test_error": [], "added": []}
    measured = Batch(inputs[: config.num_measured], labels[: config.num_measured])
    for seed, own in zip(config.seeds, networks, strict=True):
        weights = [jnp.asarray(layer) for layer in own]
        found["train_error"].append(error_of(spec, weights, measured.inputs, measured.labels))
        found["test_error"].append(error_of(spec, weights, *test))
        added, _ = local_energy(
            jax.random.key(seed), spec, weights, measured, config.flips, num_draws=config.num_draws
        )
        found["added"].append((100.0 * added).round(3).tolist())
    return found


def error_of(spec: NetworkSpec, weights: list[Array], inputs: Array, labels: Array) -> float:
    """Percentage that the discrete network gets wrong."""
    chosen = winner(discrete_outputs(spec, weights, inputs))
    wrong = chosen != (labels if spec.output == "argmax" else labels > 0)
    return round(100.0 * float(jnp.mean(wrong)), 3)


def run(config: Config, output: Path, command: str) -> None:
    """Train and measure what has no row yet; print a table and draw the curves."""
    names = {each.name for each in fields(config)} - {"tasks", "models", "classifiers"}
    settings = {name: getattr(config, name) for name in sorted(names)}
    jobs = [
        {"task": task, "method": asdict(method), **settings}
        for task in config.tasks
        for method in (*config.models, *config.classifiers)
    ]
    rows = run_jobs(jobs, partial(measure, config, load_dataset(config.dataset)), output, config, command)
    summarize(rows)
    draw(config, rows, output / "flatness.png")


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a task and method: means over seeds."""
    flips = rows[0]["flips"]
    print(f"| task | method | train | test | {' | '.join(f'{flip:g}' for flip in flips)} |")
    print("|---" * (4 + len(flips)) + "|")
    for row in rows:
        errors = [f"{np.mean(row[name]):.2f}" for name in ("train_error", "test_error")]
        added = [f"{value:.2f}" for value in np.mean(row["added"], axis=0)]
        print(f"| {row['task']} | {row['method']['name']} | {' | '.join(errors + added)} |")


def draw(config: Config, rows: list[dict[str, Any]], path: Path) -> None:
    """One panel a task: means over seeds, and bands from the least to the most."""
    titles = {"odd_even": "odd or even", "classes": "ten classes"}
    figure, panels = plt.subplots(
        1, len(config.tasks), figsize=(4.6 * len(config.tasks), 3.6), layout="constrained", squeeze=False
    )
    for axes, task in zip(panels[0], config.tasks, strict=True):
        own = [row for row in rows if row["task"] == task]
        for row, colour, marker in zip(own, COLOURS, MARKERS, strict=False):
            added = np.array(row["added"])
            name = row["method"]["name"]
            axes.plot(row["flips"], added.mean(axis=0), color=colour, marker=marker, ms=4, label=name)
            axes.fill_between(
                row["flips"], added.min(axis=0), added.max(axis=0), color=colour, alpha=0.2, lw=0
            )
        axes.set(title=titles[task], xlabel="probability that a weight flips")
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("training error added, points")
    panels[0, 0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(__doc__, Config, run)
