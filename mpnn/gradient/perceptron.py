"""Fully connected networks as flax modules, for weights given as numbers or as moments.

A network holds one array a layer that is to become discrete, of type :class:`Discrete`, and real numbers
beside them (batch norm). Training reads weights from latent arrays and puts them in the latents' place, so
that one forward pass serves latent, sampled and int8 weights alike.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from mpnn.gradient import surrogates
from mpnn.gradient.families import Family
from mpnn.gradient.moments import (
    MomentNorm,
    dense_moments,
    sign_moments,
    sign_sample,
    unit_sample,
)
from mpnn.linear_maps.base import Moments

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
    widths : tuple of int
        Inputs, hidden widths, outputs.
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
    """

    widths: tuple[int, ...]
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

    def __post_init__(self) -> None:
        for name, allowed in (
            ("activation", ACTIVATIONS),
            ("norm", NORMS),
            ("surrogate", tuple(surrogates.SURROGATES)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if min(self.widths) < 1:
            raise ValueError(f"hidden must hold widths of at least 1, got {self.widths[1:-1]}")
        if not all(0.0 <= share < 1.0 for share in self.dropout):
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")


class Perceptron(nnx.Module):
    """The network whose weights are numbers."""

    def __init__(self, spec: PerceptronSpec, family: Family, *, rngs: nnx.Rngs) -> None:
        self.spec = spec
        kernels: list[nnx.Param] = []
        num_layers = len(spec.widths) - 1
        for layer, (fan_in, fan_out) in enumerate(zip(spec.widths[:-1], spec.widths[1:], strict=True)):
            shape = (fan_in + spec.bias, fan_out)
            if spec.real_output and layer == num_layers - 1:
                kernels.append(nnx.Param(nnx.initializers.glorot_uniform()(rngs.params(), shape)))
            else:
                kernels.append(Discrete(family.init(rngs.params(), shape)))
        self.kernels = nnx.List(kernels)
        affine = spec.norm == "batch_affine"
        first_normed = (1 if spec.norm_hidden else num_layers) if spec.norm else num_layers + 1
        self.norms = nnx.List(
            [
                MomentNorm(width, momentum=spec.norm_momentum, use_bias=affine, use_scale=affine, rngs=rngs)
                for width in spec.widths[first_normed:]
            ]
        )

    def __call__(
        self, x: Array, *, train: bool = False, key: Array | None = None, mask: Array | None = None
    ) -> Array:
        """Outputs ``[B, K]`` of inputs ``[B, features]``; batch norm leaves out zeros of mask ``[B, 1]``."""
        for layer, kernel in enumerate(self.kernels):
            x = self._with_bias(self._drop(x, layer, train, key))
            x = x @ kernel[...] * self._scale(x.shape[-1])
            if (norm := self._norm(layer)) is not None:
                x = norm(x, use_running_average=not train, mask=mask)
            if layer < len(self.kernels) - 1:
                x = self._activate(x)
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


class MomentPerceptron(Perceptron):
    """The same network whose discrete kernels are means and variances, stacked: ``[2, inputs, outputs]``.

    Pre-activations are Gaussian by the central limit theorem; what a layer hands on is said by
    ``propagation``: ``"moments"`` of its signs, the units of a ``"sampled"`` pre-activation (local
    reparametrization, Kingma et al. 2015), or signs drawn by a straight-through ``"gumbel"``-softmax.
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
        if propagation not in PROPAGATIONS:
            raise ValueError(f"propagation must be one of {PROPAGATIONS}, got {propagation!r}")
        super().__init__(spec, family, rngs=rngs)
        self.propagation, self.temperature = propagation, temperature

    def __call__(  # type: ignore[override]
        self, x: Array, *, train: bool = False, key: Array | None = None, mask: Array | None = None
    ) -> Moments:
        """Mean and variance of the outputs, ``[B, K]`` each."""
        state = Moments(x, jnp.zeros_like(x))
        propagation = self.propagation if train else "moments"
        last = len(self.kernels) - 1
        for layer, kernel in enumerate(self.kernels):
            state = self._drop_moments(state, layer, train, key)
            state = self._linear(layer, state, kernel, known=layer == 0 or propagation != "moments")
            if (norm := self._norm(layer)) is not None:
                state = norm.moments(state, train=train, mask=mask)
            if layer < last:
                state = self._unit(state, propagation, key, last + layer + 1)
        return state

    def _linear(self, layer: int, state: Moments, kernel: nnx.Param, *, known: bool) -> Moments:
        mean, variance = self._with_bias(state.mean), state.variance
        if self.spec.bias:
            variance = jnp.pad(variance, ((0, 0), (0, 1)))
        scale = self._scale(mean.shape[-1])
        weight = (
            Moments(*kernel[...]) if isinstance(kernel, Discrete) else Moments(kernel[...], jnp.zeros(()))
        )
        signs = layer > 0 and self.spec.activation == "sign" and self.spec.dropout[1] == 0.0
        return dense_moments(mean, None if known else variance, weight, scale, unit_power=signs)

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
