"""One model from the command line: train, save, load, predict, export."""

import copy
import csv
import dataclasses
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.cli.sources import Examples, Schema
from mpnn.data import is_table_file
from mpnn.data.cells import counted
from mpnn.metrics import label_positions
from mpnn.runs.toml import ConfigError, unknown_name
from mpnn.weight_files import load_arrays, save_arrays

__all__ = [
    "Decision",
    "Saved",
    "build",
    "decide",
    "export",
    "load",
    "predictions",
    "require_writable",
    "save",
    "train",
]


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


def require_writable(path: Path, option: str, read: Sequence[str | Path | None] = ()) -> None:
    """Refuse a path that cannot be written, or that is a file to be read, before anything long begins."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"the folder {folder} of {option} does not exist")
    if path.is_dir():
        raise ConfigError(f"{option} must name a file, got the folder {path}")
    if path.exists() and any(source and Path(source).exists() and path.samefile(source) for source in read):
        raise ConfigError(f"{option} would replace {path}, which is read; name another file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"{option}: no permission to write {path}")


def save(
    model: Any, schema: Schema | None, path: Path, provenance: Mapping[str, str], *, beliefs: bool = True
) -> None:
    """Save weights, the columns of the training file and where the model comes from, at once."""
    from mpnn import save_model

    try:
        with TemporaryDirectory(dir=path.absolute().parent, prefix=".mpnn-") as folder:
            whole = Path(folder) / "model"
            save_model(model, whole, beliefs=beliefs)
            arrays, metadata = load_arrays(whole)
            if schema is not None:
                metadata["table"] = dataclasses.asdict(schema)
            save_arrays(whole, arrays, metadata | {"provenance": dict(provenance)})
            os.replace(whole, path)
    except OSError as error:
        raise ConfigError(f"cannot write the model to {path}: {error.strerror or error}") from error


class Saved(NamedTuple):
    """What `save` wrote: the columns of the training file are None where these have no names."""

    model: Any
    schema: Schema | None
    provenance: dict[str, str]


def load(path: Path) -> Saved:
    """Load what `save` wrote, or a model that was saved from Python."""
    from mpnn import load_model
    from mpnn.deploy.packed import SIGNATURE

    if path.is_dir():
        raise ConfigError(f"the model must be a file, got the folder {path}")
    if not path.is_file():
        raise ConfigError(f"there is no model {path}; `mpnn train DATA --output {path}` writes one")
    if is_table_file(path):
        raise ConfigError(f"{path} is a table, not a model; the model comes first, then the data")
    try:
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) == SIGNATURE:
                raise ConfigError(f"{path} is an exported network; name the model that `mpnn train` wrote")
        model = load_model(path)
        metadata = load_arrays(path)[1]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot load a model: {error}") from error
    table = metadata.get("table")
    schema = None
    if table is not None:
        kinds, complete, label = table["kinds"], tuple(table["complete"]), table["label"]
        schema = Schema(kinds, complete, label, table.get("id"), table.get("width"))
    return Saved(model, schema, metadata.get("provenance", {}))


class Decision(NamedTuple):
    """Labels [n], and probabilities [n, C] of the classes.

    `by_votes`: labels are those of most votes of pairs of classes, which are not always the most probable.
    """

    labels: NDArray
    probabilities: NDArray
    by_votes: bool


def decide(model: Any, x: NDArray, prediction: str | None = None) -> Decision:
    """Predict as the model was saved, or by its discrete weights ("mode") or beliefs ("bayes", "sample").

    Labels by discrete weights of several pairs are those of the vote, as in exports; by beliefs, those of the
    largest probability.
    """
    soft, votes = copy.copy(model), "vote" in model.get_params(deep=False)
    expected = getattr(model, "estimators_", [model])[0].n_features_in_
    if x.shape[1] != expected:
        raise ConfigError(
            f"the examples have {counted(x.shape[1], 'feature')}, and the model was trained on {expected}"
        )
    by_votes = votes and len(model.classes_) > 2 and model.vote == "hard" and prediction in (None, "mode")
    try:
        if prediction is not None:
            soft.set_params(**{"estimator__prediction" if votes else "prediction": prediction})
        if votes:
            soft.set_params(vote="soft")
        probabilities = np.asarray(soft.predict_proba(x))
        labels = (model if by_votes else soft).predict(x)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"cannot predict: {error}") from error
    return Decision(labels, probabilities, by_votes)


def predictions(model: Any, examples: Examples, prediction: str | None = None) -> tuple[NDArray, bytes]:
    """Return labels [n], and CSV of identifiers, labels and probabilities.

    Where labels are decided by votes, a column tells which label is also the most probable one.
    """
    labels, probabilities, by_votes = decide(model, examples.x, prediction)
    classes = model.classes_
    places = label_positions(labels, classes)
    own = np.append(probabilities, np.full((len(labels), 1), np.nan), axis=1)[np.arange(len(labels)), places]
    columns = {"label": labels.tolist(), "probability": _written(own)}
    if by_votes:
        probable = own >= probabilities.max(axis=1)
        columns["decided_by"] = np.where(probable, "votes and probability", "votes").tolist()
    for name, column in zip(classes.tolist(), probabilities.T, strict=True):
        columns[f"p_{name}"] = _written(column)
    table = examples.table
    if table is not None and table.ids is not None:
        name = str(table.id_name)
        columns = {f"id_{name}" if name in columns else name: table.ids.tolist(), **columns}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return labels, text.getvalue().encode()


def _written(column: NDArray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.6g}" for value in column.tolist()]


def export(
    saved: "Saved", path: Path, format: str, inputs: str, check: Examples | None, optimize: str
) -> Any:
    """Write a model as `mpnn.deploy.export` does; return its report."""
    from mpnn.deploy import export as deploy_export

    columns = None if saved.schema is None else list(saved.schema.kinds)
    rows = None if check is None else check.x
    try:
        return deploy_export(
            saved.model, path, format, inputs=inputs, check=rows, optimize=optimize, column_names=columns
        )
    except (ValueError, ImportError, OSError) as error:
        raise ConfigError(f"cannot export the model: {error}") from error
