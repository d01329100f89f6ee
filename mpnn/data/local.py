"""Where data files lie on this machine, and which reader each needs."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mpnn.data.errors import damaged
from mpnn.data.formats import (
    Arrays,
    file_checksum,
    idx_checksum,
    read_cifar_binary,
    read_idx,
    read_npz,
    read_packed_jpeg,
    require_checksum,
)
from mpnn.data.registry import CIFAR_ARCHIVE, CIFAR_JPEG, IDX_FILES, REGISTRY, DatasetInfo
from mpnn.data.tables import read_adult, read_heart_csv
from mpnn.validation import path as path_of


class LocalCopy(NamedTuple):
    """A data set found on this machine.

    Parameters
    ----------
    path : path
        Where it is.
    read : callable
        The call without arguments that reads it.
    """

    path: Path
    read: Callable[[], Arrays]


def data_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for data files.

    Parameters
    ----------
    folder : str, path or None, default=None
        The folder; None: $MPNN_DATA, else `mpnn` in the user's cache folder, which is $XDG_CACHE_HOME where
        that is set, else the platform's own.
    """
    if chosen := (folder or os.environ.get("MPNN_DATA")):
        return path_of("folder", chosen).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "mpnn"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mpnn"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "mpnn" / "Cache"
    return Path.home() / ".cache" / "mpnn"


def find_local(info: DatasetInfo, folder: Path) -> LocalCopy | None:
    """Look for `NAME.npz`, then for the set's own public format; lossless copies before lossy ones."""
    npz = folder / f"{info.name}.npz"
    if npz.is_file():
        return LocalCopy(npz, partial(read_npz, npz))
    return _FINDERS[info.name](info, folder)


def _existing(folder: Path, name: str) -> Path | None:
    """Return the file `name` or `name.gz` of a folder."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _find_idx(info: DatasetInfo, folder: Path) -> LocalCopy | None:
    """Find the four IDX files in `folder/NAME`, or in `folder` itself.

    MNIST and Fashion-MNIST use the same file names, so `folder` may hold the files of the other one.
    """
    for place in (folder / info.name, folder):
        found = [_existing(place, name) for name in IDX_FILES]
        paths = [path for path in found if path is not None]
        if len(paths) == len(IDX_FILES) and (place != folder or not _is_of_another_set(info, paths[-1])):
            return LocalCopy(place, partial(_read_idx_files, info, paths))
    return None


def _is_of_another_set(info: DatasetInfo, test_labels: Path) -> bool:
    """Tell from the smallest file whether IDX files are those of another data set."""
    others = {dict(row.checksums).get(IDX_FILES[-1]) for row in REGISTRY.values() if row.name != info.name}
    try:
        return idx_checksum(read_idx(test_labels)) in others
    except ValueError:  # damaged: reading the set will say so
        return False


def _read_idx_files(info: DatasetInfo, paths: list[Path]) -> Arrays:
    arrays = [read_idx(path) for path in paths]
    for path, name, array in zip(paths, IDX_FILES, arrays, strict=True):
        require_checksum(path, idx_checksum(array), dict(info.checksums)[name])
    x_train, y_train, x_test, y_test = arrays
    return Arrays(x_train, y_train, x_test, y_test)


def _find_cifar(info: DatasetInfo, folder: Path) -> LocalCopy | None:
    archive, packed = folder / CIFAR_ARCHIVE, folder / CIFAR_JPEG
    if archive.is_file():
        return LocalCopy(archive, partial(read_cifar_archive, info, archive))
    if packed.is_file():
        return LocalCopy(packed, partial(read_packed_jpeg, packed))
    return None


def read_cifar_archive(info: DatasetInfo, path: Path) -> Arrays:
    """Read CIFAR-10's binary archive, once its checksum is the published one."""
    try:
        found = file_checksum(path)
    except OSError as error:
        raise damaged(path, f"cannot be read: {error}") from error
    require_checksum(path, found, dict(info.checksums)[CIFAR_ARCHIVE])
    return read_cifar_binary(path)


def _find_heart(info: DatasetInfo, folder: Path) -> LocalCopy | None:
    path = folder / "heart.csv"
    return LocalCopy(path, partial(read_heart_csv, path)) if path.is_file() else None


def _find_adult(info: DatasetInfo, folder: Path) -> LocalCopy | None:
    train, test = _existing(folder, "adult.data"), _existing(folder, "adult.test")
    if train is None or test is None:
        return None
    return LocalCopy(train, partial(read_adult, train, test))


_FINDERS: dict[str, Callable[[DatasetInfo, Path], LocalCopy | None]] = {
    "mnist": _find_idx,
    "fashion_mnist": _find_idx,
    "cifar10": _find_cifar,
    "heart": _find_heart,
    "adult": _find_adult,
}
