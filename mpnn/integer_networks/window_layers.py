"""Sums over windows, exact and fast for many rows: patches as rows of one product. NumPy only."""

from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpnn.integer_networks.windows import Windows

__all__ = ["WindowLayer", "window_sums"]

# Numbers below this are exact in float32, halves included.
EXACT_HALVES = 2**22
LARGEST_INT8 = 127


def window_sums(images: NDArray, weights: NDArray, windows: Windows) -> NDArray:
    """Sums ``[n, G * Q * units]``, in the type of the weights.

    Parameters
    ----------
    images : ndarray [n, 1, inputs] or [n, G, inputs]
        Images, those of all blocks or of each.
    weights : ndarray [G, N, units]
        Kernels, in floating point that holds the sums.
    windows : Windows
        Of every block.
    """
    number, shared = len(images), images.shape[1] == 1
    blocks, fan_in, units = weights.shape
    patches = windows.patches(images.reshape(-1, windows.num_inputs)).astype(weights.dtype, copy=False)
    if shared:
        rows = patches.reshape(-1, fan_in) @ weights.transpose(1, 0, 2).reshape(fan_in, -1)
        sums = rows.reshape(number, windows.positions, blocks, units).transpose(0, 2, 1, 3)
    else:
        rows = patches.reshape(number, blocks, -1, fan_in).transpose(1, 0, 2, 3).reshape(blocks, -1, fan_in)
        sums = np.matmul(rows, weights).reshape(blocks, number, -1, units).transpose(1, 0, 2, 3)
    return sums.reshape(number, -1)


class WindowLayer:
    """A layer of signs that is read by windows.

    Parameters
    ----------
    weights : int8 ndarray [G, N, units]
        Kernels.
    thresholds : ndarray [G * Q * units]
        Whole; a unit is +1 where its sum is at least its threshold.
    windows : Windows
        Of every block.

    Attributes
    ----------
    totals : int
        0: signs are multiplied, not bits.
    limits : ndarray [G * Q * units]
        Halves of the thresholds.
    """

    totals = 0

    def __init__(self, weights: NDArray[np.int8], thresholds: NDArray, windows: Windows) -> None:
        self._small_weights, self._windows = weights, windows
        limits = thresholds / 2
        reach = np.abs(weights).sum(axis=1, dtype=np.int64).max(initial=0) * windows.num_summed
        exact = reach + np.abs(limits).max(initial=0) < EXACT_HALVES
        self._type: DTypeLike = np.float32 if exact else np.float64
        self.limits = limits.astype(self._type)

    def half_sums(self, bits: NDArray[np.bool_]) -> NDArray:
        """Half sums ``[n, G * Q * units]`` of bits ``[n, G * inputs]``.

        Parameters
        ----------
        bits : bool ndarray [n, G * inputs]
            Units below, True for +1.
        """
        return window_sums(self._signs(bits), self._half_weights, self._windows)

    def squares(self, bits: NDArray[np.bool_], squared_weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums ``[n, G * units]`` of squared inputs with squared weights ``[G, N, units]``; one position.

        Parameters
        ----------
        bits : bool ndarray [n, G * inputs]
            Units below.
        squared_weights : float64 ndarray [G, N, units]
            Squares of the weights.
        """
        signs = self._signs(bits)
        blocks, fan_in, _ = squared_weights.shape
        patches = self._windows.patches(signs.reshape(-1, self._windows.num_inputs)).astype(np.float64)
        rows = np.square(patches).reshape(len(bits), blocks, fan_in)
        return np.einsum("bgn,gnk->bgk", rows, squared_weights).reshape(len(bits), -1)

    def _signs(self, bits: NDArray[np.bool_]) -> NDArray:
        """Signs ``[n, G, inputs]``, in the smallest type that holds sums of squares."""
        small = np.int8 if self._windows.num_summed <= LARGEST_INT8 else np.int32
        signs = np.where(bits, small(1), small(-1))
        return signs.reshape(len(bits), len(self._small_weights), -1)

    @cached_property
    def _half_weights(self) -> NDArray:
        return (self._small_weights / 2).astype(self._type)
