"""The development tables: ten of KEEL, four that scikit-learn ships, heart, and 3,000 rows of Adult."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split

from mpnn.data import load_dataset
from mpnn.runs.toml import ConfigError

KEEL = ("iris", "wine", "heart", "pima", "vehicle", "bupa", "tae", "ionosphere", "wdbc", "vowel")
BUNDLED = {
    "sklearn_iris": datasets.load_iris,
    "sklearn_wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
}
DOWNLOADED = {"heart_csv": "heart", "adult": "adult"}
TABLES = (*KEEL, *BUNDLED, *DOWNLOADED)
MOST_ROWS = 3000
TEST_SHARE = 0.3
FIRST_SEED = 11


class Table(NamedTuple):
    """Numbers ``[n, F]`` and class numbers ``[n]``."""

    x: NDArray
    y: NDArray


class Split(NamedTuple):
    """A training part and what judges it."""

    x_train: NDArray
    y_train: NDArray
    x_test: NDArray
    y_test: NDArray


def load_table(name: str) -> Table:
    """A table by name, at most 3,000 rows of it, drawn once."""
    if name in KEEL:
        x, labels = _read_keel(name)
    elif name in BUNDLED:
        x, labels = BUNDLED[name](return_X_y=True)
    elif name in DOWNLOADED:
        data = load_dataset(DOWNLOADED[name])
        x = np.concatenate([data.x_train, data.x_test]).astype(np.float64)
        labels = np.concatenate([data.y_train, data.y_test])
    else:
        raise ConfigError(f"tables must be from among {TABLES}, got {name!r}")
    y = np.unique(labels, return_inverse=True)[1]
    if len(y) > MOST_ROWS:
        rows, _ = train_test_split(np.arange(len(y)), train_size=MOST_ROWS, random_state=0, stratify=y)
        x, y = x[rows], y[rows]
    return Table(x, y)


def split_table(table: Table, seed: int, judge: str) -> Split:
    """Split 70/30, stratified. ``judge="validation"`` splits the training part once more, the same way."""
    parts = _split(table.x, table.y, FIRST_SEED + seed)
    return parts if judge == "test" else _split(parts.x_train, parts.y_train, FIRST_SEED + seed)


def _split(x: NDArray, y: NDArray, seed: int) -> Split:
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=TEST_SHARE, random_state=seed, stratify=y
    )
    return Split(x_train, y_train, x_test, y_test)


def _read_keel(name: str) -> tuple[NDArray, NDArray]:
    """Numbers and labels of a file of KEEL's: commas, no header, the label last."""
    folder = os.environ.get("MPNN_DATA")
    if folder is None or not (path := Path(folder) / "keel" / f"{name}.dat").exists():
        raise ConfigError(f"the table {name!r} needs MPNN_DATA to name a folder with keel/{name}.dat")
    lines = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
    return np.array([line[:-1] for line in lines], float), np.array([line[-1].strip() for line in lines])
