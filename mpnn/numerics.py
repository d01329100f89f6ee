"""Gaussian tails in the log domain: the only special functions of the project.

Everything a sign unit sends or receives follows from one function, the scaled tail
``R(x) = exp(x^2 / 2) Phi(-x)`` at ``|x|`` (half of ``erfcx(|x| / sqrt(2))``). It stays between
``1 / (|x| sqrt(2 pi))`` and 1/2, so nothing here overflows, and one polynomial evaluates it.

Notation: ``phi`` is the standard normal density, ``Phi`` its distribution function.
"""

import jax.numpy as jnp
from jax import Array
from jax.scipy import special

__all__ = [
    "atanh_erf",
    "hazard",
    "log_ndtr",
    "log_sign_partition",
    "ndtr",
    "scaled_tail",
    "sech_squared",
    "sign_gradient",
]

INVERSE_SQRT_TWO_PI = 0.3989422804014327
# exp of anything below is 0 in float32; products with such factors are exactly 0, never NaN.
MAX_EXPONENT = 87.0
# (1 + x) R(x) is smooth in q = (x - 3) / (x + 3), which maps [0, inf) to [-1, 1). Chebyshev fit of
# degree 10 (relative error 1.3e-8), written as a polynomial in q, constant term first.
_TAIL_CENTRE = 3.0
_TAIL_COEFFICIENTS = (
    0.486055799,
    -0.0965267397,
    -0.016432612,
    0.045163443,
    -0.0227244513,
    0.00116405374,
    0.00298669728,
    -0.000365392183,
    -0.000474006716,
    3.57751049e-05,
    5.97190541e-05,
)


def _scaled_tail_float32(x: Array) -> Array:
    q = (x - _TAIL_CENTRE) / (x + _TAIL_CENTRE)
    value = jnp.full_like(q, _TAIL_COEFFICIENTS[-1])
    for coefficient in _TAIL_COEFFICIENTS[-2::-1]:
        value = value * q + coefficient
    return value / (1.0 + x)


def scaled_tail(x: Array) -> Array:
    """Return ``R(|x|) = exp(x^2 / 2) Phi(-|x|)``, in (0, 1/2].

    In float64 it goes through JAX's own ``log_ndtr``, which is slower and serves as the check.

    Parameters
    ----------
    x : Array
        Argument, of any shape.
    """
    x = jnp.abs(x)
    if x.dtype == jnp.float64:
        return jnp.exp(0.5 * x * x + special.log_ndtr(-x))
    return _scaled_tail_float32(x)


def _half_square(x: Array) -> Array:
    return 0.5 * x * x


def ndtr(x: Array) -> Array:
    """Return ``Phi(x)``, accurate in the lower tail too.

    Parameters
    ----------
    x : Array
        Argument, of any shape.
    """
    tail = jnp.exp(-_half_square(x)) * scaled_tail(x)
    return jnp.where(x < 0, tail, 1.0 - tail)


def log_ndtr(x: Array) -> Array:
    """Return ``log Phi(x)``.

    Parameters
    ----------
    x : Array
        Argument, of any shape.
    """
    ratio, square = scaled_tail(x), _half_square(x)
    return jnp.where(x < 0, jnp.log(ratio) - square, jnp.log1p(-jnp.exp(-square) * ratio))


def atanh_erf(x: Array) -> Array:
    """Return ``atanh(erf(x / sqrt(2))) = (log Phi(x) - log Phi(-x)) / 2``.

    This is the field a sign unit with pre-activation ``x`` (mean over standard deviation) sends up.
    Near 0, where the two logarithms would cancel, the exponentials are still far from underflow and
    ``log1p`` of the odds keeps the relative accuracy.

    Parameters
    ----------
    x : Array
        Argument, of any shape.
    """
    ratio, square = scaled_tail(x), _half_square(x)
    lower = jnp.exp(-square) * ratio
    far = 0.5 * (jnp.log1p(-lower) - jnp.log(ratio) + square)
    near = jnp.arctanh(special.erf(jnp.clip(x, -1.0, 1.0) * 0.7071067811865476))
    return jnp.where(jnp.abs(x) < 1.0, near, jnp.sign(x) * far)


def hazard(x: Array) -> Array:
    """Return ``GH(x) = phi(x) / Phi(-x)``: about ``x`` for large ``x``, 0 for very negative ``x``.

    Parameters
    ----------
    x : Array
        Argument, of any shape.
    """
    ratio = scaled_tail(x)
    density = jnp.exp(-_half_square(x))
    return INVERSE_SQRT_TWO_PI * jnp.where(x < 0, density / (1.0 - density * ratio), 1.0 / ratio)


def sign_gradient(field: Array, x: Array) -> Array:
    """Return ``d/dx log sum_s exp(field s) Phi(s x)`` over ``s = -1, +1``.

    The gradient that a sign unit with field ``field`` from above hands to its scaled pre-activation
    ``x``. Dividing by the larger of the two exponentials, and by ``exp(-x^2 / 2)`` where field and ``x``
    oppose each other, leaves only bounded terms; infinite fields (labels) are allowed.

    Parameters
    ----------
    field : Array
        Field of the message from above; may be infinite.
    x : Array
        Argument, of any shape.
    """
    ratio, square = scaled_tail(x), _half_square(x)
    doubled = 2.0 * jnp.abs(field)
    density = jnp.exp(-square)
    upper = 1.0 - density * ratio
    same_side = (field >= 0) == (x >= 0)
    # exp(-2 |field|) times or over the density, in one exponential: each factor alone may under- or overflow
    odds = jnp.exp(jnp.where(same_side, -square, jnp.minimum(square, MAX_EXPONENT + doubled)) - doubled)
    partition = jnp.where(same_side, upper + odds * ratio, odds * upper + ratio)
    magnetization = jnp.tanh(field)
    # 2 t / (1 + t) = 1 - exp(-2 |field|) at t = tanh |field|, without the cancellation
    tilt = 2.0 * INVERSE_SQRT_TWO_PI * magnetization / ((1.0 + jnp.abs(magnetization)) * partition)
    return jnp.where(same_side, density, 1.0) * tilt


def log_sign_partition(field: Array, x: Array) -> Array:
    """Return ``log sum_s exp(field s) Phi(s x) - |field|`` over ``s = -1, +1`` (always <= 0).

    Where the sum is near one, ``1 - (1 - exp(-2 |field|)) Phi(-x)`` keeps the relative accuracy that the
    sum of two exponentials would lose.

    Parameters
    ----------
    field : Array
        Field of the message from above; may be infinite.
    x : Array
        Argument, of any shape.
    """
    towards = jnp.where(field >= 0, x, -x)
    doubled = 2.0 * jnp.abs(field)
    near_one = (towards >= 0) | (doubled < 1.0)
    lost = jnp.where(near_one, ndtr(-towards) * jnp.expm1(-doubled), 0.0)
    apart = jnp.logaddexp(log_ndtr(towards), log_ndtr(-towards) - doubled)
    return jnp.where(near_one, jnp.log1p(lost), apart)


def sech_squared(x: Array) -> Array:
    """Return ``1 - tanh(x)^2`` without cancellation.

    Parameters
    ----------
    x : Array
        Argument, of any shape.
    """
    t = jnp.exp(-2.0 * jnp.abs(x))
    return 4.0 * t / jnp.square(1.0 + t)
