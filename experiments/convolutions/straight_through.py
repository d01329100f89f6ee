"""The networks of :mod:`experiments.convolutions.train` by straight-through gradients.

    python -m experiments.convolutions.straight_through configs/straight_through/straight_through_mnist.toml

The same training images in the same batches' size and number of epochs, scored on held-out training images
or, with ``held_out`` at 0, on the official test images.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.networks import hold_out
from experiments.common.runs import main, run_jobs
from experiments.convolutions.train import layers_of
from mpnn.data import Dataset, load_dataset
from mpnn.gradient import STEClassifier


@dataclass(frozen=True)
class Model:
    """One network: its hidden layers by kind and keywords, and parameters of STEClassifier."""

    name: str
    layers: list[dict[str, Any]]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """Models, each trained once a seed; held_out training images are scored, or, with 0, the test images."""

    dataset: str
    num_train: int
    held_out: int
    num_epochs: int
    seeds: list[int]
    models: list[Model]
    batch_size: int = 128


def run(config: Config, output: Path, command: str) -> None:
    """Train what has no row yet, then print a table."""
    conditions = {
        name: getattr(config, name)
        for name in ("dataset", "num_train", "held_out", "num_epochs", "batch_size")
    }
    jobs = [
        {"model": asdict(model), "seed": seed, **conditions}
        for seed in config.seeds
        for model in config.models
    ]
    data = load_dataset(config.dataset)
    data = hold_out(data, config.held_out) if config.held_out else data

    def work(job: Mapping[str, Any]) -> dict[str, Any]:
        return {"error_percent": percent_wrong(config, Model(**job["model"]), data, job["seed"])}

    summarize(run_jobs(jobs, work, output, config, command))


def percent_wrong(config: Config, model: Model, data: Dataset, seed: int) -> float:
    """Percent of the scored images that the trained network classifies wrongly."""
    classifier = STEClassifier(
        layers_of(model.layers),
        image_shape=(*data.x_train.shape[1:], 1)[:3],
        num_epochs=config.num_epochs,
        batch_size=config.batch_size,
        input_scaling="max_abs",
        random_state=seed,
        **model.parameters,
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
