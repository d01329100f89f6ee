"""One model from the command line: train, save, load, predict, export."""

import copy
import csv
import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mpnn.cli.sources import Examples, Schema
from mpnn.runs.toml import ConfigError, unknown_name
from mpnn.weight_files import load_arrays, save_arrays

__all__ = ["build", "export", "load", "predictions", "save", "train"]


def build(parameters: Mapping[str, Any], ensemble: str) -> Any:
    """Return an unfitted classifier, or one that votes by pairs of classes."""
    from mpnn import MessagePassingClassifier, PairwiseVoteClassifier

    known = MessagePassingClassifier().get_params()
    for key in parameters:
        if key not in known:
            raise ConfigError(unknown_name("parameter", key, known, "the command line"))
    model: Any = MessagePassingClassifier(**parameters)
    return PairwiseVoteClassifier(model, ties="confidence") if ensemble == "pairwise" else model


def train(model: Any, examples: Examples) -> Any:
    """Fit a classifier."""
    if examples.y is None:
        raise ConfigError("training needs labels: --label NAME, or an npz file with y_train (or y)")
    try:
        return model.fit(examples.x, examples.y)
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from error


def save(model: Any, schema: Schema | None, path: Path) -> None:
    """Save weights and the columns of the training file: safetensors and JSON, nothing that runs."""
    from mpnn import save_model

    try:
        save_model(model, path)
        if schema is not None:
            arrays, metadata = load_arrays(path)
            save_arrays(path, arrays, metadata | {"table": dataclasses.asdict(schema)})
    except OSError as error:
        raise ConfigError(f"cannot write the model to {path}: {error.strerror or error}") from error


def load(path: Path) -> tuple[Any, Schema | None]:
    """Load what `save` wrote, and the columns of its training file if they have names."""
    from mpnn import load_model

    try:
        model = load_model(path)
        table = load_arrays(path)[1].get("table")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a model from {path}: {error}") from error
    if table is None:
        return model, None
    return model, Schema(table["kinds"], tuple(table["complete"]), table["label"])


def predictions(model: Any, examples: Examples) -> tuple[NDArray, bytes]:
    """Return labels [n], and CSV of identifiers, labels, and probabilities where the model has them."""
    try:
        labels = model.predict(examples.x)
        probabilities = _probabilities(model, examples.x)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"the model cannot read these examples: {error}") from error
    header, columns = ["label"], [labels.tolist()]
    table = examples.table
    if table is not None and table.ids is not None:
        header.insert(0, str(table.id_name))
        columns.insert(0, table.ids.tolist())
    if probabilities is not None:
        header += [f"p_{name}" for name in model.classes_.tolist()]
        columns += [[f"{value:.6g}" for value in column] for column in probabilities.T.tolist()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    return labels, text.getvalue().encode()


def export(model: Any, path: Path, format: str, inputs: str, check: Examples | None, optimize: str) -> Any:
    """Write a model as `mpnn.deploy.export` does; return its report."""
    from mpnn.deploy import export as deploy_export

    try:
        rows = None if check is None else check.x
        return deploy_export(model, path, format, inputs=inputs, check=rows, optimize=optimize)
    except (ValueError, ImportError, OSError) as error:
        raise ConfigError(f"cannot export the model: {error}") from error


def _probabilities(model: Any, x: NDArray) -> NDArray | None:
    """Return class probabilities [n, C]; of an ensemble, those of its soft vote."""
    if "vote" in model.get_params(deep=False):
        model = copy.copy(model).set_params(vote="soft")
    return model.predict_proba(x) if hasattr(model, "predict_proba") else None
