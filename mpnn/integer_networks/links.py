"""Residual links: what a unit's sum gets where a unit further below is +1, in whole numbers. NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.windows import Windows

__all__ = ["HalfJumps", "Link", "largest_of_squares", "of_units"]


@dataclass(frozen=True, eq=False)
class Link:
    """A residual link, which ends at a layer of sign units.

    A unit's sum plus +1 or -1 reaches a threshold where the sum reaches one of two thresholds. The layer has
    the higher one, and where the unit at the other end is +1, the sum gets their difference.

    Parameters
    ----------
    below : int >= 1
        Number of the layer whose inputs are linked, the largest of squares where it takes these; they are as
        many as the layer's units, in the same order.
    jumps : int64 ndarray [G * units]
        Differences of the thresholds, at least 0, one a kernel.
    """

    below: int
    jumps: NDArray[np.int64]


class HalfJumps:
    """Halves of what a link adds, beside half sums.

    Parameters
    ----------
    link : Link
        Of a layer.
    windows : Windows or None
        Of the layer whose inputs are linked.
    blocks, positions : int
        Of the layer where the link ends.
    """

    def __init__(self, link: Link, windows: Windows | None, blocks: int, positions: int) -> None:
        self._below, self._windows = link.below, windows
        self._halves = of_units(link.jumps, blocks, positions) / 2

    def added_to(self, half_sums: NDArray, units: Sequence[NDArray[np.bool_]]) -> NDArray:
        """Half sums ``[n, units]`` with the link's share.

        Parameters
        ----------
        half_sums : ndarray [n, units]
            Of the layer's inputs.
        units : sequence of bool ndarray [n, units]
            Of all layers below, True for +1.
        """
        linked = largest_of_squares(units[self._below - 1], self._windows)
        return half_sums + linked * self._halves.astype(half_sums.dtype)


def largest_of_squares(units: NDArray, windows: Windows | None) -> NDArray:
    """Units ``[n, G * inputs]`` as windows see them, with the largest of each square where these take it.

    Parameters
    ----------
    units : ndarray [n, G * inputs]
        Signs or bits.
    windows : Windows or None
        Of a layer above; None: it is dense.
    """
    if windows is None or windows.largest_of == 1:
        return units
    images = units.reshape(-1, *windows.shape)
    return windows.squares(images, windows.largest_of).max(axis=(3, 4)).reshape(len(units), -1)


def of_units(values: NDArray, blocks: int, positions: int) -> NDArray:
    """Values of kernels ``[G * units]`` for the units of all positions, ``[G * Q * units]``.

    Parameters
    ----------
    values : ndarray [G * units]
        One a kernel.
    blocks, positions : int
        G and Q.
    """
    apart = values.reshape(blocks, 1, -1)
    return np.broadcast_to(apart, (blocks, positions, apart.shape[2])).ravel()
