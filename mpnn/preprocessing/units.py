"""Units of inputs: what float64 tells apart, in float32, in which networks compute."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.preprocessing.precision import as_float32, refuse_columns, unresolved_columns

__all__ = ["InputUnit", "unit_of"]

# Scalings that have one mean and one deviation for all columns, and those that count from 0.
COMMON = ("standard", "centred", "image")
FROM_ZERO = ("root", "mild_root", "max_abs")
# Magnitudes whose squares and inverses float32 holds with room.
SMALLEST, LARGEST = 1e-30, 1e30


class InputUnit(NamedTuple):
    """``(x - origin) / unit``, computed in float64.

    Parameters
    ----------
    origin : ndarray [] or [features]
        What counts as 0.
    unit : ndarray [] or [features]
        What counts as 1, above 0.
    """

    origin: NDArray
    unit: NDArray

    def __call__(self, inputs: NDArray) -> NDArray:
        """Inputs ``[n, features]`` in the unit, float32; what is farther than its numbers is the largest."""
        limit = np.finfo(np.float32).max
        with np.errstate(over="ignore"):
            own = (inputs.astype(np.float64) - self.origin) / self.unit
        return np.clip(own, -limit, limit).astype(np.float32)


def unit_of(inputs: NDArray, scaling: str | None, intensities: bool) -> InputUnit | None:
    """The unit in which training inputs are float32 without loss; None: as they are.

    Intensities count from their least value. Other numbers have a unit where float32 does not hold them, if
    the scaling that follows has one of its own anyway.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Finite numbers.
    scaling : str or None
        What follows (:data:`mpnn.preprocessing.scaling.INPUT_SCALINGS`).
    intensities : bool
        Whether ``"auto"`` takes them for intensities.

    Raises
    ------
    ValueError
        Where a column varies by less than float64 resolves at its size: the sentence names it.
    """
    if inputs.size == 0 or scaling is None:
        return None
    least, largest = (np.asarray(ends, np.float64) for ends in (inputs.min(axis=0), inputs.max(axis=0)))
    if inputs.dtype == np.float64:
        refuse_columns(unresolved_columns(least, largest, np.float64), least, largest, np.float64)
        if not np.isfinite(largest.max() - least.min()):
            raise ValueError("the columns of X are farther apart than float64's largest number: scale them")
    if scaling in FROM_ZERO or intensities:
        origin = least.min() if intensities else 0.0
        extent = max(largest.max() - origin, origin - least.min())
        return _unit(origin, extent) if origin != 0.0 or _is_extreme(extent) else None
    lost = unresolved_columns(least, largest) if inputs.dtype == np.float64 else np.zeros(len(least), bool)
    if scaling in COMMON:
        extent = largest.max() - least.min()
        return _unit(least.min(), extent) if lost.any() or _is_extreme(extent) else None
    lost |= _is_extreme(largest - least)
    if not lost.any():
        return None
    return _unit(np.where(lost, least, 0.0), np.where(lost, largest - least, 1.0))


def in_float32(inputs: NDArray, unit: InputUnit | None) -> NDArray:
    """Training inputs ``[n, features]`` as float32, in a unit or as they are.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Finite numbers.
    unit : InputUnit or None
        As :func:`unit_of` returned it.

    Raises
    ------
    ValueError
        Where numbers of a column become one number: the sentence names the column.
    """
    if unit is None:
        return as_float32(inputs)
    found = unit(inputs)
    merged = np.any((found == 0.0) & (inputs != unit.origin), axis=0)  # beside one that is far larger
    refuse_columns(merged, inputs.min(axis=0), inputs.max(axis=0), np.float32)
    return found


def _unit(origin: NDArray | float, extent: NDArray | float) -> InputUnit:
    """One where nothing varies."""
    extents = np.asarray(extent, np.float64)
    return InputUnit(np.asarray(origin, np.float64), np.where(extents > 0.0, extents, 1.0))


def _is_extreme(extent: NDArray | float) -> NDArray:
    extents = np.asarray(extent)
    return (extents > LARGEST) | ((extents > 0.0) & (extents < SMALLEST))
