"""Products that are linear in the weights and in the inputs: one contraction and its two transposes.

Mean field and AMP see a layer only through these, applied to means, variances and their squares alike.
Shapes: rows R, inputs N, outputs K.
"""

import jax.numpy as jnp
from jax import Array, lax

from mpnn.linear_maps.base import Moments

__all__ = ["contract", "pull_inputs", "pull_weights", "sum_variance"]


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
    # rows of both contracted as they lie: a transpose first is slower on a CPU where outputs are few
    rows = ((0,), (0,))
    return lax.dot_general(inputs, outputs, (rows, ((), ())))


def sum_variance(weights: Moments, second_moment: Array | None, variance: Array | None, like: Array) -> Array:
    """Variance ``[R, K]`` of sums of independent products.

    Parameters
    ----------
    weights : Moments [N, K]
        Of the weights.
    second_moment : Array [R, N] or None
        Mean squares of the inputs; None: every input squares to one, and the first term is a sum over the
        inputs that costs no matrix product.
    variance : Array [R, N] or None
        Variances of the inputs; None: they are known.
    like : Array [R, K]
        Of the shape of the result.
    """
    if second_moment is None:
        total = jnp.broadcast_to(jnp.sum(weights.variance, axis=0), like.shape)
    else:
        total = contract(weights.variance, second_moment)
    return total if variance is None else total + contract(jnp.square(weights.mean), variance)
