"""Networks of dense and convolutional layers as flax modules, for weights given as numbers or as moments.

A network holds one array a layer that is to become discrete, of type :class:`Discrete`, and real numbers
beside them (batch norm). Training reads weights from latent arrays and puts them in the latents' place, so
that one forward pass serves latent, sampled and int8 weights alike.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from mpnn.gradient import surrogates
from mpnn.gradient.architecture import Fork, Reshape, Step, Through, Weighted, steps_of
from mpnn.gradient.families import Family
from mpnn.gradient.moments import (
    MomentNorm,
    dense_moments,
    sign_moments,
    sign_sample,
    unit_sample,
)
from mpnn.linear_maps.base import Moments
from mpnn.validation import one_of

__all__ = ["Discrete", "MomentPerceptron", "PerceptronSpec", "Perceptron"]

ACTIVATIONS = ("sign", "relu", "tanh")
NORMS = (None, "batch", "batch_affine")
PROPAGATIONS = ("moments", "sampled", "gumbel")


class Discrete(nnx.Param):
    """An array that stands for discrete weights."""


@dataclass(frozen=True)
class PerceptronSpec:
    """A network's shape and units.

    Parameters
    ----------
    widths : tuple of int or Layer
        Inputs, hidden widths and layers, outputs.
    activation : str, default="sign"
        ``"sign"``, ``"relu"`` or ``"tanh"``.
    surrogate : str, default="clip"
        Derivative of the sign: a name in :data:`mpnn.gradient.surrogates.SURROGATES`.
    clip : float > 0, default=1.0
        Half-width of the surrogate.
    norm : str or None, default=None
        None, ``"batch"`` (no trained numbers) or ``"batch_affine"``.
    norm_hidden : bool, default=True
        Whether to normalize after every layer; False: the outputs alone.
    scaled : bool, default=True
        Whether to divide pre-activations by the root of the fan-in.
    bias : bool, default=False
        Whether every layer has one more input, which is 1.
    dropout : pair of float, default=(0.0, 0.0)
        Shares of inputs and of hidden units that are dropped in training.
    real_output : bool, default=False
        Whether the last layer's weights stay real.
    norm_momentum : float, default=0.9
        Weight of the old running statistics.
    image_shape : triple of int or None, default=None
        Height, width and channels of the images that inputs are in rows; None: no layer reads images.
    """

    widths: tuple[Any, ...]
    activation: str = "sign"
    surrogate: str = "clip"
    clip: float = 1.0
    norm: str | None = None
    norm_hidden: bool = True
    scaled: bool = True
    bias: bool = False
    dropout: tuple[float, float] = (0.0, 0.0)
    real_output: bool = False
    norm_momentum: float = 0.9
    image_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, allowed in (
            ("activation", ACTIVATIONS),
            ("norm", NORMS),
            ("surrogate", tuple(surrogates.SURROGATES)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if min(width for width in self.widths if isinstance(width, int)) < 1:
            raise ValueError(f"hidden must hold widths of at least 1, got {self.widths[1:-1]}")
        _ = self.steps  # refuses layers that do not fit
        if not all(0.0 <= share < 1.0 for share in self.dropout):
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The way through the network."""
        return steps_of(self.widths, self.image_shape)

    @property
    def weighted(self) -> tuple[Weighted, ...]:
        """Its layers with weights."""
        return tuple(step for step in self.steps if isinstance(step, Weighted))

    @property
    def is_dense(self) -> bool:
        """Whether it is dense layers one after the other, and nothing else."""
        return all(isinstance(step, Weighted) and len(step.in_shape) == 1 for step in self.steps)


class Perceptron(nnx.Module):
    """The network whose weights are numbers."""

    def __init__(self, spec: PerceptronSpec, family: Family, *, rngs: nnx.Rngs) -> None:
        self.spec = spec
        kernels: list[nnx.Param] = []
        weighted = spec.weighted
        num_layers = len(weighted)
        for layer, step in enumerate(weighted):
            shape = (step.fan_in + spec.bias, step.linear_map.units)
            if spec.real_output and layer == num_layers - 1:
                kernels.append(nnx.Param(nnx.initializers.glorot_uniform()(rngs.params(), shape)))
            else:
                kernels.append(Discrete(family.init(rngs.params(), shape)))
        self.kernels = nnx.List(kernels)
        affine = spec.norm == "batch_affine"
        first_normed = (0 if spec.norm_hidden else num_layers - 1) if spec.norm else num_layers
        self.norms = nnx.List(
            [
                MomentNorm(
                    step.linear_map.units,
                    momentum=spec.norm_momentum,
                    use_bias=affine,
                    use_scale=affine,
                    rngs=rngs,
                )
                for step in weighted[first_normed:]
            ]
        )

    def __call__(
        self, x: Array, *, train: bool = False, key: Array | None = None, mask: Array | None = None
    ) -> Array:
        """Outputs ``[B, K]`` of inputs ``[B, features]``; batch norm leaves out zeros of mask ``[B, 1]``."""
        layer, links = 0, []
        for step in self.spec.steps:
            if isinstance(step, Reshape):
                x = x.reshape(-1, *step.shape)
            elif isinstance(step, Through):
                x = step.layer.apply((), x)
            elif isinstance(step, Fork):
                links.append(x)
            else:  # a link is one more term of the sum, or beside the norm of all
                x = self._with_bias(step.linear_map.unfold(self._drop(x, layer, train, key)))
                scale = self._scale(x.shape[-1])
                x = (x @ self.kernels[layer][...] * scale).reshape(-1, *step.out_shape)
                if (norm := self._norm(layer)) is not None:
                    x = norm(x, use_running_average=not train, mask=_of_all_axes(mask, x))
                for _ in range(step.joins):
                    x = x + links.pop() * (scale if norm is None else 1.0)
                if layer < len(self.kernels) - 1:
                    x = self._activate(x)
                layer += 1
        return x

    def _norm(self, layer: int) -> MomentNorm | None:
        place = layer - len(self.kernels) + len(self.norms)
        return self.norms[place] if place >= 0 else None

    def _activate(self, x: Array) -> Array:
        if self.spec.activation == "sign":
            return surrogates.sign(x, self.spec.surrogate, self.spec.clip)
        return nnx.relu(x) if self.spec.activation == "relu" else jnp.tanh(x)

    def _scale(self, fan_in: int) -> float:
        return fan_in**-0.5 if self.spec.scaled else 1.0

    def _with_bias(self, x: Array) -> Array:
        return jnp.pad(x, ((0, 0), (0, 1)), constant_values=1.0) if self.spec.bias else x

    def _drop(self, x: Array, layer: int, train: bool, key: Array | None) -> Array:
        rate = self.spec.dropout[min(layer, 1)]
        if not train or rate == 0.0:
            return x
        assert key is not None  # training always passes one
        return nnx.Dropout(rate)(x, deterministic=False, rngs=jax.random.fold_in(key, layer))


def _of_all_axes(mask: Array | None, x: Array) -> Array | None:
    """A mask ``[B, 1]`` with as many axes as ``x``."""
    return None if mask is None else mask.reshape(-1, *(1,) * (x.ndim - 1))


def _plus(state: Moments, link: Moments, share: float) -> Moments:
    """Moments of the sum of independent numbers, one of them times a share."""
    return Moments(state.mean + share * link.mean, state.variance + share**2 * link.variance)


class MomentPerceptron(Perceptron):
    """The same network whose discrete kernels are means and variances, stacked: ``[2, inputs, outputs]``.

    Pre-activations are Gaussian by the central limit theorem; what a layer hands on is said by
    ``propagation``: ``"moments"`` of its signs, the units of a ``"sampled"`` pre-activation (local
    reparametrization, Kingma et al. 2015), or signs drawn by a straight-through ``"gumbel"``-softmax.
    All units count as independent, those that several positions share, too.
    """

    def __init__(
        self,
        spec: PerceptronSpec,
        family: Family,
        propagation: str = "moments",
        temperature: float = 1.0,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        one_of("propagation", propagation, PROPAGATIONS)
        super().__init__(spec, family, rngs=rngs)
        self.propagation, self.temperature = propagation, temperature

    def __call__(  # type: ignore[override]
        self, x: Array, *, train: bool = False, key: Array | None = None, mask: Array | None = None
    ) -> Moments:
        """Mean and variance of the outputs, ``[B, K]`` each."""
        state, signs = Moments(x, jnp.zeros_like(x)), False
        propagation = self.propagation if train else "moments"
        layer, links, last = 0, [], len(self.kernels) - 1
        for step in self.spec.steps:
            if isinstance(step, Reshape):
                state = Moments(*(leaf.reshape(-1, *step.shape) for leaf in state))
            elif isinstance(step, Through):
                state, signs = step.layer.pooled(state), False
            elif isinstance(step, Fork):
                links.append(state)
            else:
                state = self._drop_moments(state, layer, train, key)
                known = layer == 0 or propagation != "moments"
                state, scale = self._linear(step, layer, state, known=known, signs=signs)
                if (norm := self._norm(layer)) is not None:
                    state = norm.moments(state, train=train, mask=_of_all_axes(mask, state.mean))
                for _ in range(step.joins):
                    state = _plus(state, links.pop(), scale if norm is None else 1.0)
                if layer < last:
                    state = self._unit(state, propagation, key, last + layer + 1)
                    signs = self.spec.activation == "sign" and self.spec.dropout[1] == 0.0
                layer += 1
        return state

    def _linear(
        self, step: Weighted, layer: int, state: Moments, *, known: bool, signs: bool
    ) -> tuple[Moments, float]:
        """Moments of the pre-activations, and what they were multiplied by."""
        mean, variance = self._with_bias(step.linear_map.unfold(state.mean)), None
        if not known:
            variance = step.linear_map.unfold(state.variance)
            variance = jnp.pad(variance, ((0, 0), (0, int(self.spec.bias))))
        scale, kernel = self._scale(mean.shape[-1]), self.kernels[layer]
        weight = (
            Moments(*kernel[...]) if isinstance(kernel, Discrete) else Moments(kernel[...], jnp.zeros(()))
        )
        unit_power = signs and not step.linear_map.pads(step.in_shape)  # padding does not square to one
        found = dense_moments(mean, variance, weight, scale, unit_power=unit_power)
        return Moments(*(leaf.reshape(-1, *step.out_shape) for leaf in found)), scale

    def _unit(self, state: Moments, propagation: str, key: Array | None, place: int) -> Moments:
        if propagation == "moments":
            return sign_moments(state)
        assert key is not None  # training always passes one
        own = jax.random.fold_in(key, place)
        if propagation == "gumbel":
            drawn = sign_sample(own, state, self.temperature)
        else:
            drawn = unit_sample(own, state, self._activate)
        return Moments(drawn, jnp.zeros_like(drawn))

    def _drop_moments(self, state: Moments, layer: int, train: bool, key: Array | None) -> Moments:
        """Dropout hits mean and second moment alike; the variance of a dropped unit is 0."""
        if not train or self.spec.dropout[min(layer, 1)] == 0.0:
            return state
        kept = self._drop(jnp.ones_like(state.mean), layer, train, key)
        return Moments(state.mean * kept, state.variance * jnp.square(kept))
