"""Inputs as whole numbers: then every pre-activation is one, and a solver's tolerance decides nothing."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["INPUT_SCALINGS", "IntegerInputs", "integer_inputs"]

INPUT_SCALINGS = ("raw", "unit")
# Steps of inputs that are not whole numbers: four decimals, as Thorbjarnarson and Yorke-Smith round.
STEPS = 10_000
# Sums of whole numbers up to this, over thousands of inputs, are exact in float64.
LARGEST_WHOLE = 2**24


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

    def __call__(self, inputs: NDArray) -> NDArray[np.int64]:
        """Transform [n, features]."""
        return _rounded(inputs, self.offset, self.scale) * self.live

    def of_live(self, inputs: NDArray) -> NDArray[np.int64]:
        """Transform inputs, and keep the live features alone.

        Parameters
        ----------
        inputs : ndarray [n, features]
            Finite numbers.

        Returns
        -------
        int64 ndarray [n, live]
        """
        offset, scale = (each[self.live] if each.ndim else each for each in (self.offset, self.scale))
        return _rounded(inputs[:, self.live], offset, scale)


def _rounded(inputs: NDArray, offset: NDArray, scale: NDArray) -> NDArray[np.int64]:
    if inputs.dtype.kind in "iu" and not np.any(offset) and np.all(scale == 1):
        return inputs.astype(np.int64)  # pixels: nothing to round
    values = inputs.astype(float)  # a copy, so that one array serves every step
    values -= offset
    values *= scale
    return np.round(values, out=values).astype(np.int64)


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
        spread = largest - least
        offset, scale, unit = least, STEPS / np.where(spread > 0.0, spread, 1.0), STEPS
    elif not (np.all(values == np.round(values)) and np.abs(values).max() <= LARGEST_WHOLE):
        scale = np.asarray(STEPS / (np.abs(values).max() or 1.0))
        unit = max(1, round(float(scale)))
    transform = IntegerInputs(offset, scale, np.ones(inputs.shape[1], bool), unit)
    whole = transform(inputs)
    says_something = whole.any(axis=0) if constants_live else (whole != whole[0]).any(axis=0)
    return transform._replace(live=np.asarray(says_something))
