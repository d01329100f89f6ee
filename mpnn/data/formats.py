"""Readers of the public image formats, and the npz file that `load_dataset` keeps.

Every file is treated as written by a stranger: nothing is unpickled and nothing is unpacked to the disk.
"""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mpnn.atomic_files import open_atomically
from mpnn.data.errors import damaged

KEYS = ("x_train", "y_train", "x_test", "y_test")
UNREADABLE = (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error)
_CIFAR_RECORD = 1 + 3 * 32 * 32


class Arrays(NamedTuple):
    """A data set as read.

    Parameters
    ----------
    x_train, x_test : ndarray [n, ...]
        Samples first.
    y_train, y_test : ndarray [n]
        Labels.
    feature_names : tuple of str or None, default=None
        Names of a table's columns, where the file holds them.
    note : str, default=""
        What is to be known before a figure on this data is quoted.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    feature_names: tuple[str, ...] | None = None
    note: str = ""


def _open_npz(path: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read the named arrays of an npz file, never through pickle."""
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array, not an npz archive")
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise ValueError(f"it has no array {', '.join(missing)} (found: {', '.join(archive.files)})")
            return {name: archive[name] for name in (*names, *optional) if name in archive.files}
    except UNREADABLE as error:
        raise damaged(path, f"cannot be read as npz: {error}") from error


def read_npz(path: Path) -> Arrays:
    """Read an npz file with the keys x_train, y_train, x_test, y_test and, if kept, feature_names."""
    arrays = _open_npz(path, KEYS, ("feature_names",))
    x_train, y_train, x_test, y_test = (arrays[key] for key in KEYS)
    names = tuple(map(str, arrays["feature_names"].ravel())) if "feature_names" in arrays else None
    return Arrays(x_train, y_train, x_test, y_test, names)


def write_npz(path: Path, arrays: Arrays) -> None:
    """Write an npz file that is there whole or not at all.

    Parameters
    ----------
    path : path
        The file; its folder is made if missing, an existing file is replaced.
    arrays : Arrays
        What is written.
    """
    members = {key: getattr(arrays, key) for key in KEYS}
    if arrays.feature_names is not None:
        members["feature_names"] = np.array(arrays.feature_names, dtype=np.str_)
    with open_atomically(path) as file:
        np.savez_compressed(file, **members)


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, decompressed where the name ends in .gz."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read()
    except UNREADABLE as error:
        raise damaged(path, f"cannot be read: {error}") from error


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes: two zeros, type 8, number of axes, big-endian sizes, then data."""
    content = read_bytes(path)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise damaged(path, "is not an IDX file of unsigned bytes")
    num_axes = content[3]
    start = 4 + 4 * num_axes
    if len(content) < start:
        raise damaged(path, "ends within its header")
    shape = struct.unpack(f">{num_axes}I", content[4:start])
    if len(content) - start != (size := int(np.prod(shape, dtype=np.uint64))):
        raise damaged(path, f"its header promises {size} bytes of data, it holds {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def idx_checksum(array: np.ndarray) -> str:
    """Return the MD5 sum of the uncompressed IDX file that holds this uint8 array."""
    header = b"\x00\x00\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape)
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array, np.uint8).tobytes())
    return digest.hexdigest()


def file_checksum(path: Path) -> str:
    """Return the MD5 sum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def require_checksum(path: Path, found: str, published: str) -> None:
    """Raise DataError naming both sums where `found` is not the published MD5 sum."""
    if found != published:
        raise damaged(path, f"its MD5 sum is {found}, the published one is {published}")


def read_cifar_binary(path: Path) -> Arrays:
    """Read CIFAR-10's binary version: records of a label byte and three 32x32 colour planes.

    Images come out as uint8 [n, 32, 32, 3].
    """
    train = [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)]
    test = "cifar-10-batches-bin/test_batch.bin"
    parts: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name in (*train, test) and (stream := archive.extractfile(member)):
                    parts[member.name] = stream.read()
    except (tarfile.TarError, *UNREADABLE) as error:
        raise damaged(path, f"cannot be read as a tar.gz archive: {error}") from error
    for name in (*train, test):
        if name not in parts:
            raise damaged(path, f"it has no member {name}")
        if len(parts[name]) == 0 or len(parts[name]) % _CIFAR_RECORD:
            raise damaged(path, f"{name} is not a whole number of {_CIFAR_RECORD}-byte records")
    x_train, y_train = _cifar_records(b"".join(parts[name] for name in train))
    x_test, y_test = _cifar_records(parts[test])
    return Arrays(x_train, y_train, x_test, y_test)


def _cifar_records(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    records = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def read_packed_jpeg(path: Path) -> Arrays:
    """Read images packed as JPEG files end to end.

    For each part S of train, test: `jpeg_S` uint8 (all files), `offset_S` [n + 1] (where each begins) and
    `y_S` [n].
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{path} holds JPEG images; reading them needs Pillow: pip install pillow"
        ) from error
    keys = tuple(f"{kind}_{part}" for part in ("train", "test") for kind in ("jpeg", "offset", "y"))
    packed = _open_npz(path, keys)
    images = {
        part: _unpack_jpeg(path, packed[f"jpeg_{part}"], packed[f"offset_{part}"])
        for part in ("train", "test")
    }
    note = "lossy: the images were re-encoded as JPEG, so figures are not those of the published CIFAR-10"
    return Arrays(images["train"], packed["y_train"], images["test"], packed["y_test"], note=note)


def _unpack_jpeg(path: Path, content: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Decode JPEG files packed end to end into uint8 [n, 32, 32, 3]."""
    from PIL import Image

    whole = (
        content.dtype == np.uint8
        and content.ndim == offset.ndim == 1
        and offset.dtype.kind in "iu"
        and len(offset) > 1
        and offset[0] == 0
        and offset[-1] == len(content)
        and bool(np.all(offset[:-1] < offset[1:]))
    )
    if not whole:
        raise damaged(path, "its offsets do not divide the packed JPEG bytes into files")
    images = np.empty((len(offset) - 1, 32, 32, 3), np.uint8)
    blob = content.tobytes()
    for index, (begin, end) in enumerate(zip(offset[:-1].tolist(), offset[1:].tolist(), strict=True)):
        try:
            with Image.open(io.BytesIO(blob[begin:end]), formats=["JPEG"]) as image:
                pixels = np.asarray(image)
        except (OSError, ValueError, SyntaxError) as error:
            raise damaged(path, f"image {index} is not a readable JPEG: {error}") from error
        if pixels.shape != (32, 32, 3):
            raise damaged(path, f"image {index} has shape {pixels.shape}, expected (32, 32, 3)")
        images[index] = pixels
    return images
