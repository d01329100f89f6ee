"""`load_dataset`: real data sets from scikit-learn, from files on this machine, or from the network."""

import os
import warnings
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mpnn.data.bundled import read_bundled
from mpnn.data.download import download_dataset
from mpnn.data.errors import DataNotFoundError, damaged
from mpnn.data.formats import KEYS, Arrays, write_npz
from mpnn.data.local import data_folder, find_local
from mpnn.data.registry import DatasetInfo, find_info, list_datasets


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its official (or documented) split into training and test samples.

    Parameters
    ----------
    name : str
        The name it was loaded by.
    x_train, x_test : ndarray [n, ...]
        Samples first. Images are uint8 [n, height, width(, channels)] with values 0..255 (digits: 0..16),
        tables are float64 [n, features] in the units of the source, neither scaled nor centred.
    y_train, y_test : int64 ndarray [n]
        Labels, 0 .. number of classes - 1.
    class_names : tuple of str
        Name of each class, in the order of the labels.
    feature_names : tuple of str or None
        Name of each column of a table; None for images and where the file does not say.
    image_shape : tuple of int or None
        `(height, width)` or `(height, width, channels)`; None for tables.
    note : str
        What to know before quoting a figure on this data; empty if nothing.
    source : str
        Where these arrays came from.
    """

    name: str
    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)
    feature_names: tuple[str, ...] | None = field(repr=False)
    image_shape: tuple[int, ...] | None
    note: str
    source: str


class DatasetStatus(NamedTuple):
    """One row of `dataset_status`.

    Parameters
    ----------
    name : str
        The name that `load_dataset` takes.
    task : str
        What is to be told apart.
    found : str
        "bundled", the path of the copy that `load_dataset` would read, or "not on this machine".
    train_shape, test_shape : tuple of int
        Shapes of the published `x_train` and `x_test`, samples first.
    source : str
        Where the set is published.
    licence : str
        Licence and citation in one line.
    """

    name: str
    task: str
    found: str
    train_shape: tuple[int, ...]
    test_shape: tuple[int, ...]
    source: str
    licence: str


def load_dataset(
    name: str, *, folder: str | os.PathLike[str] | None = None, download: bool = True
) -> Dataset:
    """Load a data set by name.

    `digits`, `breast_cancer`, `iris` and `wine` come with scikit-learn, split 70/30 with
    `train_test_split(test_size=0.3, random_state=0, stratify=y)`. `mnist`, `fashion_mnist`, `cifar10`,
    `heart` and `adult` are read from `NAME.npz` (keys x_train, y_train, x_test, y_test) or from the set's
    own public format in the data folder; where there is neither, they are downloaded once and kept there
    as `NAME.npz`. No file is ever unpickled. `list_datasets` has shapes, licences and sources.

    `adult` has its official split and 108 features, `heart` a stratified 80/20 split of its sorted rows
    and 21 features: nominal columns are one-hot, in adult with '?' (missing) as a value of its own.

    Parameters
    ----------
    name : str
        One of `[info.name for info in list_datasets()]`.
    folder : str, path or None, default=None
        The data folder; None: $MPNN_DATA if set, else `mpnn` in the user's cache folder.
    download : bool, default=True
        Whether to go to the network for a set that the data folder lacks.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        Unknown name.
    DataError
        A file is damaged, has a wrong checksum, or holds arrays of other shapes or types (a ValueError).
    DataNotFoundError
        The set is not in the folder, and was not to be downloaded, or the download failed or brought
        something else than the published data (a DataError and an OSError).

    Warns
    -----
    UserWarning
        A downloaded set could not be kept in the data folder.

    Examples
    --------
    >>> from mpnn.data import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.x_train.shape, digits.x_test.shape, digits.image_shape
    ((1257, 8, 8), (540, 8, 8), (8, 8))
    """
    info = find_info(name)
    if info.bundled:
        return _dataset(info, read_bundled(name), "bundled with scikit-learn")
    home = data_folder(folder)
    if copy := find_local(info, home):
        return _dataset(info, copy.read(), str(copy.path))
    if not download:
        raise DataNotFoundError(_how_to_get(info, home, "was not to be downloaded"))
    try:
        arrays = download_dataset(info)
    except (OSError, HTTPException, ValueError) as error:
        reason = f"could not be downloaded ({type(error).__name__}: {error})"
        raise DataNotFoundError(_how_to_get(info, home, reason)) from error
    dataset = _dataset(info, arrays, "downloaded from " + _download_source(info))
    _keep(home / f"{name}.npz", arrays)
    return dataset


def dataset_status(folder: str | os.PathLike[str] | None = None) -> list[DatasetStatus]:
    """Say for each data set whether it is on this machine, without reading the data.

    Parameters
    ----------
    folder : str, path or None, default=None
        The data folder, as for `load_dataset`.
    """
    home = data_folder(folder)
    return [
        DatasetStatus(
            name=info.name,
            task=info.task,
            found=_where(info, home),
            train_shape=info.train_shape,
            test_shape=info.test_shape,
            source=info.source,
            licence=info.licence,
        )
        for info in list_datasets()
    ]


def _where(info: DatasetInfo, home: Path) -> str:
    if info.bundled:
        return "bundled"
    copy = find_local(info, home)
    return str(copy.path) if copy else "not on this machine"


def _download_source(info: DatasetInfo) -> str:
    return f"https://www.openml.org/d/{info.openml_id}" if info.openml_id else info.source


def _how_to_get(info: DatasetInfo, home: Path, reason: str) -> str:
    keys = ", ".join(KEYS)
    return (
        f"{info.name} is not in {home} and {reason}. Put {info.name}.npz (arrays {keys}) there, "
        f"or {info.files}; see {info.source}. MPNN_DATA or folder= names another folder."
    )


def _keep(path: Path, arrays: Arrays) -> None:
    try:
        write_npz(path, arrays)
    except OSError as error:
        warnings.warn(f"{path} could not be written, so the next call downloads again: {error}", stacklevel=3)


def _dataset(info: DatasetInfo, arrays: Arrays, source: str) -> Dataset:
    """Check what was read and give it its final form."""
    _check(info, arrays, source)
    notes = [info.note, arrays.note]
    sizes = len(arrays.x_train), len(arrays.x_test)
    published = info.train_shape[0], info.test_shape[0]
    if sizes != published:
        notes.append("{} + {} samples, where the published set has {} + {}".format(*sizes, *published))
    return Dataset(
        name=info.name,
        x_train=arrays.x_train,
        y_train=arrays.y_train.astype(np.int64),
        x_test=arrays.x_test,
        y_test=arrays.y_test.astype(np.int64),
        class_names=info.class_names,
        feature_names=arrays.feature_names,
        image_shape=info.image_shape,
        note="; ".join(note for note in notes if note),
        source=source,
    )


def _check(info: DatasetInfo, arrays: Arrays, source: str) -> None:
    """Raise DataError where arrays are not those of this data set."""
    for part, x, y in (
        ("train", arrays.x_train, arrays.y_train),
        ("test", arrays.x_test, arrays.y_test),
    ):
        expected = info.image_shape or arrays.x_train.shape[1:2]
        if x.ndim < 2 or x.shape[1:] != expected or len(x) == 0:
            sizes = ", ".join(map(str, expected)) or "features"
            raise damaged(source, f"x_{part} has shape {x.shape}, expected (n, {sizes}) with n at least 1")
        if info.image_shape:
            if x.dtype != np.uint8:
                raise damaged(source, f"x_{part} has type {x.dtype}, expected uint8 pixels")
        elif x.dtype.kind not in "iuf" or not np.all(np.isfinite(x)):
            raise damaged(source, f"x_{part} must hold finite numbers, and has type {x.dtype}")
        if y.shape != (len(x),):
            raise damaged(source, f"y_{part} has shape {y.shape}, expected ({len(x)},) as x_{part}")
        last = len(info.class_names) - 1
        if y.dtype.kind not in "iu" or y.min() < 0 or y.max() > last:
            raise damaged(source, f"y_{part} must hold whole numbers from 0 to {last}")
