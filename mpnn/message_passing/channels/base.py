"""Derivatives that channels return, and those of a sign unit.

A channel is the factor ``P(x | z)`` of a unit, with ``z ~ N(omega, variance)``. Its free energy is
``Phi = log E_z[...]``, and the messages are derivatives with respect to ``omega``: the gradient
``g = dPhi/domega`` and the curvature ``Gamma = -d^2Phi/domega^2``. Hidden channels take the message
``exp(field x - precision x^2 / 2)`` from the layer above; output channels take labels.
All arrays are ``[batch, units]``.

Sources: Lucibello et al. 2022 (doi:10.1088/2632-2153/ac7d3b), appendix A; the second derivatives, the
identity channel, the ReLU and the margin are derived from their definitions.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import numerics

__all__ = ["VARIANCE_FLOOR", "Derivatives", "Derive", "sign_derivatives"]

# Keeps the scaled pre-activation finite once every weight of a unit is certain.
VARIANCE_FLOOR = 1e-8


class Derivatives(NamedTuple):
    """Derivatives of a channel's free energy by the mean of the pre-activation.

    Parameters
    ----------
    gradient : Array [B, K]
        ``g``.
    curvature : Array [B, K]
        ``Gamma = -g'``.
    second : Array [B, K]
        ``g''``, where a rule uses it.
    """

    gradient: Array
    curvature: Array
    second: Array


# Pre-activation mean and variance (noise added) -> derivatives of the channel, given what is above.
Derive: TypeAlias = Callable[[Array, Array], Derivatives]


def sign_derivatives(field: Array, omega: Array, variance: Array) -> Derivatives:
    """Derivatives of ``log sum_s exp(field s) Phi(s omega / sqrt(variance))``; odd in (field, omega).

    ``Gamma = g (omega / V + g)`` and ``g'' = -g / V + (omega / V + 2 g) Gamma``.

    Parameters
    ----------
    field : Array [B, K]
        Field of the message from above; may be infinite.
    omega : Array [B, K]
        Means of the pre-activations.
    variance : Array [B, K]
        Their variances.
    """
    sharpness = jax.lax.rsqrt(variance)
    scaled = omega * sharpness
    gradient = numerics.sign_gradient(field, scaled) * sharpness
    slope = scaled * sharpness
    curvature = gradient * (slope + gradient)
    second = (slope + 2.0 * gradient) * curvature - gradient * jnp.square(sharpness)
    return Derivatives(gradient, curvature, second)
