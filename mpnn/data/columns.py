"""A table in memory: named columns of one kind each, labels, identifiers, and how the file was laid out."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.data.column_kinds import Kind
from mpnn.data.errors import DataError

__all__ = ["Column", "ColumnSummary", "Table", "TableFormat", "feature_array"]


class ColumnSummary(NamedTuple):
    """Summary of a column, as shown before training.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : str
        Kind of its values.
    distinct : int
        Different values.
    missing : int
        Missing values.
    """

    name: str
    kind: str
    distinct: int
    missing: int


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
    """One column of features.

    Parameters
    ----------
    name : str
        As the header has it, without the spaces around it; `column 3` (counted from 0) where there is none.
    kind : str
        "number", "boolean" or "category".
    values : ndarray
        Number: float64 [n], NaN where missing (arrays from npz and npy files keep their own type); boolean:
        float64 [n] of 0, 1 and NaN; category: object [n] of str, None where missing.
    """

    name: str
    kind: Kind
    values: NDArray

    @cached_property
    def missing(self) -> NDArray:
        """Bool [n]."""
        if self.values.dtype == object:
            return np.array([value is None for value in self.values.tolist()], dtype=bool)
        return (
            np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self.values), dtype=bool)
        )

    @cached_property
    def num_distinct(self) -> int:
        """How many different values there are, missing ones not counted."""
        if self.values.dtype == object:
            return len(set(self.values.tolist()) - {None})
        return len(np.unique(self.values[~self.missing]))

    @cached_property
    def is_constant(self) -> bool:
        """Whether all values that are there are equal, or none is there."""
        if self.values.dtype == object:
            return self.num_distinct < 2
        filled = self.values[~self.missing] if self.values.dtype.kind == "f" else self.values
        return not len(filled) or bool(filled.min() == filled.max())


@dataclasses.dataclass(frozen=True)
class TableFormat:
    """How the file was laid out, found or given; None where a kind of file has no such thing.

    Parameters
    ----------
    kind : str
        "text", "npz", "npy" or "parquet".
    delimiter, decimal : str or None, default=None
        One character each.
    encoding : str or None, default=None
        As Python names it.
    header : bool, default=True
        Whether the columns have names in the file.
    header_given : bool, default=False
        Whether `header` was given, not found.
    """

    kind: str
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool = True
    header_given: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A table as `read_table` returns it.

    Parameters
    ----------
    source : str
        The file, as messages name it.
    columns : tuple of Column
        The features, in the order of the file.
    labels : ndarray [n] or None
        Str exactly as written from a text file (`007` stays `007`), the file's own integers, booleans or
        str from arrays and Parquet; None if no label column was asked for.
    label_name : str or None
        The name of the label column.
    ids : ndarray or None
        [n]: the identifiers, str from a text file; None if no such column was asked for.
    id_name : str or None
        The name of the column of identifiers.
    format : TableFormat
        What was found or given about the file.
    warnings : tuple of str
        Sentences about what looks wrong but does not prevent training.
    lines : int64 ndarray [n]
        The line of a text file on which each row begins, counted from 1; else the number of the
        row, counted from 0.
    matrix : ndarray or None, default=None
        [n, features]: the features of an npz or npy file in their own type; else None.
    """

    source: str
    columns: tuple[Column, ...]
    labels: NDArray | None
    label_name: str | None
    ids: NDArray | None
    id_name: str | None
    format: TableFormat
    warnings: tuple[str, ...]
    lines: NDArray
    matrix: NDArray | None = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(column.name for column in self.columns)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Kind of each feature by name, in order: what `read_table(kinds=)` needs to read a file alike."""
        return {column.name: column.kind for column in self.columns}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return len(self), len(self.columns)

    def features(self) -> NDArray:
        """Return the features as one array [n, features], the same whether pandas is installed or not.

        float64 with NaN where missing if no column is a category (arrays from npz and npy files as they
        are); else object, with floats in the columns of numbers and str or None in the categories.
        """
        return feature_array(self.columns) if self.matrix is None else self.matrix

    def frame(self) -> Any:
        """Return the features as a pandas DataFrame: float64 columns, and `category` ones of str.

        Raises
        ------
        DataError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise DataError("a data frame needs pandas: pip install pandas") from error
        return pd.DataFrame(
            {
                column.name: pd.Categorical(column.values) if column.kind == "category" else column.values
                for column in self.columns
            }
        )

    def summary(self) -> list[ColumnSummary]:
        """Return name, kind, number of distinct values and of missing ones, of each feature."""
        return [
            ColumnSummary(column.name, column.kind, column.num_distinct, int(column.missing.sum()))
            for column in self.columns
        ]

    def place(self, row: int) -> str:
        """Return how a message names a row.

        Parameters
        ----------
        row : int >= 0
            Row of the table.
        """
        return place_of(self.source, self.format.kind)(int(self.lines[row]))

    def select(self, indices: Sequence[int], names: Sequence[str] | None = None) -> "Table":
        """Return the table with these features only, in this order, under new names if given.

        Parameters
        ----------
        indices : sequence of int
            Positions of the features.
        names : sequence of str or None, default=None
            New names; None: the present ones.
        """
        names = names or [self.columns[index].name for index in indices]
        columns = tuple(
            dataclasses.replace(self.columns[index], name=name)
            for index, name in zip(indices, names, strict=True)
        )
        matrix = None
        if self.matrix is not None:
            same = list(indices) == list(range(len(self.columns)))
            matrix = self.matrix if same else self.matrix[:, list(indices)]
        return dataclasses.replace(self, columns=columns, matrix=matrix)


def feature_array(columns: Sequence[Column]) -> NDArray:
    """Return columns as one array ``[n, features]``: float64, or object where one is a category."""
    categorical = any(column.kind == "category" for column in columns)
    shape = (len(columns[0].values), len(columns))
    array = np.empty(shape, dtype=object if categorical else np.float64)
    for index, column in enumerate(columns):
        array[:, index] = column.values
    return array


def place_of(source: str, kind: str) -> Callable[[int], str]:
    """Return the function from a line (of text) or row (of arrays, from 0) to how a message names it."""
    unit = "line" if kind == "text" else "row"
    return lambda number: f"{source}, {unit} {number}"
