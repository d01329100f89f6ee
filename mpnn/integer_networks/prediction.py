"""Fast evaluation of an integer network: NumPy alone, no compilation, memory bounded.

Products run in float32 (float64 where sums reach 2^24), which is exact for whole numbers and the fastest
product that NumPy has for many rows; a few rows of a layer of signs go through packed words and population
counts.
"""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mpnn.integer_networks.decisions import Argmax, Vote
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.network import IntegerNetwork, Layer

__all__ = ["Predictor"]

# Numbers of one chunk's widest array.
CHUNK = 2**22
EXACT_FLOAT32 = 2**24
# Up to this many rows, population counts are faster than float32 products of layers of this many weights.
FEW_ROWS, MANY_WEIGHTS = 4, 2**16


class Predictor:
    """Labels, scores and votes of an integer network.

    Parameters
    ----------
    network : IntegerNetwork
        What :func:`mpnn.deploy.packed.load_network` or :func:`mpnn.integer_networks.lowering.lower` returns.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self._type: DTypeLike = np.float32 if network.largest_sum < EXACT_FLOAT32 else np.float64
        self._first = network.layers[0].weights[0].astype(self._type)
        self._above = [_SignLayer(layer) for layer in network.layers[1:]]
        self._thresholds = network.layers[0].thresholds.astype(self._type)
        widest = max(len(network.columns), network.num_inputs, *(layer.num_units for layer in network.layers))
        self._rows = max(1, CHUNK // widest)

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels ``[n]`` of rows ``X [n, F]``."""
        return self.network.label_array(self._chunked(X, self._winners_of))

    def scores(self, X: ArrayLike) -> NDArray:
        """Outputs ``[n]`` of two classes (0 and more: the second), else scores or votes ``[n, C]``."""
        return self._chunked(X, self._scores_of)

    def votes(self, X: ArrayLike) -> NDArray[np.int64]:
        """Votes ``[n, C]`` of a pairwise vote.

        Raises
        ------
        ValueError
            If the network does not vote.
        """
        if not isinstance(self.network.decision, Vote):
            raise ValueError("only a pairwise vote has votes: use scores")
        return self.scores(X)

    def outputs(self, X: ArrayLike) -> NDArray[np.int64]:
        """Outputs ``[n, P]``: sums of the last layer less its thresholds."""
        return self._chunked(X, lambda codes: self._outputs_of(codes).astype(np.int64))

    def _chunked(self, X: ArrayLike, function) -> NDArray:  # type: ignore[no-untyped-def]
        rows = np.asarray(X)
        starts = range(0, len(rows), self._rows) if rows.ndim else ()
        parts = [function(self._codes(rows[start : start + self._rows])) for start in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts or [function(self._codes(rows))])

    @cached_property
    def _table(self) -> NDArray | None:
        """The only table of codes, in the type of the products."""
        inputs = self.network.inputs
        one = isinstance(inputs, PixelTable) and len(inputs.codes) == 1 and not inputs.is_identity
        return inputs.codes[0].astype(self._type) if one else None  # type: ignore[union-attr]

    def _codes(self, rows: NDArray) -> NDArray:
        network = self.network
        checked = rows.dtype == np.uint8 and rows.ndim == 2 and rows.shape[1] == network.num_inputs
        if checked and self._table is not None and network.encoder is None:
            return self._table.take(rows.take(network.columns, axis=1))
        return network.codes(rows).astype(self._type)

    def _outputs_of(self, codes: NDArray) -> NDArray:
        outputs = codes @ self._first
        outputs -= self._thresholds
        for layer in self._above:
            outputs = layer.outputs(outputs >= 0)
        return outputs

    def _winners_of(self, codes: NDArray) -> NDArray[np.int64]:
        return self.network.winners(codes, self._outputs_of(codes))

    def _scores_of(self, codes: NDArray) -> NDArray:
        outputs, decision = self._outputs_of(codes), self.network.decision
        if isinstance(decision, Vote):
            return decision.votes(outputs)
        return decision.scores(outputs) if isinstance(decision, Argmax) else outputs[:, 0].astype(np.int64)


class _SignLayer:
    """A layer of signs: float32 products for many rows, population counts for a few."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._large = len(layer.weights) == 1 and layer.weights.size >= MANY_WEIGHTS
        self._large = self._large and int(np.abs(layer.weights).max(initial=0)) <= 1
        self._thresholds = layer.thresholds.astype(np.float32)

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return self._layer.weights.astype(np.float32)

    @cached_property
    def _words(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
        """Signs and kept links, a row of words a unit, and the number of links a unit."""
        columns = self._layer.weights[0].T
        return _words(columns > 0), _words(columns != 0), np.count_nonzero(columns, axis=1)

    def outputs(self, units: NDArray[np.bool_]) -> NDArray:
        """Sums less thresholds ``[n, units]`` of signs below ``[n, inputs]``, True for +1."""
        if self._large and len(units) <= FEW_ROWS:
            positive, kept, links = self._words
            below = _words(units)
            wrong = [np.bitwise_count((row ^ positive) & kept).sum(axis=1, dtype=np.int64) for row in below]
            return links - 2 * np.stack(wrong) - self._layer.thresholds
        blocks, inputs, _ = self._layer.weights.shape
        signs = np.where(units, np.float32(1), np.float32(-1))
        if blocks == 1:
            return signs @ self._weights[0] - self._thresholds
        apart = signs.reshape(len(units), blocks, inputs).transpose(1, 0, 2)
        sums = np.matmul(apart, self._weights).transpose(1, 0, 2)
        return sums.reshape(len(units), -1) - self._thresholds


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows of bits as rows of uint64, padded with zeros."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(padded).view(np.uint64)
