"""A network of step neurons as variables and rows; sets of samples share their activations.

A neuron is 1 where W x >= lambda and 0 where W x <= lambda - eps; weights are real in [-1, 1] or whole. The
objective is the number of wrong outputs. Where every sample is a set of its own, this is the exact model of

Bah, Kurtz, "An Integer Programming Approach to Deep Neural Networks with Binary Activation Functions" (2020);

with larger sets, the one of

Kurtz, Bah, "Efficient and Robust Mixed-Integer Optimization Methods for Training Binarized Deep Neural
Networks" (2021), which counts binary variables in sets rather than in samples.

Products of a weight and an activation are variables s with (u = 1) => s = w and (u = 0) => s = 0: rows are
linear at any depth.

Shapes: samples n, sets S, layers 0..L-1; layer l maps widths[l] to widths[l + 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines import Expression, Limits, Listener, Model, Solution, solve
from mpnn.solvers.formulation import add_magnitudes

__all__ = ["StepNeurons", "StepProgram", "StepWeights", "zero_network"]

# A pre-activation below the threshold is at least this far below, for real weights and inputs in [0, 1].
EPS = 1e-3


@dataclass(frozen=True)
class StepNeurons:
    """What neurons there can be.

    Parameters
    ----------
    whole : bool, default=False
        Whether weights are -1, 0, 1 and thresholds whole, on whole inputs, rather than real.
    bias : bool, default=True
        Whether thresholds may differ from 0.
    radius : float >= 0, default=0.0
        Every decision of the first layer holds for all inputs this near in each feature.
    """

    whole: bool = False
    bias: bool = True
    radius: float = 0.0

    @property
    def eps(self) -> float:
        """What separates the two sides of a threshold."""
        return 1.0 if self.whole else EPS


@dataclass(frozen=True)
class StepWeights:
    """A network's values.

    Parameters
    ----------
    layers : tuple of ndarray [in, out]
        Weights, a layer each.
    thresholds : tuple of ndarray [out]
        Thresholds, a layer each.
    """

    layers: tuple[NDArray, ...]
    thresholds: tuple[NDArray, ...]

    def forward(self, inputs: NDArray, tolerance: float) -> list[NDArray]:
        """Return W x - lambda + tolerance of every layer, [n, out] each; a neuron is 1 from 0 on.

        Parameters
        ----------
        inputs : ndarray [n, in]
            Inputs of the first layer.
        tolerance : float
            Half of eps, so that a solver's rounding does not change a side.
        """
        outputs: list[NDArray] = []
        signal = inputs
        for layer, threshold in zip(self.layers, self.thresholds, strict=True):
            outputs.append(signal @ layer - threshold + tolerance)
            signal = outputs[-1] >= 0
        return outputs


def zero_network(widths: Sequence[int], neurons: StepNeurons) -> StepWeights:
    """Return the network without weights, which any sets allow; with thresholds, its outputs are 0."""
    layers = tuple(np.zeros(shape) for shape in pairwise(widths))
    thresholds = tuple(np.zeros(width) for width in widths[1:])
    thresholds[-1][:] = neurons.bias
    return StepWeights(layers, thresholds)


class StepProgram:
    """The program of one network.

    Parameters
    ----------
    neurons : StepNeurons
        What neurons there can be.
    widths : sequence of int
        Widths of all layers, inputs first.
    inputs : ndarray [n, widths[0]]
        The samples.
    targets : ndarray [n, widths[-1]]
        What the outputs ought to be, in {0, 1}.
    sets : ndarray [n]
        Number of each sample's set, every number from 0 to S - 1 in use.
    """

    def __init__(
        self,
        neurons: StepNeurons,
        widths: Sequence[int],
        inputs: NDArray,
        targets: NDArray,
        sets: NDArray,
    ) -> None:
        self.neurons, self.inputs, self.sets = neurons, inputs, sets
        model, shapes, count = Model(), list(pairwise(widths)), int(sets.max()) + 1
        reaches = (float(np.ceil(np.abs(inputs).sum(axis=1).max())), *map(float, widths[1:-1]))
        self.model, whole = model, neurons.whole
        self.weights = [model.add_variables(shape, -1, 1, integer=whole) for shape in shapes]
        self.thresholds = [
            model.add_variables(width, -reach * neurons.bias, reach * neurons.bias, integer=whole)
            for width, reach in zip(widths[1:], reaches, strict=True)
        ]
        self.active = [model.add_variables((count, width), 0, 1) for width in widths[1:]]
        self.sent = [model.add_variables((count, *shape), -1, 1, integer=whole) for shape in shapes[1:]]
        # what the radius adds to a pre-activation at most, or takes from it
        self.sizes = add_magnitudes(model, self.weights[0], 1, integer=whole) if neurons.radius else None
        self._add_first_layer()
        for layer in range(1, len(shapes)):
            self._add_products(layer)
            self._add_later_layer(layer)
        # wrong outputs = sum of z where the target is 0 - sum of z where it is 1 + number of targets 1
        costs = np.zeros((count, widths[-1]))
        np.add.at(costs, sets, 1.0 - 2.0 * targets)
        one = model.add_variables(1, 1, 1)
        model.minimise(np.append(self.active[-1], one), np.append(costs, targets.sum()))

    def solve(
        self,
        limits: Limits,
        engine: str,
        listener: Listener,
        *,
        start: StepWeights | None = None,
        fixed: Sequence[tuple[NDArray, NDArray]] = (),
    ) -> Solution:
        """Solve with some variables fixed to values; the objective is the number of wrong outputs."""
        lower, upper = list(self.model.lower), list(self.model.upper)
        for variables, values in fixed:
            self.model.fix(variables, values.ravel())
        hint = None if start is None else self.complete(start)
        solution = solve(self.model, limits, engine=engine, start=hint, listener=listener)
        self.model.lower, self.model.upper = lower, upper
        return solution

    def read(self, values: NDArray) -> StepWeights:
        """Return the network of a solution."""
        layers = tuple(values[variables] for variables in self.weights)
        return StepWeights(layers, tuple(values[variables] for variables in self.thresholds))

    def complete(self, weights: StepWeights) -> NDArray:
        """Return a value for every variable; a set is as its first sample is."""
        values = np.array(self.model.lower)
        first = np.unique(self.sets, return_index=True)[1]
        outputs = weights.forward(self.inputs[first], 0.5 * self.neurons.eps)
        for layer, output in enumerate(outputs):
            values[self.weights[layer]] = weights.layers[layer]
            values[self.thresholds[layer]] = weights.thresholds[layer]
            values[self.active[layer]] = output >= 0
        for layer, sent in enumerate(self.sent, start=1):
            values[sent] = (outputs[layer - 1] >= 0)[:, :, None] * weights.layers[layer]
        if self.sizes is not None:
            values[self.sizes] = np.abs(weights.layers[0])
        return values

    def _add_first_layer(self) -> None:
        """(u = 1) => W x - r |W| >= lambda, (u = 0) => W x + r |W| <= lambda - eps, for every sample."""
        radius = self.neurons.radius
        for sample, members in enumerate(self.sets):
            seen = np.flatnonzero(self.inputs[sample])
            for neuron, switch in enumerate(self.active[0][members].tolist()):
                form = Expression(self.weights[0][seen, neuron], self.inputs[sample, seen])
                form = form.plus(self.thresholds[0][neuron], -1.0)
                if self.sizes is None:
                    self._add_step(form, form, switch)
                else:
                    sizes = self.sizes[:, neuron]
                    self._add_step(form.plus(sizes, -radius), form.plus(sizes, radius), switch)

    def _add_later_layer(self, layer: int) -> None:
        """(u = 1) => sum of s >= lambda, (u = 0) => sum of s <= lambda - eps, for every set."""
        for members, neuron in np.ndindex(self.active[layer].shape):
            terms = self.sent[layer - 1][members, :, neuron]
            form = Expression(terms, np.ones(len(terms))).plus(self.thresholds[layer][neuron], -1.0)
            self._add_step(form, form, int(self.active[layer][members, neuron]))

    def _add_products(self, layer: int) -> None:
        """(u = 1) => s = w, (u = 0) => s = 0."""
        sent = self.sent[layer - 1]
        for members, source, target in np.ndindex(sent.shape):
            pair = np.array([sent[members, source, target], self.weights[layer][source, target]])
            switch = int(self.active[layer - 1][members, source])
            same, alone = Expression(pair, np.array([1.0, -1.0])), Expression(pair[:1], np.ones(1))
            self.model.add_row(same, lower=0.0, upper=0.0, when=(switch, 1))
            self.model.add_row(alone, lower=0.0, upper=0.0, when=(switch, 0))

    def _add_step(self, above: Expression, below: Expression, switch: int) -> None:
        self.model.add_row(above, lower=0.0, when=(switch, 1))
        self.model.add_row(below, upper=-self.neurons.eps, when=(switch, 0))
