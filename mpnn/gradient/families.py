"""What a latent array says about discrete weights: their mode, moments and samples.

Shapes: latents ``[*extra, inputs, outputs]``, weights ``[inputs, outputs]`` (convolutions: ``[height, width,
in, out]``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.gradient import surrogates
from mpnn.gradient.optimizers import fisher_information
from mpnn.linear_maps.base import Moments

__all__ = ["Bernoulli", "Family", "LatentBinary", "LatentTernary", "TernaryBelief"]

# Largest mean that beliefs start from when they continue a real-valued network.
LARGEST_START = 0.9


class Family(Protocol):
    """Discrete weights behind a latent array."""

    @property
    def levels(self) -> tuple[int, ...]:
        """Values that a weight may take, ascending."""

    @property
    def deterministic(self) -> bool:
        """Whether all samples are the mode."""

    def init(self, key: Array, shape: Sequence[int]) -> Array:
        """Draw a latent array for weights of a shape.

        Parameters
        ----------
        key : Array
            Random key.
        shape : sequence of int
            Shape of the weights.
        """

    def mode(self, latent: Array) -> Array:
        """Most probable weights.

        Parameters
        ----------
        latent : Array
            Latent array, as :meth:`init` draws it.
        """

    def moments(self, latent: Array) -> Moments:
        """Means and variances of the weights.

        Parameters
        ----------
        latent : Array
            Latent array, as :meth:`init` draws it.
        """

    def sample(self, key: Array, latent: Array) -> Array:
        """Draw discrete weights.

        Parameters
        ----------
        key : Array
            Random key.
        latent : Array
            Latent array, as :meth:`init` draws it.
        """

    def from_real(self, weights: Array) -> Array:
        """A latent array in favour of the signs of real weights, the more certain the larger they are.

        Parameters
        ----------
        weights : Array
            Real weights.
        """


@dataclass(frozen=True)
class _Latent:
    """Real latent weights whose mode is all there is: a point mass.

    Parameters
    ----------
    scale : float > 0, default=1.0
        Half-width of the uniform initial weights, in units of their Glorot bound.
    """

    deterministic = True

    scale: float = 1.0  # of the uniform initial weights, in units of their Glorot bound

    def init(self, key: Array, shape: Sequence[int]) -> Array:
        return self.scale * jax.nn.initializers.glorot_uniform()(key, tuple(shape), jnp.float32)

    def mode(self, latent: Array) -> Array:
        raise NotImplementedError

    def moments(self, latent: Array) -> Moments:
        mode = self.mode(latent)
        return Moments(mode, jnp.zeros_like(mode))

    def sample(self, key: Array, latent: Array) -> Array:
        return self.mode(latent)

    def from_real(self, weights: Array) -> Array:
        return jnp.clip(weights / _deviation(weights), -1.0, 1.0)


class LatentBinary(_Latent):
    """The sign of a real weight."""

    levels = (-1, 1)

    def mode(self, latent: Array) -> Array:
        """Signs; 0 becomes +1."""
        return surrogates.sign(latent)


class LatentTernary(_Latent):
    """The sign of a real weight, or 0 where it is small (:func:`mpnn.gradient.surrogates.ternary`)."""

    levels = (-1, 0, 1)

    def mode(self, latent: Array) -> Array:
        """Signs of the large weights, 0 for the small."""
        return surrogates.ternary(latent)


@dataclass(frozen=True)
class Bernoulli:
    """-1 or +1 with field f: ``P(+1) = sigmoid(2 f)``, mean ``tanh f``, variance ``sech² f``.

    Parameters
    ----------
    spread : float > 0, default=0.5
        Standard deviation of the Gaussian initial fields.
    two_valued : bool, default=False
        Whether initial fields are ``+-spread`` at random instead.
    """

    spread: float = 0.5
    two_valued: bool = False
    levels = (-1, 1)
    deterministic = False

    def init(self, key: Array, shape: Sequence[int]) -> Array:
        """Draw fields."""
        draw = jax.random.rademacher if self.two_valued else jax.random.normal
        return self.spread * draw(key, tuple(shape), jnp.float32)

    def mode(self, latent: Array) -> Array:
        """Signs of the fields; 0 becomes +1."""
        return surrogates.sign(latent)

    def moments(self, latent: Array) -> Moments:
        """``tanh f`` and ``sech² f``."""
        return Moments(jnp.tanh(latent), fisher_information(latent))

    def sample(self, key: Array, latent: Array) -> Array:
        """Draw -1 or +1."""
        uniform = jax.random.uniform(key, latent.shape, latent.dtype)
        return jnp.where(uniform < jax.nn.sigmoid(2.0 * latent), 1.0, -1.0)

    def from_real(self, weights: Array) -> Array:
        """Means are the weights over their deviation, at most 0.9."""
        return jnp.arctanh(jnp.clip(weights / _deviation(weights), -LARGEST_START, LARGEST_START))


@dataclass(frozen=True)
class TernaryBelief:
    """-1, 0 or +1 with two logits ``[2, inputs, outputs]``: of ``P(0)``, and of ``P(+1 | not 0)``.

    (LR-Nets, Shayer, Levi and Fetaya 2018.)

    Parameters
    ----------
    spread : float > 0, default=1.0
        Standard deviation of the Gaussian initial logits.
    zero_logit : float, default=0.0
        Mean of the initial logits of ``P(0)``.
    """

    spread: float = 1.0
    zero_logit: float = 0.0
    levels = (-1, 0, 1)
    deterministic = False

    def init(self, key: Array, shape: Sequence[int]) -> Array:
        """Draw logits ``[2, *shape]``."""
        logits = self.spread * jax.random.normal(key, (2, *shape), jnp.float32)
        return logits.at[0].add(self.zero_logit)

    def mode(self, latent: Array) -> Array:
        """The most probable of three levels."""
        zero, plus = jax.nn.sigmoid(latent)
        likelier = (1.0 - zero) * jnp.maximum(plus, 1.0 - plus)
        return jnp.where(zero > likelier, 0.0, surrogates.sign(latent[1]))

    def moments(self, latent: Array) -> Moments:
        """``(1 - P0)(2 P1 - 1)`` and ``1 - P0 - mean²``."""
        zero, plus = jax.nn.sigmoid(latent)
        mean = (1.0 - zero) * (2.0 * plus - 1.0)
        return Moments(mean, jnp.maximum(1.0 - zero - jnp.square(mean), 0.0))

    def sample(self, key: Array, latent: Array) -> Array:
        """Draw -1, 0 or +1."""
        zero_key, sign_key = jax.random.split(key)
        zero, plus = jax.nn.sigmoid(latent)
        signs = jnp.where(jax.random.uniform(sign_key, plus.shape) < plus, 1.0, -1.0)
        return jnp.where(jax.random.uniform(zero_key, zero.shape) < zero, 0.0, signs)

    def from_real(self, weights: Array) -> Array:
        """``P0 = 0.95 - 0.9 |w|`` and mean w, for weights over their deviation within [-1, 1]."""
        scaled = jnp.clip(weights / _deviation(weights), -1.0, 1.0)
        zero = 0.95 - 0.9 * jnp.abs(scaled)
        plus = jnp.clip((1.0 + scaled / (1.0 - zero)) / 2.0, 0.05, 0.95)
        return jax.scipy.special.logit(jnp.stack([zero, plus]))


def _deviation(weights: Array) -> Array:
    return jnp.std(weights) + jnp.finfo(weights.dtype).tiny
