"""The integer program of Toro Icarte et al.: every output of every sample right, the objective on top.

Toro Icarte, Illanes, Castro, Cire, McIlraith, Beck, "Training Binarized Neural Networks using MIP and CP"
(CP 2019). Weights and biases in {-P..P} (P = 1 there), one output a class with targets -1 and +1, all of them
hard constraints; the objective is the sum of |w| (min-weight) or of the neurons' margins (max-margin).
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines import Limits, Listener, Model, Solution, solve
from mpnn.solvers.formulation import (
    Weights,
    add_magnitudes,
    add_network,
    add_signs,
    forward,
    margins_of,
)

__all__ = ["OBJECTIVES", "FitProgram", "Samples", "network_objective"]

OBJECTIVES = ("min_weight", "max_margin")


@dataclass(frozen=True)
class Samples:
    """The samples of one fit.

    Parameters
    ----------
    inputs : ndarray [n, live features]
        Whole numbers.
    targets : ndarray [n, outputs]
        -1 or +1.
    bias_unit : int, default=1
        What an input of 1, such as a bias has, is.
    """

    inputs: NDArray
    targets: NDArray
    bias_unit: int = 1


class FitProgram:
    """The program of one network.

    Parameters
    ----------
    samples : Samples
        What is to be fitted.
    widths : tuple of int
        Widths of all layers, inputs first.
    levels : int from 1 to 127
        P of the weights and biases {-P..P}.
    objective : str or None
        One of `OBJECTIVES`, or None for any network that fits.
    """

    def __init__(self, samples: Samples, widths: tuple[int, ...], levels: int, objective: str | None) -> None:
        self.samples, self.objective = samples, objective
        self.model = Model()
        self.network = add_network(
            self.model, samples.inputs, widths, levels, bias=True, bias_unit=samples.bias_unit
        )
        self.margins = self._add_margins() if objective == "max_margin" else []
        self._add_samples()
        self.sizes = self._add_sizes() if objective == "min_weight" else None

    def solve(self, limits: Limits, engine: str, listener: Listener, start: Weights | None) -> Solution:
        """Search from a network, or from none."""
        values = None if start is None else self.complete(start)
        return solve(self.model, limits, engine=engine, start=values, listener=listener)

    def complete(self, weights: Weights) -> NDArray:
        """Return a value for every variable that follows from the weights."""
        values = np.zeros(self.model.num_variables)
        outputs = self.network.assign(values, weights)
        if self.margins:
            for variables, margin in zip(self.margins, _margins(outputs, self.samples), strict=True):
                values[variables] = margin
        if self.sizes is not None:
            values[self.sizes] = np.abs(_flat(weights))
        return values

    def _add_margins(self) -> list[NDArray]:
        """Add a margin for every neuron, [width] of each layer, and maximise their sum."""
        widths = self.network.widths[1:]
        margins = [
            self.model.add_variables(width, 0, self.network.largest(layer))
            for layer, width in enumerate(widths)
        ]
        self.model.maximise(np.concatenate(margins))
        return margins

    def _add_samples(self) -> None:
        """Demand all signs of all samples, with the margins where there are any."""
        network, margins = self.network, self.margins
        if margins:
            add_signs(self.model, network, margin=lambda layer, neuron: int(margins[layer][neuron]))
        else:
            add_signs(self.model, network)
        last = len(network.weights) - 1
        for sample, output in np.ndindex(self.samples.targets.shape):
            form = network.pre_activation(last, sample, output)
            positive = self.samples.targets[sample, output] > 0
            if margins:
                form = form.plus(margins[last][output], -1.0 if positive else 1.0)
            lower, upper = (0.0, inf) if positive else (-inf, -1.0)
            self.model.add_row(form, lower=lower, upper=upper)

    def _add_sizes(self) -> NDArray:
        """Add a variable of at least |w| for every weight and bias, and minimise their sum."""
        network = self.network
        weights = np.concatenate([array.ravel() for array in (*network.weights, *(network.biases or ()))])
        sizes = add_magnitudes(self.model, weights, network.levels)
        self.model.minimise(sizes)
        return sizes


def network_objective(samples: Samples, weights: Weights, objective: str) -> float:
    """Return the sum of |w| or of all margins of a network."""
    if objective == "min_weight":
        return float(np.abs(_flat(weights)).sum())
    return float(sum(margin.sum() for margin in _margins(forward(samples.inputs, weights), samples)))


def _margins(outputs: list[NDArray], samples: Samples) -> list[NDArray]:
    hidden = [margins_of(output) for output in outputs[:-1]]
    last = np.where(samples.targets > 0, outputs[-1], -outputs[-1] - 1).min(axis=0)
    return [*hidden, last]


def _flat(weights: Weights) -> NDArray:
    return np.concatenate([array.ravel() for array in (*weights.layers, *(weights.biases or ()))])
