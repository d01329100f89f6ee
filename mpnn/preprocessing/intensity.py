"""Whether columns are intensities of one scale, such as pixels and counts, which need no code."""

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["is_intensity"]

# At least this share of all values is 0, and the median column reaches this share of the largest value.
COMMON_ZEROS = 0.1
COMMON_SCALE = 0.1
# Fewer columns are no image: a table of a few counts and indicators is better off with thresholds.
FEWEST_COLUMNS = 16


def is_intensity(X: Any) -> bool:
    """Whether the columns of ``X [n, F]`` are non-negative, often 0, and of one scale.

    False for frames and lists with text, for missing values, for fewer than 16 columns, and for columns
    that are all 0 and 1, which are indicators.

    Parameters
    ----------
    X : table [n, F]
        Columns of a table, or images of one axis.
    """
    if not sparse.issparse(X):
        X = np.asarray(X)
        if X.dtype.kind not in "uif" or not np.all(np.isfinite(X)):
            return False
    if len(X.shape) != 2 or X.shape[1] < FEWEST_COLUMNS or X.shape[0] == 0 or X.min() < 0:
        return False
    if sparse.issparse(X):
        share, largest = 1.0 - X.count_nonzero() / np.prod(X.shape), X.max(axis=0).toarray().ravel()
        only_ones = bool(np.all(X.data[X.data != 0] == 1))
    else:
        share, largest = np.mean(X == 0), X.max(axis=0)
        only_ones = bool(np.all((X == 0) | (X == 1)))
    live = largest[largest > 0]
    return bool(
        not only_ones and share >= COMMON_ZEROS and live.size and np.median(live) >= COMMON_SCALE * live.max()
    )
