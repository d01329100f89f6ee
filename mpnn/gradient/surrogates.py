"""Sign and ternary units with a derivative: exact forwards, a surrogate derivative backwards.

The derivative of a step is 0 almost everywhere; straight-through estimation (Bengio, Léonard and Courville
2013) puts a surrogate in its place. ``sign(0) = +1``.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["SURROGATES", "sign", "ternary"]

# Slope of the derivative of x sigmoid(slope x) that stands for a step (Darabi et al. 2018).
SWISH_SLOPE = 5.0
# Weights below this share of their mean magnitude become 0.
TERNARY_SHARE = 0.7


def _clip(x: Array, width: float) -> Array:
    """1 inside [-width, width], else 0: the gradient is cancelled where the unit is saturated."""
    return (jnp.abs(x) <= width).astype(x.dtype)


def _approx_sign(x: Array, width: float) -> Array:
    """Derivative of a piecewise quadratic sign of half-width ``width`` (Liu et al. 2018)."""
    return jnp.maximum(2.0 - 2.0 * jnp.abs(x / width), 0.0) / width


def _swish(x: Array, width: float) -> Array:
    """Derivative of the SignSwish unit ``2 s(b x) (1 + b x (1 - s(b x))) - 1``, with ``b = 5 / width``."""
    slope = SWISH_SLOPE / width
    scaled = slope * x
    return slope * (2.0 - scaled * jnp.tanh(scaled / 2.0)) / (1.0 + jnp.cosh(scaled))


def _identity(x: Array, width: float) -> Array:
    return jnp.ones_like(x)


SURROGATES: dict[str, Callable[[Array, float], Array]] = {
    "clip": _clip,
    "approx_sign": _approx_sign,
    "swish": _swish,
    "identity": _identity,
}


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def sign(x: Array, surrogate: str = "clip", width: float = 1.0) -> Array:
    """-1 or +1 of any shape; 0 becomes +1.

    Parameters
    ----------
    x : Array
        Pre-activations or latent weights.
    surrogate : str, default="clip"
        The derivative: ``SURROGATES[surrogate](x, width)``.
    width : float > 0, default=1.0
        Half-width of the derivative.
    """
    return jnp.where(x >= 0, 1.0, -1.0).astype(x.dtype)


@sign.defjvp
def _sign_jvp(surrogate: str, width: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    return sign(x, surrogate, width), SURROGATES[surrogate](x, width) * tangent


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def ternary(x: Array, surrogate: str = "clip", width: float = 1.0) -> Array:
    """-1, 0 or +1: 0 where ``|x|`` is below 0.7 of its mean (Ternary Weight Networks, Li et al. 2016).

    Parameters
    ----------
    x : Array
        Latent weights of one layer.
    surrogate : str, default="clip"
        The derivative, as of :func:`sign`.
    width : float > 0, default=1.0
        Half-width of the derivative.
    """
    threshold = TERNARY_SHARE * jnp.mean(jnp.abs(x))
    return (jnp.sign(x) * (jnp.abs(x) > threshold)).astype(x.dtype)


@ternary.defjvp
def _ternary_jvp(surrogate: str, width: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    return ternary(x, surrogate, width), SURROGATES[surrogate](x, width) * tangent
