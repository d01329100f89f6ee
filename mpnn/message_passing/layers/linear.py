"""Messages through a layer with weights: by its rule through the linear map, by the channel through units."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.fields import (
    Evidence,
    LayerState,
    Natural,
    begin_batch,
    damped_moments,
    masked_moments,
    update,
)
from mpnn.message_passing.gain import step_gain, within_gain
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers.base import Labels, Numbers, Place, reshaped
from mpnn.message_passing.layers.weighted import WeightedLayer
from mpnn.message_passing.rules import base as rules
from mpnn.message_passing.rules.base import Inputs, Preactivation, RequiredMessages, gaussian_preactivation
from mpnn.message_passing.ties import half_step_of_data, half_step_of_signs, settled

__all__ = ["Cache", "Linear", "LinearMemory", "Summed"]


class LinearMemory(NamedTuple):
    """Between the sweeps over a batch: its evidence, the rule's memory, the last message from above."""

    evidence: Evidence
    rule: Any
    above: Natural | None


class Cache(NamedTuple):
    """Between the passes of a sweep: the layer as the rule takes it, its input rows and pre-activation."""

    view: rules.Layer
    rows: Inputs
    preactivation: Preactivation


class Summed(NamedTuple):
    """Input rows and what the units sum up."""

    rows: Inputs
    preactivation: Preactivation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linear(WeightedLayer):
    """Messages through a layer with weights: up and down, to its beliefs; its discrete network."""

    def init(
        self, keys: Sequence[Array], place: Place, numbers: Numbers, initial_field: Array | float
    ) -> LayerState:
        """Fields ``initial_field * N(0, 1)``, or a Gaussian prior of that scale."""
        field_key, mask_key = jax.random.split(keys[0])
        shape = (self.fan_in(place.in_shape), self.linear_map.units)
        if isinstance(initial_field, int | float) and initial_field == 0:  # a quarter of the first fit's time
            noise = jnp.zeros(shape)
        else:
            noise = initial_field * jax.random.normal(field_key, shape)
        precision = jnp.zeros(shape) if self.family.uses_precision else None
        natural = Natural(noise, precision)
        if self.family.levels is None:
            precision = shape[0] / jnp.square(initial_field) * jnp.ones(shape)
            natural = Natural(precision * noise / jnp.sqrt(shape[0]), precision)
        # copied: training donates the state, which must not hold an array twice
        anchor = jax.tree.map(jnp.copy, Natural(jnp.zeros(shape), precision)) if place.anchored else None
        mask = None
        if (density := self._chosen("density")) < 1.0:
            mask = jax.random.bernoulli(mask_key, density, shape).astype(noise.dtype)
        moments = masked_moments(self.family, natural, numbers[0].sparsity, mask)
        variance = None if self.family.levels == (-1, 1) else moments.variance
        focus = natural.scaled(jnp.zeros(())) if place.focusing else None
        return LayerState(natural, moments.mean, variance, focus, mask, anchor)

    def begin(
        self, place: Place, state: LayerState, batch_size: int, dtype: Any, numbers: Numbers
    ) -> LinearMemory:
        """The posterior becomes the prior; all messages are zero."""
        num_rows = batch_size * self._num_positions(place)
        blank = jnp.zeros((num_rows, state.mean.shape[0]), dtype)
        inputs = Inputs(blank, None, None, field=None if place.known_inputs else blank)
        memory = self._entry(place).init(self._view(state, numbers[0]), inputs)
        above = None
        if not place.one_sweep and place.output is None:  # a scan needs arrays from the first sweep on
            zero = jnp.zeros((batch_size, *self.out_shape(place.in_shape)), dtype)
            above = Natural(zero, None if self.channel.values_square_to_one else zero)
        return LinearMemory(begin_batch(state, numbers[0].rho), memory, above)

    def _view(self, state: LayerState, own: Hyper) -> rules.Layer:
        """The layer as a rule takes it; ``own`` holds the layer's own numbers."""

        def moments(field: Array, precision: Array | None) -> Moments:
            mask = None if state.mask is None else jnp.expand_dims(state.mask, range(1, field.ndim - 1))
            return masked_moments(self.family, Natural(field, precision), own.sparsity, mask)

        field, precision = state.posterior
        signs = self.family.levels == (-1, 1) and state.mask is None
        return rules.Layer(*damped_moments(state), field, precision, moments, own.damping, signs)

    def rows(self, place: Place, below: Inputs) -> Inputs:
        """Inputs of the weights, one row for every sample and position, the constant input last."""
        mean, second = self._row(below.mean, 1.0), below.second_moment
        if second is None and self.linear_map.pads(place.in_shape):  # zeros do not square to one
            second = jnp.ones_like(below.mean)
        field = None if place.known_inputs else below.field
        respond = below.respond
        if self.bias and respond is not None:
            respond = _respond_with_constant(respond)
        if second is not None:  # of data, squares of the rows: no second unfolding
            second = jnp.square(mean) if below.variance is None else self._row(second, 1.0)
        return Inputs(
            mean,
            None if below.variance is None else self._row(below.variance, 0.0),
            second,
            respond,
            None if field is None else self._row(field, jnp.inf),
        )

    def _row(self, inputs: Array, constant: float) -> Array:
        """Rows of inputs, and the value of the constant input."""
        rows = self.linear_map.unfold(inputs)
        return _append(rows, constant) if self.bias else rows

    def sum_up(
        self, place: Place, state: LayerState, below: Inputs, memory: LinearMemory, numbers: Numbers
    ) -> Cache:
        """Mean and variance of what the units sum up, by the rule."""
        view, rows = self._view(state, numbers[0]), self.rows(place, below)
        return Cache(view, rows, self._entry(place).forward(view, rows, memory.rule))

    def settle(
        self,
        place: Place,
        weights: Moments,
        rows: Inputs,
        summed: Preactivation,
        noise: Array,
        extra_signs: int | None = 0,
    ) -> Preactivation:
        """Mean and variance of the pre-activations, noise included, decided where they are 0.

        ``extra_signs`` are summed beside the layer's own; None: other numbers are.
        """
        mean, variance = summed
        if self._decides_by_sign(place):
            step = self._half_step(place, weights, rows, extra_signs)
            mean = settled(mean, variance, noise, step)
        return Preactivation(mean, variance + jnp.square(noise))

    def _decides_by_sign(self, place: Place) -> bool:
        """Whether a pre-activation of 0 is a tie: not where outputs are compared, or are no Gaussians."""
        if self._entry(place).messages.zero_temperature:
            return False
        if place.output is not None:
            return not place.output.joint
        return self.channel.values_square_to_one

    def _half_step(
        self, place: Place, weights: Moments, rows: Inputs, extra_signs: int | None
    ) -> Array | float:
        levels = self.family.levels
        if extra_signs is None:
            return 0.0
        if place.known_inputs:
            masked = self._chosen("density") < 1.0
            mask = weights.variance + jnp.square(weights.mean) if masked else None
            return half_step_of_data(levels, rows.mean, mask) if extra_signs == 0 else 0.0
        existing = None
        if self.linear_map.pads(place.in_shape):
            existing = self._row(jnp.ones((1, *place.in_shape), rows.mean.dtype), 1.0)
        step = half_step_of_signs(levels, weights, existing, place.averaged_signs, extra_signs)
        if existing is None:
            return step
        return jnp.tile(step, (len(rows.mean) // len(existing), 1)) if isinstance(step, Array) else step

    def activate(self, place: Place, preactivation: Preactivation, above: Natural | None) -> Inputs:
        """Moments of the units ``[B, *out_shape]``; of the last layer, its pre-activations themselves."""
        if place.output is not None:
            return Inputs(preactivation.mean, preactivation.variance, None)
        messages = self._entry(place).messages
        above = None if above is None else self._as_rows(place, above)
        units = messages.units(self.channel, preactivation, above, place.feeds_pool)
        if self._num_positions(place) == 1 and len(self.out_shape(place.in_shape)) == 1:
            return units
        return self._as_images(place, units)

    def _as_rows(self, place: Place, message: Natural) -> Natural:
        """A message on the outputs, one row for every sample and position."""
        return message.mapped(_flat_rows)

    def _as_images(self, place: Place, units: Inputs) -> Inputs:
        """Units ``[B positions, K]`` as ``[B, *out_shape]``."""
        shape = (-1, *self.out_shape(place.in_shape))
        return reshaped(units, lambda leaf: leaf.reshape(shape), _flat_rows)

    def forward(
        self, place: Place, state: LayerState, below: Inputs, memory: LinearMemory, numbers: Numbers
    ) -> tuple[Inputs, Cache]:
        """Moments of the units under the last message from above."""
        cache = self.sum_up(place, state, below, memory, numbers)
        weights, noise = damped_moments(state), numbers[0].noise
        total = self.settle(place, weights, cache.rows, cache.preactivation, noise)
        return self.activate(place, total, memory.above), cache._replace(preactivation=total)

    def backward(
        self,
        place: Place,
        state: LayerState,
        cache: Cache,
        above: Natural | Labels,
        memory: LinearMemory,
        numbers: Numbers,
        sample_weight: Array | None,
    ) -> tuple[LayerState, LinearMemory, Natural | None]:
        """Messages to the weights, which are updated, and down."""
        entry, own = self._entry(place), numbers[0]
        rows = cache.rows._replace(sample_weight=self._weight_of_rows(place, sample_weight))
        derive = self.signal(place, above, own)
        messages, rule_memory = entry.backward(
            cache.view, rows, cache.preactivation, derive, memory.rule, self._required(place)
        )
        if place.output is not None and place.output_gain is not None:
            curvature = derive(*cache.preactivation).curvature
            gain = step_gain(damped_moments(state), rows, messages.field, curvature, own)
            own = within_gain(place.output_gain, gain, own)
        if entry.messages.zero_temperature:  # the rule damps its messages
            own = own._replace(damping=jnp.zeros_like(own.damping))
        state, evidence = update(
            state,
            memory.evidence,
            Natural(messages.field, messages.precision),
            self.family,
            own,
            damp_field=place.output is not None and place.output.joint,
        )
        if entry.refresh is not None:
            rule_memory = entry.refresh(self._view(state, numbers[0]), rule_memory)
        kept = above if isinstance(above, Natural) else None
        down = None if place.known_inputs else self._fold(place, messages)
        return state, LinearMemory(evidence, rule_memory, kept), down

    def _weight_of_rows(self, place: Place, sample_weight: Array | None) -> Array | None:
        """Weights of the samples, one row for every sample and position: ``[rows, 1]`` or ``[rows, K]``."""
        if sample_weight is None:
            return None
        columns = sample_weight if sample_weight.ndim == 2 else sample_weight[:, None]
        return jnp.repeat(columns, self._num_positions(place), axis=0)

    def signal(self, place: Place, above: Natural | Labels, own: Hyper) -> Any:
        """The message from above in the form that the rule takes."""
        messages = self._entry(place).messages
        if isinstance(above, Labels):
            return messages.from_labels(above.channel, above.values, own)
        return messages.from_above(self.channel, self._as_rows(place, above))

    def _required(self, place: Place) -> RequiredMessages:
        down = not place.known_inputs
        return RequiredMessages(
            precision=self.family.uses_precision, down=down, down_precision=down and not place.sign_inputs
        )

    def _fold(self, place: Place, messages: rules.Messages) -> Natural:
        """The messages down, less that to the constant input, summed over positions."""
        fan_in = self.linear_map.fan_in(place.in_shape)
        if messages.down_field is None:
            raise AssertionError("units below get a message")
        down = Natural(messages.down_field, messages.down_precision)
        return down.mapped(lambda leaf: self.linear_map.fold(leaf[:, :fan_in], place.in_shape))

    def moments(
        self, place: Place, beliefs: Sequence[Moments], below: Inputs, noise: Sequence[Array]
    ) -> Inputs:
        """Moments of the units with nothing above; of the last layer, of its pre-activations."""
        summed = self.moments_of_sum(place, beliefs[0], below)
        preactivation = self.settle(place, beliefs[0], summed.rows, summed.preactivation, noise[0])
        if place.output is not None:
            return Inputs(*preactivation, None)
        return self.unit_moments(place, preactivation)

    def moments_of_sum(self, place: Place, belief: Moments, below: Inputs) -> Summed:
        """Mean and variance of what the units sum up, weights averaged over their beliefs."""
        rows = self.rows(place, below)
        return Summed(rows, gaussian_preactivation(belief, rows))

    def unit_moments(self, place: Place, preactivation: Preactivation) -> Inputs:
        """Moments of the units ``[B, *out_shape]`` with nothing above."""
        units = self.channel.activation(*preactivation, None, None)
        shape = (-1, *self.out_shape(place.in_shape))
        mean, variance = (leaf.reshape(shape) for leaf in units)
        return Inputs(mean, variance, variance + jnp.square(mean))

    def preactivation_of(self, weights: Array, inputs: Array) -> Array:
        """Pre-activations ``[B, *out_shape]`` of discrete weights."""
        rows = self.discrete_rows(inputs)
        return jnp.matmul(rows, weights.astype(inputs.dtype)).reshape(-1, *self.out_shape(inputs.shape[1:]))

    def discrete_rows(self, inputs: Array) -> Array:
        """Known inputs ``[B, *in_shape]`` as rows, the constant input last."""
        return self._row(inputs, 1.0)

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """Units of the discrete network."""
        return self.channel.decide(self.preactivation_of(weights[0], inputs))


def _append(rows: Array, value: float) -> Array:
    """One more column of a constant."""
    return jnp.pad(rows, ((0, 0), (0, 1)), constant_values=value)


def _flat_rows(outputs: Array) -> Array:
    return outputs.reshape(-1, outputs.shape[-1])


def _respond_with_constant(respond: Any) -> Any:
    """Moments under a cavity field that has a column for the constant input, which does not move."""

    def respond_to(cavity: Array) -> Moments:
        mean, variance = respond(cavity[:, :-1])
        return Moments(_append(mean, 1.0), jnp.zeros(()) if variance is None else _append(variance, 0.0))

    return respond_to
