"""BP-inspired: full magnetizations everywhere but in the gradient, which is taken at the cavity.

Lucibello et al. 2022, eqs. 72-83: ``g_{kn->i} = dphi(omega_kn - m_ik x_ni, V_kn)``. Three forms:

* exact, in chunks of inputs: the cavity gradients of a chunk, ``[chunk, B, K]``, are reduced to the
  chunk's messages and forgotten, so memory stays O(chunk B K);
* second order, by expansion in ``m x``: ``g + (m x) Gamma + (m x)^2 g'' / 2``, matrix products only. The
  remainder is O((m x)^3 / V^2), no longer small once all weights of a unit are nearly certain;
* interpolated: for every sample and unit the polynomial in ``m x`` through the gradient at
  :data:`NUM_NODES` points of the interval that ``m x`` can lie in. Powers of ``m x`` are powers of ``m``
  times powers of ``x``, so matrix products again, and no tail is evaluated for a single weight.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mpnn.linear_maps import products
from mpnn.message_passing.rules.amp import first_order
from mpnn.message_passing.rules.base import (
    Derive,
    Inputs,
    Layer,
    Messages,
    Preactivation,
    RequiredMessages,
    counted,
    precision_messages,
)
from mpnn.message_passing.rules.mean_field import forward, init
from mpnn.programs.devices import at_once

__all__ = [
    "CHUNK_ELEMENTS",
    "NUM_NODES",
    "backward",
    "backward_interpolated",
    "backward_second_order",
    "forward",
    "init",
]

# Cavity gradients held at once: 1 MiB of float32, about what a core's cache holds; on an accelerator 256 MiB,
# so that a layer of 784 x 128 x 501 takes one step instead of 196 that depend on each other.
CHUNK_ELEMENTS, ACCELERATOR_ELEMENTS = 1 << 18, 1 << 26
# Points of the interpolation, one more than its degree.
NUM_NODES = 5
# Where all inputs or all magnetizations are 0, any interval will do.
SMALLEST_REACH = 1e-6


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    required: RequiredMessages,
) -> tuple[Messages, Any]:
    """Messages from the exact cavity gradients.

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

    def messages_of_input(mean: Array, values: Array) -> tuple[Array, Array]:
        """One input's messages: weights' means ``[K]`` and values ``[B]`` to ``[K]`` and ``[B]``."""
        cavity = derive(omega - values[:, None] * mean, variance).gradient
        return values @ counted(inputs, cavity), cavity @ mean

    num_inputs, num_outputs = layer.mean.shape
    chunk = max(1, at_once(CHUNK_ELEMENTS, ACCELERATOR_ELEMENTS) // (omega.shape[0] * num_outputs))
    field, down = lax.map(
        lambda pair: messages_of_input(*pair),
        (layer.mean, inputs.mean.T),
        batch_size=min(chunk, num_inputs),
    )
    derivatives = derive(omega, variance)
    precision, down_precision = precision_messages(layer, inputs, derivatives, required)
    return Messages(field, precision, down.T if required.down else None, down_precision), None


def backward_second_order(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    required: RequiredMessages,
) -> tuple[Messages, Any]:
    """Messages from the cavity gradient expanded to second order.

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
    field, down = first_order(layer, inputs, derivatives.gradient, derivatives.curvature, required.down)
    half = 0.5 * derivatives.second
    square, values = jnp.square(layer.mean), inputs.squared_mean
    field = field + square * products.pull_weights(values * inputs.mean, counted(inputs, half))
    if down is not None:
        down = down + values * products.pull_inputs(square * layer.mean, half)
    precision, down_precision = precision_messages(layer, inputs, derivatives, required)
    return Messages(field, precision, down, down_precision), None


def _nodes_and_coefficients(num_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev's points in (-1, 1), and the matrix from values there to coefficients of the powers."""
    nodes = np.polynomial.chebyshev.chebpts1(num_nodes)
    return nodes, np.linalg.inv(np.vander(nodes, increasing=True))


def backward_interpolated(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    derive: Derive,
    memory: None,
    required: RequiredMessages,
) -> tuple[Messages, Any]:
    """Messages from the polynomial through the cavity gradients at a few cavities.

    With ``|m x| <= R`` and ``u = m x / R``, ``g(omega - m x) = sum_q c_q u^q``.

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
    nodes, to_coefficients = _nodes_and_coefficients(NUM_NODES)
    largest = jnp.max(jnp.abs(inputs.mean), axis=1, keepdims=True) * jnp.max(jnp.abs(layer.mean))
    reach = jnp.maximum(largest, SMALLEST_REACH)
    values = jax.vmap(lambda node: derive(omega - node * reach, variance).gradient)(jnp.asarray(nodes))
    coefficients = jnp.tensordot(jnp.asarray(to_coefficients), values.astype(omega.dtype), 1)
    evidence = counted(inputs, coefficients)
    scaled = inputs.mean / reach

    # Horner's scheme in m for the weights, and in x / R for the units below
    field, down = jnp.zeros_like(layer.mean), jnp.zeros_like(inputs.mean)
    for degree in reversed(range(len(nodes))):
        weighted = inputs.mean * scaled**degree
        field = field * layer.mean + products.pull_weights(weighted, evidence[degree])
        if required.down:
            down = down * scaled + products.pull_inputs(layer.mean ** (degree + 1), coefficients[degree])
    derivatives = derive(omega, variance)
    precision, down_precision = precision_messages(layer, inputs, derivatives, required)
    return Messages(field, precision, down if required.down else None, down_precision), None
