"""AdaSTE: straight-through steps whose strength adapts to the gradient (Le et al. 2022).

Latent weights t, sharpness b, and a small constant a. The forward pass multiplies by
``w(t) = clip((t + b (1 + a) sign t) / (1 + b), -1, 1)``, which becomes ``sign t`` as b grows to ``1 / a``.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from chex import ArrayTree
from jax import Array

from mpnn.gradient.optimizers.checks import require_params

__all__ = ["AdaSTEState", "adaste_weights", "scale_by_adaste"]

MARGIN = 0.01
# Bound of the multiplier that brings a saturated weight back.
LARGEST_RETURN = 0.5


class AdaSTEState(NamedTuple):
    """State of :func:`scale_by_adaste`.

    Parameters
    ----------
    num_updates : int Array []
        Number of updates so far.
    """

    num_updates: Array


def adaste_weights(latent: Array, sharpness: Any, margin: float = MARGIN) -> Array:
    """The weights ``w(t)`` of latent ones, in [-1, 1].

    Parameters
    ----------
    latent : Array
        Latent weights t.
    sharpness : float in [0, 1 / margin]
        The number b: at 0 the weights are the latent ones, clipped; at ``1 / margin`` they are their signs.
    margin : float > 0
        Bounds the sharpness.
    """
    signs = jnp.where(latent >= 0, 1.0, -1.0)
    return jnp.clip((latent + sharpness * (1.0 + margin) * signs) / (1.0 + sharpness), -1.0, 1.0)


def scale_by_adaste(
    sharpness: optax.ScalarOrSchedule, margin: float = MARGIN
) -> optax.GradientTransformation:
    """Turn gradients by the weights ``w(t)`` into steps of the latent weights t, which are the parameters.

    Inside, the gradient is multiplied by ``1 / (1 + b)``. Where w is saturated: by 0 if a descent step would
    push t further out, and by ``1 / |t|``, at most 1/2, if it brings t back towards the other sign.

    Parameters
    ----------
    sharpness : float in [0, 1 / margin] or schedule
        The number b of :func:`adaste_weights`.
    margin : float > 0
        Bounds the sharpness.
    """

    def multiply(gradient: Array, latent: Array, b: Any) -> Array:
        saturated = jnp.abs(adaste_weights(latent, b, margin)) >= 1.0
        outward = gradient * latent < 0
        inward = jnp.minimum(1.0 / jnp.maximum(jnp.abs(latent), 1e-12), LARGEST_RETURN)
        return gradient * jnp.where(saturated, jnp.where(outward, 0.0, inward), 1.0 / (1.0 + b))

    def update(
        updates: ArrayTree, state: AdaSTEState, params: ArrayTree | None = None
    ) -> tuple[ArrayTree, AdaSTEState]:
        require_params(params)
        b = sharpness(state.num_updates) if callable(sharpness) else sharpness
        scaled = jax.tree.map(lambda gradient, latent: multiply(gradient, latent, b), updates, params)
        return scaled, AdaSTEState(optax.safe_increment(state.num_updates))

    return optax.GradientTransformation(lambda _: AdaSTEState(jnp.zeros([], jnp.int32)), update)
