"""Tables in npz, npy and Parquet files. Nothing is ever unpickled, and no library speaks for itself."""

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.data.cells import in_column, shorten
from mpnn.data.column_kinds import Kind, object_array
from mpnn.data.errors import DataError
from mpnn.data.text_sources import unreadable
from mpnn.encoders.words import Words
from mpnn.validation import path as path_of

__all__ = [
    "Arrays2D",
    "ParquetColumn",
    "holds_test_part",
    "parquet_groups",
    "parquet_names",
    "read_npy",
    "read_npz",
    "read_npz_part",
    "read_parquet_columns",
]

_DAMAGED = (EOFError, ValueError, KeyError, MemoryError, SyntaxError, NotImplementedError, RuntimeError)
_PACKED = (zipfile.BadZipFile, zlib.error)
_OBJECTS = "holds Python objects, which are never loaded; save it as numbers or text"
_BATCH_ROWS = 1 << 16
# A small packed file must not fill the memory: what it unpacks to is at most so many times its size, or this.
_LARGEST_MULTIPLE, _ALWAYS_ALLOWED = 1024, 1 << 28
# By version; the third is the second but for the letters of names, which do not matter here.
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that numpy.savez knows


class Arrays2D(NamedTuple):
    """What an array file holds: x [n, features], labels [n] or None, names of the features."""

    x: NDArray
    labels: NDArray | None
    names: list[str]
    named: bool


def read_npz_part(path: Path, part: str) -> Arrays2D:
    """Read one part of an npz file: x_train and y_train, x_test and y_test, or x and y, which are both.

    Axes after the first are flattened. `feature_names` names the columns.
    """
    if part not in ("train", "test"):
        raise DataError(f"part must be 'train' or 'test', got {part!r}")
    names = _members(path)
    written = {name.lower(): name for name in names}  # some write X
    x_name = next((written[name] for name in (f"x_{part}", "x") if name in written), None)
    if x_name is None:
        raise DataError(
            f"{path} has neither an array x_{part} nor x; it has {', '.join(map(shorten, names)) or 'none'}; "
            f"save it again as x_{part} and y_{part}, or x and y"
        )
    y_name = written.get(f"y{x_name[1:]}".lower())
    x = _flat(path, x_name, _member(path, x_name))
    labels = None if y_name is None else _member(path, y_name)
    if labels is not None and labels.shape != (len(x),):
        raise DataError(
            f"{path}: {y_name} has shape {labels.shape}, expected ({len(x)},) as {x_name} has rows"
        )
    if "feature_names" not in names:
        return Arrays2D(x, labels, [f"column {index}" for index in range(x.shape[1])], False)
    feature_names = [str(name) for name in np.ravel(_member(path, "feature_names")).tolist()]
    if len(feature_names) != x.shape[1]:
        raise DataError(
            f"{path}: feature_names must name the {x.shape[1]} columns of {x_name}, it has length "
            f"{len(feature_names)}"
        )
    return Arrays2D(x, labels, feature_names, True)


def holds_test_part(path: Path) -> bool:
    """Tell whether an npz file has a test part of its own (x_test).

    Parameters
    ----------
    path : str or path
        The file.
    """
    return "x_test" in map(str.lower, _members(path_of("path", path)))


def read_npz(path: Path) -> dict[str, NDArray]:
    """Read all arrays of an npz file.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    DataError
        It is none, damaged, or unpacks to a great multiple of its size.
    """
    return {name: _member(path, name) for name in _members(path)}


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (*_PACKED, *_DAMAGED) as error:
        raise DataError(f"{path} is no npz file, or a damaged one; save it again with numpy.savez") from error
    except OSError as error:
        raise unreadable(str(path), error) from error


def _member(path: Path, name: str) -> NDArray:
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(f"{name}.npy")
            if member.compress_type not in _PACKINGS:
                raise DataError(f"{path}: {name} is packed in an unknown way; save it again with numpy.savez")
            _require_moderate(path, member.file_size)
            with archive.open(member) as stream:
                return _checked(f"{path}: {name}", stream, member.file_size)
    except (OSError, EOFError, KeyError, RuntimeError, *_PACKED) as error:
        # RuntimeError: the member claims encryption or a compression that zipfile does not know
        raise DataError(f"{path}: {name} is damaged; save the file again with numpy.savez") from error


def _require_moderate(path: Path, unpacked: int) -> None:
    """Refuse a file that unpacks to a great multiple of its size."""
    if unpacked > max(_ALWAYS_ALLOWED, _LARGEST_MULTIPLE * path.stat().st_size):
        raise DataError(
            f"{path} unpacks to {unpacked:.1e} bytes, more than {_LARGEST_MULTIPLE} times its size; "
            "if that is no attack, write it in several files or without packing"
        )


def _require_honest_header(stream: Any, size: int) -> None:
    """Refuse an array whose header is longer, or promises more, than the bytes that are there."""
    version = np.lib.format.read_magic(stream)
    start = stream.tell()
    length = int.from_bytes(stream.read(2 if version == (1, 0) else 4), "little")
    stream.seek(start)
    if length <= size:
        shape, _, dtype = _HEADERS[version](stream)
        if prod(shape) * dtype.itemsize <= size:
            return
    raise ValueError("the header promises more than is there")


def _checked(name: str, stream: Any, size: int) -> NDArray:
    """Read one array of a stream of so many bytes, never through pickle, nor more than is there."""
    try:
        with warnings.catch_warnings(action="ignore"):
            _require_honest_header(stream, size)
            stream.seek(0)
            return np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a damaged header is evaluated, and may raise anything
        if "pickle" in str(error) or "Object arrays" in str(error):
            raise DataError(f"{name} {_OBJECTS}") from error
        raise DataError(
            f"{name} is no NumPy array, or a damaged one; save it again with numpy.save"
        ) from error


def read_npy(path: Path) -> Arrays2D:
    """Read an npy file: a matrix of numbers, or a structured array whose fields are the columns."""
    try:
        with path.open("rb") as stream:
            if not stream.read(1):
                raise DataError(f"{path} is empty")
            stream.seek(0)
            array = _checked(str(path), stream, path.stat().st_size)
    except OSError as error:
        raise unreadable(str(path), error) from error
    if array.dtype.names:
        names = list(array.dtype.names)
        if array.ndim != 1:
            raise DataError(f"{path}: a structured array must have one axis, got shape {array.shape}")
        columns = [_flat(path, name, array[name][:, None])[:, 0] for name in names]
        return Arrays2D(np.stack(columns, axis=1), None, names, True)
    x = _flat(path, "the array", array)
    return Arrays2D(x, None, [f"column {index}" for index in range(x.shape[1])], False)


def _flat(path: Path, name: str, array: NDArray) -> NDArray:
    """Return numbers [n, features]; raise where there are none, or one is infinite."""
    if array.dtype.kind not in "biuf":
        kind = "text" if array.dtype.kind in "US" else f"values of type {array.dtype}"
        raise DataError(
            f"{path}: {name} holds {kind}, expected numbers; give words and dates as CSV or Parquet"
        )
    if array.ndim < 2 or array.size == 0:
        raise DataError(
            f"{path}: {name} has shape {array.shape}, expected rows and columns, at least one of each"
        )
    flat = array.reshape(len(array), -1)
    if flat.dtype.kind == "f" and (infinite := np.isinf(flat)).any():
        row, column = np.argwhere(infinite)[0].tolist()
        raise DataError(
            f"{path}, row {row}, column {column} of {name} is infinite; give nan where the value is unknown"
        )
    return flat


class ParquetColumn(NamedTuple):
    """A column by its Arrow type: "number", "boolean" or "category", and values [n].

    Integers without gaps keep their type, other numbers are float64 with NaN; booleans are bool, or float64
    where some are missing; text is words, each once.
    """

    kind: Kind
    values: NDArray | Words


def parquet_names(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns."""
    with _opened_parquet(path) as file:
        return [str(name) for name in file.schema_arrow.names]


def parquet_groups(path: Path) -> int:
    """Return the number of groups of rows that a Parquet file was written in."""
    with _opened_parquet(path) as file:
        return int(file.metadata.num_row_groups)


def read_parquet_columns(
    path: Path, names: Sequence[str], id: str | None = None, group: int | None = None
) -> dict[str, ParquetColumn]:
    """Return the named columns of a Parquet file, or of one of its groups of rows, a batch at a time.

    The column `id` becomes an array of str, whatever it holds, empty where missing.
    """
    blocks: dict[str, list[NDArray | Words]] = {name: [] for name in names}
    kinds: dict[str, Kind] = {}
    with _opened_parquet(path) as file:
        _require_moderate(path, 8 * file.metadata.num_rows * len(names))
        groups = None if group is None else [group]
        for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=list(names)):
            for name in names:
                kinds[name], values = _arrow_values(path, name, batch.column(name), name == id)
                blocks[name].append(values)
    if not kinds:
        raise DataError(f"{path} has columns but no rows")
    return {name: ParquetColumn(kinds[name], _joined(parts)) for name, parts in blocks.items()}


def _joined(parts: list[NDArray | Words]) -> NDArray | Words:
    words = [own for own in parts if isinstance(own, Words)]
    return Words.joined(words) if len(words) == len(parts) else np.concatenate([*map(np.asarray, parts)])


@contextmanager
def _opened_parquet(path: Path) -> Iterator[Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow") from error
    try:
        with path.open("rb") as stream:
            yield parquet.ParquetFile(stream)
    except (pyarrow.ArrowException, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no Parquet file, or a damaged one; write it again") from error
    except OSError as error:
        if type(error) is OSError:  # what pyarrow raises for a damaged page
            raise DataError(f"{path} is damaged; write the Parquet file again") from error
        raise unreadable(str(path), error) from error


def _texts(array: Any) -> Words:
    """Texts ``[n]``, equal ones as one object; None where missing."""
    coded = array.dictionary_encode()
    words = object_array([*coded.dictionary.to_pylist(), None])
    return Words(coded.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False), words)


def _arrow_values(path: Path, name: str, array: Any, is_id: bool) -> tuple[Kind, NDArray | Words]:
    import pyarrow
    from pyarrow import types

    if is_id:
        return "category", object_array(["" if value is None else str(value) for value in array.to_pylist()])
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if types.is_temporal(kind):
        raise DataError(
            f"{path}, {in_column(name)}: holds dates or times ({kind}); write them as numbers (days since a "
            "start, month, weekday) or drop the column (option drop)"
        )
    if str(kind) in ("string", "large_string", "string_view"):
        return "category", _texts(array)
    if types.is_null(kind):
        return "number", np.full(len(array), np.nan)
    if types.is_boolean(kind):
        if array.null_count:
            array = array.cast(pyarrow.uint8()).cast(pyarrow.float64())
        return "boolean", array.to_numpy(zero_copy_only=False)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        if types.is_decimal(kind) or (array.null_count and types.is_integer(kind)):
            array = array.cast(pyarrow.float64(), safe=False)
        return "number", array.to_numpy(zero_copy_only=False)
    raise DataError(
        f"{path}, {in_column(name)}: holds {shorten(str(kind))}, expected numbers, booleans or text; drop "
        "the column (option drop) or write it in several"
    )
