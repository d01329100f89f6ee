"""Bop: binary weights without latent ones (Helwegen et al. 2019, algorithm 1)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import ArrayTree

from mpnn.gradient.optimizers.checks import require_params

__all__ = ["BopState", "bop"]


class BopState(NamedTuple):
    """State of :func:`bop`.

    Parameters
    ----------
    num_updates : int Array []
        Number of updates so far.
    average : pytree of arrays
        Moving average of the gradients.
    """

    num_updates: jax.Array
    average: ArrayTree


def bop(
    adaptivity: optax.ScalarOrSchedule = 1e-4, threshold: optax.ScalarOrSchedule = 1e-8
) -> optax.GradientTransformation:
    """Flip weights whose average gradient persistently has their sign.

    ``m <- (1 - adaptivity) m + adaptivity g``; a weight flips where ``|m| > threshold`` and ``m`` has the
    weight's sign, for then the loss falls on the other side. The parameters must be -1 or +1; updates are -2,
    0 or +2.

    Parameters
    ----------
    adaptivity : float in (0, 1] or schedule, default=0.0001
        Share of the new gradient in the moving average.
    threshold : float >= 0 or schedule, default=1e-08
        Least average gradient of a flip.
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
