"""How well probabilities fit, and whether they tell what the network has never seen.

    python -m experiments.uncertainty.calibration configs/calibration/calibration.toml

Every method trains on the same training images; the last of them are held out, for one temperature that all
methods get alike. Message passing: P(k) that output k is the largest of independent Gaussians, in one pass.
Gradient classifiers: the softmax of their training logits, for means over weights after the variance has
damped them. An ensemble is the mean probability of the seeds' networks, and the mean of their other scores.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

from experiments.common.methods import (
    Classifier,
    Predicted,
    fit_classifiers,
    method_of,
    predictions_of_beliefs,
    predictions_of_classifiers,
    train_networks,
)
from experiments.common.networks import Model, hold_out
from experiments.common.runs import main, run_jobs
from experiments.uncertainty.unit_distances import KnownUnits, known_units, squared_distances
from mpnn.compare.report.palette import COLOURS, MARKERS
from mpnn.data import Dataset, load_dataset
from mpnn.metrics import probability_scores
from mpnn.preprocessing.scaling import fit_transform_of
from mpnn.runs.toml import ConfigError

NUM_BINS = 15
# Of probabilities in logarithms.
FLOOR = 1e-12
TEMPERATURES = (0.05, 20.0)
# Bins with a smaller share of the samples are not drawn.
LEAST_SHARE = 0.002
# Images of a kind that was seen, and of one that was not.
DETECTED = ("test", "other")
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


@dataclass(frozen=True)
class Config:
    """Models and classifiers on two data sets, each what the networks of the other have never seen.

    held_out: training samples, the last ones, that choose the temperature. num_epochs and batch_size are the
    models'; classifiers have their own among their parameters. input_scaling: see
    mpnn.preprocessing.scaling.fit_transform_of. trained_on: which of the data sets to train on; None: both.
    """

    datasets: list[str]
    model_seeds: list[int]
    classifier_seeds: list[int]
    held_out: int
    num_epochs: int
    models: list[Model]
    classifiers: list[Classifier]
    batch_size: int = 128
    input_scaling: str = "standard"
    trained_on: list[str] | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.trained_on or []) - set(self.datasets))
        if len(self.datasets) != 2 or unknown:
            raise ConfigError(
                "calibration needs two datasets, and trained_on from among them; "
                f"got datasets {self.datasets} and trained_on {self.trained_on}"
            )


class Judged(NamedTuple):
    """What P networks make of images: class probabilities ``[P, n, C]``, and two scores ``[P, n]``.

    Both are larger on images of a kind that was seen: the evidence of experiments.common.methods.Predicted,
    and the
    nearness of hidden units to what they say for training images, minus the squared distance.
    """

    probabilities: NDArray
    evidence: NDArray
    nearness: NDArray


def measure(config: Config, data: Mapping[str, Dataset], job: Mapping[str, Any]) -> dict[str, Any]:
    """Scores of each seed's network and of their ensemble."""
    own = data[job["dataset"]]
    (other,) = (each for name, each in data.items() if name != job["dataset"])
    half = hold_out(own, config.held_out)
    scaled = fit_transform_of(_flat(half.x_train), config.input_scaling)
    places = {"held_out": half.x_test, "test": own.x_test, "other": other.x_test}
    inputs = {place: jnp.asarray(scaled(_flat(images))) for place, images in places.items()}
    labels = {"held_out": half.y_test, "test": own.y_test}
    train = jnp.asarray(scaled(_flat(half.x_train))), jnp.asarray(half.y_train)
    found = predictions(config, method_of(job), *train, inputs)
    ensemble = {place: Judged(*(each.mean(axis=0) for each in own)) for place, own in found.items()}
    shares = found["test"].probabilities
    singles = [
        {place: Judged(*(each[index] for each in own)) for place, own in found.items()}
        for index in range(len(shares))
    ]
    return {
        "networks": [scores(single, labels) for single in singles],
        "ensemble": scores(ensemble, labels),
        "reliability": reliability(np.concatenate(shares), np.tile(own.y_test, len(shares))),
        "ensemble_reliability": reliability(ensemble["test"].probabilities, own.y_test),
    }


def _flat(images: NDArray) -> NDArray:
    return np.asarray(images, np.float32).reshape(len(images), -1)


def predictions(
    config: Config, method: Model | Classifier, train: Array, labels: Array, inputs: Mapping[str, Array]
) -> dict[str, Judged]:
    """What one network a seed makes of the images of every place."""
    predict = _predictor(config, method, train, labels)
    classes = np.asarray(labels)
    known = [known_units(own, classes) for own in predict(train).units]
    return {place: _judged(predict(each), known) for place, each in inputs.items()}


def _predictor(
    config: Config, method: Model | Classifier, train: Array, labels: Array
) -> Callable[[Array], Predicted]:
    """Train one network a seed."""
    if isinstance(method, Model):
        num_outputs = int(labels.max()) + 1
        trained = train_networks(
            method, train, labels, num_outputs, config.model_seeds, config.num_epochs, config.batch_size
        )
        return partial(predictions_of_beliefs, trained)
    fitted = [
        own.set_params(prediction="bayes")
        for own in fit_classifiers(method, train, labels, config.classifier_seeds)
    ]
    return partial(predictions_of_classifiers, method, fitted)


def _judged(predicted: Predicted, known: list[KnownUnits]) -> Judged:
    distances = [squared_distances(*own) for own in zip(known, predicted.units, strict=True)]
    return Judged(predicted.probabilities, predicted.evidence, -np.stack(distances))


def scores(found: Mapping[str, Judged], labels: Mapping[str, NDArray]) -> dict[str, float]:
    """What a network's probabilities are worth, as they are and at the temperature of the held-out ones."""
    shares = {place: own.probabilities for place, own in found.items()}
    temperature = best_temperature(shares["held_out"], labels["held_out"])
    plain = probability_scores(shares["test"], labels["test"], NUM_BINS)
    tempered = probability_scores(tempered_by(temperature, shares["test"]), labels["test"], NUM_BINS)
    held_out = probability_scores(shares["held_out"], labels["held_out"], NUM_BINS)
    return {
        "accuracy": 100.0 * plain.accuracy,
        "negative_log_likelihood": plain.negative_log_likelihood,
        "calibration_error": 100.0 * plain.expected_calibration_error,
        "temperature": temperature,
        "negative_log_likelihood_tempered": tempered.negative_log_likelihood,
        "calibration_error_tempered": 100.0 * tempered.expected_calibration_error,
        "held_out_accuracy": 100.0 * held_out.accuracy,
        "held_out_negative_log_likelihood": held_out.negative_log_likelihood,
        "held_out_calibration_error": 100.0 * held_out.expected_calibration_error,
        "detected_by_maximum": detection(*(shares[place].max(axis=1) for place in DETECTED)),
        "detected_by_entropy": detection(*(-entropy(shares[place], axis=1) for place in DETECTED)),
        "detected_by_evidence": detection(*(found[place].evidence for place in DETECTED)),
        "detected_by_units": detection(*(found[place].nearness for place in DETECTED)),
    }


def detection(known: NDArray, other: NDArray) -> float:
    """Area under the curve of telling known images from others by a score that is larger on known ones."""
    of_known = np.repeat([1, 0], [len(known), len(other)])
    return float(roc_auc_score(of_known, np.concatenate([known, other])))


def tempered_by(temperature: float, shares: NDArray) -> NDArray:
    """Probabilities to the power of one over the temperature, normalized."""
    logs = np.log(np.maximum(shares, FLOOR)) / temperature
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def best_temperature(shares: NDArray, classes: NDArray) -> float:
    """The temperature of the least negative log likelihood."""

    def loss(log_temperature: float) -> float:
        tempered = tempered_by(np.exp(log_temperature), shares)
        return probability_scores(tempered, classes).negative_log_likelihood

    return float(np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x))


def reliability(shares: NDArray, classes: NDArray) -> list[list[float]]:
    """Bins of the confidence that are not empty: mean confidence, accuracy, share of the samples."""
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == classes
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    rows = []
    for index in np.unique(bins):
        own = bins == index
        rows.append([float(confidence[own].mean()), float(right[own].mean()), float(own.mean())])
    return rows


def run(config: Config, output: Path, command: str) -> None:
    """Train and score what has no row yet; print a table and draw reliability."""
    settings = {
        "datasets": config.datasets,
        "held_out": config.held_out,
        "input_scaling": config.input_scaling,
    }
    of_models = {
        "seeds": config.model_seeds,
        "num_epochs": config.num_epochs,
        "batch_size": config.batch_size,
    }
    of_classifiers = {"seeds": config.classifier_seeds}
    jobs = [
        {"dataset": dataset, "method": asdict(method), **settings, **own}
        for methods, own in ((config.models, of_models), (config.classifiers, of_classifiers))
        for method in methods
        for dataset in config.trained_on or config.datasets
    ]
    data = {name: load_dataset(name) for name in config.datasets}
    rows = run_jobs(jobs, partial(measure, config, data), output, config, command)
    summarize(rows)
    draw(rows, output / "calibration.png")


def summarize(rows: list[dict[str, Any]]) -> None:
    """Two lines of Markdown a data set and method: means over seeds, and the ensemble."""
    names = list(rows[0]["ensemble"])
    print(f"| data | method | {' | '.join(names)} |")
    print("|---" * (2 + len(names)) + "|")
    for row in rows:
        for kind, found in (("one network", row["networks"]), ("ensemble", [row["ensemble"]])):
            values = [np.mean([each[name] for each in found]) for name in names]
            line = " | ".join(f"{value:.4g}" for value in values)
            print(f"| {row['dataset']} | {row['method']['name']}, {kind} of {len(row['seeds'])} | {line} |")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Accuracy less confidence, a panel a data set; ensembles of gradient-trained networks are dashed."""
    trained_on = list(dict.fromkeys(row["dataset"] for row in rows))
    num_panels = len(trained_on)
    figure, panels = plt.subplots(
        1, num_panels, figsize=(4.6 * num_panels, 3.6), layout="constrained", squeeze=False, sharey=True
    )
    for axes, dataset in zip(panels[0], trained_on, strict=True):
        own = [row for row in rows if row["dataset"] == dataset]
        for row, colour, marker in zip(own, COLOURS, MARKERS, strict=False):
            kinds = {"reliability": ("-", "one network")}
            if "classifier" in row["method"]:
                kinds["ensemble_reliability"] = ("--", f"ensemble of {len(row['seeds'])}")
            for kind, (line, label) in kinds.items():
                confidence, accuracy = np.array([bin[:2] for bin in row[kind] if bin[2] >= LEAST_SHARE]).T
                look = {"color": colour, "marker": marker, "ms": 4, "ls": line}
                axes.plot(
                    confidence, accuracy - confidence, label=f"{row['method']['name']}, {label}", **look
                )
        axes.axhline(0.0, color="black", lw=0.8)
        axes.set(title=TITLES.get(dataset, dataset), xlabel="confidence")
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("accuracy less confidence")
    panels[0, -1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(__doc__, Config, run)
