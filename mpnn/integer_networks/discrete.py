"""The discrete networks of fitted classifiers, evaluated as the classifiers define them: no code is rounded.

An integer network rounds a power of its inputs, or real inputs, to whole codes. Here inputs go through the
classifier's own transform in float32, and a row with a sum so near to its cut that float32 may err is summed
again in float64. Where inputs are whole and the transform is linear, sums are whole and exact at once. Rows
are independent of each other: how many are predicted together changes no label. NumPy only, no compilation.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.coding import SNAP, linear_step, linked_thresholds, rounded_up
from mpnn.integer_networks.inputs import NUM_PIXELS
from mpnn.integer_networks.links import HalfJumps, Link
from mpnn.integer_networks.prediction import EXACT_FLOAT32, rows_of_a_chunk
from mpnn.integer_networks.read_networks import (
    ReadNetwork,
    Transform,
    stack_cuts,
    stack_members,
    stack_reach,
    used_columns,
)
from mpnn.integer_networks.sign_layers import SignLayer
from mpnn.integer_networks.window_layers import WindowLayer
from mpnn.integer_networks.windows import Windows

__all__ = ["DiscreteNetwork"]

# Relative error of a float32 number.
ROUNDING = 2.0**-24
# What an output's variance has at least, and the score of an output of 0, as in training.
VARIANCE_FLOOR, SCORE_OF_ZERO = 1e-8, 1e-6


class DiscreteNetwork:
    """Outputs of one network, or of the members of a vote side by side.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs, of the same shape.
    """

    def __init__(self, members: Sequence[ReadNetwork]) -> None:
        self.link = members[0].link
        self._columns = used_columns(members)
        layers = stack_members(members, self._columns)
        windows = [members[0].windows_of(index) for index in range(len(layers))]
        cuts = [stack_cuts(members, index) for index in range(len(layers))]
        self._first = _FirstLayer(members[0].transform, self._columns, layers[0], cuts[0], windows[0])
        reaches = [stack_reach(members, index) for index in range(len(layers))]
        self._above: list[SignLayer | WindowLayer] = []
        self._jumps: list[HalfJumps | None] = []
        for weights, cut, own, reach in list(zip(layers, cuts, windows, reaches, strict=True))[1:]:
            if reach is None:
                self._above.append(_layer_of(weights, rounded_up(cut), own))
                self._jumps.append(None)
                continue
            link, thresholds = _linked(reach, weights, cut, own)
            self._above.append(_layer_of(weights, thresholds, own))
            self._jumps.append(HalfJumps(link, windows[link.below], len(weights), _positions(own)))
        self._gains = np.concatenate([member.gains for member in members])
        self._biases = np.concatenate([member.biases for member in members])
        self._last_squares, self._last_cuts = np.square(layers[-1].astype(np.float64)), cuts[-1]
        self._ordered = len(members) == 1 and len(self._gains) > 1
        positions = map(_positions, windows)
        widest = [
            layer.shape[0] * max(layer.shape[1:]) * count
            for layer, count in zip(layers, positions, strict=True)
        ]
        self._rows = rows_of_a_chunk(max(len(members[0].transform.live), *widest))

    def outputs(self, X: NDArray) -> NDArray[np.float64]:
        """Outputs ``[n, P]``; 0 and more are the positive class's.

        Parameters
        ----------
        X : real ndarray [n, F]
            Finite inputs, uint8 or floating point.
        """
        return self._chunked(X, self._outputs_of)

    def scores(self, X: NDArray) -> NDArray[np.float64]:
        """Outputs ``[n, P]``; of message passing, over their spread were the weights' signs random.

        Parameters
        ----------
        X : real ndarray [n, F]
            Finite inputs, uint8 or floating point.
        """
        return self._chunked(X, self._scores_of)

    def winners(self, blocks: Iterable[NDArray]) -> NDArray[np.int64]:
        """Class numbers ``[n]`` of one network: sign(0) = +1, of several outputs the first largest.

        Parameters
        ----------
        blocks : iterable of ndarray [B, F]
            Inputs, some rows at a time.
        """
        outputs = np.concatenate([self.outputs(block) for block in blocks])
        return outputs.argmax(axis=1) if self._ordered else (outputs[:, 0] >= 0).astype(np.int64)

    def _chunked(self, X: NDArray, function: Callable[[NDArray], NDArray]) -> NDArray[np.float64]:
        starts = range(0, len(X), self._rows)
        parts = [function(X[start : start + self._rows]) for start in starts]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._gains)))

    def _outputs_of(self, rows: NDArray) -> NDArray[np.float64]:
        if not self._above:
            return self._first.sums(rows, ordered=self._ordered) * self._gains
        return self._outputs_of_bits(self._last_bits(rows))

    def _last_bits(self, rows: NDArray) -> NDArray[np.bool_]:
        """Units below the last layer."""
        units = [self._first.bits(rows)]
        for layer, jumps in zip(self._above[:-1], self._jumps[:-1], strict=True):
            sums = layer.half_sums(units[-1])
            sums = sums if jumps is None else jumps.added_to(sums, units)
            units.append(sums >= layer.limits)
        return units[-1]

    def _outputs_of_bits(self, bits: NDArray[np.bool_]) -> NDArray[np.float64]:
        last = self._above[-1]
        sums = 2.0 * last.half_sums(bits) - (last.totals + self._last_cuts)
        return _snapped(sums, self._last_cuts, 1.0) * self._gains

    def _scores_of(self, rows: NDArray) -> NDArray[np.float64]:
        if self.link != "normal":
            return self._outputs_of(rows)
        if self._above:
            bits, last = self._last_bits(rows), self._above[-1]
            outputs = self._outputs_of_bits(bits)
            if isinstance(last, WindowLayer):
                squares = last.squares(bits, self._last_squares)
            else:
                squares = self._last_squares.sum(axis=1).reshape(1, -1)
        else:
            outputs = self._outputs_of(rows)
            squares = self._first.squares(rows, self._last_squares)
        variance = (squares + np.square(self._biases)) * np.square(self._gains) + VARIANCE_FLOOR
        if self._ordered:  # one spread for all outputs, so that the largest output is the most probable class
            return outputs / np.sqrt(variance.mean(axis=1, keepdims=True))
        return np.where(outputs == 0, SCORE_OF_ZERO, outputs / np.sqrt(variance))


def _positions(windows: Windows | None) -> int:
    return 1 if windows is None else windows.positions


def _linked(
    reach: tuple[int, NDArray], weights: NDArray[np.int8], cuts: NDArray, windows: Windows | None
) -> tuple[Link, NDArray[np.int64]]:
    """The link that ends at a layer of weights ``[G, inputs, units]``, and the layer's thresholds."""
    bounds = np.abs(weights.astype(np.int64)).sum(axis=1).ravel()
    bounds = bounds * (1 if windows is None else windows.num_summed)
    thresholds, jumps = linked_thresholds(cuts, reach[1], bounds)
    return Link(reach[0], jumps), thresholds


def _layer_of(
    weights: NDArray[np.int8], thresholds: NDArray, windows: Windows | None
) -> SignLayer | WindowLayer:
    if windows is None:
        return SignLayer(weights, thresholds)
    blocks, _, units = weights.shape
    apart = np.broadcast_to(thresholds.reshape(blocks, 1, units), (blocks, windows.positions, units))
    return WindowLayer(weights, apart.ravel(), windows)


class _FirstLayer:
    """Sums of transformed inputs: linear transforms are in the weights' unit, ``step``, others in float32.

    Of windows, rows of the product are patches, ``[n * Q, N]``.
    """

    def __init__(
        self,
        transform: Transform,
        columns: NDArray,
        weights: NDArray[np.int8],
        cuts: NDArray[np.float64],
        windows: Windows | None,
    ) -> None:
        self._transform, self._columns, self._windows = transform, columns, windows
        self._blocks = len(weights)
        self._all_used = len(columns) == len(transform.live)
        self._step = linear_step(transform)
        # blocks read the same inputs: their units are side by side
        self._weights = weights.transpose(1, 0, 2).reshape(weights.shape[1], -1).astype(np.float32)
        if cuts.size > self._weights.shape[1]:  # one for every position
            cuts = cuts.reshape(self._blocks, -1, weights.shape[2]).transpose(1, 0, 2)
            cuts = cuts.reshape(-1, self._weights.shape[1])
        self._cuts = cuts / (self._step or 1.0)
        self._norms = np.sqrt(np.square(self._weights).sum(axis=0, dtype=np.float64))
        self._reach = float(np.abs(self._weights).sum(axis=0, dtype=np.float64).max(initial=0.0))
        self._farthest = float(np.abs(self._cuts).max(initial=0.0))

    def sums(self, rows: NDArray, *, ordered: bool) -> NDArray[np.float64]:
        """Sums less cuts ``[n, units]``; their signs are exact and, if ``ordered``, so are the sums."""
        numbers, whole = self._numbers(rows)
        numbers = self._unfolded(numbers)
        cuts = self._cuts_of(numbers)
        if whole:
            sums = self._whole_sums(numbers) - cuts
            sums = sums if ordered else _snapped(sums, cuts, 1.0)
        elif ordered:
            sums = numbers.astype(np.float64) @ self._weights.astype(np.float64) - cuts
        else:
            sums = self._certain(numbers.astype(np.float32, copy=False)).astype(np.float64)
        return self._folded(sums, len(rows)) * (self._step or 1.0)

    def bits(self, rows: NDArray) -> NDArray[np.bool_]:
        """Which units are +1 ``[n, units]``."""
        numbers, whole = self._numbers(rows)
        numbers = self._unfolded(numbers)
        if whole:
            sums = self._whole_sums(numbers)
            bits = sums >= rounded_up(self._cuts_of(numbers)).astype(sums.dtype)
        else:
            bits = self._certain(numbers.astype(np.float32, copy=False)) >= 0
        return self._folded(bits, len(rows))

    def squares(self, rows: NDArray, squared_weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of squares ``[n, units]`` of transformed inputs, of squared weights ``[G, N, units]``."""
        values = self._numbers(rows)[0] * np.float64(self._step or 1.0)
        centred = self._unfolded(values - self._transform.offset[self._columns])
        weights = squared_weights.transpose(1, 0, 2).reshape(centred.shape[1], -1)
        return self._folded(np.square(centred) @ weights, len(rows))

    def _unfolded(self, numbers: NDArray) -> NDArray:
        """Rows of the product: of windows, patches ``[n * Q, N]`` of numbers ``[n, used]``."""
        if self._windows is None:
            return numbers
        images = numbers
        if not self._all_used:
            images = np.zeros((len(numbers), len(self._transform.live)), numbers.dtype)
            images[:, self._columns] = numbers
        return self._windows.patches(images).reshape(-1, self._windows.fan_in)

    def _folded(self, sums: NDArray, number: int) -> NDArray:
        """Units in the order of blocks, positions, channels."""
        if self._windows is None:
            return sums
        apart = sums.reshape(number, self._windows.positions, self._blocks, -1)
        return apart.transpose(0, 2, 1, 3).reshape(number, -1)

    def _cuts_of(self, numbers: NDArray) -> NDArray[np.float64]:
        """Cuts of rows of the product, ``[units]``, or one for each."""
        if self._cuts.ndim == 1:
            return self._cuts
        return np.tile(self._cuts, (len(numbers) // len(self._cuts), 1))

    def _numbers(self, rows: NDArray) -> tuple[NDArray, bool]:
        """What is multiplied, offsets not subtracted, ``[n, used]``; and whether all of it is whole."""
        used = rows if self._all_used else rows.take(self._columns, axis=1)
        if self._step is not None:
            if used.dtype == np.uint8:
                return used.astype(np.float32), True
            return used, bool(np.array_equal(used, np.rint(used)))
        transform = self._transform
        if transform.rounded:
            centre, scale = (_own(part, self._columns) for part in (transform.centre, transform.scale))
            return np.rint((used - centre) * scale), True
        pixels = _pixels(used) if transform.scale.ndim == 0 and used.size > NUM_PIXELS else None
        if pixels is not None:
            return self._powers(np.arange(NUM_PIXELS, dtype=np.float32)).take(pixels), False
        return self._powers(used), False

    def _powers(self, inputs: NDArray) -> NDArray[np.float32]:
        """The transform as classifiers compute it, in float32."""
        scale = np.asarray(_own(self._transform.scale, self._columns), np.float32)
        scaled = inputs.astype(np.float32, copy=False) * scale
        if self._transform.power == 1.0 and self._transform.dead_zone == 0.0:
            return scaled
        beyond = np.maximum(np.abs(scaled) - np.float32(self._transform.dead_zone), np.float32(0.0))
        return np.sign(scaled) * beyond ** np.float32(self._transform.power)

    def _whole_sums(self, numbers: NDArray) -> NDArray:
        """Sums of whole numbers, in float32 where that is exact, else in float64."""
        largest = self._reach * float(np.abs(numbers).max(initial=0.0))
        exact = np.float32 if max(largest, self._farthest) < EXACT_FLOAT32 else np.float64
        return numbers.astype(exact, copy=False) @ self._weights.astype(exact, copy=False)

    def _certain(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums less cuts whose signs are those of exact arithmetic."""
        sums, cuts = numbers @ self._weights, self._cuts_of(numbers)
        sums -= cuts.astype(np.float32)
        norms = np.sqrt(np.einsum("nf,nf->n", numbers, numbers))
        # rounding errors of a sum of n products grow as the root of n
        error = ROUNDING * max(1.0, numbers.shape[1]) ** 0.5
        near = np.abs(sums).min(axis=1) <= error * (norms * self._norms.max() + self._farthest)
        if near.any():
            rows = numbers[near]
            own = cuts if cuts.ndim == 1 else cuts[near]
            again = rows.astype(np.float64) @ self._weights.astype(np.float64) - own
            whole = np.zeros((len(rows), 1))
            if self._step is not None:
                whole[:, 0] = (rows == np.rint(rows)).all(axis=1)
            sums[near] = _snapped(again, own, whole)
        return sums


def _snapped(sums: NDArray, cuts: NDArray[np.float64], unit: float | NDArray) -> NDArray[np.float64]:
    """Sums less cuts ``[n, units]``, 0 where a sum is at its cut but for the rounding of the cut."""
    return np.where(np.abs(sums) <= SNAP * np.maximum(np.abs(cuts), unit), 0.0, sums)


def _own(values: NDArray, columns: NDArray) -> NDArray:
    return values if values.ndim == 0 else values[columns]


def _pixels(rows: NDArray) -> NDArray[np.uint8] | None:
    """Rows of whole numbers from 0 to 255 as uint8; else None."""
    if rows.dtype == np.uint8:
        return rows
    if rows.min() < 0 or rows.max() >= NUM_PIXELS:
        return None
    pixels = rows.astype(np.uint8)
    return pixels if np.array_equal(pixels, rows) else None
