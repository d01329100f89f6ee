"""BP-inspired: full magnetizations everywhere but in the gradient, which sees the cavity.

Lucibello et al. 2022, eqs. 72-83: ``g_{kn->i} = dphi(omega_kn - m_ik x_ni, V_kn)``. Two forms:

* exact, in chunks of inputs: the cavity gradients of a chunk, ``[chunk, B, K]``, are reduced to the
  chunk's messages and forgotten, so memory stays O(chunk B K);
* second order, by expansion in ``m x``: ``g + (m x) Gamma + (m x)^2 g'' / 2``, matrix products only. The
  remainder is O((m x)^3 / V^2).
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from mpnn.bilinear import Dense
from mpnn.rules.amp import first_order
from mpnn.rules.base import (
    Derive,
    Inputs,
    Layer,
    Messages,
    Preactivation,
    Wants,
    precision_messages,
)
from mpnn.rules.mean_field import forward, init

__all__ = ["CHUNK_ELEMENTS", "backward", "backward_second_order", "forward", "init"]

# Cavity gradients held at once: 1 MiB of float32, about what a core's cache holds.
CHUNK_ELEMENTS = 1 << 18


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    wants: Wants,
) -> tuple[Messages, Any]:
    """Messages from the exact cavity gradients."""
    omega, variance = preactivation

    def messages_of_input(mean: Array, values: Array) -> tuple[Array, Array]:
        """One input's messages: weights' means ``[K]`` and values ``[B]`` to ``[K]`` and ``[B]``."""
        cavity = derive(omega - values[:, None] * mean, variance).gradient
        return values @ cavity, cavity @ mean

    num_inputs, num_outputs = layer.mean.shape
    chunk = max(1, CHUNK_ELEMENTS // (omega.shape[0] * num_outputs))
    field, down = lax.map(
        lambda pair: messages_of_input(*pair),
        (layer.mean, inputs.mean.T),
        batch_size=min(chunk, num_inputs),
    )
    derivatives = derive(omega, variance)
    precision, down_precision = precision_messages(layer, inputs, derivatives, wants)
    return Messages(field, precision, down.T if wants.down else None, down_precision), None


def backward_second_order(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    wants: Wants,
) -> tuple[Messages, Any]:
    """Messages from the cavity gradient expanded to second order."""
    derivatives = derive(*preactivation)
    field, down = first_order(layer, inputs, derivatives.gradient, derivatives.curvature, wants.down)
    half = 0.5 * derivatives.second
    square, values = jnp.square(layer.mean), jnp.square(inputs.mean)
    field = field + square * Dense.pull_weights(values * inputs.mean, half)
    if down is not None:
        down = down + values * Dense.pull_inputs(square * layer.mean, half)
    precision, down_precision = precision_messages(layer, inputs, derivatives, wants)
    return Messages(field, precision, down, down_precision), None
