"""Arrays for `mpnn train` and `mpnn predict`: a data set by name, or an NPZ or CSV file."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.runs.toml import ConfigError

__all__ = ["Examples", "Inputs", "read_inputs"]


class Examples(NamedTuple):
    """Features [n, features] with labels [n], or None where a file has none."""

    x: NDArray
    y: NDArray | None


class Inputs(NamedTuple):
    """What a source holds; either half may be missing."""

    train: Examples | None
    test: Examples | None


def read_inputs(source: str, *, label: str | None = None) -> Inputs:
    """Read a data set by name, or a file.

    Parameters
    ----------
    source
        A name known to `mpnn.data.load_dataset`; an NPZ file with arrays x_train, y_train, x_test,
        y_test (or x, y, which are both halves); or a CSV file of numbers, also both halves.
    label
        The label column of a CSV file: its name, or its number counted from 0 (negative: from the
        end). None: the file has no labels.
    """
    suffix = Path(source).suffix.lower()
    if suffix == ".npz":
        return _read_npz(Path(source))
    if suffix == ".csv":
        examples = _read_csv(Path(source), label)
        return Inputs(examples, examples)
    from mpnn.data import load_dataset

    try:
        data = load_dataset(source)
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
    return Inputs(Examples(_flat(data.x_train), data.y_train), Examples(_flat(data.x_test), data.y_test))


def _read_npz(path: Path) -> Inputs:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error

    def half(x: str, y: str) -> Examples | None:
        if x not in arrays:
            return None
        labels = arrays.get(y)
        if labels is not None and labels.shape != arrays[x].shape[:1]:
            raise ConfigError(f"{path}: {y} has shape {labels.shape}, expected ({len(arrays[x])},) as {x}")
        return Examples(_flat(arrays[x]), labels)

    both = half("x", "y")
    inputs = Inputs(half("x_train", "y_train") or both, half("x_test", "y_test") or both)
    if inputs == (None, None):
        raise ConfigError(f"{path} has none of the arrays x_train, x_test and x; it has {', '.join(arrays)}")
    return inputs


def _read_csv(path: Path, label: str | None) -> Examples:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    header = None
    if lines and not any(map(_is_number, lines[0])):
        header, *lines = lines
    if not lines:
        raise ConfigError(f"{path} holds no rows of numbers")
    width = len(header or lines[0])
    for number, line in enumerate(lines, start=2 if header else 1):
        if len(line) != width:
            raise ConfigError(f"{path}: row {number} has {len(line)} cells, expected {width}")
    table = np.array(lines)
    column = None if label is None else _label_column(path, label, header, width)
    features = table if column is None else np.delete(table, column, axis=1)
    try:
        x = features.astype(np.float64)
    except ValueError as error:
        raise ConfigError(
            f"{path}: every feature must be a number ({error}); --label names the labels"
        ) from error
    return Examples(x, None if column is None else _labels(table[:, column]))


def _label_column(path: Path, label: str, header: list[str] | None, width: int) -> int:
    if header and label in header:
        return header.index(label)
    try:
        return range(width)[int(label)]
    except (ValueError, IndexError):
        names = ", ".join(header) if header else f"0 to {width - 1}"
        raise ConfigError(f"{path} has no column {label!r}; it has {names}") from None


def _labels(texts: NDArray) -> NDArray:
    """Return labels as whole numbers if they all are, as text otherwise."""
    try:
        return texts.astype(np.int64)
    except ValueError:
        return texts


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _flat(x: NDArray) -> NDArray:
    return x.reshape(len(x), -1)
