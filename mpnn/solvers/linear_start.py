"""A network from one linear program: the widest-margin neuron, rounded, in place of every hidden neuron."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from mpnn.solvers.formulation import Weights

# Less margin than this, as a share of the largest input, is none.
SEPARATED = 1e-9

__all__ = ["copied_neuron", "one_against_rest", "rounded_neuron", "widest_margin"]


def widest_margin(inputs: NDArray, signs: NDArray, levels: int) -> NDArray:
    """Return the real weights [features] in [-P, P] of the largest least margin y x.w.

    Where no weights separate the samples, that would be all zeros; then the weights of the least sum of
    max(0, s - y x.w), with s the mean length of a sample.

    Parameters
    ----------
    inputs : ndarray [n, features]
        Samples x.
    signs : ndarray [n]
        Classes y, -1 or +1.
    levels : int
        P.
    """
    if inputs.shape[1] == 0:  # every input is 0 in all of training
        return np.zeros(0)
    signed = signs[:, None] * inputs / max(1.0, float(np.abs(inputs).max()))
    count, features = signed.shape
    bounds = [(-levels, levels)] * features
    # max m, m - y x.w <= 0
    rows = np.hstack([-signed, np.ones((count, 1))])
    found = _solved(np.append(np.zeros(features), -1.0), rows, np.zeros(count), [*bounds, (None, None)])
    if found[-1] > SEPARATED:
        return found[:-1]
    # min sum_k z_k, s - y x.w <= z_k
    rows = np.hstack([-signed, -np.eye(count)])
    wanted = np.full(count, -np.linalg.norm(signed, axis=1).mean())
    costs = np.append(np.zeros(features), np.ones(count))
    return _solved(costs, rows, wanted, [*bounds, *[(0.0, None)] * count])[:features]


def _solved(costs: NDArray, rows: NDArray, limits: NDArray, bounds: list[tuple]) -> NDArray:
    found = linprog(costs, A_ub=rows, b_ub=limits, bounds=bounds, method="highs")
    if found.x is None:
        raise RuntimeError(f"the linear program of a neuron failed: {found.message}")
    return found.x


def rounded_neuron(inputs: NDArray, signs: NDArray, levels: int) -> NDArray[np.int64]:
    """Return `widest_margin` rounded to whole weights [features]."""
    return np.round(widest_margin(inputs, signs, levels)).astype(np.int64)


def one_against_rest(
    inputs: NDArray, codes: NDArray, widths: Sequence[int], levels: int, bias_unit: int = 1
) -> Weights | None:
    """Return a network with a neuron for each class, its rounded widest margin against all others.

    Later layers hand the neurons' signs on; neurons beyond the number of classes repeat the first one and
    reach nothing. Biases are 0. Where every class is separated, all outputs of all samples are right.

    Parameters
    ----------
    inputs : ndarray [n, widths[0]]
        Whole numbers.
    codes : ndarray [n]
        Class numbers, below widths[-1].
    widths : sequence of int
        Widths of all layers, inputs first.
    levels : int from 1 to 127
        P of the weights {-P..P}.
    bias_unit : int, default=1
        What an input of 1 is in the first layer.

    Returns
    -------
    Weights or None
        None where a hidden layer has fewer neurons than there are classes.
    """
    classes = widths[-1]
    if min(widths[1:]) < classes:
        return None
    signs = np.where(codes[:, None] == np.arange(classes), 1, -1)
    neurons = np.stack([rounded_neuron(inputs, column, levels) for column in signs.T], axis=1)
    repeated = np.repeat(neurons[:, :1], widths[1] - classes, axis=1)
    layers = [np.hstack([neurons, repeated])]
    for before, after in zip(widths[1:-1], widths[2:], strict=True):
        passing = np.zeros((before, after), np.int64)
        passing[np.arange(classes), np.arange(classes)] = levels
        layers.append(passing)
    return Weights(tuple(layers), tuple(np.zeros(width, np.int64) for width in widths[1:]), bias_unit)


def copied_neuron(neuron: NDArray, widths: Sequence[int], levels: int) -> Weights:
    """Return the network [widths] that decides as the neuron [widths[0]] does.

    Every neuron of the first layer is the given one, and all later weights are +P, so that the output is
    as large as it can be: a neuron that separates the samples makes each of them confidently right.
    """
    if len(widths) == 2:
        return Weights((neuron[:, None],))
    first = np.repeat(neuron[:, None], widths[1], axis=1)
    shapes = zip(widths[1:-1], widths[2:], strict=True)
    return Weights((first, *(np.full(shape, levels) for shape in shapes)))
