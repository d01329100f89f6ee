"""A network with whole weights and sign activations as variables and rows.

Neurons of the hidden layers are +1 where their pre-activation is at least 0 and -1 where it is at most -eps;
sign(0) = +1. With whole inputs and weights, every pre-activation is whole, and eps = 1 excludes nothing.
The product of a weight and a neuron is a variable c with (u = 1) => c = w and (u = 0) => c = -w. Without
implications that is c - w <= 2P(1 - u), c + w <= 2P u and their mirror images: the four rows of Toro Icarte
et al. (CP 2019), Thorbjarnarson and Yorke-Smith (2023) and Bernardelli et al. (BeMi).

Shapes: samples n, layers 0..L-1, layer l maps widths[l] to widths[l + 1].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpnn.solvers.engines import Expression, Model

__all__ = [
    "Network",
    "Weights",
    "add_magnitudes",
    "add_network",
    "add_nonzeros",
    "add_signs",
    "forward",
    "margins_of",
]

MarginOf = Callable[[int, int], int | None]
BigM = Callable[[int], float | None]


@dataclass(frozen=True)
class Weights:
    """A network's values.

    Parameters
    ----------
    layers : tuple of int ndarray [in, out]
        Weights, a layer each.
    biases : tuple of int ndarray [out] or None, default=None
        Biases, a layer each; None without biases.
    bias_unit : int, default=1
        The input that the biases of the first layer multiply: 1 in units of the given inputs.
    """

    layers: tuple[NDArray, ...]
    biases: tuple[NDArray, ...] | None = None
    bias_unit: int = 1


@dataclass(frozen=True)
class Network:
    """A network's variables.

    Parameters
    ----------
    inputs : ndarray [n, live features]
        Whole numbers.
    levels : int from 1 to 127
        P of the weights {-P..P}.
    weights : tuple of ndarray [in, out]
        Numbers of the weights, a layer each.
    biases : tuple of ndarray [out] or None
        Numbers of the biases, a layer each.
    active : tuple of ndarray [n, width]
        Binary variables of the hidden layers, 1 where the neuron is +1.
    products : tuple of ndarray [n, in, out]
        Products of weights and activations, of each layer but the first.
    bias_unit : int, default=1
        What an input of 1 is in the first layer.
    """

    inputs: NDArray
    levels: int
    weights: tuple[NDArray, ...]
    biases: tuple[NDArray, ...] | None
    active: tuple[NDArray, ...]
    products: tuple[NDArray, ...]
    bias_unit: int = 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of all layers, inputs first."""
        return (self.weights[0].shape[0], *(layer.shape[1] for layer in self.weights))

    def pre_activation(self, layer: int, sample: int, neuron: int) -> Expression:
        """Return the linear form of one neuron's pre-activation."""
        if layer == 0:
            seen = np.flatnonzero(self.inputs[sample])
            form = Expression(self.weights[0][seen, neuron], self.inputs[sample, seen].astype(float))
        else:
            terms = self.products[layer - 1][sample, :, neuron]
            form = Expression(terms, np.ones(len(terms)))
        if self.biases is None:
            return form
        return form.plus(self.biases[layer][neuron], self.bias_unit if layer == 0 else 1.0)

    def largest(self, layer: int) -> int:
        """Return a bound on the magnitude of a layer's pre-activations."""
        reach = int(np.abs(self.inputs).sum(axis=1).max()) if layer == 0 else self.widths[layer]
        if self.biases is not None:
            reach += self.bias_unit if layer == 0 else 1
        return self.levels * reach

    def assign(self, values: NDArray, weights: Weights) -> list[NDArray]:
        """Write weights and all that follows from them into a solution; return the pre-activations."""
        for variables, layer in zip(self.weights, weights.layers, strict=True):
            values[variables] = layer
        if self.biases is not None and weights.biases is not None:
            for variables, bias in zip(self.biases, weights.biases, strict=True):
                values[variables] = bias
        outputs = forward(self.inputs, weights)
        for variables, output in zip(self.active, outputs, strict=False):
            values[variables] = output >= 0
        for index, variables in enumerate(self.products):
            signs = np.where(outputs[index] >= 0, 1, -1)
            values[variables] = signs[:, :, None] * weights.layers[index + 1][None]
        return outputs

    def read(self, values: NDArray) -> Weights:
        """Return the weights of a solution."""

        def whole(variables: NDArray) -> NDArray:
            return np.round(values[variables]).astype(np.int64)

        biases = None if self.biases is None else tuple(whole(bias) for bias in self.biases)
        return Weights(tuple(whole(layer) for layer in self.weights), biases, self.bias_unit)


def add_network(
    model: Model,
    inputs: NDArray,
    widths: Sequence[int],
    levels: int,
    *,
    bias: bool = False,
    bias_unit: int = 1,
) -> Network:
    """Add the variables of a network and the rows of its products.

    Parameters
    ----------
    model : Model
        The program that they are added to.
    inputs : ndarray [n, widths[0]]
        Whole numbers.
    widths : sequence of int
        Widths of all layers, inputs first.
    levels : int from 1 to 127
        P of the weights {-P..P}.
    bias : bool, default=False
        Whether neurons have biases.
    bias_unit : int, default=1
        What an input of 1 is in the first layer.
    """
    shapes = list(zip(widths[:-1], widths[1:], strict=True))
    weights = tuple(model.add_variables(shape, -levels, levels) for shape in shapes)
    biases = tuple(model.add_variables(width, -levels, levels) for _, width in shapes) if bias else None
    count = len(inputs)
    active = tuple(model.add_variables((count, width), 0, 1) for width in widths[1:-1])
    products = tuple(model.add_variables((count, *shape), -levels, levels) for shape in shapes[1:])
    network = Network(inputs, levels, weights, biases, active, products, bias_unit)
    for layer, product in enumerate(products):
        for sample, neuron, target in np.ndindex(product.shape):
            pair = np.array([product[sample, neuron, target], weights[layer + 1][neuron, target]])
            switch = int(active[layer][sample, neuron])
            for value, sign in ((1, -1.0), (0, 1.0)):
                row = Expression(pair, np.array([1.0, sign]))
                model.add_row(row, lower=0.0, upper=0.0, when=(switch, value))
    return network


def add_signs(
    model: Model,
    network: Network,
    *,
    eps: float = 1.0,
    margin: MarginOf = lambda layer, neuron: None,
    big_m: BigM = lambda layer: None,
    samples: Sequence[int] | None = None,
) -> None:
    """Tie the hidden neurons to their pre-activations a: (u = 1) => a >= m, (u = 0) => a <= -m - eps.

    Parameters
    ----------
    model : Model
        The program that the rows are added to.
    network : Network
        The network's variables.
    eps : float in (0, 1], default=1.0
        Distance of the two sides.
    margin : callable
        The variable m of (layer, neuron); None for m = 0.
    big_m : callable
        The number of a layer, for engines without implications; None for the least valid number of each row.
    samples : sequence of int or None, default=None
        Those that the rows are for; None for all.
    """
    chosen = range(len(network.inputs)) if samples is None else samples
    for layer, active in enumerate(network.active):
        for sample in chosen:
            for neuron in range(active.shape[1]):
                form = network.pre_activation(layer, sample, neuron)
                m = margin(layer, neuron)
                above = form if m is None else form.plus(m, -1.0)
                below = form if m is None else form.plus(m, 1.0)
                switch = int(active[sample, neuron])
                model.add_row(above, lower=0.0, when=(switch, 1), big_m=big_m(layer))
                model.add_row(below, upper=-eps, when=(switch, 0), big_m=big_m(layer))


def add_magnitudes(model: Model, weights: NDArray, largest: int, *, integer: bool = True) -> NDArray:
    """Add a variable of at least |w| and at most `largest` for every weight; return them in that shape."""
    sizes = model.add_variables(weights.shape, 0, largest, integer=integer)
    for weight, size in zip(weights.ravel(), sizes.ravel(), strict=True):
        pair = np.array([weight, size])
        model.add_row(Expression(pair, np.array([1.0, -1.0])), upper=0.0)
        model.add_row(Expression(pair, np.array([1.0, 1.0])), lower=0.0)
    return sizes


def add_nonzeros(model: Model, weights: NDArray, levels: int) -> NDArray:
    """Add a binary v with -P v <= w <= P v for every weight; return them in that shape."""
    used = model.add_variables(weights.shape, 0, 1)
    for weight, switch in zip(weights.ravel(), used.ravel(), strict=True):
        pair = np.array([weight, switch])
        model.add_row(Expression(pair, np.array([1.0, -float(levels)])), upper=0.0)
        model.add_row(Expression(pair, np.array([1.0, float(levels)])), lower=0.0)
    return used


def forward(inputs: NDArray, weights: Weights) -> list[NDArray]:
    """Return the pre-activations of every layer, [n, out] each; exact for whole numbers."""
    outputs = []
    signal = inputs
    for index, layer in enumerate(weights.layers):
        output = signal @ layer
        if weights.biases is not None:
            output = output + weights.biases[index] * (weights.bias_unit if index == 0 else 1)
        outputs.append(output)
        signal = np.where(output >= 0, 1, -1)
    return outputs


def margins_of(output: NDArray, eps: float = 1.0) -> NDArray:
    """Return how far each neuron stays from changing sign, [out]: the least of a, or of -a - eps if a < 0."""
    return np.where(output >= 0, output, -output - eps).min(axis=0)
