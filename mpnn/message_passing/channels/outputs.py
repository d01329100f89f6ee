"""Channels of the output: labels of one class each, and the largest of several outputs.

To add one, write the methods of :class:`OutputChannel`, name it in :data:`OUTPUTS`, and check it against
automatic differentiation of ``free_energy``, as ``tests/message_passing/test_channels.py`` does for these.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from mpnn import numerics
from mpnn.message_passing.channels.base import Derivatives, Derive, sign_derivatives

__all__ = ["OUTPUTS", "Argmax", "BinaryLabel", "OutputChannel"]


class OutputChannel(Protocol):
    """Protocol of output channels: factors ``P(y | z)`` of the labels given the pre-activations."""

    @property
    def joint(self) -> bool:
        """Whether one label depends on all outputs jointly, so that a single output has no cavity."""

    def derive(self, labels: Array, numbers: Any) -> Derive:
        """Derivatives of the labels' free energy, as a function of the pre-activation.

        Parameters
        ----------
        labels : Array [B] or [B, K]
            Class numbers, or signs with 0 for no label.
        numbers : Hyper
            The layer's numbers, for margin and confidence.
        """

    def log_evidence(self, labels: Array, omega: Array, variance: Array, numbers: Any) -> Array:
        """Log probability of each sample's labels ``[B]``.

        Parameters
        ----------
        labels : Array [B] or [B, K]
            Class numbers, or signs with 0 for no label.
        omega : Array [B, K]
            Means of the pre-activations.
        variance : Array [B, K]
            Their variances.
        numbers : Hyper
            The layer's numbers, for margin and confidence.
        """

    def errors(self, labels: Array, omega: Array) -> tuple[Array, Array]:
        """Which decisions are wrong, and the weight of each in the mean (0: no label).

        Parameters
        ----------
        labels : Array [B] or [B, K]
            Class numbers, or signs with 0 for no label.
        omega : Array [B, K]
            Outputs.
        """


@dataclasses.dataclass(frozen=True)
class BinaryLabel:
    """Output ``P(y | z)`` with ``y = sign(z - y margin)``, flipped with odds ``exp(-2 confidence)``.

    ``confidence`` is the field that a label exerts: infinite for a label that is never wrong.

    Parameters
    ----------
    joint : bool, default=False
        Constant.
    """

    joint: bool = False

    def labels_of_outputs(self, labels: Array) -> Array:
        """Labels -1, 0 and +1, ``[B]`` or ``[B, K]``, as ``[B, K]``.

        Parameters
        ----------
        labels : Array [B] or [B, K]
            -1, 0 (no label) and +1.
        """
        return labels[:, None] if labels.ndim == 1 else labels

    def derive(self, labels: Array, numbers: Any) -> Derive:
        """Derivatives of the labels' free energy, as a function of the pre-activation ``[B, K]``."""
        label = self.labels_of_outputs(labels)
        return lambda omega, variance: self.derivatives(
            label, omega, variance, numbers.margin, numbers.confidence
        )

    def log_evidence(self, labels: Array, omega: Array, variance: Array, numbers: Any) -> Array:
        """Log probability of each sample's labels ``[B]``."""
        label = self.labels_of_outputs(labels)
        energy = self.free_energy(label, omega, variance, numbers.margin, numbers.confidence)
        return jnp.sum(energy * jnp.abs(label), axis=1)

    def errors(self, labels: Array, omega: Array) -> tuple[Array, Array]:
        """Signs that differ from their labels ``[B, K]``; 0 for no label."""
        label = self.labels_of_outputs(labels)
        return jnp.where(omega >= 0, 1, -1) != label, jnp.abs(label)

    def free_energy(
        self, label: Array, omega: Array, variance: Array, margin: ArrayLike, confidence: ArrayLike
    ) -> Array:
        """``log P(label | omega, variance)`` up to the flips' normalization.

        Parameters
        ----------
        label : Array [B, K]
            -1 and +1, or 0 for no label.
        omega, variance : Array [B, K]
            Mean and variance of the pre-activation.
        margin : float >= 0
            Demanded pre-activation, in its units.
        confidence : float > 0
            Field of a label; infinite: never wrong.
        """
        shifted = omega - label * margin
        return numerics.log_sign_partition(_label_field(label, confidence), shifted / jnp.sqrt(variance))

    def derivatives(
        self, label: Array, omega: Array, variance: Array, margin: ArrayLike, confidence: ArrayLike
    ) -> Derivatives:
        """As of a sign unit whose field is ``label * confidence``, with omega moved by the margin.

        Parameters
        ----------
        label : Array [B, K]
            -1 and +1, or 0 for no label.
        omega, variance : Array [B, K]
            Mean and variance of the pre-activation.
        margin : float >= 0
            Demanded pre-activation, in its units.
        confidence : float > 0
            Field of a label; infinite: never wrong.
        """
        return sign_derivatives(_label_field(label, confidence), omega - label * margin, variance)


def _label_field(label: Array, confidence: ArrayLike) -> Array:
    """``label * confidence`` with 0 for no label, infinite confidence included."""
    return jnp.where(label == 0, 0.0, jnp.where(label == 0, 1.0, label) * confidence)


@dataclasses.dataclass(frozen=True)
class Argmax:
    """Output ``P(y | z) = [y = argmax_k z_k]``, by Jensen's inequality.

    Parameters
    ----------
    num_draws : int >= 0, default=0
        0 averages the winner's noise before the logarithm as well (a closed form); a positive number keeps
        the outer average, by that many Gauss-Hermite points.
    joint : bool, default=True
        Constant.
    """

    num_draws: int = 0
    joint: bool = True

    def derive(self, labels: Array, numbers: Any) -> Derive:
        """Derivatives of the labels' free energy, as a function of the pre-activation ``[B, K]``; labels
        ``[B]``."""
        return lambda omega, variance: self.derivatives(labels, omega, variance)

    def log_evidence(self, labels: Array, omega: Array, variance: Array, numbers: Any) -> Array:
        """Log probability of each sample's class ``[B]``."""
        return self.free_energy(labels, omega, variance)

    def errors(self, labels: Array, omega: Array) -> tuple[Array, Array]:
        """Whether the largest output is that of another class ``[B]``."""
        return jnp.argmax(omega, axis=-1) != labels, jnp.ones(omega.shape[:1])

    def free_energy(self, label: Array, omega: Array, variance: Array) -> Array:
        """``sum_{k != y} E log Phi((omega_y + eps sqrt(V_y) - omega_k) / s_k)``; shape ``[B]``.

        Parameters
        ----------
        label : int Array [B]
            Class numbers.
        omega, variance : Array [B, C]
            Mean and variance of the pre-activation.
        """
        onehot = jax.nn.one_hot(label, omega.shape[-1], dtype=omega.dtype)
        total = jnp.zeros_like(omega)
        for weight, shift, scale in self._terms(onehot, omega, variance):
            total = total + weight * numerics.log_ndtr(shift / scale)
        return jnp.sum(jnp.where(onehot > 0, 0.0, total), axis=-1)

    def derivatives(self, label: Array, omega: Array, variance: Array) -> Derivatives:
        """``g_k = -GH(u_k) / s_k`` for the losers, and minus their sum for the winner ``label``.

        The curvature is the diagonal of the Hessian; ``second`` is 0 (no rule expands this channel).

        Parameters
        ----------
        label : int Array [B]
            Class numbers.
        omega, variance : Array [B, C]
            Mean and variance of the pre-activation.
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


# The argument is the number of quadrature points, which the argmax alone has.
OUTPUTS: dict[str, Callable[[int], OutputChannel]] = {
    "binary_label": lambda num_draws: BinaryLabel(),
    "argmax": Argmax,
}
