"""Columns of whatever holds a table: NumPy arrays, lists, pandas and polars frames, SciPy sparse matrices."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_array

from mpnn.preprocessing.precision import with_known_floats

__all__ = ["Distinct", "categorical_columns", "columns_of", "distinct_numbers", "read_table", "sparse_chunks"]

DATES = "mM"
# Columns of a sparse matrix that are dense at the same time.
CHUNK = 512


class Distinct(NamedTuple):
    """Distinct values of a numeric column, increasing, and how often each counts; missing ones left out."""

    values: NDArray
    counts: NDArray


def read_table(X: Any) -> Any:
    """A sparse CSC matrix, an array ``[n, F]`` or a list of F columns ``[n]``, none of them empty."""
    if _is_frame(X):
        return _columns_of_frame(X)
    if not sparse.issparse(X) and not hasattr(X, "dtype"):
        X = _array_of_lists(X)
    table = check_array(with_known_floats(X), dtype=None, accept_sparse="csc", ensure_all_finite=False)
    if table.dtype.kind in DATES:
        raise ValueError(f"the table holds dates or times ({table.dtype}): {DATE_ADVICE}")
    if sparse.issparse(table):
        table.sum_duplicates()
    return table


DATE_ADVICE = "give numbers that mean something, such as days since a date, the weekday or the hour"


def _is_frame(X: Any) -> bool:
    """A pandas or polars frame."""
    return hasattr(X, "columns") and hasattr(X, "dtypes") and not sparse.issparse(X)


def _array_of_lists(X: Any) -> NDArray:
    """NumPy makes text of numbers that stand beside text; here each keeps its type."""
    array = np.asarray(X)
    return np.asarray(X, dtype=object) if array.dtype.kind in "US" else array


def _columns_of_frame(X: Any) -> list[NDArray]:
    num_rows, num_columns = X.shape
    if num_rows < 1 or num_columns < 1:
        what = "sample(s)" if num_rows < 1 else "feature(s)"
        raise ValueError(f"Found a table with 0 {what} (shape={X.shape}) while a minimum of 1 is required.")
    return [_column_of_series(X.iloc[:, i] if hasattr(X, "iloc") else X[:, i]) for i in range(num_columns)]


def _column_of_series(series: Any) -> NDArray:
    """Numbers as float64 with NaN for missing ones, all else as it is: objects or text."""
    if hasattr(series, "iloc"):
        kind = getattr(series.dtype, "kind", "O")
        if kind in "biuf":
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        column = series.to_numpy() if kind in DATES else series.to_numpy(dtype=object)
    else:
        column = series.to_numpy()
    if column.dtype.kind in DATES:
        raise ValueError(f"column {series.name!r} holds dates or times ({column.dtype}): {DATE_ADVICE}")
    return column


def categorical_columns(X: Any) -> set[int]:
    """Numbers of the columns that a frame declares as categories, whatever their values are."""
    if not _is_frame(X):
        return set()
    names = [str(dtype).partition("(")[0].lower() for dtype in X.dtypes]
    return {index for index, name in enumerate(names) if name in ("category", "categorical", "enum")}


def columns_of(table: Any) -> Iterator[NDArray]:
    """The columns ``[n]`` of a dense table, one after the other."""
    if isinstance(table, list):
        yield from table
    else:
        for index in range(table.shape[1]):
            yield table[:, index]


def sparse_chunks(table: sparse.csc_matrix) -> Iterator[tuple[int, NDArray]]:
    """Dense blocks ``[n, <= 512]`` of a sparse matrix with the number of their first column."""
    for start in range(0, table.shape[1], CHUNK):
        yield start, table[:, start : start + CHUNK].toarray()


def distinct_numbers(numbers: NDArray, weights: NDArray, implicit_zeros: float = 0) -> Distinct:
    """Distinct values of float64 numbers ``[n]``, NaN for missing ones, and of zeros that are not stored.

    Each counts with the sum of its rows' weights ``[n]``; counts are whole numbers where weights are.
    """
    there = ~np.isnan(numbers)
    values, places = np.unique(numbers[there] + 0.0, return_inverse=True)
    counts = np.bincount(places, weights[there], len(values)).astype(weights.dtype)
    if not implicit_zeros:
        return Distinct(values, counts)
    place = int(np.searchsorted(values, 0.0))
    if place < len(values) and values[place] == 0.0:
        counts[place] += implicit_zeros
        return Distinct(values, counts)
    return Distinct(np.insert(values, place, 0.0), np.insert(counts, place, implicit_zeros))
