"""Latent weights that stay in a box."""

import jax
import jax.numpy as jnp
import optax

__all__ = ["keep_in_box"]


def keep_in_box(low: float = -1.0, high: float = 1.0) -> optax.GradientTransformation:
    """Shorten updates so that no parameter leaves ``[low, high]``; put it last in a chain.

    BinaryNet clips its latent weights so, since they would grow without bound where the sign no longer
    changes (Courbariaux et al. 2016). The parameters must be given to ``update``.

    Parameters
    ----------
    low : float, default=-1.0
        Lower bound.
    high : float, default=1.0
        Upper bound.
    """
    return optax.stateless(
        lambda updates, params: jax.tree.map(
            lambda update, param: jnp.clip(param + update, low, high) - param, updates, params
        )
    )
