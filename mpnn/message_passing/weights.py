"""Weight families: levels of a weight, and moments of beliefs over them.

A belief about a weight is ``exp(field w - precision w^2 / 2 + sparsity [w = 0])`` over the family's
levels: ``field`` and ``precision`` are its natural parameters (shape ``[inputs, outputs]`` anywhere in
the project, though everything here is elementwise), and ``sparsity`` is the family's base measure,
``log p(0) - log p(+-1)`` before any data. Families are static and hashable; the three numbers are
traced. To add a family, write these methods and name it in :func:`weight_family`.
"""

import dataclasses
from numbers import Integral
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from mpnn import numerics
from mpnn.linear_maps.base import Moments

__all__ = ["Binary", "Gaussian", "Integer", "Ternary", "WeightFamily", "weight_family"]

# A Gaussian weight without this much precision would have no finite variance.
MIN_PRECISION = 1e-6
LARGEST_LEVEL = 127  # published weights are int8


class WeightFamily(Protocol):
    """Protocol of weight families."""

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The values a weight may take; None for a continuous family."""

    @property
    def uses_precision(self) -> bool:
        """Whether the precision changes the belief (it does not where every level squares to one)."""

    def moments(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Moments:
        """Mean and variance of the belief.

        Parameters
        ----------
        field : Array
            Fields H, of any shape.
        precision : Array
            Precisions G, of the same shape.
        sparsity : float, default=0.0
            Log odds of a zero weight before data, for families with a level 0.
        """

    def log_partition(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """Log of the belief's normalization, ``psi``; its derivative by the field is the mean.

        Parameters
        ----------
        field : Array
            Fields H, of any shape.
        precision : Array
            Precisions G, of the same shape.
        sparsity : float, default=0.0
            Log odds of a zero weight before data, for families with a level 0.
        """

    def mode(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """The most probable level, int8 (float for a continuous family).

        Parameters
        ----------
        field : Array
            Fields H, of any shape.
        precision : Array
            Precisions G, of the same shape.
        sparsity : float, default=0.0
            Log odds of a zero weight before data, for families with a level 0.
        """

    def decode(
        self, belief: Moments, field: Array, precision: Array | None, sparsity: ArrayLike = 0.0
    ) -> Array:
        """The most probable level of a damped belief, where its moments determine it; else :meth:`mode`.

        Parameters
        ----------
        belief : Moments
            Damped mean and variance.
        field : Array
            Undamped fields H.
        precision : Array or None
            Undamped precisions G; None where they have no effect.
        sparsity : float, default=0.0
            Log odds of a zero weight before data, for families with a level 0.
        """

    def sample(self, key: Array, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """One draw from the belief.

        Parameters
        ----------
        key : Array
            Random key.
        field : Array
            Fields H, of any shape.
        precision : Array
            Precisions G, of the same shape.
        sparsity : float, default=0.0
            Log odds of a zero weight before data, for families with a level 0.
        """


@dataclasses.dataclass(frozen=True)
class Binary:
    """Weights -1 and +1: mean ``tanh(field)``, variance ``1 - mean^2``; a zero field decodes to +1.

    Parameters
    ----------
    levels : tuple of int, default=(-1, 1)
        Constant.
    uses_precision : bool, default=False
        Constant.
    """

    levels: tuple[int, ...] = (-1, 1)
    uses_precision: bool = False

    def moments(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Moments:
        """Mean and variance; ``precision`` and ``sparsity`` have no effect."""
        return Moments(jnp.tanh(field), numerics.sech_squared(field))

    def log_partition(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """``log 2 cosh(field)``."""
        return jnp.logaddexp(field, -field)

    def mode(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """Sign of the field."""
        return jnp.where(field >= 0, 1, -1).astype(jnp.int8)

    def decode(
        self, belief: Moments, field: Array, precision: Array | None, sparsity: ArrayLike = 0.0
    ) -> Array:
        """Sign of the mean."""
        return self.mode(belief.mean, belief.variance)

    def sample(self, key: Array, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """One draw, int8."""
        up = jax.random.bernoulli(key, jax.nn.sigmoid(2.0 * field))
        return jnp.where(up, 1, -1).astype(jnp.int8)


@dataclasses.dataclass(frozen=True)
class Ternary:
    """Weights -1, 0 and +1; ``precision / 2 + sparsity`` is the log odds of 0 at zero field.

    Parameters
    ----------
    levels : tuple of int, default=(-1, 0, 1)
        Constant.
    uses_precision : bool, default=True
        Constant.
    """

    levels: tuple[int, ...] = (-1, 0, 1)
    uses_precision: bool = True

    def moments(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Moments:
        """Mean and variance, with every term divided by the larger exponential."""
        magnitude = jnp.abs(field)
        t = jnp.exp(-2.0 * magnitude)
        zero = jnp.exp(jnp.minimum(0.5 * precision + sparsity - magnitude, 0.5 * numerics.MAX_EXPONENT))
        total = 1.0 + t + zero
        mean = jnp.sign(field) * -jnp.expm1(-2.0 * magnitude) / total
        # (1 + t) total - (1 - t)^2, written without its cancellation
        variance = (4.0 * t / total + (1.0 + t) * (zero / total)) / total
        return Moments(mean, variance)

    def log_partition(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """Over three levels."""
        return jax.nn.logsumexp(_level_logits(self.levels, field, precision, sparsity), axis=-1)

    def mode(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """0 unless a sign is strictly more probable."""
        alive = jnp.abs(field) > jnp.maximum(0.5 * precision + sparsity, 0.0)
        return jnp.where(alive, jnp.sign(field), 0.0).astype(jnp.int8)

    def decode(
        self, belief: Moments, field: Array, precision: Array | None, sparsity: ArrayLike = 0.0
    ) -> Array:
        """The likeliest of three levels: ``p(0) = 1 - <w^2>`` and ``p(+-1) = (<w^2> +- mean) / 2``."""
        nonzero = belief.variance + jnp.square(belief.mean)
        alive = nonzero + jnp.abs(belief.mean) > 2.0 * (1.0 - nonzero)
        return jnp.where(alive, jnp.sign(belief.mean), 0.0).astype(jnp.int8)

    def sample(self, key: Array, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """One draw, int8."""
        logits = _level_logits(self.levels, field, precision, sparsity)
        return (jax.random.categorical(key, logits, axis=-1) - 1).astype(jnp.int8)


@dataclasses.dataclass(frozen=True)
class Integer:
    """Weights ``-largest .. largest``; the base measure is flat but for 0.

    Parameters
    ----------
    largest : int from 1 to 127
        P of the levels {-P..P}.
    uses_precision : bool, default=True
        Constant.
    """

    largest: int
    uses_precision: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.largest <= LARGEST_LEVEL:
            raise ValueError(
                f"integer weights need a largest level from 1 to {LARGEST_LEVEL}, got {self.largest}"
            )

    @property
    def levels(self) -> tuple[int, ...]:
        """All integers from ``-largest`` to ``largest``."""
        return tuple(range(-self.largest, self.largest + 1))

    def moments(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Moments:
        """Mean and variance by enumeration of the levels."""
        probabilities = jax.nn.softmax(_level_logits(self.levels, field, precision, sparsity), axis=-1)
        levels = jnp.asarray(self.levels, probabilities.dtype)
        mean = jnp.sum(probabilities * levels, axis=-1)
        variance = jnp.sum(probabilities * jnp.square(levels - mean[..., None]), axis=-1)
        return Moments(mean, variance)

    def log_partition(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """Over all levels."""
        return jax.nn.logsumexp(_level_logits(self.levels, field, precision, sparsity), axis=-1)

    def mode(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """The most probable level; ties go to the level nearest 0."""
        levels = sorted(self.levels, key=abs)
        best = jnp.argmax(_level_logits(tuple(levels), field, precision, sparsity), axis=-1)
        return jnp.asarray(levels, jnp.int8)[best]

    def decode(
        self, belief: Moments, field: Array, precision: Array | None, sparsity: ArrayLike = 0.0
    ) -> Array:
        """The level nearest to the mean: the mode of a discrete Gaussian with the damped moments."""
        return jnp.clip(jnp.round(belief.mean), -self.largest, self.largest).astype(jnp.int8)

    def sample(self, key: Array, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """One draw, int8."""
        logits = _level_logits(self.levels, field, precision, sparsity)
        return (jax.random.categorical(key, logits, axis=-1) - self.largest).astype(jnp.int8)


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Real weights: mean ``field / precision``, variance ``1 / precision``, precision floored.

    Parameters
    ----------
    levels : None, default=None
        Constant: the family is continuous.
    uses_precision : bool, default=True
        Constant.
    """

    levels: None = None
    uses_precision: bool = True

    def moments(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Moments:
        """Mean and variance; ``sparsity`` has no effect."""
        precision = jnp.maximum(precision, MIN_PRECISION)
        return Moments(field / precision, 1.0 / precision)

    def log_partition(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """``field^2 / (2 precision) - log(precision / 2 pi) / 2``."""
        precision = jnp.maximum(precision, MIN_PRECISION)
        return 0.5 * (jnp.square(field) / precision - jnp.log(precision / (2.0 * jnp.pi)))

    def mode(self, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """The mean, which is real: a Gaussian network is the only one whose weights are not discrete."""
        return self.moments(field, precision).mean

    def decode(
        self, belief: Moments, field: Array, precision: Array | None, sparsity: ArrayLike = 0.0
    ) -> Array:
        """The mean."""
        return belief.mean

    def sample(self, key: Array, field: Array, precision: Array, sparsity: ArrayLike = 0.0) -> Array:
        """One draw."""
        mean, variance = self.moments(field, precision)
        return mean + jnp.sqrt(variance) * jax.random.normal(key, mean.shape, mean.dtype)


def _level_logits(levels: tuple[int, ...], field: Array, precision: Array, sparsity: ArrayLike) -> Array:
    """Unnormalized log probability of each level, on a new last axis."""
    values = jnp.asarray(levels, field.dtype)
    logits = field[..., None] * values - 0.5 * jnp.asarray(precision)[..., None] * jnp.square(values)
    return logits + jnp.where(values == 0, jnp.asarray(sparsity, field.dtype)[..., None], 0.0)


def weight_family(name: str | int) -> WeightFamily:
    """Return a family by its name.

    Parameters
    ----------
    name : str or int
        ``"binary"``, ``"ternary"``, ``"gaussian"`` or, for an int P, {-P..P}.

    Examples
    --------
    >>> from mpnn.message_passing.weights import weight_family
    >>> [weight_family(name).levels for name in ("binary", "ternary", 2)]
    [(-1, 1), (-1, 0, 1), (-2, -1, 0, 1, 2)]
    """
    if isinstance(name, Integral) and not isinstance(name, bool):
        return Ternary() if name == 1 else Integer(int(name))
    families: dict[str, WeightFamily] = {
        "binary": Binary(),
        "ternary": Ternary(),
        "gaussian": Gaussian(),
    }
    if not isinstance(name, str) or name not in families:
        raise ValueError(
            "weights must be 'binary', 'ternary', 'gaussian' or an int from 1 to "
            f"{LARGEST_LEVEL}, got {name!r}"
        )
    return families[name]
