"""ProxQuant: a proximal step towards -1 and +1 after every gradient step (Bai, Wang and Liberty 2019)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import ArrayTree
from jax import Array

from mpnn.gradient.optimizers.checks import require_params

__all__ = ["ProxQuantState", "proxquant"]


class ProxQuantState(NamedTuple):
    """State of :func:`proxquant`.

    Parameters
    ----------
    num_updates : int Array []
        Number of updates so far.
    """

    num_updates: Array


def proxquant(strength: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """Shrink the distance of each updated weight to the nearest of -1 and +1; put it last in a chain.

    The proximal map of ``strength * min(|w - 1|, |w + 1|)``: move by ``strength``, but not past the level.

    Parameters
    ----------
    strength : float >= 0 or schedule
        The step; it usually grows with the number of updates.
    """

    def shrink(update: Array, weight: Array, amount: Any) -> Array:
        moved = weight + update
        excess = jnp.abs(moved) - 1.0
        kept = jnp.sign(excess) * jnp.maximum(jnp.abs(excess) - amount, 0.0)
        return jnp.where(moved >= 0, 1.0, -1.0) * (1.0 + kept) - weight

    def update(
        updates: ArrayTree, state: ProxQuantState, params: ArrayTree | None = None
    ) -> tuple[ArrayTree, ProxQuantState]:
        require_params(params)
        amount = strength(state.num_updates) if callable(strength) else strength
        shrunk = jax.tree.map(lambda one, weight: shrink(one, weight, amount), updates, params)
        return shrunk, ProxQuantState(optax.safe_increment(state.num_updates))

    return optax.GradientTransformation(lambda _: ProxQuantState(jnp.zeros([], jnp.int32)), update)
