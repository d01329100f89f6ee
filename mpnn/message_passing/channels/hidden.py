"""Channels of hidden units: signs, linear units and ReLU.

To add one, write the methods of :class:`HiddenChannel`, name it in :data:`ACTIVATIONS`, and check it against
automatic differentiation of ``free_energy``, as ``tests/message_passing/test_channels.py`` does for these.
"""

import dataclasses
import math
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from mpnn import numerics
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.base import Derivatives, sign_derivatives

__all__ = ["ACTIVATIONS", "HiddenChannel", "Identity", "ReLU", "Sign"]


class HiddenChannel(Protocol):
    """Protocol of hidden channels: factors ``P(x | z)`` of a unit x given its pre-activation z."""

    @property
    def values_square_to_one(self) -> bool:
        """Whether every value of a unit is -1 or +1, so that precisions have no effect."""

    def free_energy(self, field: Array, precision: Array, omega: Array, variance: Array) -> Array:
        """``log E_z`` of the message from above.

        Parameters
        ----------
        field : Array [B, K]
            Field B of the message from above.
        precision : Array [B, K]
            Its precision A.
        omega : Array [B, K]
            Means of the pre-activations.
        variance : Array [B, K]
            Their variances.
        """

    def activation(
        self, omega: Array, variance: Array, field: Array | None, precision: Array | None
    ) -> Moments:
        """Mean and variance of the unit; ``field`` None: a zero message from above.

        Parameters
        ----------
        omega : Array [B, K]
            Means of the pre-activations.
        variance : Array [B, K]
            Their variances.
        field : Array [B, K] or None
            Field B of the message from above; None: a zero message.
        precision : Array [B, K] or None
            Its precision A; None where it has no effect.
        """

    def derivatives(
        self, field: Array, precision: Array | None, omega: Array, variance: Array
    ) -> Derivatives:
        """Derivatives of the free energy by ``omega``.

        Parameters
        ----------
        field : Array [B, K]
            Field B of the message from above.
        precision : Array [B, K] or None
            Its precision A; None where it has no effect.
        omega : Array [B, K]
            Means of the pre-activations.
        variance : Array [B, K]
            Their variances.
        """

    def decide(self, z: Array) -> Array:
        """The deterministic unit ``x(z)``.

        Parameters
        ----------
        z : Array [B, K]
            Pre-activations.
        """


@dataclasses.dataclass(frozen=True)
class Sign:
    """Hidden unit ``x = sign(z)``, ``sign(0) = +1``; ``noise`` (>= 0, units of z) is added to z.

    Parameters
    ----------
    values_square_to_one : bool, default=True
        Constant: whether every unit is -1 or +1.
    """

    values_square_to_one: bool = True

    def free_energy(self, field: Array, precision: Array, omega: Array, variance: Array) -> Array:
        """``log sum_x exp(field x) P(x | omega, variance)``; the precision has no effect on signs."""
        return numerics.log_sign_partition(field, omega / jnp.sqrt(variance)) + jnp.abs(field)

    def activation(
        self, omega: Array, variance: Array, field: Array | None, precision: Array | None
    ) -> Moments:
        """Mean and variance of the unit; ``field`` None: a zero message from above."""
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
        return sign_derivatives(field, omega, variance)

    def decide(self, z: Array) -> Array:
        """The deterministic unit ``x(z)``."""
        return jnp.where(z >= 0, 1.0, -1.0).astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class Identity:
    """Linear unit ``x = z``.

    Parameters
    ----------
    values_square_to_one : bool, default=False
        Constant: whether every unit is -1 or +1.
    """

    values_square_to_one: bool = False

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
        """The deterministic unit ``x(z)``."""
        return z


@dataclasses.dataclass(frozen=True)
class ReLU:
    """Unit ``x = max(z, 0)``: a mixture of a point at 0 and a truncated Gaussian.

    Parameters
    ----------
    values_square_to_one : bool, default=False
        Constant: whether every unit is -1 or +1.
    """

    values_square_to_one: bool = False

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
        """The deterministic unit ``x(z)``."""
        return jnp.maximum(z, 0.0)


ACTIVATIONS: dict[str, HiddenChannel] = {"sign": Sign(), "relu": ReLU(), "identity": Identity()}
