"""Thresholds of a numeric column, chosen by ranks alone.

Which training values lie on which side of a threshold depends on the order of the values and on how often
each occurs: no strictly increasing map of the column, no order of the rows and no repetition of all rows
changes the codes of training rows. All in float64; counts are whole numbers, so nothing is rounded.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["midpoints", "thresholds_of"]


def thresholds_of(values: NDArray, counts: NDArray, num_levels: int) -> tuple[float, ...]:
    """Thresholds of a column with distinct values ``[m]``, increasing, which occur ``counts [m]`` times.

    Parameters
    ----------
    values : ndarray
        Finite, strictly increasing, float64.
    counts : ndarray
        Positive; whole numbers, or sums of weights.
    num_levels : int >= 1
        At most so many thresholds. With ``m - 1 <= num_levels`` there is one between any two neighbours; else
        those nearest to the quantiles ``k / (num_levels + 1)``.
    """
    places = np.arange(len(values) - 1)
    if len(places) > num_levels:
        places = _quantile_places(np.asarray(counts), num_levels)
    return tuple(midpoints(values)[places].tolist())


def midpoints(values: NDArray) -> NDArray:
    """A number in ``(values[i], values[i + 1]]`` for every i: their middle where float64 has one.

    Halves are added, since the sum of two huge values overflows; halves of denormal numbers lose a bit, and
    the middle of adjacent numbers is one of them, so the larger value is the threshold where need be.
    """
    lower, upper = values[:-1], values[1:]
    middle = lower / 2 + upper / 2
    return np.where((middle > lower) & (middle <= upper), middle, upper)


def _quantile_places(counts: NDArray, num_levels: int) -> NDArray:
    """Indices i of the thresholds between values i and i + 1, increasing, at most ``num_levels``.

    A value that many rows share would swallow several quantiles: it counts as one share of the rows, and the
    other values share the other quantiles.
    """
    shares = num_levels + 1
    falling = np.sort(counts)[::-1]
    rest = falling.sum() - np.cumsum(falling) + falling
    left = shares - np.arange(shares)
    num_heavy = int(np.argmax(falling[:shares] * left <= rest[:shares]))
    weights = np.minimum(counts * left[num_heavy], rest[num_heavy])
    below = np.cumsum(weights)[:-1]
    return np.unique(_nearest(below, np.arange(1, shares) * rest[num_heavy]))


def _nearest(sorted_numbers: NDArray, targets: NDArray) -> NDArray:
    """Index of the number nearest to each target; the smaller of two that are equally near."""
    after = np.clip(np.searchsorted(sorted_numbers, targets), 1, len(sorted_numbers) - 1)
    nearer_before = targets - sorted_numbers[after - 1] <= sorted_numbers[after] - targets
    return after - nearer_before
