"""Inputs as float32, in which networks compute: only where that keeps what distinguishes them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["NUMBER_TYPES", "as_float32"]

# What inputs are read as, for scikit-learn's checks: the first one unless they are of another.
NUMBER_TYPES = [np.float64, np.float32, np.uint8]
# A column's spread must be so many times the rounding of its largest magnitude.
FEWEST_STEPS = 100.0


def as_float32(inputs: NDArray) -> NDArray:
    """Training inputs ``[n, features]`` as float32.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Finite numbers.

    Returns
    -------
    float32 ndarray [n, features]

    Raises
    ------
    ValueError
        Where a column varies by less than float32 resolves at its size, or its numbers are beyond float32:
        the sentence names the column.
    """
    if inputs.dtype != np.float64 or inputs.size == 0:
        return inputs.astype(np.float32, copy=False)
    limits = np.finfo(np.float32)
    least, largest = inputs.min(axis=0), inputs.max(axis=0)
    sizes = np.maximum(np.abs(least), np.abs(largest))
    with np.errstate(over="ignore"):  # a spread that is infinite is large enough
        spread = largest - least
    steps = FEWEST_STEPS * np.maximum(sizes * limits.eps, limits.smallest_subnormal)
    unresolved = (sizes > limits.max) | ((spread > 0.0) & (spread < steps))
    if unresolved.any():
        column = int(np.argmax(unresolved))
        raise ValueError(
            f"column {column} of X holds numbers from {least[column]:g} to {largest[column]:g}, which "
            "float32 cannot tell apart: standardise the column (scikit-learn's "
            "StandardScaler), or use MessagePassingClassifier(encoding='table')"
        )
    return inputs.astype(np.float32)
