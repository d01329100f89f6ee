"""Inputs as whole numbers: then every pre-activation is one, and a solver's tolerance decides nothing."""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["INPUT_SCALINGS", "IntegerInputs", "integer_inputs"]

INPUT_SCALINGS = ("raw", "unit")
# Steps of inputs that are not whole numbers: four decimals, as Thorbjarnarson and Yorke-Smith round.
STEPS = 10_000
# Sums of whole numbers up to this, over thousands of inputs, are exact in float64.
LARGEST_WHOLE = 2**24
# Sums of int8 weights times whole numbers up to this, over all inputs, are exact in int64.
LARGEST_SUM = 2**56
# Larger inputs are refused: sums of them are no longer finite numbers.
LARGEST_INPUT = 1e300


class IntegerInputs(NamedTuple):
    """`round((x - offset) * scale)`, zero for features that are not live.

    Parameters
    ----------
    offset, scale : ndarray [features] or number
        One number, or one a feature.
    live : bool ndarray [features]
        Which features are not 0, or not constant, in all of training (see :func:`integer_inputs`); weights of
        the others are 0.
    unit : int, default=1
        What an input of 1, such as a bias has, becomes.
    """

    offset: NDArray
    scale: NDArray
    live: NDArray
    unit: int = 1

    def __call__(self, inputs: NDArray) -> NDArray:
        """Transform [n, features]: int64, or Python's whole numbers where sums exceed it."""
        return _rounded(inputs, self.offset, self.scale, np.arange(inputs.shape[1])) * self.live

    def of_live(self, inputs: NDArray) -> NDArray:
        """Transform inputs, and keep the live features alone.

        Parameters
        ----------
        inputs : ndarray [n, features]
            Finite numbers.

        Returns
        -------
        int64 ndarray [n, live], or of Python's whole numbers where sums exceed int64
        """
        offset, scale = (each[self.live] if each.ndim else each for each in (self.offset, self.scale))
        return _rounded(inputs[:, self.live], offset, scale, np.flatnonzero(self.live))


def _rounded(inputs: NDArray, offset: NDArray, scale: NDArray, columns: NDArray) -> NDArray:
    """``round((inputs - offset) * scale)``; ``columns`` are numbers for messages."""
    if inputs.dtype.kind in "iu" and not np.any(offset) and np.all(scale == 1):
        return _as_whole(inputs)  # pixels: nothing to round
    values = inputs.astype(float)  # a copy, so that one array serves every step
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        values -= offset
        values *= scale
    in_range = np.abs(values) <= LARGEST_INPUT
    if not in_range.all():
        row, place = np.argwhere(~in_range)[0]
        raise ValueError(
            f"column {columns[place]} of X holds {inputs[row, place]:g}, which is too large for the steps of "
            f"the training inputs: the largest magnitude is about {LARGEST_INPUT / np.max(scale):.0e}"
        )
    return _as_whole(np.round(values, out=values))


def _as_whole(values: NDArray) -> NDArray:
    """Whole numbers as int64, or as Python's where their sums with int8 weights may exceed int64."""
    largest = max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0
    if largest * values.shape[1] <= LARGEST_SUM:
        return values.astype(np.int64)
    return np.frompyfunc(int, 1, 1)(values)


def integer_inputs(inputs: NDArray, scaling: str = "raw", *, constants_live: bool = True) -> IntegerInputs:
    """Learn the transform from training inputs [n, features].

    Parameters
    ----------
    inputs : ndarray [n, features]
        Finite numbers.
    scaling : str, default="raw"
        "raw": whole numbers, such as pixels, stay; others are multiplied so that the largest magnitude is
        10,000, and rounded. "unit": each feature goes to [0, 1] in steps of 1/10,000.
    constants_live : bool, default=True
        Whether a feature that is constant in training, but not zero, keeps its weights.
    """
    if scaling not in INPUT_SCALINGS:
        raise ValueError(f"input_scaling must be one of {INPUT_SCALINGS}, got {scaling!r}")
    values = inputs.astype(float)
    least, largest = values.min(axis=0), values.max(axis=0)
    offset, scale, unit = np.zeros(()), np.ones(()), 1
    if scaling == "unit":
        with np.errstate(over="ignore"):  # checked next
            spread = largest - least
        _check_steps(spread)
        offset, scale, unit = least, STEPS / np.where(spread > 0.0, spread, 1.0), STEPS
    elif not (np.all(values == np.round(values)) and np.abs(values).max() <= LARGEST_WHOLE):
        _check_steps(np.abs(values).max(axis=0), common=True)
        scale = np.asarray(STEPS / (np.abs(values).max() or 1.0))
        unit = max(1, round(float(scale)))
    transform = IntegerInputs(offset, scale, np.ones(inputs.shape[1], bool), unit)
    whole = transform(inputs)
    _report_lost((largest > least) & ~(whole != whole[0]).any(axis=0), whole, least, largest)
    says_something = whole.any(axis=0) if constants_live else (whole != whole[0]).any(axis=0)
    return transform._replace(live=np.asarray(says_something))


def _report_lost(lost: NDArray, whole: NDArray, least: NDArray, largest: NDArray) -> None:
    """Warn of columns that vary and are one whole number; refuse inputs of which nothing else is left."""
    if not lost.any():
        return
    column = int(np.flatnonzero(lost)[0])
    text = (
        f"column {column} of X, from {least[column]} to {largest[column]}, varies by less than the steps "
        "that all columns share: set input_scaling='unit', which gives every column its own"
    )
    if not (whole != whole[0]).any():
        raise ValueError(text)
    warnings.warn(text, stacklevel=4)


def _check_steps(sizes: NDArray, *, common: bool = False) -> None:
    """Refuse columns whose spread, or common largest magnitude, has no steps in float64."""
    least = STEPS / LARGEST_INPUT
    odd = (sizes > LARGEST_INPUT) | ((sizes > 0.0) & (sizes < least) & (not common or sizes.max() < least))
    if odd.any():
        column = int(np.flatnonzero(odd)[0])
        raise ValueError(
            f"column {column} of X spans {sizes[column]:g}, which must be 0 or from {least:g} to "
            f"{LARGEST_INPUT:g}: multiply the column by a constant"
        )
