"""Networks with few weights that MW begins with: what greedy pruning leaves, and one sparse neuron.

As long as every neuron keeps its sign on every sample, neurons can be pruned one after the other. Where MW
keeps the labels alone, one neuron with few weights can stand for the whole network; its program is small.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.bemi_models import Problem, margin_program
from mpnn.solvers.engines import Limits
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.linear_start import rounded_neuron
from mpnn.solvers.neighbourhoods import Moments, search_neighbourhoods

__all__ = ["beliefs_in_zero", "pruned", "sparse_neurons"]

# Second moment of a weight of which nothing is known but that it should be 0.
SECOND_MOMENT = 0.02
# Weights of a neuron that are freed at first when weights are counted: the non-zero ones and some others.
FIRST_SHARE = 0.1


def pruned(problem: Problem, weights: Weights, margins: Sequence[NDArray]) -> Weights:
    """Remove weights while all margins are kept, in every neuron those first that leave it the widest.

    Parameters
    ----------
    problem : Problem
        Samples, whose labels are kept too.
    weights : Weights
        A network that has these labels and margins.
    margins : sequence of ndarray [width]
        Least margins of each layer's neurons.
    """
    outputs = forward(problem.inputs, weights)
    sides = [np.where(output >= 0, 1, -1) for output in outputs]
    layers = [layer.copy() for layer in weights.layers]
    used: NDArray[np.bool_] = np.ones(layers[-1].shape[1], bool)
    for place in reversed(range(len(layers))):
        below = sides[place - 1] if place > 0 else problem.inputs
        for neuron, margin in enumerate(margins[place]):
            column = layers[place][:, neuron]  # a view
            if used[neuron] or margin > 0.0:
                column[:] = _pruned_neuron(below, sides[place][:, neuron], column, margin)
            else:
                column[:] = 0  # without weights the margin is 0, and the sign reaches nothing
        used = np.count_nonzero(layers[place], axis=1) > 0
    return Weights(tuple(layers))


def _pruned_neuron(inputs: NDArray, sides: NDArray, neuron: NDArray, margin: float) -> NDArray:
    neuron, output = neuron.copy(), inputs @ neuron
    while neuron.any():
        used = np.flatnonzero(neuron)
        without = output[:, None] - inputs[:, used] * neuron[used]
        least = np.where(sides[:, None] > 0, without, -without - 1).min(axis=0)
        best = least.argmax()
        if least[best] < margin:
            break
        output, neuron[used[best]] = without[:, best], 0
    return neuron


def sparse_neurons(problem: Problem, limits: Limits, engine: str) -> Iterator[Weights]:
    """Yield networks in which one neuron of few weights decides and the others have none, found by search.

    The neuron may have the sign of the label or the other one, which matters, for an output of 0 is
    positive. Nothing is yielded where no rounded linear program has all labels.

    Parameters
    ----------
    problem : Problem
        Samples and network.
    limits : Limits
        Seconds for both signs together.
    engine : str
        Solves the neighbourhoods.
    """
    choices = (1, -1) if len(problem.widths) > 2 else (1,)
    for sign in choices:
        alone = replace(problem, signs=sign * problem.signs, widths=(problem.widths[0], 1))
        program = margin_program(alone, [np.zeros(1)])
        start = Weights((rounded_neuron(alone.inputs, alone.signs, alone.levels)[:, None],))
        if not program.model.accepts(program.complete(start)):
            continue
        found = search_neighbourhoods(
            program.model,
            program.network,
            program.complete(pruned(alone, start, [np.zeros(1)])),
            replace(limits, seconds=limits.seconds / len(choices)),
            beliefs=beliefs_in_zero(alone.widths, None),
            engine=engine,
            first_share=FIRST_SHARE,
        )
        if found.values is None:
            raise AssertionError("a search from a solution has one")
        yield _passed_on(program.network.read(found.values).layers[0], sign, problem.widths)


def _passed_on(neuron: NDArray, sign: int, widths: Sequence[int]) -> Weights:
    """Return the network whose output is a neuron's [features, 1] sign times `sign`."""
    if len(widths) == 2:
        return Weights((neuron,))
    layers = [np.zeros(shape, np.int64) for shape in zip(widths[:-1], widths[1:], strict=True)]
    layers[0][:, :1] = neuron
    for layer in layers[1:]:
        layer[0, 0] = 1
    layers[-1][0, 0] = sign
    return Weights(tuple(layers))


def beliefs_in_zero(widths: Sequence[int], beliefs: Sequence[Moments] | None) -> list[Moments]:
    """Return beliefs by which every weight is 0, but for its second moment in the given ones.

    A search by them frees all non-zero weights first, then those zeros that the given beliefs would rather
    have otherwise.

    Parameters
    ----------
    widths : sequence of int
        Widths of all layers.
    beliefs : sequence of Moments or None
        Of each layer; None: all zeros are as doubtful.
    """
    if beliefs is not None:
        return [Moments(np.zeros_like(mean), mean**2 + variance) for mean, variance in beliefs]
    shapes = zip(widths[:-1], widths[1:], strict=True)
    return [Moments(np.zeros(shape), np.full(shape, SECOND_MOMENT)) for shape in shapes]
