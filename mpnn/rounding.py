"""From beliefs to discrete weights when magnetizations are small: decimation with error feedback.

Where many weak weights separate the data together, every magnetization is far from a level and the most
probable level of each is 0. Rounding one weight at a time, with the later ones absorbing the training
pre-activation that the earlier ones lost, keeps what they say jointly.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["round_with_feedback"]

NUM_PASSES = 2
BISECTIONS = 30
# How much a weight's own target counts beside the error it can repair; both in units of its inputs' power.
OWN_TARGET = 1.0


def _scale_to_density(mean: Array, density: Array, largest: int) -> Array:
    """Scale the means ``[N]`` so that ``mean(min(|c m|, largest)) = density largest``, and clip them."""
    magnitude = jnp.abs(mean)
    peak = jnp.maximum(jnp.max(magnitude), jnp.finfo(mean.dtype).tiny)

    def halve(bounds: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = bounds
        middle = 0.5 * (low + high)
        filled = jnp.mean(jnp.minimum(magnitude / peak * jnp.exp(middle), largest)) / largest
        above = filled > density
        return (jnp.where(above, low, middle), jnp.where(above, middle, high)), None

    bounds = (jnp.full((), -10.0), jnp.full((), 15.0))
    (low, _), _ = jax.lax.scan(halve, bounds, length=BISECTIONS)
    return jnp.clip(mean / peak * jnp.exp(low), -largest, largest)


def round_with_feedback(
    mean: Array, inputs: Array, sample_weights: Array, sparsity: Array, largest: int
) -> Array:
    """Round each unit's magnetizations to the levels ``-largest..largest``, int8 ``[N, K]``.

    Parameters
    ----------
    mean : magnetizations ``[N, K]``.
    inputs : the layer's training inputs ``[B, N]``; rows are brought to unit norm.
    sample_weights : which samples each unit was trained on ``[B, K]``, non-negative.
    sparsity : the family's base measure. Means are first scaled so that the mean ``|weight| / largest`` is
        half the prior probability of a non-zero weight.
    largest : P of the levels.

    Notes
    -----
    With targets ``t`` and ``R = X (t - w)``, the weight i of each unit becomes the rounding of
    ``w_i + (x_i^T R + q_i (t_i - w_i)) / (2 q_i)``, ``q_i = x_i^T x_i``: the minimum of
    ``|R|^2 + q_i (t_i - w_i)^2``. Inputs go in descending power, twice.
    """
    density = 1.0 / (2.0 + jnp.exp(sparsity))
    target = jax.vmap(partial(_scale_to_density, density=density, largest=largest), 1, 1)(mean)
    norm = jnp.linalg.norm(inputs, axis=1, keepdims=True)
    rows = inputs / jnp.maximum(norm, jnp.finfo(inputs.dtype).tiny)
    power = jnp.matmul(jnp.square(rows).T, sample_weights)
    order = jnp.argsort(-jnp.sum(power, axis=1))
    columns = rows.T

    def place(carry: tuple[Array, Array], index: Array) -> tuple[tuple[Array, Array], None]:
        weights, residual = carry
        column, own, now = columns[index], power[index], weights[index]
        repair = column @ (residual * sample_weights) + OWN_TARGET * own * (target[index] - now)
        moved = now + repair / ((1.0 + OWN_TARGET) * jnp.maximum(own, jnp.finfo(own.dtype).tiny))
        placed = jnp.where(own > 0, jnp.clip(jnp.round(moved), -largest, largest), 0.0)
        residual = residual - column[:, None] * (placed - now)
        return (weights.at[index].set(placed), residual), None

    carry = (target, jnp.zeros((inputs.shape[0], mean.shape[1]), mean.dtype))
    (weights, _), _ = jax.lax.scan(place, carry, jnp.tile(order, NUM_PASSES))
    return weights.astype(jnp.int8)
