"""A trained few-bit layer inside a flax model: its discrete weights, or its moments as an activation."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.boundary import numbers_of
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers import Linear, Place
from mpnn.message_passing.network import State
from mpnn.message_passing.prediction import decode
from mpnn.message_passing.rules.base import Inputs
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["FewBitLayer", "Published"]


class Published(nnx.Variable):
    """Arrays that message passing trained: no optimizer of parameters touches them."""


class FewBitLayer(nnx.Module):
    """A trained layer with few-bit weights and its activation.

    Parameters
    ----------
    layer : Dense or Conv2D
        The layer, all of its options chosen.
    in_shape : tuple of int
        Shape of one sample of its inputs.
    weights : int8 array [fan in, units]
        Discrete weights, the bias as the last row.
    belief : Moments, optional
        Means and variances of the weights, for ``"moments"``; None: the weights are certain.
    noise : float >= 0, default=0
        Standard deviation on every pre-activation, for ``"moments"``.
    output : {"units", "moments"}, default="units"
        ``"units"``: the discrete layer, whose derivative is 0 almost everywhere. ``"moments"``: the mean of
        every unit over weights and noise, which gradients pass.

    Examples
    --------
    >>> import jax
    >>> from mpnn import functional as mp
    >>> from mpnn.flax_layers import FewBitLayer
    >>> spec = mp.NetworkSpec.dense((4, 3, 1))
    >>> layer = FewBitLayer.from_network(spec, mp.init(0, spec), index=0, output="moments")
    >>> layer(jax.numpy.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(
        self,
        layer: Linear,
        in_shape: tuple[int, ...],
        weights: Array,
        belief: Moments | None = None,
        noise: Array | float = 0.0,
        output: str = "units",
    ) -> None:
        if output not in ("units", "moments"):
            raise ValueError(f"output must be 'units' or 'moments', got {output!r}")
        self.layer, self.in_shape, self.output = layer, in_shape, output
        self.weights = Published(jnp.asarray(weights, jnp.int8))
        certain = Moments(self.weights[...].astype(float), jnp.zeros(self.weights[...].shape))
        mean, variance = certain if belief is None else belief
        self.mean, self.variance = Published(mean), Published(variance)
        self.noise = Published(jnp.asarray(noise, mean.dtype))

    @classmethod
    def from_network(
        cls,
        spec: NetworkSpec,
        state: State,
        hyper: Hyper | None = None,
        *,
        index: int,
        output: str = "units",
        weights: Array | None = None,
    ) -> "FewBitLayer":
        """The weight layer ``index`` of a trained network.

        Parameters
        ----------
        spec : NetworkSpec
            The network.
        state : State
            Its beliefs.
        hyper : Hyper, optional
            Numbers that they were trained with, leaves ``[L]``; None: the defaults.
        index : int
            Counted over weight layers, from 0. The last one has no activation and stays with its network.
        output : {"units", "moments"}, default="units"
            See :class:`FewBitLayer`.
        weights : int8 array, optional
            Other weights than the most probable ones.
        """
        if not 0 <= index < spec.num_layers - 1:
            raise ValueError(f"index must be from 0 to {spec.num_layers - 2}, a hidden layer, got {index}")
        numbers = numbers_of(spec, hyper)
        own = decode(spec, state, numbers)[index] if weights is None else weights
        belief, noise = damped_moments(state.weighted[index]), numbers.noise[index]
        return cls(spec.weighted[index], spec.weighted_shapes[index], own, belief, noise, output)

    def __call__(self, inputs: Array) -> Any:
        """Units ``[B, *out_shape]``, or their means, of inputs ``[B, *in_shape]``."""
        if self.output == "units":
            return self.layer.apply([self.weights[...]], inputs)
        below = Inputs(inputs, None, jnp.square(inputs))
        belief = Moments(self.mean[...], self.variance[...])
        return self.layer.moments(Place(self.in_shape), [belief], below, [self.noise[...]]).mean
