"""The networks of :mod:`experiments.convolutions.train` by straight-through gradients.

    python -m experiments.convolutions.straight_through configs/straight_through/straight_through_mnist.toml

The same training images in batches of the same size, as many epochs, scored on held-out training images
or, with ``held_out`` at 0, on the official test images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.runs import main, run_jobs
from experiments.convolutions.jobs import Training, jobs_of
from experiments.convolutions.train import layers_of
from mpnn.data import Dataset
from mpnn.gradient import STEClassifier


@dataclass(frozen=True)
class Model:
    """One network: its hidden layers by kind and keywords, and parameters of STEClassifier."""

    name: str
    layers: list[dict[str, Any]]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Config(Training):
    """Models, each trained once a seed."""

    models: list[Model]


def run(config: Config, output: Path, command: str) -> None:
    """Train what has no row yet, then print a table."""
    data = config.images()

    def work(job: Mapping[str, Any]) -> dict[str, Any]:
        return {"error_percent": percent_wrong(config, Model(**job["model"]), data, job["seed"])}

    summarize(run_jobs(jobs_of(config, config.models), work, output, config, command))


def percent_wrong(config: Config, model: Model, data: Dataset, seed: int) -> float:
    """Percent of the scored images that the trained network classifies wrongly."""
    classifier = STEClassifier(
        layers_of(model.layers),
        image_shape=(*data.x_train.shape[1:], 1)[:3],
        num_epochs=config.num_epochs,
        batch_size=config.batch_size,
        random_state=seed,
        **{"input_scaling": "max_abs", **model.parameters},
    )
    train, scored = (x.reshape(len(x), -1) for x in (data.x_train[: config.num_train], data.x_test))
    classifier.fit(train, data.y_train[: config.num_train])
    return float(100.0 * np.mean(classifier.predict(scored) != data.y_test))


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a model: mean and deviation over seeds."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["model"]["name"], []).append(row)
    print("| model | error | seconds | seeds |\n|---|---|---|---|")
    for name, own in groups.items():
        errors = [row["error_percent"] for row in own]
        deviation = f" ± {np.std(errors, ddof=1):.2f}" if len(own) > 1 else ""
        seconds = np.mean([row["seconds"] for row in own])
        print(f"| {name} | {np.mean(errors):.2f}{deviation} | {seconds:.0f} | {len(own)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
