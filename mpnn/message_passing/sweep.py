"""One sweep of messages through a network.

Data flows one way in a sweep: forward through the layers (Gaussian pre-activations and the units' moments),
backward (channel derivatives and messages), and every layer takes its message in.
Shapes: batch B, layer widths N -> K, layers L.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from mpnn.message_passing import channels
from mpnn.message_passing.fields import (
    Evidence,
    LayerState,
    Natural,
    begin_batch,
    damped_moments,
    masked_moments,
    update,
)
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.rules.base import Derive, Held, Inputs, Layer, Preactivation, Wants
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.weights import Moments

__all__ = ["Info", "Progress", "begin", "forward", "observe", "sweep"]

# Of a layer, how many weights Info looks at.
OBSERVED_WEIGHTS = 1 << 13


class Progress(NamedTuple):
    """What the sweeps over one batch hand to each other.

    evidence and memories: of each layer; above: what each hidden layer last heard from above; observed: the
    magnetizations that the next sweep's change is measured from.
    """

    evidence: tuple[Evidence, ...]
    memories: tuple[Any, ...]
    above: tuple[tuple[Array, Array | None] | None, ...]
    observed: tuple[Array, ...]


class Info(NamedTuple):
    """What a person wants to see of a sweep: nothing here is carried on.

    change: mean absolute change of each layer's magnetizations ``[L]``.
    polarization: mean squared magnetization of each layer ``[L]``. Both are means over some rows of weights
        in layers that have more than :data:`OBSERVED_WEIGHTS`.
    error: share of the batch that the mean pre-activation of the output gets wrong, before the update.
    """

    change: Array
    polarization: Array
    error: Array


def layer_hyper(hyper: Hyper, index: int) -> Hyper:
    """The numbers of one layer, scalars."""
    return Hyper(*(leaf[index] for leaf in hyper))


def layer_view(spec: NetworkSpec, state: LayerState, hyper: Hyper) -> Layer:
    """The layer as a rule sees it; ``hyper`` holds the layer's own numbers."""

    def moments(field: Array, precision: Array | None) -> Moments:
        mask = None if state.mask is None else jnp.expand_dims(state.mask, range(1, field.ndim - 1))
        return masked_moments(spec.family, Natural(field, precision), hyper.sparsity, mask)

    field, precision = state.posterior
    signs = spec.family.levels == (-1, 1) and state.mask is None
    return Layer(*damped_moments(state), field, precision, moments, hyper.damping, signs)


def _with_constant(moments: Moments, second_moment: Array | None) -> Inputs:
    """Append the constant input 1 that carries the bias."""
    width = ((0, 0), (0, 1))
    second = None if second_moment is None else jnp.pad(second_moment, width, constant_values=1.0)
    return Inputs(jnp.pad(moments.mean, width, constant_values=1.0), jnp.pad(moments.variance, width), second)


def _data_inputs(spec: NetworkSpec, inputs: Array) -> Inputs:
    if spec.bias:
        inputs = jnp.pad(inputs, ((0, 0), (0, 1)), constant_values=1.0)
    return Inputs(inputs, None, jnp.square(inputs))


def _field_inputs(spec: NetworkSpec, upgoing: Array) -> Inputs:
    """The next layer's inputs as fields; the constant input's is infinite."""
    field = jnp.pad(upgoing, ((0, 0), (0, int(spec.bias))), constant_values=jnp.inf)
    return Inputs(jnp.tanh(field), None, None, field=field)


def _unit_inputs(
    spec: NetworkSpec, preactivation: Preactivation, above: tuple[Array, Array | None] | None
) -> Inputs:
    """The next layer's inputs: the units' moments under what they last heard from above."""
    if spec.works_on_fields:
        return _field_inputs(spec, preactivation.mean)
    channel = spec.hidden_channel

    def respond(field: Array | None, precision: Array | None) -> Moments:
        return channel.activation(preactivation.mean, preactivation.variance, field, precision)

    field, precision = (None, None) if above is None else above
    moments = respond(field, precision)
    second = None
    if not channel.values_square_to_one:
        second = moments.variance + jnp.square(moments.mean)
    plain = Inputs(moments.mean, moments.variance, second)
    inputs = _with_constant(moments, second) if spec.bias else plain

    def respond_to(cavity: Array) -> Moments:
        if not spec.bias:
            return respond(cavity, precision)
        # the constant input hears messages but does not move
        mean, variance, *_ = _with_constant(respond(cavity[:, :-1], precision), None)
        return Moments(mean, jnp.zeros(()) if variance is None else variance)

    return inputs._replace(respond=respond_to)


def begin(
    spec: NetworkSpec,
    state: State,
    batch_size: int,
    hyper: Hyper,
    observed: tuple[Array, ...] | None = None,
) -> Progress:
    """Start a batch: posteriors become priors, and nothing has been said yet.

    observed: of ``state``, from a caller that has it. A scan over batches should: whole magnetizations are
    copied in every step if the rows that are looked at are taken from a state that has been replaced.
    """
    evidence = tuple(
        begin_batch(layer, layer_hyper(hyper, index).rho) for index, layer in enumerate(state.layers)
    )
    memories = []
    for index, layer in enumerate(state.layers):
        fan_in = layer.mean.shape[0]
        blank = jnp.zeros((batch_size, fan_in), layer.mean.dtype)
        silent = Inputs(blank, None, None, field=None if index == 0 else blank)
        view = layer_view(spec, layer, layer_hyper(hyper, index))
        memories.append(spec.layer_rule(index).init(view, silent))
    above: tuple[Any, ...] = (None,) * (spec.num_layers - 1)
    if spec.sweeps_per_batch > 1:  # a scan needs arrays from the first sweep on; a zero field says nothing
        zeros = [jnp.zeros((batch_size, width)) for width in spec.widths[1:-1]]
        needs = not spec.hidden_channel.values_square_to_one
        above = tuple((zero, zero if needs else None) for zero in zeros)
    return Progress(evidence, tuple(memories), above, observe(state) if observed is None else observed)


def forward(
    spec: NetworkSpec, views: list[Layer], batch: Batch, progress: Progress, hyper: Hyper
) -> tuple[list[Inputs], list[Preactivation]]:
    """Inputs and pre-activation of every layer, bottom up."""
    inputs, preactivations = [_data_inputs(spec, batch.inputs)], []
    for index, view in enumerate(views):
        rule = spec.layer_rule(index)
        mean, variance = rule.forward(view, inputs[index], progress.memories[index])
        preactivations.append(Preactivation(mean, variance + jnp.square(hyper.noise[index])))
        if index < spec.num_layers - 1:
            inputs.append(_unit_inputs(spec, preactivations[index], progress.above[index]))
    return inputs, preactivations


def binary_labels(batch: Batch) -> Array:
    """Labels -1, 0 and +1 as ``[B, K]``."""
    return batch.labels[:, None] if batch.labels.ndim == 1 else batch.labels


def output_derivatives(spec: NetworkSpec, batch: Batch, hyper: Hyper) -> Derive:
    """The labels' derivatives, as a function of the output's pre-activation."""
    if spec.output == "argmax":
        argmax = channels.Argmax(spec.argmax_draws)
        return lambda omega, variance: argmax.derivatives(batch.labels, omega, variance)
    label = binary_labels(batch)
    margin, confidence = hyper.margin[-1], hyper.confidence[-1]
    return lambda omega, variance: channels.BinaryLabel().derivatives(
        label, omega, variance, margin, confidence
    )


def _told_by_labels(spec: NetworkSpec, batch: Batch, hyper: Hyper) -> Derive | Held:
    """What the labels tell the output, in the form that the rule wants."""
    if not spec.works_on_fields:
        return output_derivatives(spec, batch, hyper)
    label = binary_labels(batch)
    return Held(label * hyper.confidence[-1], hyper.margin[-1] * jnp.ones_like(label))


def _told_from_above(spec: NetworkSpec, heard: tuple[Array, Array | None]) -> Derive | Held:
    """What a hidden layer heard from above, in the form that the rule wants."""
    if not spec.works_on_fields:
        return hidden_derivatives(spec, heard)
    return Held(heard[0], jnp.zeros_like(heard[0]))


def _of_real_samples(told: Derive | Held, sample_mask: Array | None) -> Derive | Held:
    """Silence the samples that only pad the batch."""
    if sample_mask is None:
        return told
    real = sample_mask[:, None]
    if isinstance(told, Held):
        return Held(jnp.where(real > 0, told.field, 0.0), told.margin * real)

    def masked(omega: Array, variance: Array) -> channels.Derivatives:
        return channels.Derivatives(*(leaf * real for leaf in told(omega, variance)))

    return masked


def _wants(spec: NetworkSpec, index: int) -> Wants:
    hidden_below = index > 0
    return Wants(
        precision=spec.family.uses_precision,
        down=hidden_below,
        down_precision=hidden_below and not spec.hidden_channel.values_square_to_one,
    )


def sweep(
    spec: NetworkSpec, state: State, batch: Batch, progress: Progress, hyper: Hyper
) -> tuple[State, Progress, Info]:
    """One sweep of messages, forward and backward, and the update of every layer's field.

    ``hyper`` leaves have shape ``[L]``. A layer hears from the layer above as it was before the update.
    """
    own = [layer_hyper(hyper, index) for index in range(spec.num_layers)]
    views = [layer_view(spec, layer, own[index]) for index, layer in enumerate(state.layers)]
    inputs, preactivations = forward(spec, views, batch, progress, hyper)

    told = _told_by_labels(spec, batch, hyper)
    layers, evidence = list(state.layers), list(progress.evidence)
    memories, above = list(progress.memories), list(progress.above)
    for index in reversed(range(spec.num_layers)):
        rule = spec.layer_rule(index)
        messages, memories[index] = rule.backward(
            views[index],
            inputs[index],
            preactivations[index],
            _of_real_samples(told, batch.sample_mask),
            memories[index],
            _wants(spec, index),
        )
        joint = spec.output == "argmax" and index == spec.num_layers - 1
        layers[index], evidence[index] = update(
            layers[index],
            evidence[index],
            Natural(messages.field, messages.precision),
            spec.family,
            own[index]._replace(damping=jnp.zeros(())) if rule.works_on_fields else own[index],
            damp_field=joint,
        )
        if rule.refresh is not None:
            memories[index] = rule.refresh(layer_view(spec, layers[index], own[index]), memories[index])
        if index > 0:
            width = spec.widths[index]
            field, precision = messages.down_field, messages.down_precision
            heard = (field[:, :width], None if precision is None else precision[:, :width])
            above[index - 1] = heard
            told = _told_from_above(spec, heard)
    moved = State(tuple(layers))
    observed = observe(moved)
    info = _inform(spec, progress.observed, observed, batch, preactivations[-1].mean)
    return moved, Progress(tuple(evidence), tuple(memories), tuple(above), observed), info


def hidden_derivatives(spec: NetworkSpec, heard: tuple[Array, Array | None]) -> Derive:
    """The derivatives of a hidden layer, given what it heard from above."""
    channel = spec.hidden_channel
    return lambda omega, variance: channel.derivatives(*heard, omega, variance)


def observe(state: State) -> tuple[Array, ...]:
    """Every n-th row of each layer's magnetizations, so that about :data:`OBSERVED_WEIGHTS` are left."""
    return tuple(layer.mean[:: max(1, layer.mean.size // OBSERVED_WEIGHTS)] for layer in state.layers)


def _inform(
    spec: NetworkSpec, before: tuple[Array, ...], after: tuple[Array, ...], batch: Batch, omega: Array
) -> Info:
    if spec.output == "argmax":
        wrong, counted = jnp.argmax(omega, axis=-1) != batch.labels, jnp.ones(omega.shape[:1])
    else:
        label = binary_labels(batch)
        wrong, counted = jnp.where(omega >= 0, 1, -1) != label, jnp.abs(label)
    if batch.sample_mask is not None:
        counted = counted * batch.sample_mask.reshape(-1, *(1,) * (counted.ndim - 1))
    pairs = zip(before, after, strict=True)
    return Info(
        change=jnp.stack([jnp.mean(jnp.abs(new - old)) for old, new in pairs]),
        polarization=jnp.stack([jnp.mean(jnp.square(new)) for new in after]),
        error=jnp.sum(wrong * counted) / jnp.maximum(jnp.sum(counted), 1.0),
    )
