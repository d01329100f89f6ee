"""A table in a file as a data set of a comparison: split by a seed, and numbers only, for all methods alike.

Categories become one column of 0 and 1 each, missing numbers the median with a column that marks them; both
are learned from the training part.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.config import DataFile
from mpnn.data import Column, DataError, Dataset, Table, holds_test_part, read_table
from mpnn.runs.rows import row_key
from mpnn.runs.toml import ConfigError

__all__ = ["file_key", "largest_class", "read_file"]

# Of a column with more categories, the rarer ones have no column of their own.
_MOST_CATEGORIES = 100


def file_key(file: DataFile) -> str:
    """Return the key of what the files hold and of how they are read, wherever they lie.

    Parameters
    ----------
    file : DataFile
        As the config has it.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        If a file cannot be read.
    """
    reading = dataclasses.asdict(file) | {"file": _digest(file.file)}
    if file.test is not None:
        reading["test"] = _digest(file.test)
    return row_key(reading)


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error


def read_file(name: str, file: DataFile) -> Dataset:
    """Read a file and split it.

    Parameters
    ----------
    name : str
        Of the data set.
    file : DataFile
        As the config has it.

    Raises
    ------
    DataError
        If a file cannot be read, has no labels, or a class cannot be in both parts.
    """
    train = _read(file, file.file, drop=file.drop, categorical=file.categorical)
    test = _test_part(file, train)
    classes, codes = np.unique(_text_labels(train), return_inverse=True)
    rows = np.arange(len(train))
    if test is None:
        rows, held_out = _split(file, codes, classes)
        test, test_codes = train, codes[held_out]
    else:
        held_out, test_codes = np.arange(len(test)), _codes_of(test, classes)
    columns = list(zip(train.columns, test.columns, strict=True))
    coded = [_coded(one.values[rows], other.values[held_out], one) for one, other in columns]
    names, x_train, x_test = (
        list(part) for part in zip(*(item for group in coded for item in group), strict=True)
    )
    return Dataset(
        name=name,
        x_train=np.column_stack(x_train),
        y_train=codes[rows].astype(np.int64),
        x_test=np.column_stack(x_test),
        y_test=test_codes.astype(np.int64),
        class_names=tuple(classes.tolist()),
        feature_names=tuple(names),
        image_shape=None,
        note="; ".join(train.warnings),
        source=file.file,
    )


def largest_class(name: str, file: DataFile) -> int:
    """Return the number of training examples of the largest class.

    Parameters
    ----------
    name : str
        Of the data set.
    file : DataFile
        As the config has it.

    Raises
    ------
    mpnn.runs.toml.ConfigError
        If the file cannot be read, or split.
    """
    try:
        return int(np.bincount(read_file(name, file).y_train).max())
    except (ValueError, OSError) as error:
        raise ConfigError(f"cannot load the data set {name!r}: {error}") from error


def _read(file: DataFile, path: str, **more: Any) -> Table:
    layout = {key: getattr(file, key) for key in ("delimiter", "decimal", "encoding", "header")}
    options = {"label": file.label, "id": file.id, "max_classes": file.max_classes} | layout | more
    table = read_table(path, **options)
    if table.labels is None:
        raise DataError(f'{path} has no labels; name their column: label = "NAME"')
    return table


def _test_part(file: DataFile, train: Table) -> Table | None:
    """Return the test examples, where the config or an npz file brings them."""
    if file.test is not None:
        return _read(file, file.test, kinds=train.kinds, id=None, part="test")
    if file.file.lower().endswith(".npz") and file.label is None and holds_test_part(Path(file.file)):
        return _read(file, file.file, part="test")
    return None


def _text_labels(table: Table) -> NDArray:
    return np.array([str(label) for label in np.asarray(table.labels).tolist()])


def _codes_of(test: Table, classes: NDArray) -> NDArray:
    labels = _text_labels(test)
    codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = np.flatnonzero(classes[codes] != labels)
    if len(unknown):
        raise DataError(
            f"{test.place(int(unknown[0]))}: the label {labels.item(unknown[0])!r} is none of those of "
            "training; correct it or leave the row out"
        )
    return codes


def _split(file: DataFile, codes: NDArray, classes: NDArray) -> tuple[NDArray, NDArray]:
    """Return rows of training and test, every class in both."""
    from sklearn.model_selection import train_test_split

    counts = np.bincount(codes)
    if len(classes) < 2:
        raise DataError(f"{file.file} has one class only, {classes.item(0)!r}; a comparison needs two")
    if counts.min() < 2:
        raise DataError(
            f"{file.file}: class {classes.tolist()[counts.argmin()]!r} has one example, too few for both "
            'parts; leave it out, or give test examples: test = "FILE"'
        )
    size = max(round(file.test_size * len(codes)), len(classes))
    size = min(size, len(codes) - len(classes))
    rows = np.arange(len(codes))
    train, test = train_test_split(rows, test_size=size, random_state=file.split, stratify=codes)
    return train, test


def _coded(train: NDArray, test: NDArray, column: Column) -> Iterator[tuple[str, NDArray, NDArray]]:
    """Yield name, training [n] and test [m] values of the columns of numbers that a column becomes."""
    if column.kind == "category":
        counts = Counter(value for value in train.tolist() if value is not None)
        for category, _ in sorted(counts.most_common(_MOST_CATEGORIES)):
            yield f"{column.name}={category}", (train == category) * 1.0, (test == category) * 1.0
        return
    missing, missing_in_test = (_missing(values) for values in (train, test))
    if missing.any() or missing_in_test.any():
        middle = 0.0 if missing.all() else float(np.median(train[~missing]))
        train, test = np.where(missing, middle, train), np.where(missing_in_test, middle, test)
    yield column.name, train, test
    if missing.any():
        yield f"{column.name} missing", missing * 1.0, missing_in_test * 1.0


def _missing(values: NDArray) -> NDArray:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
