"""Iterated local search on a sign network's weights: no solver, only forward passes."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.solvers.base import (
    BinaryNetworkMixin,
    SolverClassifier,
)
from mpnn.solvers.engines import Incumbent, Listener
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import shown_progress
from mpnn.validation import check_parameters, hidden_widths

__all__ = ["LocalSearchClassifier"]


class LocalSearchClassifier(BinaryNetworkMixin, SolverClassifier):
    """A few-bit sign network for two classes by iterated local search.

    From sparse random weights, the neurons are visited in random order; each takes the best change of one of
    its weights to another level, while that lowers the loss. Where no neuron improves, some weights of the
    best network so far are redrawn, and the search begins again. The loss is the mean logistic loss of the
    output over the root of its number of inputs, plus `penalty` times the share of non-zero weights.

    Parameters
    ----------
    hidden : sequence of int, default=(10,)
        Widths of the hidden layers.
    time_limit : float > 0, default=20.0
        Seconds.
    levels : int from 1 to 127, default=1
        P of the weights {-P..P}.
    perturbed : int >= 1, default=30
        Weights redrawn at each restart.
    zeros : float in [0, 1), default=0.8
        Share of zero weights in the random start.
    penalty : float >= 0, default=0.0001
        Cost of the share of non-zero weights.
    max_restarts : int or None, default=None
        Ends the search earlier, and then the same way every time; None for the clock alone.
    input_scaling : str, default="raw"
        ``"raw"`` or ``"unit"``.
    verbose : bool, default=False
        Whether to show loss and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted; an output of 0 votes for the second.
    weights_ : list of int8 ndarray [in, out]
        Weights, a layer each.
    loss_ : float
        Loss of the weights.
    restarts_ : int
        Number of restarts done.
    interrupted_ : bool
        Whether Ctrl-C ended the search; the weights are then the best found.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (10,),
        time_limit: float = 20.0,
        *,
        levels: int = 1,
        perturbed: int = 30,
        zeros: float = 0.8,
        penalty: float = 1e-4,
        max_restarts: int | None = None,
        input_scaling: str = "raw",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.time_limit = time_limit
        self.levels = levels
        self.perturbed = perturbed
        self.zeros = zeros
        self.penalty = penalty
        self.max_restarts = max_restarts
        self.input_scaling = input_scaling
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "LocalSearchClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of two classes.
        """
        check_parameters(self.get_params(deep=False), CHECKS)
        began = perf_counter()
        inputs, codes = self._encode(X, y)
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live = self.input_transform_(inputs)[:, self.input_transform_.live]
        widths = (live.shape[1], *hidden_widths(self.hidden), 1)
        search = _Search(live, 2 * codes - 1, self.levels, self.penalty)
        rng = np.random.default_rng(self._seed())
        best = self._random_weights(rng, widths)
        self.restarts_, self.interrupted_ = 0, False
        with shown_progress(self.verbose) as announce:
            best = self._improve(best, search, rng, began, announce("local search"))
        self.loss_ = search.loss(best)
        self._publish(Weights(tuple(best)))
        return self

    def _improve(
        self,
        best: list[NDArray],
        search: "_Search",
        rng: np.random.Generator,
        began: float,
        listener: Listener,
    ) -> list[NDArray]:
        """Descend from the weights, then from changes of the best ones, until time is up or Ctrl-C comes."""
        ends = began + self.time_limit
        try:
            least = search.descend(best, rng, ends)  # in place: whenever it ends, these are weights
            listener(Incumbent(perf_counter() - began, least, 0.0))
            while perf_counter() < ends and (self.max_restarts is None or self.restarts_ < self.max_restarts):
                weights = self._perturb(best, rng)
                loss = search.descend(weights, rng, ends)
                self.restarts_ += 1
                if loss < least:
                    listener(Incumbent(perf_counter() - began, loss, 0.0))
                if loss <= least:
                    best, least = weights, loss
        except KeyboardInterrupt:
            self.interrupted_ = True
        return best

    def _random_weights(self, rng: np.random.Generator, widths: tuple[int, ...]) -> list[NDArray]:
        shapes = zip(widths[:-1], widths[1:], strict=True)
        return [self._draw(rng, shape) for shape in shapes]

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
        """Draw weights: 0 with the share of zeros, else any other level."""
        magnitudes = rng.integers(1, self.levels + 1, shape)
        signs = np.where(rng.random(shape) < 0.5, -1, 1)
        return np.where(rng.random(shape) < self.zeros, 0, signs * magnitudes)

    def _perturb(self, weights: list[NDArray], rng: np.random.Generator) -> list[NDArray]:
        """Return a copy with some weights, of any layer, redrawn."""
        flat = np.concatenate([layer.ravel() for layer in weights])
        chosen = rng.choice(len(flat), min(self.perturbed, len(flat)), replace=False)
        flat[chosen] = self._draw(rng, chosen.shape)
        ends = np.cumsum([layer.size for layer in weights])[:-1]
        pieces = zip(np.split(flat, ends), weights, strict=True)
        return [piece.reshape(layer.shape) for piece, layer in pieces]


class _Search:
    """Descent on one set of samples: inputs [n, features], signs [n]."""

    def __init__(self, inputs: NDArray, signs: NDArray, levels: int, penalty: float) -> None:
        self.inputs, self.signs, self.levels, self.penalty = inputs, signs, levels, penalty

    def loss(self, weights: list[NDArray]) -> float:
        """Return the loss of weights."""
        outputs = forward(self.inputs, Weights(tuple(weights)))[-1]
        used = sum(np.count_nonzero(layer) for layer in weights) / sum(layer.size for layer in weights)
        return float(self._loss(outputs.T, weights)[0]) + self.penalty * used

    def descend(self, weights: list[NDArray], rng: np.random.Generator, ends: float) -> float:
        """Change weights in place until no single change of any neuron helps; return the loss."""
        # where every input is 0 in all of training, the first layer has no weights to change
        able = [layer for layer, array in enumerate(weights) if array.size]
        neurons = [(layer, n) for layer in able for n in range(weights[layer].shape[1])]
        size = sum(layer.size for layer in weights)
        loss = self.loss(weights)
        waiting = list(rng.permutation(len(neurons)))
        while waiting and perf_counter() < ends:
            layer, neuron = neurons[waiting.pop()]
            gain = self._best_change(weights, layer, neuron, loss, size)
            if gain > 0.0:
                loss -= gain
                waiting = list(rng.permutation(len(neurons)))
        return loss

    def _best_change(self, weights: list[NDArray], layer: int, neuron: int, loss: float, size: int) -> float:
        """Make the best change of one weight of one neuron; return what it gained, 0 if nothing does."""
        outputs = forward(self.inputs, Weights(tuple(weights)))
        source = self.inputs if layer == 0 else np.where(outputs[layer - 1] >= 0, 1, -1)
        column = weights[layer][:, neuron]
        nonzero = sum(np.count_nonzero(array) for array in weights)
        best = (1e-12, 0, 0)
        for level in range(-self.levels, self.levels + 1):
            changes = level - column
            candidates = outputs[layer][:, neuron] + changes[:, None] * source.T
            final = self._propagate(weights, outputs, layer, neuron, candidates)
            used = nonzero - (column != 0) + (level != 0)
            losses = self._loss(final, weights) + self.penalty * used / size
            losses[changes == 0] = np.inf
            place = int(losses.argmin())
            best = max(best, (loss - float(losses[place]), place, level))
        gain, place, level = best
        if gain > 1e-12:
            weights[layer][place, neuron] = level
            return gain
        return 0.0

    def _propagate(
        self, weights: list[NDArray], outputs: list[NDArray], layer: int, neuron: int, candidates: NDArray
    ) -> NDArray:
        """Return the network's outputs [moves, n] for pre-activations [moves, n] of one neuron."""
        if layer == len(weights) - 1:
            return candidates
        before = np.where(outputs[layer][:, neuron] >= 0, 1, -1)
        change = np.where(candidates >= 0, 1, -1) - before
        signal = outputs[layer + 1] + change[:, :, None] * weights[layer + 1][neuron]
        for later in weights[layer + 2 :]:
            signal = np.where(signal >= 0, 1, -1) @ later
        return signal[:, :, 0]

    def _loss(self, outputs: NDArray, weights: list[NDArray]) -> NDArray:
        """Return the mean logistic loss [moves] of outputs [moves, n]."""
        scale = np.sqrt(len(weights[-1]))
        if len(weights) == 1:
            scale *= max(1.0, float(np.abs(self.inputs).max(initial=0)))
        return np.logaddexp(0.0, -self.signs * outputs / scale).mean(axis=1)
