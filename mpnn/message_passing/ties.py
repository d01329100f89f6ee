"""Pre-activations of exactly 0: what a unit is there, in the moments as in the discrete network.

A sign unit is +1 where its pre-activation z is at least 0. Sums of signs and of whole numbers lie on a
lattice, and 0 is often on it: a Gaussian of their mean and variance gives half of the probability of z = 0
to either sign, while the discrete unit is always +1. On a lattice ``sign(z) = sign(z + h)`` for every h from
0 to the distance of the next value below 0, so that a shift changes nothing but the Gaussian, whose boundary
comes to lie between two values. Half of the distance is best (the continuity correction of a lattice sum):
for whole z

    P(z >= 0) = Phi((omega + h) / sqrt(V)),   h = (1 + r) / 2,   r = E[(-1)^z] = prod_i E[(-1)^(w_i x_i)],

and h is the probability that z is even, as 0 is: 1 for an even number of binary weights and signs, 0 for an
odd number, near 1/2 where zero weights make both likely. Sums of other numbers have no lattice; they are 0
for certain where nothing enters them, as in blank patches of images.
"""

import jax.numpy as jnp
from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.base import VARIANCE_FLOOR

__all__ = ["half_step_of_data", "half_step_of_signs", "settled"]

# Where a sum is 0 for certain, its unit is +1 for certain: so many deviations above 0.
CERTAIN = 12.0


def half_step_of_signs(
    levels: tuple[int, ...] | None, weights: Moments, existing: Array | None, averaged: int, extra: int = 0
) -> Array | float:
    """Half a step ``[1, K]`` or ``[positions, K]`` of sums of signs, or of means of so many signs.

    Parameters
    ----------
    levels : tuple of int or None
        Levels of the weights; None: real weights, whose sums have no lattice.
    weights : Moments [N, K]
        Of the weights; 0 and 0 where there is none.
    existing : Array [positions, N] or None
        0 for inputs that do not exist; None: all do.
    averaged : int >= 0
        Signs that every input is the mean of; 0: inputs are no signs.
    extra : int >= 0, default=0
        Further signs in every sum, such as that of a residual link.
    """
    if averaged == 0 or levels is None:
        return 0.0
    if averaged % 2 == 0:  # sums of an even number of signs are even themselves, in steps of two
        return 1.0 / averaged
    return 0.5 * (1.0 + (-1.0) ** extra * _evenness(levels, weights, existing)) / averaged


def _evenness(levels: tuple[int, ...], weights: Moments, existing: Array | None) -> Array:
    """``prod_i E[(-1)^w_i]``, where ``E[(-1)^w] = 1 - 2 <w^2>`` of levels -1, 0, 1; else about 0."""
    if max(levels) > 1:
        positions = 1 if existing is None else len(existing)
        return jnp.zeros((positions, weights.mean.shape[1]), weights.mean.dtype)
    factors = 1.0 - 2.0 * (weights.variance + jnp.square(weights.mean))
    if existing is None:
        return jnp.prod(factors, axis=0, keepdims=True)
    present = existing[:, :, None] > 0
    return jnp.prod(jnp.where(present, factors, 1.0), axis=1)


def half_step_of_data(levels: tuple[int, ...] | None, rows: Array, mask: Array | None) -> Array | float:
    """Half a step ``[R, 1]`` or ``[R, K]`` of sums of data: that of whole numbers, else 0.

    Parameters
    ----------
    levels : tuple of int or None
        Levels of the weights; None: real weights.
    rows : Array [R, N]
        Known inputs.
    mask : Array [N, K] or None
        0 where a weight does not exist; None: all do.
    """
    if levels is None:
        return 0.0
    whole = jnp.all(rows == jnp.round(rows), axis=1, keepdims=True)
    if levels != (-1, 1):
        return jnp.where(whole, 0.5, 0.0).astype(rows.dtype)
    size = jnp.abs(rows)
    total = jnp.sum(size, axis=1, keepdims=True) if mask is None else jnp.matmul(size, mask)
    return jnp.where(whole & (jnp.mod(total, 2.0) == 0), 1.0, 0.0).astype(rows.dtype)


def settled(omega: Array, variance: Array, noise: Array | float, half_step: Array | float) -> Array:
    """Means of pre-activations whose sign is that of the discrete unit, at 0 as well.

    Parameters
    ----------
    omega : Array [R, K]
        Means.
    variance : Array [R, K]
        Variances, noise not included.
    noise : float >= 0
        Standard deviation assumed on the pre-activations.
    half_step : Array
        What :func:`half_step_of_signs` or :func:`half_step_of_data` returned, of a shape that broadcasts.
    """
    blank = (omega == 0.0) & (variance <= 2.0 * VARIANCE_FLOOR)
    deviation = jnp.sqrt(2.0 * VARIANCE_FLOOR + jnp.square(noise))
    return omega + jnp.where(blank, CERTAIN * deviation, half_step)
