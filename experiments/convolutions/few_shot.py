"""Few images of each class, networks of convolutions, training images shifted: by messages and by gradients.

    python -m experiments.convolutions.few_shot configs/convolutions_few_shot/convolutions_few_shot_mnist.toml

Every classifier is fitted to the same draws and scored on the same images: the official test images, or,
with ``held_out`` above 0, so many training images that no draw comes from.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

from experiments.common.networks import hold_out
from experiments.common.runs import main, run_jobs
from experiments.convolutions.train import layers_of
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.data import Dataset, load_dataset, sample_few_shot
from mpnn.gradient import STEClassifier

CLASSIFIERS = {
    "MessagePassingClassifier": MessagePassingClassifier,
    "STEClassifier": STEClassifier,
    "SVC": SVC,
}
# Epochs are so long that networks by gradients meet as many images in as many steps as those by messages.
IMAGES_OF_AN_EPOCH = 10_000


@dataclass(frozen=True)
class Method:
    """A classifier: its class, hidden layers by kind and keywords, parameters.

    vote: of pairs of classes, two-class networks. repeat: training images are there so often that an epoch
    meets ten thousand. copies: for classifiers that do not shift by themselves, all shifts of every training
    image by up to so many pixels.
    """

    name: str
    classifier: str
    layers: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    vote: bool = False
    repeat: bool = False
    copies: int = 0


@dataclass(frozen=True)
class Config:
    """Methods, each fitted to every draw of so many images of each class."""

    dataset: str
    held_out: int
    shots: list[int]
    draws: list[int]
    methods: list[Method]


def run(config: Config, output: Path, command: str) -> None:
    """Fit what has no row yet, then print a table."""
    jobs = [
        {
            "method": asdict(method),
            "shots": shots,
            "draw": draw,
            "dataset": config.dataset,
            "held_out": config.held_out,
        }
        for method in config.methods
        for shots in config.shots
        for draw in config.draws
    ]

    @cache
    def data() -> Dataset:
        loaded = load_dataset(config.dataset)
        return hold_out(loaded, config.held_out) if config.held_out else loaded

    def work(job: Mapping[str, Any]) -> dict[str, Any]:
        return fit_and_score(Method(**job["method"]), data(), job["shots"], job["draw"])

    summarize(run_jobs(jobs, work, output, config, command))


def fit_and_score(method: Method, data: Dataset, shots: int, draw: int) -> dict[str, Any]:
    """Accuracies in percent, weights and seconds of one fit."""
    inputs, labels = sample_few_shot(data.x_train, data.y_train, per_class=shots, seed=draw)
    if method.repeat:
        copies = max(1, IMAGES_OF_AN_EPOCH // len(labels))
        inputs, labels = np.tile(inputs, (copies, 1)), np.tile(labels, copies)
    if method.copies:
        inputs, labels = shifted_copies(inputs.reshape(-1, *data.x_train.shape[1:]), labels, method.copies)
    if method.classifier == "SVC":
        inputs = inputs / 255.0
    begun = time.perf_counter()
    classifier = made(method, data).fit(inputs, labels)
    found: dict[str, Any] = {"fit_seconds": time.perf_counter() - begun}
    found |= {"accuracy": accuracy(classifier, method, data)}
    if method.classifier == "MessagePassingClassifier":
        if method.vote:
            classifier.set_params(vote="soft", estimator__prediction="bayes")
        else:
            classifier.set_params(prediction="bayes")
        found |= {"bayes_accuracy": accuracy(classifier, method, data)}
    members = getattr(classifier, "estimators_", [classifier])
    weights = [own.size for member in members for own in getattr(member, "weights_", [])]
    return {**found, "num_weights": int(sum(weights))}


def shifted_copies(images: NDArray, labels: NDArray, largest: int) -> tuple[NDArray, NDArray]:
    """All shifts of images ``[n, height, width]`` as rows, the nearest pixel moving in, and their labels."""
    height, width = images.shape[1:]
    padded = np.pad(images, ((0, 0), (largest, largest), (largest, largest)), mode="edge")
    steps = range(2 * largest + 1)
    moved = [padded[:, top : top + height, left : left + width] for top in steps for left in steps]
    return np.concatenate(moved).reshape(-1, height * width), np.tile(labels, len(moved))


def made(method: Method, data: Dataset) -> Any:
    """The classifier, not fitted yet."""
    if method.classifier == "SVC":
        return SVC(**method.parameters)
    shape = (*data.x_train.shape[1:], 1)[:3]
    network = CLASSIFIERS[method.classifier](
        layers_of(method.layers), image_shape=shape, random_state=0, **method.parameters
    )
    return PairwiseVoteClassifier(network, ties="head_to_head", random_state=0) if method.vote else network


def accuracy(classifier: Any, method: Method, data: Dataset) -> float:
    """Percent of the scored images."""
    inputs = data.x_test.reshape(len(data.x_test), -1)
    if method.classifier == "SVC":
        inputs = inputs / 255.0
    return float(100.0 * np.mean(classifier.predict(inputs) == data.y_test))


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a method and number of shots: means and deviations over draws."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["method"]["name"], row["shots"]), []).append(row)
    print("| method | images a class | discrete | Bayesian | weights | seconds | draws |")
    print("|---|---|---|---|---|---|---|")
    for (name, shots), own in groups.items():
        cells = [_mean([row[key] for row in own if key in row]) for key in ("accuracy", "bayes_accuracy")]
        seconds = np.mean([row["fit_seconds"] for row in own])
        weights = own[0]["num_weights"]
        print(f"| {name} | {shots} | {' | '.join(cells)} | {weights:,} | {seconds:.0f} | {len(own)} |")


def _mean(values: list[float]) -> str:
    if not values:
        return ""
    deviation = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{deviation}"


if __name__ == "__main__":
    main(__doc__, Config, run)
