"""One model from the command line: train, save, load, predict."""

import copy
import csv
import io
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.cli.sources import Examples, Inputs
from mpnn.runs.rows import write_atomically
from mpnn.runs.toml import ConfigError, unknown_name

__all__ = ["load", "save", "score", "train", "write_predictions"]


def train(
    inputs: Inputs, parameters: Mapping[str, Any], ensemble: str, shots: int | None, seed: int
) -> tuple[Any, float]:
    """Fit one classifier, or one a pair of classes; return it with the seconds it took."""
    from mpnn import MessagePassingClassifier, PairwiseVoteClassifier

    x, y = _training_set(inputs, shots, seed)
    known = MessagePassingClassifier().get_params()
    for key in parameters:
        if key not in known:
            raise ConfigError(unknown_name("parameter", key, known, "the command line"))
    model: Any = MessagePassingClassifier(**parameters)
    if ensemble == "pairwise":
        model = PairwiseVoteClassifier(model, ties="confidence")
    start = perf_counter()
    try:
        model.fit(x, y)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return model, perf_counter() - start


def score(model: Any, inputs: Inputs) -> dict[str, float]:
    """Return training and, where there are test labels of their own, test accuracy."""
    found = {}
    if inputs.train is not None and inputs.train.y is not None:
        found["training"] = float(np.mean(model.predict(inputs.train.x) == inputs.train.y))
    if inputs.test is not None and inputs.test is not inputs.train and inputs.test.y is not None:
        found["test"] = float(np.mean(model.predict(inputs.test.x) == inputs.test.y))
    return found


def save(model: Any, path: Path) -> None:
    """Save the discrete weights: safetensors and JSON, nothing that runs when loaded."""
    from mpnn import save_model

    try:
        save_model(model, path)
    except OSError as error:
        raise ConfigError(f"cannot write the model to {path}: {error}") from error


def load(path: Path) -> Any:
    """Load what `save` wrote."""
    from mpnn import load_model

    try:
        return load_model(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a model from {path}: {error}") from error


def write_predictions(model: Any, examples: Examples, path: Path) -> float | None:
    """Write labels, and probabilities where the model has them; return the accuracy if labels are known."""
    try:
        labels = model.predict(examples.x)
        probabilities = _probabilities(model, examples.x)
    except ValueError as error:
        raise ConfigError(f"the model cannot read these examples: {error}") from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if probabilities is None:
        writer.writerow(["label"])
        writer.writerows([label] for label in labels.tolist())
    else:
        writer.writerow(["label", *(f"p_{name}" for name in model.classes_.tolist())])
        for label, row in zip(labels.tolist(), probabilities.tolist(), strict=True):
            writer.writerow([label, *(f"{value:.6g}" for value in row)])
    write_atomically(path, text.getvalue().encode())
    return None if examples.y is None else float(np.mean(labels == examples.y))


def _probabilities(model: Any, x: NDArray) -> NDArray | None:
    """Return class probabilities [n, C]; of an ensemble, those of its soft vote."""
    if "vote" in model.get_params(deep=False):
        model = copy.copy(model).set_params(vote="soft")
    return model.predict_proba(x) if hasattr(model, "predict_proba") else None


def _training_set(inputs: Inputs, shots: int | None, seed: int) -> Examples:
    if inputs.train is None or inputs.train.y is None:
        raise ConfigError("training needs labels: arrays x_train and y_train (or x and y), or a label column")
    if shots is None:
        return inputs.train
    from mpnn.data import sample_few_shot

    try:
        return Examples(*sample_few_shot(inputs.train.x, inputs.train.y, per_class=shots, seed=seed))
    except ValueError as error:
        raise ConfigError(str(error)) from error
