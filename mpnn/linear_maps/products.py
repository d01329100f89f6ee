"""Products that are linear in the weights and in the inputs: one contraction and its two transposes.

Mean field and AMP see a layer only through these, applied to means, variances and their squares alike.
Shapes: rows R, inputs N, outputs K.
"""

import jax.numpy as jnp
from jax import Array

__all__ = ["contract", "pull_inputs", "pull_weights"]


def contract(weights: Array, inputs: Array) -> Array:
    """Outputs ``[R, K]`` from inputs: ``sum_i inputs[r, i] weights[i, k]``.

    Parameters
    ----------
    weights : Array [N, K]
        Weights, or their moments.
    inputs : Array [R, N]
        Inputs, or their moments.
    """
    return jnp.matmul(inputs, weights)


def pull_inputs(weights: Array, outputs: Array) -> Array:
    """Back to the inputs ``[R, N]``: ``sum_k outputs[r, k] weights[i, k]``.

    Parameters
    ----------
    weights : Array [N, K]
        Weights, or their moments.
    outputs : Array [R, K]
        Values at the outputs.
    """
    return jnp.matmul(outputs, weights.T)


def pull_weights(inputs: Array, outputs: Array) -> Array:
    """Back to the weights ``[N, K]``: ``sum_r inputs[r, i] outputs[r, k]``.

    Parameters
    ----------
    inputs : Array [R, N]
        Inputs, or their moments.
    outputs : Array [R, K]
        Values at the outputs.
    """
    return jnp.matmul(inputs.T, outputs)
