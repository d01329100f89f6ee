"""Large neighbourhood search: most weights stay, some are solved again, first those that beliefs leave open.

A neighbourhood is some of the weights of a few neurons. All that follows from them (signs, products, margins)
is free with them, all else is fixed, and an engine solves what is left. Weights are drawn with odds of their
*doubt*, the expected squared distance of the belief from the present value, `variance + (mean - w)^2`.
Sizes adapt: a neighbourhood that is solved without gain was too small, one that ran out of time was too
large. The search is that of Shaw (1998), with beliefs in the place of his relatedness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines import Incumbent, Limits, Listener, Model, Solution, solve
from mpnn.solvers.engines.restriction import Restrictable
from mpnn.solvers.formulation import Network

__all__ = ["Moments", "search_neighbourhoods"]

# Seconds of the first neighbourhoods, and factors by which time and share of weights grow and shrink.
FIRST_SECONDS, LONGEST_SHARE = 0.1, 0.25
GROWTH, SHRINKAGE, LEAST_SHARE = 2.0, 0.5, 0.05


class Moments(NamedTuple):
    """Beliefs about the weights of one layer.

    Parameters
    ----------
    mean, variance : ndarray [in, out]
        Of each weight.
    """

    mean: NDArray
    variance: NDArray


def search_neighbourhoods(
    model: Model,
    network: Network,
    start: NDArray,
    limits: Limits,
    *,
    beliefs: Sequence[Moments] | None = None,
    engine: str = "cpsat",
    listener: Listener | None = None,
    first_share: float = 1.0,
) -> Solution:
    """Improve a solution until the time is up or the whole program is solved.

    Parameters
    ----------
    model : Model
        An integer program.
    network : Network
        The network's variables in it.
    start : ndarray [num_variables]
        A solution.
    limits : Limits
        Seconds of the whole search; the engine's threads and seed.
    beliefs : sequence of Moments or None, default=None
        Of each layer; None: all weights are as doubtful.
    engine : str, default="cpsat"
        Solves the neighbourhoods.
    listener : callable or None, default=None
        Called with each better solution.
    first_share : float in (0, 1], default=1.0
        Share of a neuron's weights that the first neighbourhoods free.

    Returns
    -------
    Solution
        "optimal" only where a neighbourhood was the whole program, or the objective is what the variables'
        bounds allow at most; else "feasible", without a bound.
    """
    if not model.accepts(start):
        raise ValueError("start must be a solution of the program; solve it whole to find one")
    search = _Search(model, network, start, limits, beliefs, engine, listener, first_share)
    return search.run()


@dataclass
class _Size:
    """Size of a layer's neighbourhoods: a share of the weights of so many neurons, at last everything."""

    share: float = 1.0
    neurons: int = 1
    everything: bool = False

    def grow(self, width: int) -> None:
        if self.share < 1.0:
            self.share = min(1.0, self.share * GROWTH)
        elif self.neurons < width:
            self.neurons += 1
        else:
            self.everything = True

    def shrink(self) -> None:
        if self.everything:
            self.everything = False
        elif self.neurons > 1:
            self.neurons -= 1
        else:
            self.share = max(LEAST_SHARE, self.share * SHRINKAGE)


class _Search:
    """One run; `values` is the best solution so far."""

    def __init__(
        self,
        model: Model,
        network: Network,
        start: NDArray,
        limits: Limits,
        beliefs: Sequence[Moments] | None,
        engine: str,
        listener: Listener | None,
        first_share: float,
    ) -> None:
        self.began = perf_counter()
        self.program, self.network, self.values = Restrictable(model), network, start
        self.limits, self.beliefs, self.engine, self.listener = limits, beliefs, engine, listener
        self.rng = np.random.default_rng(limits.seed)
        self.sizes = [_Size(first_share) for _ in network.weights]
        self.seconds = FIRST_SECONDS
        self.incumbents: list[Incumbent] = []
        self.interrupted = False
        self.best_possible = _best_conceivable(model)
        self.solved = self.objective == self.best_possible
        self.follows = np.ones(model.num_variables, bool)
        for variables in (*network.weights, *network.active, *network.products, *(network.biases or ())):
            self.follows[variables.ravel()] = False

    @property
    def objective(self) -> float:
        return self.program.model.value(self.values)

    @property
    def left(self) -> float:
        return self.began + self.limits.seconds - perf_counter()

    def run(self) -> Solution:
        self._report()
        while self.left > 0.0 and not (self.solved or self.interrupted):
            neurons = [(layer, n) for layer, w in enumerate(self.network.weights) for n in range(w.shape[1])]
            for place in self.rng.permutation(len(neurons)):
                self._improve(*neurons[place])
                if self.left <= 0.0 or self.solved or self.interrupted:
                    break
        status, bound = ("optimal", self.objective) if self.solved else ("feasible", None)
        seconds = perf_counter() - self.began
        return Solution(
            status, self.values, self.objective, bound, seconds, tuple(self.incumbents), self.interrupted
        )

    def _improve(self, layer: int, neuron: int) -> None:
        """Solve a neighbourhood of one neuron, and learn from it how large the next one should be."""
        size = self.sizes[layer]
        free = np.ones(len(self.values), bool)
        if not size.everything:
            free = self._free(layer, self._freed_weights(layer, neuron, size))
        small = self.program.restrict(self.values, free)
        seconds = max(min(self.seconds, self.left), 1e-3)
        limits = Limits(seconds, self.limits.threads, int(self.rng.integers(2**31)))
        found = solve(small.model, limits, engine=self.engine, start=small.of(self.values))
        self.interrupted = found.interrupted
        before = self.objective
        if found.values is not None:
            self.values = small.into(self.values, found.values)
        gained = self.objective != before
        if gained:
            self._report()
        if found.status != "optimal":
            self.seconds = min(self.seconds * GROWTH, LONGEST_SHARE * self.limits.seconds)
            if not gained:
                size.shrink()
        elif free.all() or self.objective == self.best_possible:
            self.solved = True
        elif not gained:
            size.grow(self.network.weights[layer].shape[1])

    def _freed_weights(self, layer: int, neuron: int, size: _Size) -> NDArray[np.bool_]:
        """Draw weights [in, out]: of this neuron and, in larger neighbourhoods, of others in its layer."""
        variables = self.network.weights[layer]
        width = variables.shape[1]
        others = self.rng.permutation(np.delete(np.arange(width), neuron))[: size.neurons - 1]
        chosen = np.append(others, neuron)
        freed = np.zeros(variables.shape, bool)
        doubt = self._doubt(layer)[:, chosen]
        # The largest of log odds with Gumbel noise are a draw without replacement.
        keys = np.log(doubt) + self.rng.gumbel(size=doubt.shape)
        count = max(1, round(size.share * keys.size))
        kept = keys >= np.partition(keys, keys.size - count, axis=None)[keys.size - count]
        freed[:, chosen] = kept
        return freed

    def _doubt(self, layer: int) -> NDArray:
        values = self.values[self.network.weights[layer]]
        if self.beliefs is None:
            return np.ones(values.shape)
        mean, variance = self.beliefs[layer]
        return np.maximum(variance + (mean - values) ** 2, 1e-6)

    def _free(self, layer: int, freed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which variables are free when these weights are: all that can then take another value."""
        network = self.network
        free = np.zeros(len(self.values), bool)
        free[network.weights[layer][freed]] = True
        touched = freed.any(axis=0)
        if layer > 0:
            free[network.products[layer - 1][:, freed]] = True
        for above in range(layer, len(network.active)):
            free[network.active[above][:, touched]] = True
            free[network.products[above][:, touched]] = True
            touched = np.ones(network.weights[above + 1].shape[1], bool)
        if network.biases is not None:
            free[network.biases[layer][freed.any(axis=0)]] = True
        columns = np.unique(self.program.matrix[self.program.touching(free)].indices)
        free[columns[self.follows[columns]]] = True
        return free

    def _report(self) -> None:
        found = Incumbent(perf_counter() - self.began, self.objective, np.nan)
        self.incumbents.append(found)
        if self.listener is not None:
            self.listener(found)


def _best_conceivable(model: Model) -> float:
    """What the variables' bounds alone allow."""
    columns, costs = model.objective
    lower, upper = costs * np.array(model.lower)[columns], costs * np.array(model.upper)[columns]
    return float((np.maximum if model.maximised else np.minimum)(lower, upper).sum())
