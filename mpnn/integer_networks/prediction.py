"""Fast evaluation of an integer network: NumPy alone, no compilation, memory bounded.

Products run in float32 (float64 where sums reach 2^24), which is exact for whole numbers and the fastest
product that NumPy has for many rows; a few rows of a layer of signs go through packed words and population
counts. Rows are taken in chunks that stay in the processor's cache.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mpnn.integer_networks.decisions import Argmax, Vote
from mpnn.integer_networks.inputs import PixelTable, as_rows
from mpnn.integer_networks.links import HalfJumps
from mpnn.integer_networks.network import IntegerNetwork, Layer
from mpnn.integer_networks.sign_layers import SignLayer
from mpnn.integer_networks.window_layers import WindowLayer, window_sums

__all__ = ["EXACT_FLOAT32", "Predictor", "rows_of_a_chunk"]

# Numbers of one chunk's widest array: what a processor's second cache holds.
CHUNK = 2**19
EXACT_FLOAT32 = 2**24
ENGINES = ("numpy", "numba")


def rows_of_a_chunk(widest: int) -> int:
    """Rows that are evaluated at once.

    Parameters
    ----------
    widest : int >= 1
        Numbers of a row's widest array.
    """
    return max(1, CHUNK // widest)


def _kernels_of(engine: str) -> Any:
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {ENGINES}, got {engine!r}")
    if engine == "numpy":
        return None
    try:
        from mpnn.integer_networks import kernels
    except ImportError as error:
        raise ImportError("engine='numba' needs numba: pip install numba") from error
    return kernels


def _width_of(layer: Layer) -> int:
    """Numbers of a row's widest array in a layer."""
    patches = layer.weights.shape[0] * layer.weights.shape[1] * layer.positions
    return max(patches, layer.num_units)


class Predictor:
    """Labels, scores and votes of an integer network.

    Parameters
    ----------
    network : IntegerNetwork
        What :func:`mpnn.deploy.packed.load_network` or :func:`mpnn.integer_networks.lowering.lower` returns.
    engine : str, default="numpy"
        ``"numba"`` counts signs of layers of many weights and looks codes up in compiled loops: faster for
        many rows, after seconds of compilation at first use.

    Raises
    ------
    ValueError
        If the engine is another one.
    ImportError
        If numba is not installed.
    """

    def __init__(self, network: IntegerNetwork, engine: str = "numpy") -> None:
        kernels = _kernels_of(engine)
        self.network, self._kernels = network, kernels
        self._type: DTypeLike = np.float32 if network.largest_sum < EXACT_FLOAT32 else np.float64
        self._first = network.layers[0].weights.astype(self._type)
        self._limits = network.layers[0].unit_thresholds.astype(self._type)
        self._above = [
            SignLayer(layer.weights, layer.thresholds, kernels)
            if layer.windows is None
            else WindowLayer(layer.weights, layer.unit_thresholds, layer.windows)
            for layer in network.layers[1:]
        ]
        self._jumps = [self._jumps_of(layer) for layer in network.layers[1:]]
        self._rows = rows_of_a_chunk(max(network.num_inputs, *map(_width_of, network.layers)))

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

    def _chunked(self, X: ArrayLike, function: Callable[[NDArray], NDArray]) -> NDArray:
        rows = as_rows(X)
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
            if self._kernels is not None:
                return self._kernels.pixel_codes(rows, network.columns, self._table)
            return self._table.take(rows.take(network.columns, axis=1))
        return network.codes(rows).astype(self._type)

    def _outputs_of(self, codes: NDArray) -> NDArray:
        sums, limits, units = self._first_sums(codes), self._limits, []
        for layer, jumps in zip(self._above, self._jumps, strict=True):
            units.append(sums >= limits)
            sums, limits = layer.half_sums(units[-1]), layer.limits
            sums = sums if jumps is None else jumps.added_to(sums, units)
        outputs = sums - limits
        return 2 * outputs if self._above else outputs

    def _jumps_of(self, layer: Layer) -> HalfJumps | None:
        if layer.link is None:
            return None
        return HalfJumps(
            layer.link, self.network.layers[layer.link.below].windows, len(layer.weights), layer.positions
        )

    def _first_sums(self, codes: NDArray) -> NDArray:
        if (windows := self.network.layers[0].windows) is None:
            return codes @ self._first[0]
        return window_sums(self.network.everywhere(codes)[:, None], self._first, windows)

    def _winners_of(self, codes: NDArray) -> NDArray[np.int64]:
        return self.network.winners(codes, self._outputs_of(codes))

    def _scores_of(self, codes: NDArray) -> NDArray:
        outputs, decision = self._outputs_of(codes), self.network.decision
        if isinstance(decision, Vote):
            return decision.votes(outputs)
        return decision.scores(outputs) if isinstance(decision, Argmax) else outputs[:, 0].astype(np.int64)
