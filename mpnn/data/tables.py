"""The two tables that come as text, heart and adult, and their one-hot encoding."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mpnn.data.errors import damaged
from mpnn.data.formats import Arrays, read_bytes

HEART_COLUMNS = (
    *("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg"),
    *("thalach", "exang", "oldpeak", "slope", "ca", "thal"),
)
HEART_NOMINAL = ("cp", "slope", "thal")

ADULT_COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation"),
    *("relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country"),
)
ADULT_NOMINAL = (
    *("workclass", "education", "marital-status", "occupation"),
    *("relationship", "race", "sex", "native-country"),
)
ADULT_LABELS = ("<=50K", ">50K")


def encode_columns(
    columns: Mapping[str, np.ndarray], nominal: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encode a table as numbers, nominal columns one-hot.

    Parameters
    ----------
    columns : mapping of str to ndarray [n]
        Columns by name; a numeric column holds numbers or their text.
    nominal : sequence of str
        Columns that become one indicator a value, values in sorted order, at the column's own place.

    Returns
    -------
    table : float64 ndarray [n, features]
        The numbers.
    names : tuple of str
        Names of the features: `column`, or `column=value` for an indicator.
    """
    blocks: list[np.ndarray] = []
    names: list[str] = []
    for column, values in columns.items():
        if column in nominal:
            levels = np.unique(values)
            blocks.append((values[:, None] == levels).astype(np.float64))
            names.extend(f"{column}={level}" for level in levels)
        else:
            blocks.append(values.astype(np.float64)[:, None])
            names.append(column)
    return np.concatenate(blocks, axis=1), tuple(names)


def read_heart_csv(path: Path) -> Arrays:
    """Read heart.csv: a header with the 13 columns and the label, then numbers. See `split_heart`."""
    try:
        lines = [row for row in csv.reader(io.StringIO(_text(path))) if row]
    except csv.Error as error:
        raise damaged(path, f"cannot be read as CSV: {error}") from error
    header = tuple(name.strip() for name in lines[0]) if lines else ()
    if header[:-1] != HEART_COLUMNS:
        expected = ",".join(HEART_COLUMNS)
        raise damaged(path, f"its header is {','.join(header)!r}, expected {expected!r} and the label")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            rows.append([float(value) for value in line])
        except ValueError as error:
            raise damaged(path, f"row {number} holds something else than numbers: {error}") from error
        if len(line) != len(header):
            raise damaged(path, f"row {number} has {len(line)} values, expected {len(header)}")
    table = np.array(rows).reshape(-1, len(header))
    labels, counts = np.unique(table[:, -1], return_counts=True)
    if labels.tolist() != [0.0, 1.0] or min(counts) < 5:
        raise damaged(path, "its last column must hold the labels 0 and 1, each at least five times")
    return split_heart(table)


def split_heart(table: np.ndarray) -> Arrays:
    """Turn the heart table into train (80 %) and test (20 %).

    The rows are sorted by value first, so that the split is the same whatever order a copy has; then
    `train_test_split(test_size=0.2, random_state=0, stratify=y)` of scikit-learn. The columns cp, slope
    and thal become indicators, as in Thorbjarnarson and Yorke-Smith (2023): 21 features.

    Parameters
    ----------
    table : float64 ndarray [n, 14]
        The columns of heart.csv, label last (1: no disease).
    """
    from sklearn.model_selection import train_test_split

    table = table[np.lexsort(table.T[::-1])]
    columns = dict(zip(HEART_COLUMNS, table.T, strict=False))
    columns |= {name: columns[name].astype(np.int64) for name in HEART_NOMINAL}
    x, names = encode_columns(columns, HEART_NOMINAL)
    y = table[:, -1].astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
    return Arrays(x_train, y_train, x_test, y_test, names)


def read_adult(train_path: Path, test_path: Path) -> Arrays:
    """Read the two files of UCI Adult, with the official split.

    A missing value ('?') counts as a value of its own, so no row is dropped; with one indicator a value
    the table has 108 features.
    """
    train, y_train = _adult_rows(train_path)
    test, y_test = _adult_rows(test_path)
    rows = np.concatenate([train, test])
    return encode_adult(dict(zip(ADULT_COLUMNS, rows.T, strict=True)), y_train, y_test)


def encode_adult(columns: Mapping[str, np.ndarray], y_train: np.ndarray, y_test: np.ndarray) -> Arrays:
    """Encode the Adult columns, the training rows first, and part them at the official split."""
    x, names = encode_columns(columns, ADULT_NOMINAL)
    return Arrays(x[: len(y_train)], y_train, x[len(y_train) :], y_test, names)


def _adult_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the 14 columns as text [n, 14] and the labels [n] of one UCI file."""
    rows, labels = [], []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("|"):  # adult.test opens with a remark
            continue
        *values, label = (value.strip() for value in line.split(","))
        if len(values) != len(ADULT_COLUMNS):
            expected = len(ADULT_COLUMNS) + 1
            raise damaged(path, f"line {number} has {len(values) + 1} values, expected {expected}")
        if label.rstrip(".") not in ADULT_LABELS:  # adult.test ends its labels with a full stop
            raise damaged(path, f"line {number} has the label {label!r}, expected one of {ADULT_LABELS}")
        for column, value in zip(ADULT_COLUMNS, values, strict=True):
            if column not in ADULT_NOMINAL and not value.isdecimal():
                raise damaged(path, f"line {number} has {column} = {value!r}, expected a whole number")
        rows.append(values)
        labels.append(ADULT_LABELS.index(label.rstrip(".")))
    if not rows:
        raise damaged(path, "holds no rows")
    return np.array(rows), np.array(labels, np.int64)


def _text(path: Path) -> str:
    """Return a text file's content, without the byte-order mark that some copies begin with."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise damaged(path, f"is not UTF-8 text: {error}") from error
