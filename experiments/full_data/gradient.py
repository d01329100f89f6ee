"""Gradient classifiers on whole data sets, several seeds, scored once at their last epoch.

python -m experiments.full_data.gradient configs/gradient/gradient_mlp.toml
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

import mpnn.gradient
from experiments.common.runs import main, run_jobs
from mpnn.data import Dataset, load_dataset


@dataclass(frozen=True)
class Model:
    """One line of the results: a classifier's name and parameters, and the predictions that are scored."""

    name: str
    classifier: str
    params: dict[str, Any]
    datasets: list[str]
    predictions: list[str]


@dataclass(frozen=True)
class Config:
    """Models, each fitted once a seed and data set; `held_out`: scored on that share of the training set."""

    seeds: list[int]
    models: list[Model]
    held_out: float = 0.0


def run(config: Config, output: Path, command: str) -> None:
    """Fit what has no row yet, then print means and standard deviations over seeds."""
    jobs = [
        {"model": asdict(model), "dataset": name, "seed": seed}
        | ({"held_out": config.held_out} if config.held_out else {})
        for seed in config.seeds
        for model in config.models
        for name in model.datasets
    ]
    loaded: dict[str, Dataset] = {}

    def work(job: Mapping[str, Any]) -> dict[str, Any]:
        if job["dataset"] not in loaded:
            loaded[job["dataset"]] = load_dataset(job["dataset"])
        return fit_and_score(job, loaded[job["dataset"]])

    summarize(run_jobs(jobs, work, output, config, command))


def fit_and_score(job: Mapping[str, Any], data: Dataset) -> dict[str, Any]:
    """Train on the training set, predict the test set or what was held out once a kind of prediction."""
    model = job["model"]
    classifier = getattr(mpnn.gradient, model["classifier"])(**model["params"], random_state=job["seed"])
    x_train, x_test = (x.reshape(len(x), -1) for x in (data.x_train, data.x_test))
    y_train, y_test = data.y_train, data.y_test
    if "held_out" in job:
        x_train, x_test, y_train, y_test = train_test_split(
            x_train, y_train, test_size=job["held_out"], random_state=job["seed"], stratify=y_train
        )
    classifier.fit(x_train, y_train)
    accuracy = {
        kind: 100 * float(np.mean(classifier.set_params(prediction=kind).predict(x_test) == y_test))
        for kind in model["predictions"]
    }
    return {"accuracy": accuracy, "train_error": 100 * float(classifier.history_["error"][-1])}


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a model, data set and prediction."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        for kind, value in row["accuracy"].items():
            groups.setdefault((row["model"]["name"], row["dataset"], kind), []).append(value)
    print("| model | data | prediction | accuracy | seeds |\n|---|---|---|---|---|")
    for (*names, kind), values in groups.items():
        spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
        print(f"| {' | '.join(names)} | {kind} | {np.mean(values):.2f} ± {spread:.2f} | {len(values)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
