"""Scalers of columns before a classifier, by their attributes: what they do becomes part of the codes.

A threshold of a scaled column is the least number that the scaler takes to it, found among all float64
numbers by bisection: comparisons are those of the pipeline bit for bit. NumPy only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.inputs import Column, Thermometer

__all__ = ["before_scalers", "is_scaler", "unit_of_scaler"]

# Of scikit-learn: what is subtracted, and what is divided by; None: nothing.
DIVIDING: dict[str, tuple[str | None, str]] = {
    "StandardScaler": ("mean_", "scale_"),
    "RobustScaler": ("center_", "scale_"),
    "MaxAbsScaler": (None, "scale_"),
}
MULTIPLYING = "MinMaxScaler"
LARGEST = np.finfo(np.float64).max


def is_scaler(step: Any) -> bool:
    """Whether a step of a pipeline shifts and multiplies each column, and nothing else.

    Parameters
    ----------
    step : transformer
        Fitted.
    """
    clips = getattr(step, "clip", False)  # of newer releases
    return type(step).__name__ in (*DIVIDING, MULTIPLYING) and not clips


def unit_of_scaler(step: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin and unit ``[F]`` of a scaler's columns.

    Parameters
    ----------
    step : transformer
        A scaler.
    """
    if type(step).__name__ == MULTIPLYING:
        return -step.min_ / step.scale_, 1.0 / step.scale_
    origin, unit = _parts(step)
    count = step.n_features_in_
    return np.zeros(count) if origin is None else origin, np.ones(count) if unit is None else unit


def before_scalers(table: Thermometer, steps: Sequence[Any]) -> Thermometer:
    """The code of a table before it is scaled, with the bits of the table after.

    Parameters
    ----------
    table : Thermometer
        Of the scaled table.
    steps : sequence of transformer
        Scalers, in the order in which they are applied.
    """
    if not steps:
        return table
    most = max((len(column.thresholds) for column in table.columns), default=0)
    wanted = np.full((most, len(table.columns)), -np.inf)
    for place, column in enumerate(table.columns):
        if column.categories:
            raise ValueError(
                "a table with categories behind a scaler cannot be exported: leave the scaler out, "
                "thresholds need none"
            )
        wanted[: len(column.thresholds), place] = column.thresholds
    least = _least_that_reach(wanted, steps)
    return Thermometer(
        tuple(
            Column(column.kind, tuple(least[: len(column.thresholds), place].tolist()), (), column.off)
            for place, column in enumerate(table.columns)
        )
    )


def _least_that_reach(wanted: NDArray[np.float64], steps: Sequence[Any]) -> NDArray[np.float64]:
    """The least float64 numbers ``[K, F]`` that become the wanted ones or more; the largest if none does."""
    low, high = (np.full(wanted.shape, _places(end)) for end in (-LARGEST, LARGEST))
    while np.any(low < high):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        reached = _scaled(_numbers(middle), steps) >= wanted
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1, high))
    return _numbers(high)


def _places(number: float) -> np.int64:
    """Where a float64 number stands among all, which are ordered as whole numbers but for their sign."""
    bits = np.float64(number).view(np.int64)
    return bits if bits >= 0 else np.int64(np.iinfo(np.int64).min) - bits


def _numbers(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """The numbers at places."""
    return np.where(places >= 0, places, np.iinfo(np.int64).min - places).view(np.float64)


def _scaled(numbers: NDArray[np.float64], steps: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers ``[K, F]`` after all scalers, rounded as scikit-learn rounds."""
    with np.errstate(over="ignore"):
        for step in steps:
            if type(step).__name__ == MULTIPLYING:
                numbers = numbers * step.scale_ + step.min_
                continue
            origin, unit = _parts(step)
            numbers = numbers if origin is None else numbers - origin
            numbers = numbers if unit is None else numbers / unit
    return numbers


def _parts(step: Any) -> tuple[NDArray | None, NDArray | None]:
    """What a scaler subtracts, and what it divides by; None: nothing."""
    origin, unit = DIVIDING[type(step).__name__]
    # a mean is kept even where it is not subtracted
    subtracts = origin is not None and getattr(step, "with_mean", True)
    return getattr(step, origin) if subtracts and origin else None, getattr(step, unit)
