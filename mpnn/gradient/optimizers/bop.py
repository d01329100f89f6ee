"""Bop: binary weights without latent ones (Helwegen et al. 2019, algorithm 1)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import ArrayTree

from mpnn.gradient.optimizers.checks import require_params

__all__ = ["BopState", "bop"]


class BopState(NamedTuple):
    """Number of updates so far, and the moving average of the gradients."""

    num_updates: jax.Array
    average: ArrayTree


def bop(
    adaptivity: optax.ScalarOrSchedule = 1e-4, threshold: optax.ScalarOrSchedule = 1e-8
) -> optax.GradientTransformation:
    """Flip weights whose average gradient keeps asking for it.

    ``m <- (1 - adaptivity) m + adaptivity g``; a weight flips where ``|m| > threshold`` and ``m`` has the
    weight's sign, for then the loss falls on the other side.

    Parameters
    ----------
    adaptivity : share of the new gradient, in (0, 1]; or a schedule.
    threshold : least average gradient of a flip, >= 0; or a schedule.

    The parameters must be -1 or +1; updates are -2, 0 or +2.
    """

    def init(params: ArrayTree) -> BopState:
        return BopState(jnp.zeros([], jnp.int32), optax.tree.zeros_like(params))

    def update(
        updates: ArrayTree, state: BopState, params: ArrayTree | None = None
    ) -> tuple[ArrayTree, BopState]:
        require_params(params)
        share, least = (
            value(state.num_updates) if callable(value) else value for value in (adaptivity, threshold)
        )
        average = jax.tree.map(lambda old, new: old + share * (new - old), state.average, updates)
        flips = jax.tree.map(
            lambda weight, m: jnp.where(weight * m > least, -2.0 * weight, 0.0), params, average
        )
        return flips, BopState(optax.safe_increment(state.num_updates), average)

    return optax.GradientTransformation(init, update)
