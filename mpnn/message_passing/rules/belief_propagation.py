"""Belief propagation with Gaussian pre-activations: cavity means for weights and inputs, full variances.

Lucibello et al. 2022, eqs. 6-17. The cavities ``[N, B, K]`` matter from the second sweep over a batch
on; with one sweep they equal the full magnetizations, the rule is BP-inspired to the letter, and the
network uses that rule instead. With more sweeps the tensors are what was asked for.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

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

__all__ = ["Memory", "backward", "forward", "init"]


class Memory(NamedTuple):
    """Per edge ``[N, B, K]``: the weight's damped cavity mean, and the last messages on it.

    Parameters
    ----------
    cavity_mean : Array [N, B, K]
        Damped cavity magnetizations of the weights.
    to_weight : Array [N, B, K]
        Fields that sample b and unit k sent last to weight (i, k).
    from_others : Array [N, B, K] or None
        Fields of input (b, i) from all units but k.
    """

    cavity_mean: Array
    to_weight: Array
    from_others: Array


def init(layer: Layer, inputs: Inputs) -> Memory:
    """No messages yet: every cavity is the full magnetization.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    """
    num_inputs, num_outputs = layer.mean.shape
    shape = (num_inputs, inputs.mean.shape[0], num_outputs)
    zeros = jnp.zeros(shape, layer.mean.dtype)
    return Memory(jnp.broadcast_to(layer.mean[:, None, :], shape), zeros, zeros)


def update_cavities(layer: Layer, memory: Memory) -> Memory:
    """Cavity means under the new fields, damped as the full ones are; run between sweeps."""
    field = layer.field[:, None, :] - memory.to_weight
    precision = None if layer.precision is None else layer.precision[:, None, :]
    fresh = layer.moments(field, precision).mean
    mean = layer.damping * memory.cavity_mean + (1.0 - layer.damping) * fresh
    return Memory(jnp.asarray(mean), memory.to_weight, memory.from_others)


def _cavity_inputs(inputs: Inputs, memory: Memory) -> Array:
    """Means of the inputs as each unit sees them, ``[N, B, 1 or K]``."""
    respond = inputs.respond
    if respond is None:
        return inputs.mean.T[:, :, None]
    # respond works on [B, N]; the edge tensor is [N, B, K]
    per_unit = jax.vmap(lambda field: respond(field.T).mean.T, in_axes=2, out_axes=2)
    return per_unit(memory.from_others)


def forward(layer: Layer, inputs: Inputs, memory: Memory) -> Preactivation:
    """Mean from the cavities, variance from the full moments.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    memory : object
        What the rule keeps between the sweeps over a batch.
    """
    mean = jnp.sum(memory.cavity_mean * _cavity_inputs(inputs, memory), axis=0)
    return Preactivation(mean, gaussian_preactivation(layer, inputs).variance)


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: Memory,
    required: RequiredMessages,
) -> tuple[Messages, Memory]:
    """Messages on every edge; their sums go to the weights and down.

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
    omega, variance = preactivation
    values = _cavity_inputs(inputs, memory)
    product = memory.cavity_mean * values
    gradient = jax.vmap(lambda own: derive(omega - own, variance).gradient)(product)
    to_weight, to_input = gradient * values, memory.cavity_mean * gradient
    down = jnp.sum(to_input, axis=2)
    derivatives = derive(omega, variance)
    precision, down_precision = precision_messages(layer, inputs, derivatives, required)
    field = jnp.sum(counted(inputs, to_weight), axis=1)
    messages = Messages(field, precision, down.T if required.down else None, down_precision)
    return messages, Memory(memory.cavity_mean, to_weight, down[:, :, None] - to_input)
