"""Inputs as float32, in which networks compute: only where that keeps what distinguishes them."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["NUMBER_TYPES", "as_float32", "refuse_columns", "unresolved_columns", "with_known_floats"]

# What inputs are read as, for scikit-learn's checks: the first one unless they are of another.
NUMBER_TYPES = [np.float64, np.float32, np.uint8]
# A column's spread must be so many times the rounding of its largest magnitude: what is to be cast loses what
# is below, what is float64 already has lost it.
FEWEST_STEPS = {np.dtype(np.float32): 100.0, np.dtype(np.float64): 4.0}


def with_known_floats(X: Any) -> Any:
    """Arrays of bfloat16 and other floats that NumPy does not know as float32; other inputs as they are.

    What is masked becomes missing, NaN.

    Parameters
    ----------
    X : array-like or table
        Inputs.
    """
    if isinstance(X, np.ma.MaskedArray):
        return _with_missing(X)
    own: Any = getattr(X, "dtype", None)
    if getattr(own, "kind", "") == "V" and own.names is None:
        return np.asarray(X).astype(np.float32)
    return X


def _with_missing(X: np.ma.MaskedArray) -> NDArray:
    if not np.ma.getmaskarray(X).any():
        return np.asarray(X.data)
    kind = np.result_type(X.dtype, np.float64) if X.dtype.kind in "biuf" else np.dtype(object)
    return np.asarray(np.ma.filled(X.astype(kind), np.nan))


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
    if inputs.dtype == np.float64 and inputs.size:
        least, largest = inputs.min(axis=0), inputs.max(axis=0)
        refuse_columns(unresolved_columns(least, largest), least, largest, np.float32)
    return inputs.astype(np.float32, copy=False)


def unresolved_columns(least: NDArray, largest: NDArray, precision: DTypeLike = np.float32) -> NDArray:
    """Columns whose numbers a precision does not tell apart, or does not hold: bool ``[features]``.

    Parameters
    ----------
    least, largest : float64 ndarray [features]
        Ends of the columns.
    precision : dtype, default=float32
        float32 or float64.
    """
    limits, fewest = np.finfo(np.dtype(precision)), FEWEST_STEPS[np.dtype(precision)]
    sizes = np.maximum(np.abs(least), np.abs(largest))
    with np.errstate(over="ignore"):
        spread = largest - least
    steps = fewest * np.maximum(sizes * float(limits.eps), float(limits.smallest_subnormal))
    return (sizes > limits.max) | ~np.isfinite(spread) | ((spread > 0.0) & (spread < steps))


def refuse_columns(unresolved: NDArray, least: NDArray, largest: NDArray, precision: DTypeLike) -> None:
    """Refuse columns whose numbers a precision does not tell apart.

    Parameters
    ----------
    unresolved : bool ndarray [features]
        Which columns.
    least, largest : float64 ndarray [features]
        Their ends.
    precision : dtype
        float32 or float64.

    Raises
    ------
    ValueError
        Naming the first such column.
    """
    if unresolved.any():
        column, single = int(np.argmax(unresolved)), np.dtype(precision) == np.float32
        remedy = (
            "standardise the column (scikit-learn's StandardScaler), or use "
            "MessagePassingClassifier(encoding='table')"
            if single
            else "subtract its least number where it is measured, or leave the column out"
        )
        raise ValueError(
            f"column {column} of X holds numbers from {float(least[column])!r} to "
            f"{float(largest[column])!r}, which "
            f"{np.dtype(precision).name} cannot tell apart: {remedy}"
        )
