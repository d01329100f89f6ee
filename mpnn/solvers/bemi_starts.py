"""What BeMi's stages begin with."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.bemi_models import Problem, Program, least_margins
from mpnn.solvers.formulation import Weights

__all__ = ["best_start", "margins_to_keep", "one_neuron_decides"]


def margins_to_keep(problem: Problem, weights: Weights | None, widened: bool) -> list[NDArray]:
    """Return what MW must keep: MM's margins; without MM only the samples' labels, margins of 0."""
    if widened and weights is not None:
        return least_margins(problem, weights)
    return [np.zeros(width) for width in problem.widths[1:]]


def best_start(program: Program, candidates: Sequence[Weights | None]) -> NDArray | None:
    """Return the best solution among the candidates; the first one as a mere hint if none is a solution."""
    starts = [program.complete(weights) for weights in candidates if weights is not None]
    feasible = [values for values in starts if program.model.accepts(values)]
    if feasible:
        better = 1.0 if program.model.maximised else -1.0
        return max(feasible, key=lambda values: better * program.model.value(values))
    return starts[0] if starts else None


def one_neuron_decides(weights: Weights, widths: Sequence[int], levels: int) -> Iterator[Weights]:
    """Yield, for every neuron of the first layer, the network that it decides alone.

    All others have weights P, so that pixels make them constant: on few samples such networks have nearly the
    widest margins that there are, for a constant neuron's margin is the least sum of a sample's pixels.

    Parameters
    ----------
    weights : Weights
        Network whose neurons are taken.
    widths : sequence of int
        Widths of all layers, the live inputs first; at least one hidden layer.
    levels : int
        P.
    """
    for neuron in np.unique(weights.layers[0], axis=1).T:
        layers = [np.full(shape, levels) for shape in zip(widths[:-1], widths[1:], strict=True)]
        layers[0][:, 0] = neuron
        for layer in layers[1:-1]:
            layer[1:] = 0
        yield Weights(tuple(layers))
