"""Channels: what a unit or an output does with its Gaussian pre-activation.

A channel is the factor ``P(x | z)`` of a unit, with ``z ~ N(omega, variance)``. Its free energy is
``Phi = log E_z[...]``, and the messages are derivatives with respect to ``omega``: the gradient
``g = dPhi/domega`` and the curvature ``Gamma = -d^2Phi/domega^2``. Hidden channels take the message
``exp(field x - precision x^2 / 2)`` from the layer above; output channels take labels.
All arrays are ``[batch, units]``. To add a channel, write the methods below and check them against
automatic differentiation of ``free_energy``, as ``tests/message_passing/test_channels.py`` does for these.

Sources: Lucibello et al. 2022 (doi:10.1088/2632-2153/ac7d3b), appendix A; the second derivatives, the
identity channel, the ReLU and the margin are derived from their definitions.
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from mpnn import numerics
from mpnn.message_passing.weights import Moments

__all__ = ["Argmax", "BinaryLabel", "Derivatives", "Identity", "ReLU", "Sign", "VARIANCE_FLOOR"]

# Keeps the scaled pre-activation finite once every weight of a unit is certain.
VARIANCE_FLOOR = 1e-8


class Derivatives(NamedTuple):
    """Of a channel's free energy: ``g``, ``Gamma = -g'``, and ``g''`` where a rule asks for it."""

    gradient: Array
    curvature: Array
    second: Array


def _sign_derivatives(field: Array, omega: Array, variance: Array) -> Derivatives:
    """Derivatives of ``log sum_s exp(field s) Phi(s omega / sqrt(variance))``; odd in (field, omega).

    ``Gamma = g (omega / V + g)`` and ``g'' = -g / V + (omega / V + 2 g) Gamma``.
    """
    sharpness = jax.lax.rsqrt(variance)
    scaled = omega * sharpness
    gradient = numerics.sign_gradient(field, scaled) * sharpness
    slope = scaled * sharpness
    curvature = gradient * (slope + gradient)
    second = (slope + 2.0 * gradient) * curvature - gradient * jnp.square(sharpness)
    return Derivatives(gradient, curvature, second)


@dataclasses.dataclass(frozen=True)
class Sign:
    """Hidden unit ``x = sign(z)``, ``sign(0) = +1``; ``noise`` (>= 0, units of z) is added to z."""

    values_square_to_one = True

    def free_energy(self, field: Array, precision: Array, omega: Array, variance: Array) -> Array:
        """``log sum_x exp(field x) P(x | omega, variance)``; the precision has no effect on signs."""
        return numerics.log_sign_partition(field, omega / jnp.sqrt(variance)) + jnp.abs(field)

    def activation(
        self, omega: Array, variance: Array, field: Array | None, precision: Array | None
    ) -> Moments:
        """Mean and variance of the unit; ``field`` None means that nothing has come from above."""
        scaled = omega * jax.lax.rsqrt(variance)
        if field is None:
            mean = jax.lax.erf(scaled * math.sqrt(0.5))
            return Moments(mean, (1.0 - mean) * (1.0 + mean))
        total = field + numerics.atanh_erf(scaled)
        return Moments(jnp.tanh(total), numerics.sech_squared(total))

    def derivatives(
        self, field: Array, precision: Array | None, omega: Array, variance: Array
    ) -> Derivatives:
        """``g``, ``Gamma`` and ``g''``."""
        return _sign_derivatives(field, omega, variance)

    def decide(self, z: Array) -> Array:
        """The deterministic forward pass."""
        return jnp.where(z >= 0, 1.0, -1.0).astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class Identity:
    """Linear unit ``x = z``."""

    values_square_to_one = False

    def free_energy(self, field: Array, precision: Array, omega: Array, variance: Array) -> Array:
        """``log E_z exp(field z - precision z^2 / 2)``."""
        scale = 1.0 + precision * variance
        quadratic = jnp.square(field) * variance + 2.0 * field * omega - precision * jnp.square(omega)
        return 0.5 * quadratic / scale - 0.5 * jnp.log(scale)

    def activation(
        self, omega: Array, variance: Array, field: Array | None, precision: Array | None
    ) -> Moments:
        """Mean and variance of the unit."""
        if field is None or precision is None:
            return Moments(omega, variance)
        scale = 1.0 + precision * variance
        return Moments((omega + field * variance) / scale, variance / scale)

    def derivatives(
        self, field: Array, precision: Array | None, omega: Array, variance: Array
    ) -> Derivatives:
        """``g = (B - A omega) / (1 + A V)``, ``Gamma = A / (1 + A V)``, ``g'' = 0``."""
        precision = jnp.zeros_like(omega) if precision is None else precision
        scale = 1.0 + precision * variance
        gradient = (field - precision * omega) / scale
        return Derivatives(gradient, precision / scale, jnp.zeros_like(gradient))

    def decide(self, z: Array) -> Array:
        """The deterministic forward pass."""
        return z


@dataclasses.dataclass(frozen=True)
class ReLU:
    """Unit ``x = max(z, 0)``: a mixture of a point at 0 and a truncated Gaussian."""

    values_square_to_one = False

    def _branches(
        self, field: ArrayLike, precision: ArrayLike, omega: Array, variance: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Log weights of the two branches, and mean and variance of z on the positive one untruncated."""
        scale = 1.0 + precision * variance
        mean, spread = (omega + field * variance) / scale, variance / scale
        quadratic = jnp.square(field) * variance + 2.0 * field * omega - precision * jnp.square(omega)
        off = numerics.log_ndtr(-omega / jnp.sqrt(variance))
        on = 0.5 * quadratic / scale - 0.5 * jnp.log(scale) + numerics.log_ndtr(mean / jnp.sqrt(spread))
        return off, on, mean, spread

    def free_energy(self, field: Array, precision: Array, omega: Array, variance: Array) -> Array:
        """``log E_z exp(field x - precision x^2 / 2)``."""
        off, on, _, _ = self._branches(field, precision, omega, variance)
        return jnp.logaddexp(off, on)

    def activation(
        self, omega: Array, variance: Array, field: Array | None, precision: Array | None
    ) -> Moments:
        """Mean and variance of the unit."""
        zero = jnp.zeros_like(omega)
        off, on, mean, spread = self._branches(
            zero if field is None else field, zero if precision is None else precision, omega, variance
        )
        alive = jax.nn.sigmoid(on - off)
        deviation = jnp.sqrt(spread)
        ratio = numerics.hazard(-mean / deviation)  # of a Gaussian truncated to z > 0
        on_mean = mean + deviation * ratio
        on_variance = spread * jnp.maximum(1.0 - ratio * (ratio + mean / deviation), 0.0)
        return Moments(alive * on_mean, alive * (on_variance + (1.0 - alive) * jnp.square(on_mean)))

    def derivatives(
        self, field: Array, precision: Array | None, omega: Array, variance: Array
    ) -> Derivatives:
        """From the moments of z under the unit's factor, as ``g = (E[z] - omega) / V``.

        ``Gamma = (1 - Var[z] / V) / V``. The second derivative follows from the third cumulant, which
        the truncated branches do not give cheaply; it is 0 here, so the second-order cavity expansion
        falls back to first order for ReLU.
        """
        precision = jnp.zeros_like(omega) if precision is None else precision
        off, on, mean, spread = self._branches(field, precision, omega, variance)
        alive = jax.nn.sigmoid(on - off)
        deviation, spread_root = jnp.sqrt(variance), jnp.sqrt(spread)
        below, above = numerics.hazard(omega / deviation), numerics.hazard(-mean / spread_root)
        scale = 1.0 + precision * variance
        # E[z] - omega and 1 - Var[z] / V on either branch, neither formed as a difference of large numbers
        off_shift = -deviation * below
        on_shift = variance * (field - precision * omega) / scale + spread_root * above
        off_loss = below * (below - omega / deviation)
        on_loss = (precision * variance + above * (above + mean / spread_root)) / scale
        shift = (1.0 - alive) * off_shift + alive * on_shift
        loss = (1.0 - alive) * off_loss + alive * on_loss
        loss = loss - alive * (1.0 - alive) * jnp.square(on_shift - off_shift) / variance
        curvature = loss / variance
        return Derivatives(shift / variance, curvature, jnp.zeros_like(curvature))

    def decide(self, z: Array) -> Array:
        """The deterministic forward pass."""
        return jnp.maximum(z, 0.0)


@dataclasses.dataclass(frozen=True)
class BinaryLabel:
    """Output ``P(y | z)`` with ``y = sign(z - y margin)``, flipped with odds ``exp(-2 confidence)``.

    ``confidence`` is the field that a label exerts: infinite for a label that is never wrong.
    """

    def free_energy(
        self, label: Array, omega: Array, variance: Array, margin: ArrayLike, confidence: ArrayLike
    ) -> Array:
        """``log P(label | omega, variance)`` up to the flips' normalization, per unit ``[batch, 1]``."""
        shifted = omega - label * margin
        return numerics.log_sign_partition(_label_field(label, confidence), shifted / jnp.sqrt(variance))

    def derivatives(
        self, label: Array, omega: Array, variance: Array, margin: ArrayLike, confidence: ArrayLike
    ) -> Derivatives:
        """As a sign unit whose field is ``label * confidence``, with omega moved by the margin.

        Labels are -1 and +1, or 0 for no label, float ``[batch, outputs]``; margin is in units of the
        pre-activation.
        """
        return _sign_derivatives(_label_field(label, confidence), omega - label * margin, variance)


def _label_field(label: Array, confidence: ArrayLike) -> Array:
    """``label * confidence`` with 0 for no label, infinite confidence included."""
    return jnp.where(label == 0, 0.0, jnp.where(label == 0, 1.0, label) * confidence)


@dataclasses.dataclass(frozen=True)
class Argmax:
    """Output ``P(y | z) = [y = argmax_k z_k]``, by Jensen's inequality.

    ``num_draws = 0`` averages the winner's noise before the logarithm as well (a closed form);
    a positive number keeps the outer average, by that many Gauss-Hermite points.
    """

    num_draws: int = 0

    def free_energy(self, label: Array, omega: Array, variance: Array) -> Array:
        """``sum_{k != y} E log Phi((omega_y + eps sqrt(V_y) - omega_k) / s_k)``; shape ``[batch]``."""
        onehot = jax.nn.one_hot(label, omega.shape[-1], dtype=omega.dtype)
        total = jnp.zeros_like(omega)
        for weight, shift, scale in self._terms(onehot, omega, variance):
            total = total + weight * numerics.log_ndtr(shift / scale)
        return jnp.sum(jnp.where(onehot > 0, 0.0, total), axis=-1)

    def derivatives(self, label: Array, omega: Array, variance: Array) -> Derivatives:
        """``g_k = -GH(u_k) / s_k`` for the losers, and minus their sum for the winner ``label``.

        The curvature is the diagonal of the Hessian; ``second`` is 0 (no rule expands this channel).
        """
        onehot = jax.nn.one_hot(label, omega.shape[-1], dtype=omega.dtype)
        gradient, curvature = jnp.zeros_like(omega), jnp.zeros_like(omega)
        for weight, shift, scale in self._terms(onehot, omega, variance):
            scaled = -shift / scale
            rate = numerics.hazard(scaled)
            gradient = gradient - weight * rate / scale
            curvature = curvature + weight * rate * (rate - scaled) / jnp.square(scale)
        loser = 1.0 - onehot
        gradient, curvature = gradient * loser, curvature * loser
        gradient = gradient - onehot * jnp.sum(gradient, axis=-1, keepdims=True)
        curvature = curvature + onehot * jnp.sum(curvature, axis=-1, keepdims=True)
        return Derivatives(gradient, curvature, jnp.zeros_like(gradient))

    def _terms(self, onehot: Array, omega: Array, variance: Array) -> list[tuple[float, Array, Array]]:
        """(weight, winner minus others, scale) for every quadrature point."""
        winner = jnp.sum(onehot * omega, axis=-1, keepdims=True)
        spread = jnp.sum(onehot * variance, axis=-1, keepdims=True)
        if self.num_draws == 0:
            return [(1.0, winner - omega, jnp.sqrt(variance + spread))]
        points, weights = _gauss_hermite(self.num_draws)
        return [
            (weight, winner + point * jnp.sqrt(spread) - omega, jnp.sqrt(variance))
            for point, weight in zip(points, weights, strict=True)
        ]


def _gauss_hermite(num_points: int) -> tuple[list[float], list[float]]:
    """Nodes and weights for the mean over a standard normal."""
    from numpy.polynomial.hermite_e import hermegauss

    points, weights = hermegauss(num_points)
    return points.tolist(), (weights / weights.sum()).tolist()
