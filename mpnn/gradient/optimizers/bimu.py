"""BiMU: Bernoulli weights that forget a little, so that they never saturate (Cottart et al. 2026)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import ArrayTree
from jax import Array

from mpnn.gradient.optimizers.bayesbinn import fisher_information
from mpnn.gradient.optimizers.checks import require_params

__all__ = ["BiMUState", "bimu"]


class BiMUState(NamedTuple):
    """State of :func:`bimu`.

    Parameters
    ----------
    num_updates : int Array []
        Number of updates so far.
    """

    num_updates: Array


def bimu(
    learning_rate: optax.ScalarOrSchedule = 1.0,
    *,
    memory: int,
    prior_weight: float = 1.0,
    largest_step: float = 1.0,
) -> optax.GradientTransformation:
    """Metaplastic steps of fields f with gradients g through relaxed samples.

    ``f <- f - (a g + k sech²(f) f / memory) / (k sech²(f) + 2 g tanh(f) + 2 |g| + 1 / largest_step)``: the
    denominator is a curvature, never negative, that makes confident weights move less; the second term of the
    numerator forgets what lies more than ``memory`` updates back. Where all gradients of an array are 0 it
    stays.

    Parameters
    ----------
    learning_rate : float > 0 or schedule, default=1.0
        The factor a of the gradient.
    memory : int >= 1
        Number of updates that are remembered.
    prior_weight : float > 0, default=1.0
        Weight k of the divergence from the prior.
    largest_step : float > 0, default=1.0
        Bound of the step per unit of gradient.
    """

    def step(gradient: Array, field: Array, rate: Any) -> Array:
        information = prior_weight * fisher_information(field)
        numerator = rate * gradient + information * field / memory
        curvature = information + 2.0 * gradient * jnp.tanh(field) + 2.0 * jnp.abs(gradient)
        change = -numerator / (curvature + 1.0 / largest_step)
        return jnp.where(jnp.any(gradient != 0.0), change, 0.0)

    def update(
        updates: ArrayTree, state: BiMUState, params: ArrayTree | None = None
    ) -> tuple[ArrayTree, BiMUState]:
        require_params(params)
        rate = learning_rate(state.num_updates) if callable(learning_rate) else learning_rate
        changes = jax.tree.map(lambda gradient, field: step(gradient, field, rate), updates, params)
        return changes, BiMUState(optax.safe_increment(state.num_updates))

    return optax.GradientTransformation(lambda _: BiMUState(jnp.zeros([], jnp.int32)), update)
