"""Tables in many files, which need not fit into memory: read a part at a time.

A part is a file, or a group of rows of a Parquet file. Memory is that of the parts that are read at once, so
files should be of moderate size: 10,000 to 1,000,000 rows.
"""

import glob
import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.data.array_files import parquet_groups
from mpnn.data.array_tables import read_row_group
from mpnn.data.blocks import BlockOrder
from mpnn.data.column_kinds import Kind
from mpnn.data.column_names import Wishes
from mpnn.data.errors import DataError
from mpnn.data.survey import Survey, merged, survey_from_bytes, surveyed
from mpnn.data.table_files import is_table_file, read_table, several
from mpnn.encoders.words import Words
from mpnn.validation import path as path_of

__all__ = ["Part", "Parts", "Shards", "is_shards"]

SAMPLE_ROWS = 1 << 15
PARQUET = ".parquet"


def is_shards(source: str | os.PathLike[str]) -> bool:
    """Tell whether a source is several files: a folder, or a pattern with ``*``, ``?`` or ``[``.

    Parameters
    ----------
    source : str or path
        Name of the source.
    """
    name = str(path_of("source", source))
    return (glob.has_magic(name) and not Path(name).is_file()) or Path(name).is_dir()


class Part(NamedTuple):
    """Some rows of a table.

    Parameters
    ----------
    columns : list of (ndarray [n] or Words [n])
        The features: numbers, or words.
    labels : ndarray [n]
        Numbers or str.
    """

    columns: list[NDArray | Words]
    labels: NDArray

    def features(self, rows: Any = slice(None)) -> NDArray:
        """Return features as an array ``[k, F]``: numbers, or objects where one of the columns is words.

        Parameters
        ----------
        rows : slice or int ndarray [k], default=slice(None)
            Only these.
        """
        own = [column[rows] for column in self.columns]
        kinds = {values.dtype for values in own}
        shared = np.dtype(object) if np.dtype(object) in kinds else np.result_type(*kinds)
        array = np.empty((len(own[0]), len(own)), shared)
        for index, values in enumerate(own):
            array[:, index] = values
        return array

    def without(self, rows: NDArray) -> "Part":
        """Return the part but for some of its rows.

        Parameters
        ----------
        rows : int ndarray [k]
            Which of them.
        """
        kept = np.ones(len(self.labels), bool)
        kept[rows] = False
        return Part([column[kept] for column in self.columns], self.labels[kept])


class Parts(ABC):
    """Rows of one table, a part at a time: a sequence of ``(X, y)``.

    A subclass says how many parts there are and reads one; :class:`Shards` reads files.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Number of parts."""

    @abstractmethod
    def part(self, index: int) -> Part:
        """Read a part.

        Parameters
        ----------
        index : int
            From 0.
        """

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Tells the rows from others: a training goes on with those that it began with."""

    def __getitem__(self, index: int) -> tuple[NDArray, NDArray]:
        part = self.part(index)
        return part.features(), part.labels

    def __iter__(self) -> Iterator[tuple[NDArray, NDArray]]:
        return (self[index] for index in range(len(self)))

    def survey(
        self,
        sample_rows: int = SAMPLE_ROWS,
        seed: int = 0,
        parts: Sequence[int] | None = None,
        rows_of_class: int = 0,
    ) -> Survey:
        """Read all rows once: count those of every class, and draw a sample.

        Parameters
        ----------
        sample_rows : int >= 1, default=32768
            Rows of the sample; all of them where there are no more.
        seed : int >= 0, default=0
            Of the sample, which is a simple random one.
        parts : sequence of int or None, default=None
            Only these; surveys of different parts add up to that of all. None: all.
        rows_of_class : int >= 0, default=0
            Rows of every class that are kept besides the sample, at most, for classes too rare to be in it.
        """
        chosen = range(len(self)) if parts is None else parts
        read = ((index, self.part(index)) for index in chosen)
        return surveyed(read, sample_rows, seed, rows_of_class)

    def order(self, counts: Sequence[int], rows_at_once: int, seed: int, lanes: int = 1) -> BlockOrder:
        """Return the order in which the rows are trained on.

        Parameters
        ----------
        counts : sequence of int
            Rows of every part that are trained on.
        rows_at_once : int >= 1
            Rows of a block, about.
        seed : int >= 0
            Of the order.
        lanes : int >= 1, default=1
            Readers that every mini-batch is made up by.
        """
        return BlockOrder(tuple(counts), rows_at_once, seed, lanes)

    def merged(self, surveys: Sequence[bytes]) -> Survey:
        """Return the survey of all parts from those of some each, written by :meth:`Survey.to_bytes`.

        Parameters
        ----------
        surveys : sequence of bytes
            Of different parts.
        """
        return merged([survey_from_bytes(content) for content in surveys])


class Shards(Parts):
    """The rows of one table in many files, a sequence of parts ``(X, y)``.

    The files have the same columns; the kind of each is that of the first file.

    Parameters
    ----------
    source : str, path or sequence of them
        A pattern such as ``"clicks/*.parquet"``, a folder, or files: CSV and its kin, ``.parquet``, ``.npz``
        or ``.npy``. In the order of their names.
    label : str, int or None, default=None
        The label column, by name or number; None: an npz file keeps its labels in ``y``.
    drop : sequence of str or int, default=()
        Columns to leave out.
    categorical : sequence of str or int, default=()
        Columns of numbers that name categories.
    max_classes : int >= 2, default=100
        The largest number of different labels.

    Raises
    ------
    DataError
        Where there is no such file, or one cannot be read.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from mpnn.data import Shards
    >>> folder = tempfile.mkdtemp()
    >>> for number in range(3):
    ...     np.savez(f"{folder}/{number}.npz", x=np.full((5, 2), number), y=np.arange(5) % 2)
    >>> shards = Shards(f"{folder}/*.npz")
    >>> len(shards), shards.survey().num_rows
    (3, 15)
    >>> X, y = shards[2]
    >>> X.shape, y.tolist()
    ((5, 2), [0, 1, 0, 1, 0])
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        label: str | int | None = None,
        drop: Sequence[str | int] = (),
        categorical: Sequence[str | int] = (),
        max_classes: int = 100,
    ) -> None:
        self.paths = _files(source)
        self.label = label
        self.drop, self.categorical = several(drop, "drop"), several(categorical, "categorical")
        self.max_classes = max_classes
        self._places: list[tuple[Path, int | None]] = []
        for path in self.paths:
            groups = range(parquet_groups(path)) if path.suffix.lower() == PARQUET else (None,)
            self._places += [(path, group) for group in groups]

    def __len__(self) -> int:
        """Number of parts."""
        return len(self._places)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Kind of each feature by name, in order, as the first part has it."""
        return self._first[0]

    @property
    def named(self) -> bool:
        """Whether the columns have names in the files."""
        return self._first[1]

    @cached_property
    def _first(self) -> tuple[dict[str, Kind], bool]:
        """Kinds, and whether there are names, of the first part."""
        path, group = self._places[0]
        if group is not None:
            wishes = Wishes(self.label, self.drop, None, self.categorical, None)
            columns, _ = read_row_group(path, wishes, self.max_classes, group)
            return {name: column.kind for name, column in columns.items()}, True
        options: dict[str, Any] = {"drop": self.drop, "categorical": self.categorical}
        table = read_table(path, label=self.label, max_classes=self.max_classes, **options)
        return table.kinds, table.format.header

    def part(self, index: int) -> Part:
        """Read a part.

        Parameters
        ----------
        index : int
            From 0; negative ones count from the end.

        Raises
        ------
        DataError
            Where the file has other columns than the first one, or a row has no label.
        """
        path, group = self._places[index]
        if group is not None:
            wishes = Wishes(self.label, (), None, (), self.kinds)
            found, labels = read_row_group(path, wishes, self.max_classes, group)
            columns = [column.values for column in found.values()]
        else:
            table = read_table(path, label=self.label, kinds=self.kinds, max_classes=self.max_classes)
            if table.labels is None:
                raise DataError(f"{path} has no labels; name their column (option label)")
            columns, labels = [column.values for column in table.columns], table.labels
        if labels.dtype == object and all(isinstance(label, str) for label in labels.tolist()):
            labels = labels.astype(str)
        return Part(columns, labels)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of names and sizes of the files and of how they are read."""
        files = [(path.name, path.stat().st_size) for path in self.paths]
        about = [files, self.label, self.drop, self.categorical, self.max_classes]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _files(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files that a source names, sorted."""
    if isinstance(source, Iterable) and not isinstance(source, str | os.PathLike | bytes):
        found = [path_of("every file of source", name) for name in source]
    elif path_of("source", source).is_dir():
        found = [path for path in Path(source).iterdir() if is_table_file(path)]
    elif glob.has_magic(os.fspath(source)) and not Path(source).is_file():
        found = [Path(name) for name in glob.glob(os.fspath(source), recursive=True)]
    else:
        found = [Path(source)]
    if not found and isinstance(source, str | os.PathLike) and Path(source).is_dir():
        raise DataError(f"{source} holds no table file, such as .parquet or .csv; name another folder")
    if not found:
        raise DataError(f"{source} names no file; give a pattern such as 'folder/*.parquet'")
    return sorted(found)
