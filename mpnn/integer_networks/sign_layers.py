"""Products of signs with few-bit weights, exact and fast for many rows and for one.

Signs below are bits, 1 for +1. Then ``sum_f w_f s_f = 2 sum_f w_f bit_f - sum_f w_f``: bits are multiplied,
and half sums compared with halved thresholds. NumPy only.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["SignLayer"]

# Up to this many rows, population counts are faster than float32 products of layers of this many weights.
FEW_ROWS, MANY_WEIGHTS = 4, 2**16
# Blocks side by side are one product with zeros between them, up to this many weights.
MOST_WITH_ZEROS = 2**18
# Half sums and their limits are whole or half numbers: below this, they are exact in float32.
EXACT_HALVES = 2**22


class SignLayer:
    """One layer of signs, or several blocks side by side.

    Parameters
    ----------
    weights : int8 ndarray [G, inputs, units]
        Block g multiplies the g-th share of the units below.
    thresholds : ndarray [G * units]
        Whole; a unit is +1 where its sum is at least its threshold.
    kernels : module or None, default=None
        :mod:`mpnn.integer_networks.kernels`, to count the signs of any number of rows.

    Attributes
    ----------
    totals : int64 ndarray [G * units]
        Sums of the weights.
    limits : ndarray [G * units]
        Thresholds of the half sums; a sum less its threshold is twice its half sum less its limit.
    """

    def __init__(self, weights: NDArray[np.int8], thresholds: NDArray, kernels: Any = None) -> None:
        self._small_weights, self._kernels = weights, kernels
        self.totals = weights.sum(axis=1, dtype=np.int64).ravel()
        limits = (thresholds + self.totals) / 2
        largest = np.abs(weights).sum(axis=1, dtype=np.int64).max(initial=0) + np.abs(limits).max(initial=0)
        self._type: DTypeLike = np.float32 if largest < EXACT_HALVES else np.float64
        self.limits = limits.astype(self._type)
        self._counted = len(weights) == 1 and weights.size >= MANY_WEIGHTS
        self._counted = self._counted and int(np.abs(weights).max(initial=0)) <= 1

    def half_sums(self, bits: NDArray[np.bool_]) -> NDArray:
        """Half sums ``[n, G * units]`` of bits ``[n, G * inputs]``.

        Parameters
        ----------
        bits : bool ndarray [n, G * inputs]
            Units below, True for +1.
        """
        if self._counted and len(bits) <= FEW_ROWS:
            return self._counts(bits)
        if self._counted and self._kernels is not None:
            return self._kernels.half_sums(words_of(bits), *self._planes)
        numbers, weights = bits.astype(self._type), self._weights
        if weights.ndim == 2:
            return numbers @ weights
        blocks, inputs, _ = weights.shape
        apart = numbers.reshape(len(bits), blocks, inputs).transpose(1, 0, 2)
        return np.matmul(apart, weights).transpose(1, 0, 2).reshape(len(bits), -1)

    def _counts(self, bits: NDArray[np.bool_]) -> NDArray:
        """The same by population counts of differing signs."""
        positive, kept, links = self._words
        wrong = [
            np.bitwise_count((row ^ positive) & kept).sum(axis=1, dtype=np.int64) for row in words_of(bits)
        ]
        return ((links + self.totals) / 2 - np.stack(wrong)).astype(self._type)

    @cached_property
    def _weights(self) -> NDArray:
        """Weights ``[G * inputs, G * units]`` with zeros between blocks; too many: ``[G, inputs, units]``."""
        blocks, inputs, units = self._small_weights.shape
        if blocks > 1 and blocks * blocks * inputs * units > MOST_WITH_ZEROS:
            return self._small_weights.astype(self._type)
        together = np.zeros((blocks, inputs, blocks, units), self._type)
        own = np.arange(blocks)
        together[own, :, own] = self._small_weights
        return together.reshape(blocks * inputs, blocks * units)

    @cached_property
    def _planes(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.float32]]:
        """Signs and kept links, a row of units a word, and half sums where no sign differs."""
        positive, kept, links = self._words
        offsets = ((links + self.totals) / 2).astype(np.float32)
        return np.ascontiguousarray(positive.T), np.ascontiguousarray(kept.T), offsets

    @cached_property
    def _words(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
        """Signs and kept links, a row of words a unit, and the number of links a unit."""
        columns = self._small_weights[0].T
        return words_of(columns > 0), words_of(columns != 0), np.count_nonzero(columns, axis=1)


def words_of(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows of bits as rows of uint64, padded with zeros."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(padded).view(np.uint64)
