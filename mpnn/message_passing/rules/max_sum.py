"""Max-sum: the zero-temperature limit, where messages are differences of maxima instead of log odds.

Weights and units are signs. A unit sums ``a_i s_i`` over its inputs, where ``s_i = w_i sign(x_i)`` is the
sign of a product and ``a_i >= 0`` its known magnitude (``|x_i|`` of data, 1 of a unit). Given fields
``phi_i`` on the signs, an output ``tau`` costs what it takes to turn enough signs towards it: with
``psi = tau phi``, the total magnitude of the plus signs must reach ``R = (sum_i a_i + margin) / 2``, and
every ``psi_i < 0`` among them costs ``-psi_i``. Taking them in the order of ``psi_i / a_i`` and the last
one in part (Dantzig's relaxation of the knapsack problem) gives a convex, piecewise linear cost of R, whose
pieces a sort and two prefix sums deliver; removing one input shifts it, so that all max-marginals take
O(N log N).

* Equal magnitudes (units below, data of -1, 0 and +1): R is rounded up to what signs can reach, no item is
  taken in part, and the max-marginals are exact, ``sign(0) = +1`` and margins included.
* Real magnitudes: every cost is too low by less than the cost of one input, hence a message is off by at
  most ``max_i |phi_i|``; the mean error falls as 1 / N. A sum of exactly 0 counts as negative.

Cavities are kept per edge, as in :mod:`mpnn.message_passing.rules.belief_propagation`; damping is an average
of the messages
over the sweeps, which leaves fields and messages consistent. Noise has no meaning at zero temperature and
is ignored. Messages of a two-valued product are ``(|a + b| - |a - b|) / 2``: the weaker field, with the
product of the signs. For equal magnitudes see Baldassi and Braunstein 2015 (arXiv:1505.05401).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.message_passing.channels.hidden import HiddenChannel
from mpnn.message_passing.channels.outputs import OutputChannel
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.rules.base import (
    Clamp,
    Inputs,
    Layer,
    Messages,
    Preactivation,
    RequiredMessages,
)

__all__ = ["FORCED_FIELD", "FieldMessages", "Memory", "backward", "forward", "init", "node_messages"]

# Message to a sign that the output cannot do without: above any sum of ordinary fields, and small enough for
# float32 to keep three decimals beside it.
FORCED_FIELD = 1e4
# Relative error of a sum of magnitudes in float32: what is beyond reach by less than this is within it.
ROUNDING = 1e-6


class FieldMessages:
    """Messages at zero temperature: fields upward, clamping fields and margins downward."""

    zero_temperature = True

    @staticmethod
    def units(
        channel: HiddenChannel, preactivation: Preactivation, above: Natural | None, keep_field: bool
    ) -> Inputs:
        """The field that each unit sends up, ``[B, K]``; :func:`forward` puts it in the place of the mean.

        Parameters
        ----------
        channel : HiddenChannel
            The channel of the units.
        preactivation : Preactivation
            Mean and variance of the pre-activations.
        above : Natural [B, K] or None
            The message from above; None: a zero message.
        keep_field : bool
            Not used; fields are always returned.
        """
        field = preactivation.mean
        return Inputs(jnp.tanh(field), None, None, field=field)

    @staticmethod
    def from_labels(output: OutputChannel, labels: Array, numbers: Any) -> Clamp:
        """Labels -1 and +1 clamp the outputs, with a margin.

        Parameters
        ----------
        output : OutputChannel
            The channel of the output.
        labels : Array [B] or [B, K]
            Signs, 0 for no label.
        numbers : Hyper
            The layer's numbers, for margin and confidence.
        """
        label = labels[:, None] if labels.ndim == 1 else labels
        field = jnp.where(label == 0, 0.0, jnp.where(label == 0, 1.0, label) * numbers.confidence)
        return Clamp(field, numbers.margin * jnp.abs(label))

    @staticmethod
    def from_above(channel: HiddenChannel, above: Natural) -> Clamp:
        """The message from above clamps the units.

        Parameters
        ----------
        channel : HiddenChannel
            The channel of the units.
        above : Natural [B, K]
            The message from above.
        """
        return Clamp(above.field, jnp.zeros_like(above.field))


class Memory(NamedTuple):
    """The last messages on every edge ``[K, B, N]``; ``to_input`` None where the inputs are data.

    Parameters
    ----------
    to_weight : Array [K, B, N]
        The last messages to the weights.
    to_input : Array [K, B, N] or None
        The last messages to the inputs; None where they are data.
    """

    to_weight: Array
    to_input: Array | None


class NodeMessages(NamedTuple):
    """Of one unit: field on its output ``[]``, messages to the signs that it sums ``[N]``."""

    up: Array
    to_signs: Array


class Side(NamedTuple):
    """Costs of one output value: ``[]``, and with each sign clamped towards it or away from it ``[N]``."""

    total: Array
    with_towards: Array
    with_away: Array


def init(layer: Layer, inputs: Inputs) -> Memory:
    """No messages yet.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    """
    num_inputs, num_outputs = layer.mean.shape
    zeros = jnp.zeros((num_outputs, inputs.mean.shape[0], num_inputs), layer.field.dtype)
    return Memory(zeros, None if inputs.field is None else zeros)


def node_messages(fields: Array, magnitudes: Array, output_field: Array, margin: Array) -> NodeMessages:
    """Max-sum messages of one unit.

    Parameters
    ----------
    fields : Array
        Cavity fields of the signs, finite, ``[N]``.
    magnitudes : Array
        Of the inputs, >= 0 and at most 1, ``[N]``; or ``[1]`` for all.
    output_field : Array
        Field on the output ``[]``; infinite for a label.
    margin : Array
        The sum must exceed it in the output's direction, >= 0, in units of the magnitudes ``[]``. A margin
        beyond reach asks for the largest sum there is.
    """
    fields = jnp.where(magnitudes > 0, fields, 0.0)
    order = jnp.argsort(-fields / jnp.where(magnitudes > 0, magnitudes, 1.0))
    ordered = fields[order]
    sizes = magnitudes[order] if magnitudes.shape == fields.shape else magnitudes
    full = jnp.sum(jnp.broadcast_to(magnitudes, fields.shape))
    both = jnp.stack([ordered, -ordered[::-1]]), jnp.stack([sizes, sizes[::-1]])
    sides = jax.vmap(_side, in_axes=(0, 0, 0, None))(*both, _needed(magnitudes, full, margin), full)
    plus, minus = (jax.tree.map(lambda leaf, side=side: leaf[side], sides) for side in (0, 1))
    against_plus = jnp.where(output_field < 0, -output_field, 0.0)
    against_minus = jnp.where(output_field > 0, output_field, 0.0)
    with_plus = jnp.minimum(against_plus + plus.with_towards, against_minus + minus.with_away[::-1])
    with_minus = jnp.minimum(against_plus + plus.with_away, against_minus + minus.with_towards[::-1])
    to_signs = jnp.clip(with_minus - with_plus, -FORCED_FIELD, FORCED_FIELD)
    return NodeMessages(minus.total - plus.total, jnp.zeros_like(fields).at[order].set(to_signs))


def _needed(magnitudes: Array, full: Array, margin: Array) -> Array:
    """Total magnitude that must point towards output +1 and towards -1 ``[2]``."""
    half = 0.5 * (full + margin)
    countable = jnp.all((magnitudes == 1) | (magnitudes == 0))
    whole = jnp.stack([jnp.ceil(half), jnp.floor(half) + 1.0])
    return jnp.minimum(jnp.where(countable, whole, half), full)


def _side(fields: Array, sizes: Array, needed: Array, full: Array) -> Side:
    """Costs of the output that ``fields`` are aligned with, given in the order of ``fields / sizes``.

    With ``D(r)`` the least cost of a total magnitude r, the cost without input i is ``D(r)`` where r is
    reached before i, and ``D(r + a_i) - cost_i`` beyond. Clamp towards the output, input i leaves
    ``needed - a_i`` to the others; clamped away from it, all of ``needed``.
    """
    cost = jnp.maximum(-fields, 0.0)
    rate = cost / jnp.where(sizes > 0, sizes, 1.0)
    end = jnp.cumsum(jnp.broadcast_to(sizes, fields.shape))
    start = end - sizes
    paid = jnp.cumsum(cost) - cost
    asked = jnp.stack([jnp.broadcast_to(needed, sizes.shape), needed - sizes, needed + sizes])
    index = jnp.maximum(jnp.searchsorted(start, asked, side="right") - 1, 0)
    total, less, more = paid[index] + jnp.maximum(asked - start[index], 0.0) * rate[index]
    towards = jnp.where(needed <= end, less, total - cost)
    away = jnp.where(needed <= start, total, more - cost)
    beyond_reach = needed + sizes > full * (1.0 + ROUNDING)
    return Side(total[0], towards, jnp.where(beyond_reach, jnp.inf, away))


def _weaker(first: Array, second: Array) -> Array:
    """Field on a product of two signs with fields ``first`` and ``second``, which may be infinite."""
    return jnp.sign(first) * jnp.sign(second) * jnp.minimum(jnp.abs(first), jnp.abs(second))


def _input_fields(inputs: Inputs, memory: Memory | None) -> tuple[Array, Array]:
    """Fields ``[B, N]`` and magnitudes ``[B, N or 1]`` of the inputs; those of data are infinite.

    Magnitudes are relative to each sample's largest.
    """
    if inputs.field is not None:
        field = inputs.field
        if memory is not None and memory.to_input is not None:
            field = field + jnp.sum(memory.to_input, axis=0)
        return field, jnp.ones((field.shape[0], 1), field.dtype)
    size = jnp.abs(inputs.mean)
    known = jnp.where(size > 0, jnp.copysign(jnp.inf, inputs.mean), 0.0)
    return known, size / _largest(inputs)


def _largest(inputs: Inputs) -> Array:
    """The largest magnitude of each sample ``[B, 1]``."""
    if inputs.field is not None:
        return jnp.ones((inputs.field.shape[0], 1), inputs.field.dtype)
    largest = jnp.max(jnp.abs(inputs.mean), axis=1, keepdims=True)
    return jnp.where(largest > 0, largest, 1.0)


def _cavities(weight_field: Array, input_field: Array, own: Memory | None) -> tuple[Array, Array]:
    """Fields of one unit's weights and inputs without the unit's own messages, ``[B, N]`` each."""
    if own is None:
        return jnp.broadcast_to(weight_field, input_field.shape), input_field
    unit = input_field if own.to_input is None else input_field - own.to_input
    return weight_field - own.to_weight, unit


_nodes = jax.vmap(node_messages)


def forward(layer: Layer, inputs: Inputs, memory: Memory | None) -> Preactivation:
    """Upward field of every unit in place of its mean, one unit at a time.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    memory : object
        What the rule keeps between the sweeps over a batch.
    """
    field, sizes = _input_fields(inputs, memory)
    uniform = jnp.zeros(field.shape[0], field.dtype)

    def unit(own: tuple[Array, Memory | None]) -> Array:
        return _nodes(_weaker(*_cavities(own[0], field, own[1])), sizes, uniform, uniform).up

    up = jax.lax.map(unit, (layer.field.T, memory)).T
    return Preactivation(up, jnp.zeros_like(up))


def backward(
    layer: Layer,
    inputs: Inputs,
    preactivation: Preactivation,
    clamp: Clamp,
    memory: Memory | None,
    required: RequiredMessages,
) -> tuple[Messages, Memory | None]:
    """Messages on every edge, one unit at a time; their sums go to the weights and down.

    Parameters
    ----------
    layer : Layer
        The layer's weights.
    inputs : Inputs
        The layer's inputs.
    preactivation : Preactivation
        Mean and variance of the pre-activations.
    clamp : Clamp
        Field and margin of the outputs.
    memory : object
        What the rule keeps between the sweeps over a batch.
    required : RequiredMessages
        Which messages are required; static.
    """
    field, sizes = _input_fields(inputs, memory)
    margin = clamp.margin / _largest(inputs)
    margins = jnp.broadcast_to(margin, clamp.field.shape)

    def damped(fresh: Array, old: Array | None) -> Array:
        moved = jnp.asarray((1.0 - layer.damping) * fresh)
        return moved if old is None else moved + layer.damping * old

    def unit(down: Array | None, own: tuple[Array, Array, Array, Memory | None, Array | None]) -> Any:
        weight_field, output_field, margin, old, weight = own
        weights, units = _cavities(weight_field, field, old)
        messages = _nodes(_weaker(weights, units), sizes, output_field, margin).to_signs
        to_weight = damped(_weaker(messages, units), None if old is None else old.to_weight)
        to_input = None
        if down is not None:
            to_input = damped(_weaker(messages, weights), None if old is None else old.to_input)
            down = down + to_input
        evidence = to_weight if weight is None else to_weight * weight[:, None]
        return down, (jnp.sum(evidence, axis=0), None if old is None else Memory(to_weight, to_input))

    start = jnp.zeros_like(field) if required.down else None
    sample_weight = None
    if inputs.sample_weight is not None:
        sample_weight = jnp.broadcast_to(inputs.sample_weight, clamp.field.shape).T
    outputs = (layer.field.T, clamp.field.T, margins.T, memory, sample_weight)
    down, (to_weights, kept) = jax.lax.scan(unit, start, outputs)
    return Messages(to_weights.T, None, down, None), kept
