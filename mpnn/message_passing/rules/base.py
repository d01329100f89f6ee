"""Interfaces of rules, and the two contractions that they share.

A rule is three functions on one layer. ``init`` makes the memory between the sweeps over
one batch (usually nothing), ``forward`` turns beliefs about weights and inputs into a Gaussian
pre-activation, ``backward`` turns the channel's derivatives into messages to the weights and to the
units below. Shapes: rows B (samples, or samples x positions), inputs N, outputs K.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from mpnn import numerics
from mpnn.linear_maps import products
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.base import VARIANCE_FLOOR, Derivatives, Derive
from mpnn.message_passing.channels.hidden import HiddenChannel
from mpnn.message_passing.channels.outputs import OutputChannel
from mpnn.message_passing.fields import Natural
from mpnn.programs.devices import rounds_operands

__all__ = [
    "Clamp",
    "GaussianMessages",
    "Inputs",
    "Layer",
    "Messages",
    "Preactivation",
    "Rule",
    "RequiredMessages",
    "counted",
    "gaussian_preactivation",
    "precision_messages",
]


class Inputs(NamedTuple):
    """A layer's inputs, ``[B, N]`` or ``[B, *shape]`` each.

    Parameters
    ----------
    mean : Array [B, N]
        Means.
    variance : Array [B, N] or None
        Variances; None: known exactly (data).
    second_moment : Array [B, N] or None
        Second moments; None: every input squares to one (signs).
    respond : callable or None, default=None
        The moments under another field from above; None for data.
    field : Array [B, N] or None, default=None
        Field of each input without any message from above, of zero-temperature rules and of inputs of pools;
        None for data.
    sample_weight : Array [B, 1] or [B, K] or None, default=None
        How often each row's messages to the weights count, all or those of each output; None: once.
    """

    mean: Array
    variance: Array | None
    second_moment: Array | None
    respond: Callable[[Array], Moments] | None = None
    field: Array | None = None
    sample_weight: Array | None = None

    @property
    def squared_mean(self) -> Array:
        """Squares of the means ``[B, N]``: of data, the second moments, so that products of both are one."""
        if self.variance is not None or self.second_moment is None:
            return jnp.square(self.mean)
        return self.second_moment


class Layer(NamedTuple):
    """One layer's weights, as rules take them.

    Parameters
    ----------
    mean : Array [N, K]
        Damped magnetizations.
    variance : Array [N, K]
        Damped variances.
    field : Array [N, K]
        Undamped fields.
    precision : Array [N, K] or None
        Undamped precisions; None where they have no effect.
    moments : callable
        Turns natural parameters into moments (masked weights: 0 and 0).
    damping : float in [0, 1)
        Weight of the old message.
    signs : bool, default=False
        Whether every weight squares to one: all are -1 or +1 and none is missing.
    """

    mean: Array
    variance: Array
    field: Array
    precision: Array | None
    moments: Callable[[Array, Array | None], Moments]
    damping: ArrayLike
    signs: bool = False


class Preactivation(NamedTuple):
    """Mean and variance of what a unit sums up, ``[B, K]`` each; noise not yet added.

    Parameters
    ----------
    mean : Array [B, K]
        Means.
    variance : Array [B, K]
        Variances; noise not yet added.
    """

    mean: Array
    variance: Array


class Messages(NamedTuple):
    """Messages to the weights ``[N, K]`` and to the units below ``[B, N]``; None where not required.

    Parameters
    ----------
    field : Array [N, K]
        Field to the weights.
    precision : Array [N, K] or None
        Precision to the weights; None where not required.
    down_field : Array [B, N] or None
        Field to the units below; None where not required.
    down_precision : Array [B, N] or None
        Precision to the units below; None where not required.
    """

    field: Array
    precision: Array | None
    down_field: Array | None
    down_precision: Array | None


class RequiredMessages(NamedTuple):
    """Which messages the network requires; static, so that the others are never computed.

    Parameters
    ----------
    precision : bool
        Precision to the weights.
    down : bool
        Field to the units below.
    down_precision : bool
        Precision to the units below.
    """

    precision: bool
    down: bool
    down_precision: bool


class Clamp(NamedTuple):
    """Clamping of a layer's sign outputs, for zero-temperature rules: field and margin ``[B, K]``.

    It takes the place of ``derive``.

    Parameters
    ----------
    field : Array [B, K]
        Field on the outputs.
    margin : Array
        Margin, of any shape that broadcasts.
    """

    field: Array
    margin: Array


class GaussianMessages:
    """Messages of rules that pass moments upward and derivatives of the channels downward."""

    zero_temperature = False

    @staticmethod
    def units(
        channel: HiddenChannel, preactivation: Preactivation, above: Natural | None, keep_field: bool
    ) -> Inputs:
        """Moments ``[B, K]`` of a layer's units under the message from above.

        Parameters
        ----------
        channel : HiddenChannel
            The channel of the units.
        preactivation : Preactivation
            Mean and variance of the pre-activations.
        above : Natural [B, K] or None
            The message from above; None: a zero message.
        keep_field : bool
            Whether to return the fields of signs without that message, too.
        """
        omega, variance = preactivation

        def respond(field: Array | None, precision: Array | None) -> Moments:
            return channel.activation(omega, variance, field, precision)

        field, precision = (None, None) if above is None else above
        moments = respond(field, precision)
        second = None
        if not channel.values_square_to_one:
            second = moments.variance + jnp.square(moments.mean)
        own = numerics.atanh_erf(omega * jax.lax.rsqrt(variance)) if keep_field else None
        return Inputs(*moments, second, lambda cavity: respond(cavity, precision), own)

    @staticmethod
    def from_labels(output: OutputChannel, labels: Array, numbers: Any) -> Derive:
        """The derivatives of the output's channel.

        Parameters
        ----------
        output : OutputChannel
            The channel of the output.
        labels : Array [B] or [B, K]
            Class numbers, or signs with 0 for no label.
        numbers : Annealing
            The numbers of the method.
        """
        return output.derive(labels, numbers)

    @staticmethod
    def from_above(channel: HiddenChannel, above: Natural) -> Derive:
        """The derivatives of the units' channel under the message from above.

        Parameters
        ----------
        channel : HiddenChannel
            The channel of the units.
        above : Natural [B, K]
            The message from above.
        """
        return lambda omega, variance: channel.derivatives(*above, omega, variance)


class Rule(Protocol):
    """The three functions of a rule; modules in this package provide them."""

    def init(self, layer: Layer, inputs: Inputs) -> Any:
        """The memory between the sweeps over a batch, before the first.

        Parameters
        ----------
        layer : Layer
            The layer's weights.
        inputs : Inputs
            The layer's inputs.
        """

    def forward(self, layer: Layer, inputs: Inputs, memory: Any) -> Preactivation:
        """The layer's Gaussian pre-activation.

        Parameters
        ----------
        layer : Layer
            The layer's weights.
        inputs : Inputs
            The layer's inputs.
        memory : object
            What the rule keeps between the sweeps over a batch.
        """

    def backward(
        self,
        layer: Layer,
        inputs: Inputs,
        preactivation: Preactivation,
        derive: Derive,
        memory: Any,
        required: RequiredMessages,
    ) -> tuple[Messages, Any]:
        """The messages, and the memory for the next sweep.

        Parameters
        ----------
        layer : Layer
            The layer's weights.
        inputs : Inputs
            The layer's inputs.
        preactivation : Preactivation
            Mean and variance of the pre-activations.
        derive : callable
            The derivatives of the channel's free energy, as a function of the pre-activation.
        memory : object
            What the rule keeps between the sweeps over a batch.
        required : RequiredMessages
            Which messages are required; static.
        """


def gaussian_preactivation(layer: Layer | Moments, inputs: Inputs) -> Preactivation:
    """Mean ``m x`` and variance ``sigma <x^2> + m^2 Delta`` of a sum of independent products.

    The variance ``sigma x^2 + m^2 Delta + sigma Delta`` of the literature, regrouped: where every input
    squares to one, the first term is a sum over the inputs and costs no matrix product. Where every weight
    does, too, so does every product, and ``N - m^2 x^2`` is left: one pass less over the weights. Not where
    products round their operands: the difference is small where weights are certain, and would be off by
    a third in bfloat16 at a polarization of 0.9999; a sum of variances is not.

    Parameters
    ----------
    layer : Layer or Moments
        Moments of the weights.
    inputs : Inputs
        The layer's inputs.
    """
    mean = products.contract(layer.mean, inputs.mean)
    signs = inputs.second_moment is None and isinstance(layer, Layer) and layer.signs
    if signs and not rounds_operands():
        certain = products.contract(jnp.square(layer.mean), inputs.squared_mean)
        return Preactivation(mean, jnp.maximum(layer.mean.shape[0] - certain, 0.0) + VARIANCE_FLOOR)
    weights = Moments(layer.mean, layer.variance)
    variance = products.sum_variance(weights, inputs.second_moment, inputs.variance, mean)
    return Preactivation(mean, variance + VARIANCE_FLOOR)


def counted(inputs: Inputs, outputs: Array) -> Array:
    """Values ``[B, K]`` of every sample, each as often as the sample counts.

    Only sums over samples take them, which are the messages to the weights. What a unit of one sample
    receives, and the cavity of one sample, do not depend on how often that sample was seen.

    Parameters
    ----------
    inputs : Inputs
        The layer's inputs, with the weights of the samples.
    outputs : Array [B, K]
        Derivatives, or messages of single samples.
    """
    return outputs if inputs.sample_weight is None else outputs * inputs.sample_weight


def precision_messages(
    layer: Layer, inputs: Inputs, derivatives: Derivatives, required: RequiredMessages
) -> tuple[Array | None, Array | None]:
    """Quadratic parts of the messages, to the weights ``[N, K]`` and down ``[B, N]``.

    ``G = sum_b <x^2> Gamma - Delta g^2`` and ``A = sum_k <w^2> Gamma - sigma g^2``.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    derivatives : Derivatives
        The channel's derivatives.
    required : RequiredMessages
        Which messages are required; static.
    """
    gradient, curvature = derivatives.gradient, derivatives.curvature
    square = jnp.square(gradient)
    precision = down = None
    if required.precision:
        evidence = counted(inputs, curvature)
        if inputs.second_moment is None:
            precision = jnp.broadcast_to(jnp.sum(evidence, axis=0), layer.mean.shape)
        else:
            precision = products.pull_weights(inputs.second_moment, evidence)
        if inputs.variance is not None:
            precision = precision - products.pull_weights(inputs.variance, counted(inputs, square))
    if required.down_precision:
        second = jnp.square(layer.mean) + layer.variance
        down = products.pull_inputs(second, curvature) - products.pull_inputs(layer.variance, square)
    return precision, down
