"""Pools and reshaping: layers without weights."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import numerics
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.hidden import Identity
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.layers.base import Labels, Numbers, Place, Shape, reshaped
from mpnn.message_passing.rules.base import Inputs
from mpnn.validation import whole

__all__ = ["Flatten", "MaxPool2D", "MeanPool2D", "Unflatten"]

# Probability that keeps a logarithm finite.
LEAST_PROBABILITY = 1e-30


class Weightless:
    """Base class of layers without weights."""

    num_weighted = 0
    needs_fields = False

    def init(self, keys: Array, place: Place, numbers: Numbers, initial_field: Array | float) -> None:
        """No beliefs."""
        return

    def begin(self, place: Place, state: None, batch_size: int, dtype: Any, numbers: Numbers) -> Any:
        """No memory."""
        return

    def check(self, place: Place) -> None:
        """Refuse the place of the last layer."""
        if place.output is not None:
            raise ValueError(f"the last layer needs weights, got {type(self).__name__}: end with Dense")


class Reshaping(Weightless):
    """Base class of layers that change the shape of samples alone."""

    def averaged_signs(self, of_inputs: int) -> int:
        """As the inputs."""
        return of_inputs

    def forward(
        self, place: Place, state: None, below: Inputs, memory: Any, numbers: Numbers
    ) -> tuple[Inputs, None]:
        """The inputs, reshaped."""
        return self.moments(place, (), below, ()), None

    def backward(
        self,
        place: Place,
        state: None,
        cache: None,
        above: Natural | Labels,
        memory: Any,
        numbers: Numbers,
        sample_weight: Array | None,
    ) -> tuple[None, Any, Natural | None]:
        """The message, reshaped."""
        if place.known_inputs or isinstance(above, Labels):
            return None, None, None
        return None, None, above.mapped(lambda leaf: leaf.reshape(-1, *place.in_shape))

    def moments(
        self, place: Place, beliefs: Sequence[Moments], below: Inputs, noise: Sequence[Array]
    ) -> Inputs:
        """The inputs, reshaped."""
        return reshaped(
            below,
            lambda leaf: self.apply((), leaf),
            lambda leaf: leaf.reshape(-1, *place.in_shape),
        )

    def pooled(self, units: Moments) -> Moments:
        """The moments, reshaped.

        Parameters
        ----------
        units : Moments [B, *in_shape]
            Of the inputs.
        """
        return Moments(self.apply((), units.mean), self.apply((), units.variance))

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """The inputs, reshaped."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Flatten(Reshaping):
    """Inputs of any shape as one axis."""

    def out_shape(self, in_shape: Shape) -> Shape:
        """The product of all axes."""
        return (math.prod(in_shape),)

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """The inputs, reshaped."""
        return inputs.reshape(inputs.shape[0], -1)


@dataclasses.dataclass(frozen=True)
class Unflatten(Reshaping):
    """Inputs of one axis as images: data in rows, as tables have them, for layers that read images.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample of the outputs.
    """

    shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(whole("every side of shape", side) for side in self.shape))

    def out_shape(self, in_shape: Shape) -> Shape:
        """The shape of images."""
        if in_shape != (math.prod(self.shape),):
            raise ValueError(f"images of the shape {self.shape} do not fit inputs of the shape {in_shape}")
        return self.shape

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """The inputs, reshaped."""
        return inputs.reshape(-1, *self.shape)


@dataclasses.dataclass(frozen=True)
class Pool2D(Weightless):
    """Disjoint windows of ``size x size`` of each channel; what is left over at the edge is dropped.

    Parameters
    ----------
    size : int, default=2
        Height and width of the windows, at least 1.
    """

    size: int = 2

    needs_fields = True

    def __post_init__(self) -> None:
        whole("size", self.size)

    @property
    def size_of_pool(self) -> int:
        """Inputs of a window."""
        return self.size**2

    def out_shape(self, in_shape: Shape) -> Shape:
        """``(height // size, width // size, channels)``."""
        if len(in_shape) != 3:
            raise ValueError(f"a pool needs inputs [height, width, channels], got the shape {in_shape}")
        if min(in_shape[:2]) < self.size:
            raise ValueError(
                f"a pool of size {self.size} does not fit into {in_shape[0]} x {in_shape[1]} inputs: "
                "take a smaller one"
            )
        return (in_shape[0] // self.size, in_shape[1] // self.size, in_shape[2])

    def _windows(self, images: Array) -> Array:
        """Images ``[B, h, w, C]`` as windows ``[B, h', w', C, size^2]``."""
        height, width, channels = self.out_shape(images.shape[1:])
        cut = images[:, : height * self.size, : width * self.size]
        blocks = cut.reshape(-1, height, self.size, width, self.size, channels)
        return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(-1, height, width, channels, self.size_of_pool)

    def _images(self, windows: Array, in_shape: Shape) -> Array:
        """The transpose of :meth:`_windows`: what was dropped gets 0."""
        height, width, channels = self.out_shape(in_shape)
        blocks = windows.reshape(-1, height, width, channels, self.size, self.size)
        images = blocks.transpose(0, 1, 4, 2, 5, 3).reshape(
            -1, height * self.size, width * self.size, channels
        )
        margins = [(0, side - kept) for side, kept in zip(in_shape[:2], images.shape[1:3], strict=True)]
        return jnp.pad(images, ((0, 0), *margins, (0, 0)))


class MaxCache(NamedTuple):
    """Fields of the inputs in windows, and the log probability that a whole window is -1."""

    fields: Array
    log_off: Array


@dataclasses.dataclass(frozen=True)
class MaxPool2D(Pool2D):
    """The largest of each window of signs: the factor OR, whose messages are exact.

    With input fields ``f_i`` and the field ``h`` from above, a window is off with probability
    ``prod_i sigma(-2 f_i)``, and its message to input i is
    ``log(u / (u (1 - r_i) + d r_i)) / 2`` with ``u, d = sigma(2 h), sigma(-2 h)`` and ``r_i`` the
    probability that all other inputs are -1.
    """

    def averaged_signs(self, of_inputs: int) -> int:
        """Signs."""
        return 1

    def check(self, place: Place) -> None:
        """Refuse inputs that are not signs of units, and the place of the last layer."""
        super().check(place)
        if not place.sign_inputs or place.known_inputs:
            raise ValueError("MaxPool2D takes the largest of sign units: put it above a layer of signs")

    def _output_field(self, cache: MaxCache) -> Array:
        return 0.5 * (_log_complement(cache.log_off) - cache.log_off)

    def _cache(self, fields: Array) -> MaxCache:
        windows = self._windows(fields)
        return MaxCache(windows, jnp.sum(jax.nn.log_sigmoid(-2.0 * windows), axis=-1))

    def begin(
        self, place: Place, state: None, batch_size: int, dtype: Any, numbers: Numbers
    ) -> Natural | None:
        """The last message from above, zero before the first sweep."""
        if place.one_sweep:
            return None
        return Natural(jnp.zeros((batch_size, *self.out_shape(place.in_shape)), dtype), None)

    def forward(
        self, place: Place, state: None, below: Inputs, memory: Natural | None, numbers: Numbers
    ) -> tuple[Inputs, MaxCache]:
        """Moments of the largest under the last message from above."""
        if below.field is None:
            raise AssertionError("a layer below a pool keeps the fields of its units")
        cache = self._cache(below.field)
        field = self._output_field(cache)

        def respond(message: Array) -> Moments:
            return Moments(jnp.tanh(field + message), numerics.sech_squared(field + message))

        mean, variance = respond(jnp.zeros_like(field) if memory is None else memory.field)
        return Inputs(mean, variance, None, respond, field), cache

    def backward(
        self,
        place: Place,
        state: None,
        cache: MaxCache,
        above: Natural | Labels,
        memory: Natural | None,
        numbers: Numbers,
        sample_weight: Array | None,
    ) -> tuple[None, Natural, Natural | None]:
        """Messages to the units of each window."""
        if isinstance(above, Labels):
            raise AssertionError("a pool is never the last layer")
        log_others_off = cache.log_off[..., None] - jax.nn.log_sigmoid(-2.0 * cache.fields)
        log_on = jax.nn.log_sigmoid(2.0 * above.field)[..., None]
        log_off = jax.nn.log_sigmoid(-2.0 * above.field)[..., None]
        if_off = jnp.logaddexp(log_on + _log_complement(log_others_off), log_off + log_others_off)
        down = Natural(self._images(0.5 * (log_on - if_off), place.in_shape), None)
        return None, above, down

    def moments(
        self, place: Place, beliefs: Sequence[Moments], below: Inputs, noise: Sequence[Array]
    ) -> Inputs:
        """Moments of the largest, its inputs independent."""
        mean, variance = self.pooled(Moments(below.mean, jnp.zeros(())))
        return Inputs(mean, variance, variance + jnp.square(mean))

    def pooled(self, units: Moments) -> Moments:
        """Moments of the largest of independent signs, which their means determine.

        Parameters
        ----------
        units : Moments [B, height, width, channels]
            Of the units in the windows.
        """
        off = jnp.prod(0.5 * (1.0 - self._windows(units.mean)), axis=-1)
        return Moments(1.0 - 2.0 * off, 4.0 * off * (1.0 - off))

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """The largest of each window."""
        return jnp.max(self._windows(inputs), axis=-1)


class MeanCache(NamedTuple):
    """Moments of the inputs in windows ``[..., size^2]`` and of the windows' means ``[...]``."""

    inputs: Moments
    outputs: Moments


@dataclasses.dataclass(frozen=True)
class MeanPool2D(Pool2D):
    """The mean of each window, Gaussian in the messages: a real value between -1 and 1 for signs.

    With ``p = sum_i x_i / q`` and the message ``exp(B p - A p^2 / 2)`` from above, the message to input i has
    the field ``(B - A w_i) / (1 + A V_i) / q`` and the precision ``A / (1 + A V_i) / q^2``, where ``w_i``
    and ``V_i`` are mean and variance of the other inputs' share of p. Exact where ``A = 0``.
    """

    def averaged_signs(self, of_inputs: int) -> int:
        """A window of them."""
        return of_inputs * self.size_of_pool

    def check(self, place: Place) -> None:
        """Units of several sweeps must be signs, whose fields are known without the pool's own message."""
        super().check(place)
        if not (place.sign_inputs or place.known_inputs or place.one_sweep):
            raise ValueError("MeanPool2D of units that are no signs needs one sweep a batch")

    def begin(
        self, place: Place, state: None, batch_size: int, dtype: Any, numbers: Numbers
    ) -> Natural | None:
        """The last message from above, zero before the first sweep."""
        if place.one_sweep:
            return None
        zero = jnp.zeros((batch_size, *self.out_shape(place.in_shape)), dtype)
        return Natural(zero, zero)

    def _cache(self, mean: Array, variance: Array | None) -> MeanCache:
        inputs = Moments(
            self._windows(mean), self._windows(jnp.zeros_like(mean) if variance is None else variance)
        )
        outputs = Moments(
            jnp.mean(inputs.mean, axis=-1), jnp.sum(inputs.variance, axis=-1) / self.size_of_pool**2
        )
        return MeanCache(inputs, outputs)

    def forward(
        self, place: Place, state: None, below: Inputs, memory: Natural | None, numbers: Numbers
    ) -> tuple[Inputs, MeanCache]:
        """Moments of the means under the last message from above."""
        mean, variance = below.mean, below.variance
        if not place.one_sweep and below.field is not None:  # without the pool's own last message
            mean, variance = jnp.tanh(below.field), numerics.sech_squared(below.field)
        cache = self._cache(mean, variance)
        if place.known_inputs:
            return Inputs(cache.outputs.mean, None, jnp.square(cache.outputs.mean)), cache
        field, precision = (None, None) if memory is None else memory
        mean, variance = Identity().activation(*cache.outputs, field, precision)
        return Inputs(mean, variance, variance + jnp.square(mean)), cache

    def backward(
        self,
        place: Place,
        state: None,
        cache: MeanCache,
        above: Natural | Labels,
        memory: Natural | None,
        numbers: Numbers,
        sample_weight: Array | None,
    ) -> tuple[None, Natural | None, Natural | None]:
        """Messages to the inputs of each window."""
        if place.known_inputs or isinstance(above, Labels):
            return None, memory, None
        precision = jnp.zeros_like(above.field) if above.precision is None else above.precision
        count = self.size_of_pool
        omega = cache.outputs.mean[..., None] - cache.inputs.mean / count
        variance = cache.outputs.variance[..., None] - cache.inputs.variance / count**2
        scale = 1.0 + precision[..., None] * variance
        field = (above.field[..., None] - precision[..., None] * omega) / scale / count
        down_precision = None
        if not place.sign_inputs:
            down_precision = self._images(precision[..., None] / scale / count**2, place.in_shape)
        down = Natural(self._images(field, place.in_shape), down_precision)
        return None, Natural(above.field, precision), down

    def moments(
        self, place: Place, beliefs: Sequence[Moments], below: Inputs, noise: Sequence[Array]
    ) -> Inputs:
        """Moments of the means, their inputs independent."""
        if place.known_inputs:
            mean = self._cache(below.mean, None).outputs.mean
            return Inputs(mean, None, jnp.square(mean))
        mean, variance = self._cache(below.mean, below.variance).outputs
        return Inputs(mean, variance, variance + jnp.square(mean))

    def pooled(self, units: Moments) -> Moments:
        """Moments of the means of independent units.

        Parameters
        ----------
        units : Moments [B, height, width, channels]
            Of the units in the windows.
        """
        return self._cache(*units).outputs

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """The mean of each window."""
        return jnp.mean(self._windows(inputs), axis=-1)


def _log_complement(log_probability: Array) -> Array:
    """``log(1 - exp(a))`` of ``a <= 0``, finite at 0."""
    close_to_one = log_probability > -math.log(2.0)
    below = jnp.where(close_to_one, -1.0, log_probability)  # keeps the branch not taken finite
    near = jnp.log(jnp.maximum(-jnp.expm1(log_probability), LEAST_PROBABILITY))
    return jnp.where(close_to_one, near, jnp.log1p(-jnp.exp(below)))
