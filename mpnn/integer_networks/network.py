"""The integer network: what every back-end of an export prints, and its reference evaluation.

Rows of inputs become whole codes, layers multiply them by few-bit weights and compare the sums with whole
thresholds (``sum >= threshold`` is +1, else -1), and the last layer's outputs, sums less thresholds, decide.
Everything is exact: no sum reaches ``2^53``.

Shapes: ``n`` rows, ``F`` inputs, ``G`` blocks side by side, ``P`` outputs. NumPy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.integer_networks.decisions import Argmax, Sign, Vote, tied_rows
from mpnn.integer_networks.inputs import PixelTable, RealInputs, Thermometer, as_rows
from mpnn.integer_networks.links import Link, largest_of_squares, of_units
from mpnn.integer_networks.windows import Windows

__all__ = ["IntegerNetwork", "Layer"]

Label = bool | int | float | str
# Whole numbers up to here are exact in float64.
LARGEST_SUM = 2**53
LARGEST_WEIGHT = 127


@dataclass(frozen=True, eq=False)
class Layer:
    """A product with few-bit weights and the thresholds of its sums.

    Parameters
    ----------
    weights : int8 ndarray [G, inputs, units]
        Block g multiplies the g-th share of the units below, so that networks
        side by side are one layer. The first layer has one block, or blocks
        of windows over the same inputs.
    thresholds : int64 ndarray [G * units] or [G * Q * units]
        Thresholds of the sums, of all positions or of each.
    windows : Windows or None, default=None
        Of a convolution: at each of Q positions its inputs are those of a
        window. Units are in the order of blocks, positions, channels.
    link : Link or None, default=None
        A residual link that ends here; not at the first layer and the last.
    """

    weights: NDArray[np.int8]
    thresholds: NDArray[np.int64]
    windows: Windows | None = None
    link: Link | None = None

    def __post_init__(self) -> None:
        if self.weights.ndim != 3 or self.weights.dtype != np.int8:
            raise ValueError(f"weights must be int8 [blocks, inputs, units], got {self.weights.shape}")
        if self.weights.size and self.weights.min() < -LARGEST_WEIGHT:
            raise ValueError(f"weights must be from -{LARGEST_WEIGHT} to {LARGEST_WEIGHT}, got -128")
        if self.windows is not None and self.windows.fan_in != self.weights.shape[1]:
            raise ValueError(f"windows of {self.windows.fan_in} inputs need as many weights a unit")
        if self.thresholds.shape not in {(self.num_kernels,), (self.num_units,)}:
            raise ValueError(f"thresholds must be [{self.num_kernels}], got {self.thresholds.shape}")
        if self.link is not None:
            self._check_jumps(self.link.jumps)

    def _check_jumps(self, jumps: NDArray[np.int64]) -> None:
        if jumps.shape != (self.num_kernels,):
            raise ValueError(f"jumps of a link must be [{self.num_kernels}], got {jumps.shape}")
        # thresholds out of reach decide alike, and are never farther apart than these
        if np.any(jumps < 0) or np.any(jumps > 2 * self.largest_sums() + 1):
            raise ValueError(
                "jumps of a link must be at least 0 and no larger than sums of both signs are apart"
            )

    @property
    def num_kernels(self) -> int:
        """Units of one position over all blocks."""
        return self.weights.shape[0] * self.weights.shape[2]

    @property
    def positions(self) -> int:
        """Q; 1 without windows."""
        return 1 if self.windows is None else self.windows.positions

    @property
    def num_units(self) -> int:
        """Units over all positions and blocks."""
        return self.num_kernels * self.positions

    @property
    def num_inputs(self) -> int:
        """Inputs over all blocks."""
        inputs = self.weights.shape[1] if self.windows is None else self.windows.num_inputs
        return self.weights.shape[0] * inputs

    @property
    def unit_thresholds(self) -> NDArray[np.int64]:
        """Thresholds of all units ``[G * Q * units]``."""
        if len(self.thresholds) == self.num_units:
            return self.thresholds
        return self.of_units(self.thresholds)

    def of_units(self, values: NDArray) -> NDArray:
        """Values of the kernels ``[G * units]`` for the units of all positions ``[G * Q * units]``.

        Parameters
        ----------
        values : ndarray [G * units]
            One a kernel.
        """
        return of_units(values, len(self.weights), self.positions)

    def largest_sums(self, largest: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Bounds of the kernels' sums ``[G * units]``; ``largest [inputs]`` bounds the inputs, None: by 1."""
        magnitudes = np.abs(self.weights)  # no int64 copy: files are opened that may be hostile
        if self.windows is not None:
            size = 1 if largest is None else int(largest.max(initial=0))
            return magnitudes.sum(axis=1, dtype=np.int64).ravel() * size * self.windows.num_summed
        if largest is None:
            return magnitudes.sum(axis=1, dtype=np.int64).ravel()
        return np.einsum("n,gnk->gk", largest, magnitudes, dtype=np.int64).ravel()

    def sums(self, below: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sums ``[n, units]`` of units or codes ``[n, inputs]``."""
        number, (blocks, inputs, _) = len(below), self.weights.shape
        weights = self.weights.astype(np.int64)
        if self.windows is None:
            sums = np.einsum("bgn,gnk->bgk", below.reshape(number, blocks, inputs), weights)
            return sums.reshape(number, self.num_units)
        shared = below.shape[1] == self.windows.num_inputs
        apart = below.reshape(number, 1 if shared else blocks, self.windows.num_inputs)
        # one more input, which is 0 where a window reaches out of the image
        extended = np.concatenate([apart, np.zeros((*apart.shape[:2], 1), np.int64)], axis=2)
        rows = extended[:, :, self.windows.places()].max(axis=-1).sum(axis=-1)
        rows = np.broadcast_to(rows, (number, blocks, *rows.shape[2:]))
        return np.einsum("bgqn,gnk->bgqk", rows, weights).reshape(number, self.num_units)


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A classifier in whole numbers.

    Parameters
    ----------
    inputs : PixelTable or RealInputs
        How the inputs become codes.
    columns : int64 ndarray [used]
        Which inputs are used, increasing; the first layer has a row for each, or windows over all inputs,
        of which those that are not used are 0.
    layers : tuple of Layer
        First to last.
    decision : Sign, Argmax or Vote
        How outputs become class numbers.
    labels : tuple
        Label of each class.
    unlabelled : label or None, default=None
        Label of class -1.
    encoder : Thermometer or None, default=None
        Applied to a table before ``inputs``.
    exact : bool, default=True
        Whether codes are exact, so that labels can differ from the classifier's only where its float32 sums
        round.
    provenance : mapping of str to str
        Names and values of where the network comes from.
    """

    inputs: PixelTable | RealInputs
    columns: NDArray[np.int64]
    layers: tuple[Layer, ...]
    decision: Sign | Argmax | Vote
    labels: tuple[Label, ...]
    unlabelled: Label | None = None
    encoder: Thermometer | None = None
    exact: bool = True
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a network needs at least one layer")
        self._check_first(self.layers[0])
        for below, above in zip(self.layers[:-1], self.layers[1:], strict=True):
            if below.num_units != above.num_inputs:
                raise ValueError(f"a layer of {below.num_units} units feeds one of {above.num_inputs} inputs")
        for index, layer in enumerate(self.layers):
            if layer.link is not None:
                self._check_link(index, layer, layer.link.below)
        if self.layers[-1].num_units != self.decision.num_outputs:
            raise ValueError(
                f"the decision needs {self.decision.num_outputs} outputs, got {self.layers[-1].num_units}"
            )
        if len(self.labels) != self.decision.num_classes:
            raise ValueError(f"labels must name {self.decision.num_classes} classes, got {len(self.labels)}")
        if np.any(np.diff(self.columns) <= 0) or np.any(self.columns >= self.inputs.num_inputs):
            raise ValueError(f"columns must increase and stay below {self.inputs.num_inputs}")
        if self.largest_sum >= LARGEST_SUM:
            raise ValueError(f"sums must stay below 2^53 to be exact, their bound is {self.largest_sum}")

    def _check_first(self, first: Layer) -> None:
        if first.windows is None:
            if first.weights.shape[:2] != (1, len(self.columns)):
                raise ValueError(f"the first layer must have one block of {len(self.columns)} inputs")
        elif first.windows.num_inputs != self.inputs.num_inputs or first.windows.largest_of > 1:
            raise ValueError(f"windows over the inputs must have {self.inputs.num_inputs} of them")

    def _check_link(self, index: int, layer: Layer, below: int) -> None:
        """Whether a link begins at as many units, block by block, as it ends at."""
        if not 1 <= below <= index or index == len(self.layers) - 1:
            raise ValueError(f"a link to layer {index} cannot begin at the inputs of layer {below}")
        begin = self.layers[below]
        units = begin.num_inputs
        if begin.windows is not None:
            if begin.windows.sum_of > 1:
                raise ValueError("a link carries signs, not sums of squares")
            units = len(begin.weights) * begin.windows.num_pooled
        if len(begin.weights) != len(layer.weights) or units != layer.num_units:
            raise ValueError(f"a link begins at {units} units and ends at {layer.num_units}")

    @property
    def num_inputs(self) -> int:
        """Columns of the rows that :meth:`predict` takes."""
        return self.inputs.num_inputs if self.encoder is None else len(self.encoder.columns)

    @property
    def largest_sum(self) -> int:
        """Bound of all sums, and of the outputs' magnitudes."""
        first = self.layers[0].largest_sums(self.inputs.largest[self.columns])
        bounds = [first, *(layer.largest_sums() for layer in self.layers[1:])]
        reach = [
            int(bound.max(initial=0)) + int(np.abs(layer.thresholds).max(initial=0)) + _largest_jump(layer)
            for bound, layer in zip(bounds, self.layers, strict=True)
        ]
        return max(reach)

    @property
    def num_links(self) -> int:
        """Weights that are not zero."""
        return sum(int(np.count_nonzero(layer.weights)) for layer in self.layers)

    @property
    def operations(self) -> dict[str, int]:
        """Most operations of one prediction: additions, XNORs of words of 32 bits, multiplications."""
        first, *above = self.layers
        words = sum(_words_of(layer) * layer.num_units for layer in above)
        linked = sum(layer.num_units for layer in above if layer.link is not None)
        magnitudes = np.abs(first.weights)
        # a weight of magnitude m adds a shifted code once for every bit of m
        additions = int(np.bitwise_count(magnitudes.view(np.uint8)).sum(dtype=np.int64)) * first.positions
        scaled = isinstance(self.decision, Argmax) and self.decision.multipliers is not None
        products = self.decision.num_outputs if scaled else 0
        return {"additions": additions + linked, "xnors": words, "multiplications": products}

    def codes(self, X: ArrayLike) -> NDArray:
        """Codes ``[n, used]`` of rows ``X [n, F]``.

        Parameters
        ----------
        X : array-like [n, F]
            Inputs.
        """
        rows = as_rows(X)
        if rows.ndim != 2 or rows.shape[1] != self.num_inputs:
            raise ValueError(f"X must have shape [rows, {self.num_inputs}], got {rows.shape}")
        if self.encoder is not None:
            rows = self.encoder.encode(rows)
        return self.inputs.encode(rows, self.columns)

    def everywhere(self, codes: NDArray) -> NDArray:
        """Codes ``[n, F]`` of all inputs, 0 of those that are not used.

        Parameters
        ----------
        codes : ndarray [n, used]
            Codes of the used inputs.
        """
        if len(self.columns) == self.inputs.num_inputs:
            return codes
        everywhere = np.zeros((len(codes), self.inputs.num_inputs), codes.dtype)
        everywhere[:, self.columns] = codes
        return everywhere

    def outputs(self, codes: NDArray) -> NDArray[np.int64]:
        """Outputs ``[n, P]`` of codes ``[n, used]``, by products of int64.

        Parameters
        ----------
        codes : int ndarray [n, inputs]
            Codes of the inputs.
        """
        signal = codes.astype(np.int64)
        if self.layers[0].windows is not None:
            signal = self.everywhere(signal)
        signals = [signal]
        for layer in self.layers:
            sums = layer.sums(signals[-1]) - layer.unit_thresholds
            if layer.link is not None:
                linked = largest_of_squares(signals[layer.link.below], self.layers[layer.link.below].windows)
                sums = sums + np.where(linked > 0, layer.of_units(layer.link.jumps), 0)
            signals.append(np.where(sums >= 0, 1, -1))
        return sums

    def winners(self, codes: NDArray, outputs: NDArray) -> NDArray[np.int64]:
        """Class numbers ``[n]``, -1: unlabelled.

        Parameters
        ----------
        codes : int ndarray [n, inputs]
            Codes of the inputs.
        outputs : int ndarray [n, K]
            Outputs of the last layer.
        """
        if not isinstance(self.decision, Vote):
            return self.decision.winners(outputs)
        votes = self.decision.votes(outputs)
        if self.decision.confidence is None:
            return self.decision.head_to_head(outputs, votes)
        winners = votes.argmax(axis=1)
        tied = tied_rows(votes)
        if len(tied):
            roots = self.decision.confidence.roots
            if roots is None:
                roots = self.decision.confidence.roots_of(codes[tied], self.layers[0].weights[0])
            winners[tied] = self.decision.most_probable(outputs[tied], votes[tied], roots)
        return winners

    def label_array(self, winners: NDArray) -> NDArray:
        """Labels ``[n]`` of class numbers ``[n]``.

        Parameters
        ----------
        winners : int ndarray [n]
            Class numbers; -1: no label.
        """
        if (winners < 0).any():
            return np.array([*self.labels, self.unlabelled])[winners]
        return np.array(self.labels)[winners]

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels ``[n]`` of rows ``X [n, F]``: the reference that every back-end equals.

        Parameters
        ----------
        X : array-like [n, F]
            Inputs.
        """
        codes = self.codes(X)
        return self.label_array(self.winners(codes, self.outputs(codes)))


def _largest_jump(layer: Layer) -> int:
    return 0 if layer.link is None else int(layer.link.jumps.max(initial=0))


def _words_of(layer: Layer) -> int:
    """Words of 32 bits that a unit's signs are compared in."""
    if layer.windows is None:
        return -(-layer.weights.shape[1] // 32)
    rows, columns = layer.windows.window
    return rows * columns * layer.windows.num_summed * -(-layer.windows.shape[2] // 32)
