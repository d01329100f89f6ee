"""Whether columns are intensities of one scale, such as pixels and counts, which need no code."""

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mpnn.preprocessing.precision import with_known_floats

__all__ = ["is_intensity"]

# At least this share of all values is the least one, and the median column's range reaches this share of all.
COMMON_LEAST = 0.1
COMMON_SCALE = 0.1
# Fewer columns are no image: a table of a few counts and indicators is better off with thresholds.
FEWEST_COLUMNS = 16
# Thresholds lose nothing of fewer values, such as answers from 1 to 7.
FEWEST_LEVELS = 9
# A least value that is farther from the next one, as a share of the range, means something else, such as a
# value that is missing.
LARGEST_GAP = 0.3
# Shares of the range are compared so, lest the rounding of a unit decide.
ROUNDING = 1e-6
# Rows whose values are sorted at a time.
ROWS_AT_ONCE = 1 << 10


def is_intensity(X: Any) -> bool:
    """Whether the columns of ``X [n, F]`` often have one least value, many others, and one scale.

    The same for ``a X + b`` with a > 0. False for text, for missing values, for fewer than 16 columns, and
    where all columns together have fewer than 9 values, as indicators and ratings do.

    Parameters
    ----------
    X : table [n, F]
        Columns of a table, or images of one axis.
    """
    if sparse.issparse(X):
        if 0 in X.shape:
            return False
        X = X.tocsc()
        return _of_one_scale(X, X.max(axis=0).toarray().ravel(), X.count_nonzero(), X.data[X.data != 0])
    table = _numbers(X)
    if table is None or table.ndim != 2 or table.size == 0:
        return False
    least = table.min()
    others = int(np.count_nonzero(table != least))
    return _of_one_scale(table, table.max(axis=0), others, table)


def _of_one_scale(X: Any, largest: NDArray, num_others: int, values: NDArray) -> bool:
    """Of values ``[n, F]`` and their columns' largest; ``num_others`` are not the least one."""
    least = float(X.min())
    if X.shape[1] < FEWEST_COLUMNS or (sparse.issparse(X) and least != 0.0):
        return False
    with np.errstate(over="ignore"):
        ranges = largest.astype(np.float64) - least
    extent, live = ranges.max(), ranges[ranges > 0]
    if not live.size or not np.isfinite(extent) or np.median(live) < (1.0 - ROUNDING) * COMMON_SCALE * extent:
        return False
    gap = float(np.min(values, where=values > least, initial=largest.max())) - least
    is_common = num_others <= (1.0 - COMMON_LEAST) * np.prod(X.shape)
    return bool(is_common and gap <= LARGEST_GAP * extent and _has_several_levels(values))


def _has_several_levels(values: NDArray) -> bool:
    levels = np.empty(0, values.dtype)
    for start in range(0, len(values), ROWS_AT_ONCE):
        levels = np.union1d(levels, values[start : start + ROWS_AT_ONCE])
        if len(levels) >= FEWEST_LEVELS:
            return True
    return False


def _numbers(X: Any) -> NDArray | None:
    """Finite numbers; None for text, missing values and whatever else."""
    table = np.asarray(with_known_floats(X))
    if table.dtype.kind == "O" and all(issubclass(kind, numbers.Real) for kind in set(map(type, table.flat))):
        table = table.astype(np.float64)
    return table if table.dtype.kind in "uif" and np.all(np.isfinite(table)) else None
