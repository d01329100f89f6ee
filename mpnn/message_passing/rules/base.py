"""What every rule shares: the shapes of its inputs and outputs, and the two contractions of a layer.

A rule is three functions on one layer. ``init`` makes what the rule remembers between the sweeps over
one batch (usually nothing), ``forward`` turns beliefs about weights and inputs into a Gaussian
pre-activation, ``backward`` turns the channel's derivatives into messages to the weights and to the
units below. Shapes: batch B, inputs N, outputs K.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from mpnn.linear_maps.dense import Dense
from mpnn.message_passing.channels import VARIANCE_FLOOR, Derivatives
from mpnn.message_passing.weights import Moments

__all__ = [
    "Derive",
    "Held",
    "Inputs",
    "Layer",
    "Messages",
    "Preactivation",
    "Rule",
    "Wants",
    "gaussian_preactivation",
    "precision_messages",
]


class Inputs(NamedTuple):
    """A layer's inputs, ``[B, N]`` each.

    ``variance`` None: known exactly (data). ``second_moment`` None: every input squares to one (signs).
    ``respond`` gives the moments under another field from above (None for data, which do not respond).
    ``field`` is what the units below say of themselves, for rules that work on fields (None for data).
    """

    mean: Array
    variance: Array | None
    second_moment: Array | None
    respond: Callable[[Array], Moments] | None = None
    field: Array | None = None


class Layer(NamedTuple):
    """One layer's weights as a rule sees them, ``[N, K]`` each.

    ``mean`` and ``variance`` are the damped magnetizations; ``field`` and ``precision`` the undamped
    natural parameters, ``moments`` what turns them into moments (masked weights give 0 and 0).
    ``signs``: every weight squares to one, that is, all are -1 or +1 and none is missing.
    """

    mean: Array
    variance: Array
    field: Array
    precision: Array | None
    moments: Callable[[Array, Array | None], Moments]
    damping: ArrayLike
    signs: bool = False


class Preactivation(NamedTuple):
    """Mean and variance of what a unit sums up, ``[B, K]`` each; noise not yet added."""

    mean: Array
    variance: Array


class Messages(NamedTuple):
    """What a layer tells its weights ``[N, K]`` and the units below ``[B, N]``; None where not wanted."""

    field: Array
    precision: Array | None
    down_field: Array | None
    down_precision: Array | None


class Wants(NamedTuple):
    """Which messages the network needs: static, so that nothing is computed in vain."""

    precision: bool
    down: bool
    down_precision: bool


class Held(NamedTuple):
    """What a layer's sign outputs are held to, for rules that work on fields: field and margin ``[B, K]``.

    It takes the place of ``derive``; ``margin`` may be any shape that broadcasts.
    """

    field: Array
    margin: Array


# Pre-activation mean and variance (noise added) -> derivatives of the channel, given what is above.
Derive = Callable[[Array, Array], Derivatives]


class Rule(Protocol):
    """The three functions of a rule; modules in this package provide them."""

    def init(self, layer: Layer, inputs: Inputs) -> Any:
        """What the rule remembers between the sweeps over a batch, before the first."""

    def forward(self, layer: Layer, inputs: Inputs, memory: Any) -> Preactivation:
        """The layer's Gaussian pre-activation."""

    def backward(
        self,
        layer: Layer,
        inputs: Inputs,
        preactivation: Preactivation,
        derive: Derive,
        memory: Any,
        wants: Wants,
    ) -> tuple[Messages, Any]:
        """The messages, and what to remember."""


def gaussian_preactivation(layer: Layer | Moments, inputs: Inputs) -> Preactivation:
    """Mean ``m x`` and variance ``sigma <x^2> + m^2 Delta`` of a sum of independent products.

    The variance ``sigma x^2 + m^2 Delta + sigma Delta`` of the literature, regrouped: where every input
    squares to one, the first term is a sum over the inputs and costs no matrix product. Where every weight
    does, too, so does every product, and ``N - m^2 x^2`` is left.
    """
    mean = Dense.contract(layer.mean, inputs.mean)
    if inputs.second_moment is None and isinstance(layer, Layer) and layer.signs:
        certain = Dense.contract(jnp.square(layer.mean), jnp.square(inputs.mean))
        return Preactivation(mean, jnp.maximum(layer.mean.shape[0] - certain, 0.0) + VARIANCE_FLOOR)
    if inputs.second_moment is None:
        variance = jnp.broadcast_to(jnp.sum(layer.variance, axis=0), mean.shape)
    else:
        variance = Dense.contract(layer.variance, inputs.second_moment)
    if inputs.variance is not None:
        variance = variance + Dense.contract(jnp.square(layer.mean), inputs.variance)
    return Preactivation(mean, variance + VARIANCE_FLOOR)


def precision_messages(
    layer: Layer, inputs: Inputs, derivatives: Derivatives, wants: Wants
) -> tuple[Array | None, Array | None]:
    """Quadratic parts of the messages, to the weights ``[N, K]`` and down ``[B, N]``.

    ``G = sum_b <x^2> Gamma - Delta g^2`` and ``A = sum_k <w^2> Gamma - sigma g^2``.
    """
    gradient, curvature = derivatives.gradient, derivatives.curvature
    square = jnp.square(gradient)
    precision = down = None
    if wants.precision:
        if inputs.second_moment is None:
            precision = jnp.broadcast_to(jnp.sum(curvature, axis=0), layer.mean.shape)
        else:
            precision = Dense.pull_weights(inputs.second_moment, curvature)
        if inputs.variance is not None:
            precision = precision - Dense.pull_weights(inputs.variance, square)
    if wants.down_precision:
        second = jnp.square(layer.mean) + layer.variance
        down = Dense.pull_inputs(second, curvature) - Dense.pull_inputs(layer.variance, square)
    return precision, down
