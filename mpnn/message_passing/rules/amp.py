"""Approximate message passing: cavities expanded to first order, with the reaction terms of earlier sweeps.

Lucibello et al. 2022, eqs. 96-118, with the time indices of the derivation: primes mark the
previous sweep over the same batch. At the first sweep ``g' = 0``, and AMP is the BP-inspired rule with
``g`` at the cavity replaced by ``g + m x Gamma``.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from mpnn.linear_maps import products
from mpnn.message_passing.rules.base import (
    Derive,
    Inputs,
    Layer,
    Messages,
    Preactivation,
    RequiredMessages,
    counted,
    gaussian_preactivation,
    precision_messages,
)

__all__ = ["Memory", "backward", "first_order", "forward", "init"]


class Memory(NamedTuple):
    """The previous sweep's gradient ``[B, K]``, inputs ``[B, N]`` and magnetizations ``[N, K]``.

    Parameters
    ----------
    gradient : Array [B, K]
        The previous sweep's gradient.
    inputs : Array [B, N]
        The previous sweep's inputs.
    weights : Array [N, K]
        The previous sweep's magnetizations.
    """

    gradient: Array
    inputs: Array
    weights: Array


def init(layer: Layer, inputs: Inputs) -> Memory:
    """Before the first sweep there is no reaction: the gradient is 0.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    """
    shape = (inputs.mean.shape[0], layer.mean.shape[1])
    return Memory(jnp.zeros(shape, inputs.mean.dtype), inputs.mean, layer.mean)


def forward(layer: Layer, inputs: Inputs, memory: Memory | None) -> Preactivation:
    """Gaussian pre-activation less the units' reaction to their own last message.

    ``omega = m x - g' (sigma x x') - g' (m m' Delta) + g'^2 (sigma m' x' Delta)``. ``memory`` None: one
    sweep a batch, and no reaction.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    memory : object
        What the rule keeps between the sweeps over a batch.
    """
    mean, variance = gaussian_preactivation(layer, inputs)
    if memory is None:
        return Preactivation(mean, variance)
    reaction = products.contract(layer.variance, inputs.mean * memory.inputs)
    if inputs.variance is not None:
        reaction = reaction + products.contract(layer.mean * memory.weights, inputs.variance)
        mixed = products.contract(layer.variance * memory.weights, memory.inputs * inputs.variance)
        mean = mean + jnp.square(memory.gradient) * mixed
    return Preactivation(mean - memory.gradient * reaction, variance)


def first_order(
    layer: Layer, inputs: Inputs, gradient: Array, curvature: Array, down: bool
) -> tuple[Array, Array | None]:
    """Fields ``x^T g + m (x^2)^T Gamma`` to the weights and ``g m^T + x Gamma (m^2)^T`` down.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    gradient : Array [B, K]
        ``g``.
    curvature : Array [B, K]
        ``Gamma``.
    down : bool
        Whether the message to the units below is required; static.
    """
    field = products.pull_weights(inputs.mean, counted(inputs, gradient))
    field = field + layer.mean * products.pull_weights(inputs.squared_mean, counted(inputs, curvature))
    if not down:
        return field, None
    down_field = products.pull_inputs(layer.mean, gradient)
    return field, down_field + inputs.mean * products.pull_inputs(jnp.square(layer.mean), curvature)


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: Memory | None,
    required: RequiredMessages,
) -> tuple[Messages, Memory | None]:
    """Messages to first order in the cavity, less the reaction to the previous sweep's messages.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    preactivation : Preactivation
        Mean and variance of the pre-activations.
    derive : callable
        The derivatives of the channel's free energy, as a function of the pre-activation.
    memory : object
        What the rule keeps between the sweeps over a batch.
    required : RequiredMessages
        Which messages are required; static.
    """
    derivatives = derive(*preactivation)
    gradient, curvature = derivatives.gradient, derivatives.curvature
    field, down = first_order(layer, inputs, gradient, curvature, required.down)
    precision, down_precision = precision_messages(layer, inputs, derivatives, required)
    if memory is None:
        return Messages(field, precision, down, down_precision), None
    square, cross = gradient * memory.gradient, memory.gradient * curvature
    if inputs.variance is not None:
        field = field - memory.weights * products.pull_weights(inputs.variance, counted(inputs, square))
        mixed = products.pull_weights(inputs.variance * inputs.mean, counted(inputs, cross))
        field = field - layer.mean * memory.weights * mixed
    if down is not None:
        down = down - memory.inputs * products.pull_inputs(layer.variance, square)
        mixed = products.pull_inputs(layer.variance * layer.mean, cross)
        down = down - inputs.mean * memory.inputs * mixed
    kept = Memory(gradient, inputs.mean, layer.mean)
    return Messages(field, precision, down, down_precision), kept
