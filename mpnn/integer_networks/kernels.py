"""Loops for numba: differing signs are counted in words, and pixels become codes.

On one core: the threads of a BLAS product, which comes before and after, wait for work for some time and hold
the other cores meanwhile; loops on all cores then took ten times as long.

Compiled at first use, in seconds, and kept on disk by numba.
"""

from typing import Any

import numba
import numpy as np

__all__ = ["half_sums", "pixel_codes"]

# Constants of the population count of a word of 64 bits, by halves, quarters and eighths.
PAIRS, FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
EIGHTS = np.uint64(0x0F0F0F0F0F0F0F0F)
BYTES = np.uint64(0x0101010101010101)
ONE, TWO, FOUR, LAST_BYTE = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@numba.njit(cache=True)
def half_sums(below: Any, positive: Any, kept: Any, offsets: Any) -> Any:
    """Offsets less the kept links whose sign differs, float32 ``[n, units]``.

    Parameters
    ----------
    below : uint64 ndarray [n, words]
        Signs of the units below, 1 for +1.
    positive, kept : uint64 ndarray [words, units]
        Signs of the weights, and which of them are not 0.
    offsets : float32 ndarray [units]
        Half sums where no sign differs.
    """
    number, num_words = below.shape
    units = positive.shape[1]
    sums = np.empty((number, units), np.float32)
    for row in range(number):
        wrong = np.zeros(units, np.uint64)
        for place in range(num_words):
            word = below[row, place]
            for unit in range(units):
                bits = (word ^ positive[place, unit]) & kept[place, unit]
                bits = bits - ((bits >> ONE) & PAIRS)
                bits = (bits & FOURS) + ((bits >> TWO) & FOURS)
                bits = (bits + (bits >> FOUR)) & EIGHTS
                wrong[unit] += (bits * BYTES) >> LAST_BYTE
        for unit in range(units):
            sums[row, unit] = offsets[unit] - np.float32(wrong[unit])
    return sums


@numba.njit(cache=True)
def pixel_codes(pixels: Any, columns: Any, table: Any) -> Any:
    """Codes ``[n, used]`` of pixels, in the type of the table.

    Parameters
    ----------
    pixels : uint8 ndarray [n, F]
        Rows.
    columns : int64 ndarray [used]
        Which of them are used.
    table : ndarray [256]
        Codes.
    """
    number, used = len(pixels), len(columns)
    codes = np.empty((number, used), table.dtype)
    for row in range(number):
        for place in range(used):
            codes[row, place] = table[pixels[row, columns[place]]]
    return codes
