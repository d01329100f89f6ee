"""From beliefs to discrete weights when magnetizations are small: decimation with error feedback.

Where many weak weights separate the data together, every magnetization is far from a level and the most
probable level of each is 0. Rounding one weight at a time, with the later ones absorbing the
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
# Densities tried, over half the prior probability of a non-zero weight; and when a rounding is good enough.
DENSITY_STEPS = (1.0, 1.6, 2.6, 4.0)
ENOUGH_COSINE = 0.99


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


def _round_at_density(mean: Array, columns: Array, power: Array, density: Array, largest: int) -> Array:
    """Round to the levels with ``mean(|target|) = density * largest``, one input at a time; ``[N, K]``."""
    target = jax.vmap(partial(_scale_to_density, density=density, largest=largest), 1, 1)(mean)
    order = jnp.argsort(-power)

    def place(carry: tuple[Array, Array], index: Array) -> tuple[tuple[Array, Array], None]:
        weights, residual = carry
        column, own, now = columns[index], power[index], weights[index]
        repair = column @ residual + OWN_TARGET * own * (target[index] - now)
        moved = now + repair / ((1.0 + OWN_TARGET) * jnp.maximum(own, jnp.finfo(own.dtype).tiny))
        placed = jnp.where(own > 0, jnp.clip(jnp.round(moved), -largest, largest), 0.0)
        residual = residual - column[:, None] * (placed - now)
        return (weights.at[index].set(placed), residual), None

    carry = (target, jnp.zeros((columns.shape[1], mean.shape[1]), mean.dtype))
    (weights, _), _ = jax.lax.scan(place, carry, jnp.tile(order, NUM_PASSES))
    return weights


def round_with_feedback(mean: Array, inputs: Array, sparsity: Array, largest: int) -> Array:
    """Round each unit's magnetizations to the levels ``-largest..largest``, int8 ``[N, K]``.

    Parameters
    ----------
    mean : magnetizations ``[N, K]``.
    inputs : known inputs of the layer ``[B, N]``; rows are brought to unit norm. No labels are needed, so
        that samples on which a unit was not trained help it, too.
    sparsity : the family's base measure. The sparsest rounding that is tried has a mean
        ``|weight| / largest`` of half the prior probability of a non-zero weight.
    largest : P of the levels.

    Notes
    -----
    With targets ``t`` (the magnetizations scaled to a density) and ``R = X (t - w)``, the weight i of each
    unit becomes the rounding of ``w_i + (x_i^T R + q_i (t_i - w_i)) / (2 q_i)``, ``q_i = x_i^T x_i``: the
    minimum of ``|R|^2 + q_i (t_i - w_i)^2``. Inputs go in descending power, twice. A unit keeps the sparsest
    rounding whose pre-activations ``X w`` have a cosine of :data:`ENOUGH_COSINE` with ``X m``, or
    else the best of them: few inputs need many non-zero weights, many inputs need few.
    """
    rows = inputs / jnp.maximum(jnp.linalg.norm(inputs, axis=1, keepdims=True), jnp.finfo(inputs.dtype).tiny)
    power = jnp.sum(jnp.square(rows), axis=0)
    wanted = jnp.matmul(rows, mean)
    densities = jnp.minimum(jnp.asarray(DENSITY_STEPS) / (2.0 + jnp.exp(sparsity)), 1.0)

    def try_denser(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        attempt, best, best_cosine = carry
        density = densities[attempt]
        weights = _round_at_density(mean, rows.T, power, density, largest)
        cosine = _cosine(wanted, jnp.matmul(rows, weights))
        better = (best_cosine < ENOUGH_COSINE) & (cosine > best_cosine)
        return attempt + 1, jnp.where(better, weights, best), jnp.where(better, cosine, best_cosine)

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        return (carry[0] < len(DENSITY_STEPS)) & jnp.any(carry[2] < ENOUGH_COSINE)

    start = (jnp.zeros((), int), jnp.zeros_like(mean), jnp.full(mean.shape[1], -1.0, mean.dtype))
    _, weights, _ = jax.lax.while_loop(unfinished, try_denser, start)
    return weights.astype(jnp.int8)


def _cosine(first: Array, second: Array) -> Array:
    """Cosines ``[K]`` of the columns of two ``[B, K]``; 0 where one vanishes."""
    across = jnp.sum(first * second, axis=0)
    norms = jnp.sum(jnp.square(first), axis=0) * jnp.sum(jnp.square(second), axis=0)
    return across / jnp.sqrt(jnp.maximum(norms, jnp.finfo(norms.dtype).tiny))
