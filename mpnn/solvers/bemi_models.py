"""The three programs of BeMi: confident samples, margins, weights.

Bernardelli, Gualandi, Lau, Milanesi, Yorke-Smith, "Multiobjective Linear Ensembles for Robust and Sparse
Training of Few-Bit Neural Networks" (INFORMS J. Computing, code 2023.0281). One output, targets -1 and +1, no
biases. SM maximises the samples that are confidently right, MM the sum of all neurons' margins on those
samples, MW minimises the non-zero weights with all margins kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines import Expression, Model
from mpnn.solvers.formulation import (
    Network,
    Weights,
    add_network,
    add_nonzeros,
    add_signs,
    forward,
    margins_of,
)

__all__ = [
    "BIG_MS",
    "STAGES",
    "Problem",
    "Program",
    "least_margins",
    "margin_program",
    "satisfiability_program",
]

STAGES = ("SM", "MM", "MW")
BIG_MS = ("implications", "point", "paper")


@dataclass(frozen=True)
class Problem:
    """Samples and network of one fit.

    Parameters
    ----------
    inputs : ndarray [n, live features]
        Whole numbers.
    signs : ndarray [n]
        Classes, -1 or +1.
    widths : tuple of int
        Widths of all layers, the live inputs first.
    levels : int from 1 to 127
        P of the weights {-P..P}.
    eps : float in (0, 1]
        A negative pre-activation is at most -eps.
    big_m : str
        "implications", where the engine has them; "point", the least number for each row; "paper", one for
        each layer as published.
    constant_neurons : bool
        Whether a hidden neuron may have one sign for all samples.
    num_features : int
        Number of inputs, those that are dead too.
    """

    inputs: NDArray
    signs: NDArray
    widths: tuple[int, ...]
    levels: int
    eps: float
    big_m: str
    constant_neurons: bool
    num_features: int

    @property
    def confidence(self) -> int:
        """Return the least confident output, times the sign: P (N + 1) / 4 with N inputs of the output."""
        last = self.widths[-2] if len(self.widths) > 2 else self.num_features
        return ceil(self.levels * (last + 1) / 4)

    def satisfied(self, weights: Weights) -> NDArray[np.bool_]:
        """Return which samples a network gets confidently right, [n]."""
        return self.signs * forward(self.inputs, weights)[-1][:, 0] >= self.confidence

    def restricted(self, samples: NDArray[np.bool_]) -> "Problem":
        """Return the problem of some of the samples."""
        return replace(self, inputs=self.inputs[samples], signs=self.signs[samples])

    def published_big_m(self, layer: int) -> float | None:
        """Return BeMi's big number of a layer, None where another choice was made."""
        if self.big_m != "paper":
            return None
        if layer == 0:
            return 2.0 * (np.abs(self.inputs).max() + 1) * self.levels * (self.num_features + 1)
        return 2.0 * self.levels * (self.widths[layer] + 1)

    def finished(self, model: Model) -> Model:
        """Return the model as the engine gets it."""
        return model if self.big_m == "implications" else model.linearised()


class Program(NamedTuple):
    """One stage as an integer program.

    Parameters
    ----------
    model : Model
        The variables, rows and objective.
    network : Network
        The network's variables.
    complete : callable
        Turns weights into a solution with a value for every variable.
    """

    model: Model
    network: Network
    complete: Callable[[Weights], NDArray]


def satisfiability_program(problem: Problem) -> Program:
    """Return SM: max sum_k q_k, where q_k = 1 exactly if sample k is confidently right."""
    model = Model()
    network = _network(model, problem)
    add_signs(model, network, eps=problem.eps, big_m=problem.published_big_m)
    right = model.add_variables(len(problem.signs), 0, 1)
    output, confidence = len(problem.widths) - 2, problem.confidence
    # 5/2 of the normalised output, whose unit is P (N + 1) / 2
    big_m = None if problem.big_m != "paper" else ceil(1.25 * problem.levels * (problem.widths[-2] + 1))
    for sample, sign in enumerate(problem.signs):
        form = network.pre_activation(output, sample, 0).times(float(sign))
        switch = int(right[sample])
        model.add_row(form, lower=confidence, when=(switch, 1), big_m=big_m)
        model.add_row(form, upper=confidence - 1, when=(switch, 0), big_m=big_m)
    model.maximise(right)
    finished = problem.finished(model)

    def complete(weights: Weights) -> NDArray:
        values = np.zeros(finished.num_variables)
        network.assign(values, weights)
        values[right] = problem.satisfied(weights)
        return values

    return Program(finished, network, complete)


def margin_program(problem: Problem, margins: list[NDArray] | None = None) -> Program:
    """Return MM, max the sum of all margins; with `margins` given, MW: min the number of non-zero weights.

    Parameters
    ----------
    problem : Problem
        Its samples are those that are kept.
    margins : list of ndarray [width] or None, default=None
        Least margins of each layer's neurons.
    """
    model = Model()
    network = _network(model, problem)
    kept = _add_margins(model, network, problem)
    used = None
    if margins is None:
        model.maximise(np.concatenate(kept))
    else:
        for variables, least in zip(kept, margins, strict=True):
            model.fix(variables, least)
        weights = np.concatenate([layer.ravel() for layer in network.weights])
        used = add_nonzeros(model, weights, problem.levels)
        model.minimise(used)
    finished = problem.finished(model)

    def complete(weights: Weights) -> NDArray:
        values = np.zeros(finished.num_variables)
        outputs = network.assign(values, weights)
        for layer, variables in enumerate(kept):
            values[variables] = _margins(outputs[layer], problem, layer == len(kept) - 1)
            if margins is not None:
                values[variables] = np.where(values[variables] >= margins[layer], margins[layer], -1.0)
        if used is not None:
            values[used] = np.concatenate([layer.ravel() for layer in weights.layers]) != 0
        return values

    return Program(finished, network, complete)


def _add_margins(model: Model, network: Network, problem: Problem) -> list[NDArray]:
    """Add a margin that all samples keep for every neuron; return them, [width] of each layer."""
    reach = [network.largest(layer) for layer in range(len(problem.widths) - 1)]
    kept = [
        model.add_variables(width, 0, bound) for width, bound in zip(problem.widths[1:], reach, strict=True)
    ]
    add_signs(
        model,
        network,
        eps=problem.eps,
        margin=lambda layer, neuron: int(kept[layer][neuron]),
        big_m=problem.published_big_m,
    )
    output = len(kept) - 1
    for sample, sign in enumerate(problem.signs):
        form = network.pre_activation(output, sample, 0)
        if sign > 0:
            model.add_row(form.plus(kept[-1][0], -1.0), lower=0.0)
        else:
            model.add_row(form.plus(kept[-1][0], 1.0), upper=-problem.eps)
    return kept


def least_margins(problem: Problem, weights: Weights) -> list[NDArray]:
    """Return the margins [width] of every layer's neurons over the problem's samples."""
    outputs = forward(problem.inputs, weights)
    return [
        _margins(output, problem, layer == len(outputs) - 1).astype(float)
        for layer, output in enumerate(outputs)
    ]


def _margins(output: NDArray, problem: Problem, is_last: bool) -> NDArray:
    """Whole margins: with whole pre-activations, a <= -m - eps is a <= -m - 1."""
    if not is_last:
        return margins_of(output)
    signs = problem.signs[:, None]
    return np.where(signs > 0, output, -output - 1).min(axis=0)


def _network(model: Model, problem: Problem) -> Network:
    network = add_network(model, problem.inputs, problem.widths, problem.levels)
    if not problem.constant_neurons:
        for active in network.active:
            for neuron in active.T:
                row = Expression(neuron, np.ones(len(neuron)))
                model.add_row(row, lower=1, upper=len(neuron) - 1)
    return network
