"""Training of networks with few hidden units: central-limit messages below, exact messages above.

Networks ``[N, h1, ..., hk, 1]`` with ternary weights, sign units with ``sign(0) = +1`` and no bias, for two
classes. The first layer sums many inputs: its messages are those of the BP-inspired rule with the cavity to
first order. Every layer above sums few signs: its messages are exact
(:mod:`mpnn.message_passing.exact.messages`), with
full cavities over samples and units. Fields accumulate from sweep to sweep (reinforcement 1), and random
fields on the upper weights break the symmetry between hidden units.

Annealing: between two fractions of the run every belief moves linearly to its rounding,

    P <- (1 - alpha) P + alpha [argmax P],

while the messages go on correcting what rounding breaks. Of the discrete networks passed on the way the one
with fewest training errors is retained; among equals the one whose outputs are most likely right when
each of its non-zero first-layer weights has a random sign (a smoothed margin). The beliefs as annealing found
them serve Bayesian prediction. :mod:`mpnn.message_passing.exact.annealing` runs all this.

Shapes: samples B, inputs N, units K; the arrays of the upper layers are ``[level, inputs, units, samples]``.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn import numerics
from mpnn.message_passing.exact import messages as small_fan_in
from mpnn.message_passing.exact.requirements import TERNARY
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.ties import half_step_of_data

__all__ = ["Annealing", "Beliefs", "Carry", "Data", "init", "prepare", "sweep"]

VARIANCE_FLOOR = 1e-6
LIKELIHOOD_FLOOR = 1e-9


class Annealing(NamedTuple):
    """Every number of the method; all are traced.

    Parameters
    ----------
    step : float > 0, default=20.0
        Change of the first layer's fields in a sweep, times the number of samples.
    damping : float in [0, 1), default=0.5
        Weight of the old belief of the first layer and of the old messages above.
    initial_field : float >= 0, default=0.1
        Standard deviation of the first layer's initial fields.
    symmetry_breaking : float > 0, default=1.0
        Standard deviation of the random prior fields of the upper weights.
    weight_noise : float >= 0, default=0.5
        Relative noise assumed on the first layer's weights, which demands a margin.
    threshold : float >= 0, default=1.3
        Magnetizations below ``threshold`` times their unit's mean are rounded to 0.
    start : float in [0, 1), default=0.3
        Fraction of the run at which beliefs begin to move to their rounding.
    end : float in (0, 1], default=0.7
        Fraction of the run at which they have arrived; above ``start``.
    """

    step: Array | float = 20.0
    damping: Array | float = 0.5
    initial_field: Array | float = 0.1
    symmetry_breaking: Array | float = 1.0
    weight_noise: Array | float = 0.5
    threshold: Array | float = 1.3
    start: Array | float = 0.3
    end: Array | float = 0.7


class FirstLayer(NamedTuple):
    """Fields and damped moments of the first layer, ``[N, K]`` each."""

    field: Array
    mean: Array
    variance: Array


class Beliefs(NamedTuple):
    """Beliefs about all weights: the first layer, and ``log P`` of the levels ``[3, K, K']`` above.

    Parameters
    ----------
    first : FirstLayer
        Beliefs of the first layer.
    upper : tuple of Array [3, K, K']
        ``log P`` of the levels, of each layer above.
    """

    first: FirstLayer
    upper: tuple[Array, ...]


class Memory(NamedTuple):
    """Last messages of the upper layers: to weights ``[3, K, K', B]`` and down ``[K, K', B]``."""

    to_weights: tuple[Array, ...]
    down: tuple[Array, ...]


class Incumbent(NamedTuple):
    """The best discrete network so far, its training errors and its smoothed log-likelihood."""

    errors: Array
    log_likelihood: Array
    weights: tuple[Array, ...]


class FirstLayerPreactivation(NamedTuple):
    """Annealed means of the first layer ``[N, K]``; mean and variance of its pre-activations ``[K, B]``."""

    mean: Array
    omega: Array
    variance: Array


class Carry(NamedTuple):
    """State between sweeps; ``published`` are the beliefs before annealing began.

    Parameters
    ----------
    beliefs : Beliefs
        The present beliefs.
    memory : Memory
        The last messages.
    incumbent : Incumbent
        The best discrete network so far.
    published : Beliefs
        The beliefs before annealing began.
    """

    beliefs: Beliefs
    memory: Memory
    incumbent: Incumbent
    published: Beliefs


class Data(NamedTuple):
    """A problem as the sweeps read it.

    Inputs and their squares ``[B, N]``, ``P(label = -1, +1)`` ``[2, 1, B]``, how often samples count ``[B]``,
    and which inputs were ever non-zero ``[N, 1]``.

    Parameters
    ----------
    inputs : Array [B, N]
        Inputs.
    squares : Array [B, N]
        Their squares.
    labels : Array [2, 1, B]
        ``P(label = -1, +1)``.
    weight : Array [B]
        How often each sample counts; 0 for padding.
    live : Array [N, 1]
        Which inputs were ever non-zero.
    half_step : Array [B, 1]
        What is added to sums of whole numbers, so that 0 is no tie (:mod:`mpnn.message_passing.ties`).
    """

    inputs: Array
    squares: Array
    labels: Array
    weight: Array
    live: Array
    half_step: Array | float


def prepare(batch: Batch) -> Data:
    """Arrays of a batch with labels -1 and +1.

    Parameters
    ----------
    batch : Batch
        Inputs, and labels -1 and +1.
    """
    weight = jnp.ones_like(batch.labels) if batch.sample_weight is None else batch.sample_weight
    present = (weight > 0).astype(jnp.promote_types(batch.inputs.dtype, weight.dtype))
    inputs = batch.inputs * present[:, None]
    labels = 0.5 * (1.0 + jnp.stack([-batch.labels, batch.labels]) * present)[:, None]
    live = jnp.any(inputs != 0.0, axis=0)[:, None].astype(inputs.dtype)
    half_step = half_step_of_data(TERNARY, inputs, None)
    return Data(inputs, jnp.square(inputs), labels, weight, live, half_step)


def init(key: Array, spec: NetworkSpec, numbers: Annealing, data: Data) -> tuple[Beliefs, Memory]:
    """Random fields; all messages are zero.

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    numbers : Annealing
        The numbers of the method.
    data : Data
        The problem.
    """
    first_key, *upper_keys = jax.random.split(key, spec.num_layers)
    noise = jax.random.normal(first_key, spec.widths[:2])
    field = numbers.initial_field * noise * data.live
    upper, to_weights, down = [], [], []
    for index, upper_key in enumerate(upper_keys, start=1):
        shape = spec.widths[index : index + 2]
        prior = numbers.symmetry_breaking * jax.random.normal(upper_key, shape)
        upper.append(jnp.stack([-prior, jnp.zeros(shape), prior]))
        to_weights.append(jnp.zeros((3, *shape, data.inputs.shape[0])))
        down.append(jnp.zeros((*shape, data.inputs.shape[0])))
    first = FirstLayer(field, *_moments(spec, field, data.live))
    return Beliefs(first, tuple(upper)), Memory(tuple(to_weights), tuple(down))


def _moments(spec: NetworkSpec, field: Array, live: Array) -> tuple[Array, Array]:
    mean, variance = spec.weighted[0].family.moments(field, jnp.zeros(()))
    return mean * live, variance * live


def _round_first(mean: Array, live: Array, threshold: Array | float) -> Array:
    """Signs of the magnetizations that stand out of their unit's ``[N, K]``, 0 for the others."""
    magnitude = jnp.abs(mean)
    average = jnp.sum(magnitude, axis=0) / jnp.maximum(jnp.sum(live), 1.0)
    return jnp.sign(mean) * (magnitude > threshold * average)


def _round_levels(log_levels: Array) -> Array:
    """Most probable level of ``[3, ...]``."""
    return jnp.argmax(log_levels, axis=0) - 1.0


def _towards_rounding(log_levels: Array, alpha: Array) -> Array:
    """Probabilities ``[3, ...]``, moved by ``alpha`` to the most probable level."""
    chosen = jax.nn.one_hot(jnp.argmax(log_levels, axis=0), 3, axis=0)
    return (1.0 - alpha) * jax.nn.softmax(log_levels, axis=0) + alpha * chosen


def _upward(
    field: Array, cavities: list[Array], above: tuple[Array, ...]
) -> tuple[list[Array], list[small_fan_in.Sums]]:
    """Signs ``[2, K, K', B]`` below each upper layer, less its own message, and its sums."""
    signs, sums = [], []
    for cavity, down in zip(cavities, above, strict=True):
        others = jnp.sum(down, axis=1, keepdims=True) - down
        signs.append(small_fan_in.sign_probabilities(field[:, None] + others))
        up, own = small_fan_in.forward(signs[-1], cavity)
        sums.append(own)
        field = small_fan_in.log_odds(up)
    return signs, sums


def _downward(
    labels: Array, signs: list[Array], cavities: list[Array], sums: list[small_fan_in.Sums]
) -> tuple[list[Array], list[Array]]:
    """Messages of each upper layer to its weights and down, from the labels."""
    to_weights: list[Array] = []
    down: list[Array] = []
    above = labels
    for own in reversed(list(zip(signs, cavities, sums, strict=True))):
        field, message = small_fan_in.backward(*own, above)
        above = small_fan_in.sign_probabilities(jnp.sum(field, axis=1))
        to_weights.insert(0, message)
        down.insert(0, field)
    return to_weights, down


def _damped(old: tuple[Array, ...], new: list[Array], damping: Array | float) -> tuple[Array, ...]:
    """Mixtures of old and new messages ``[..., B]``."""
    return tuple(damping * was + (1.0 - damping) * now for was, now in zip(old, new, strict=True))


def _score(data: Data, weights: list[Array], mean: Array, variance: Array) -> Incumbent:
    """Training errors and smoothed log-likelihood of discrete weights; ``mean`` is ``[K, B]``."""
    decided = jnp.where(mean >= 0, 1.0, -1.0)
    field = numerics.atanh_erf(mean / jnp.sqrt(variance))
    up = small_fan_in.sign_probabilities(field)
    for layer in weights[1:]:
        decided = jnp.where(jnp.matmul(layer.T, decided) >= 0, 1.0, -1.0)
        levels = jax.nn.one_hot(layer.astype(int) + 1, 3, axis=0)[..., None]
        up = small_fan_in.forward(up[:, :, None], levels)[0]
    wrong = jnp.where(decided[0] >= 0, data.labels[0, 0], data.labels[1, 0]) * data.weight
    right = jnp.sum(up[:, 0] * data.labels[:, 0], axis=0)
    likelihood = jnp.sum(jnp.log(right + LIKELIHOOD_FLOOR) * data.weight) / jnp.sum(data.weight)
    return Incumbent(jnp.sum(wrong), likelihood, tuple(weights))


def _update_first(
    spec: NetworkSpec,
    numbers: Annealing,
    data: Data,
    first: FirstLayer,
    preactivation: FirstLayerPreactivation,
    above: Array,
) -> FirstLayer:
    """The first layer under the fields ``above [K, B]`` of its units from above.

    ``H += step / B sum_b (x g + m x^2 Gamma)``: the BP-inspired message, its cavity to first order.
    """
    deviation = jnp.sqrt(preactivation.variance)
    gradient = numerics.sign_gradient(above, preactivation.omega / deviation) / deviation
    curvature = gradient * (preactivation.omega / preactivation.variance + gradient)
    message = jnp.matmul(gradient * data.weight, data.inputs).T
    message = message + preactivation.mean * jnp.matmul(curvature * data.weight, data.squares).T
    field = first.field + numbers.step / jnp.sum(data.weight) * message
    mean, variance = _moments(spec, field, data.live)
    keep = 1.0 - numbers.damping
    mean = numbers.damping * first.mean + keep * mean
    return FirstLayer(field, mean, numbers.damping * first.variance + keep * variance)


def _preactivate(
    numbers: Annealing, data: Data, first: FirstLayer, alpha: Array
) -> tuple[FirstLayerPreactivation, Array, tuple[Array, Array]]:
    """The annealed first layer's pre-activations; its rounding, and the pre-activations of that."""
    rounded = _round_first(first.mean, data.live, numbers.threshold)
    mean = (1.0 - alpha) * first.mean + alpha * rounded
    second = (1.0 - alpha) * (first.variance + jnp.square(first.mean)) + alpha * jnp.abs(rounded)
    spread = second - jnp.square(mean) + jnp.square(numbers.weight_noise) * second
    both = jnp.concatenate([mean, rounded], axis=1), jnp.concatenate([spread, jnp.abs(rounded)], axis=1)
    omega = (jnp.matmul(data.inputs, both[0]) + data.half_step).T
    variance = jnp.matmul(data.squares, both[1]).T + VARIANCE_FLOOR
    units = mean.shape[1]
    return (
        FirstLayerPreactivation(mean, omega[:units], variance[:units]),
        rounded,
        (omega[units:], variance[units:]),
    )


def sweep(
    spec: NetworkSpec, numbers: Annealing, data: Data, carry: Carry, done: Array
) -> tuple[Carry, Array]:
    """One sweep, the fraction ``done`` of the run behind it; returns the errors of the rounded network.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    numbers : Annealing
        The numbers of the method.
    data : Data
        The problem.
    carry : Carry
        What the sweep before handed on.
    done : Array []
        Fraction of the run that is done.
    """
    beliefs, memory, incumbent, published = carry
    alpha = jnp.clip((done - numbers.start) / (numbers.end - numbers.start), 0.0, 1.0)
    published = jax.tree.map(partial(jnp.where, alpha > 0), published, beliefs)
    preactivation, rounded, discrete = _preactivate(numbers, data, beliefs.first, alpha)
    field = numerics.atanh_erf(preactivation.omega / jnp.sqrt(preactivation.variance))
    cavities = [
        _towards_rounding(levels[..., None] - messages, alpha)
        for levels, messages in zip(beliefs.upper, memory.to_weights, strict=True)
    ]
    signs, sums = _upward(field, cavities, memory.down)
    to_weights, down = _downward(data.labels, signs, cavities, sums)
    scored = _score(data, [rounded, *map(_round_levels, beliefs.upper)], *discrete)
    incumbent = _better_of(incumbent, scored, done > numbers.start)
    memory = Memory(
        _damped(memory.to_weights, to_weights, numbers.damping),
        _damped(memory.down, down, numbers.damping),
    )
    first = _update_first(spec, numbers, data, beliefs.first, preactivation, jnp.sum(memory.down[0], axis=1))
    messages = zip(beliefs.upper, memory.to_weights, strict=True)
    upper = tuple(levels + jnp.sum(message * data.weight, axis=-1) for levels, message in messages)
    return Carry(Beliefs(first, upper), memory, incumbent, published), scored.errors


def _better_of(incumbent: Incumbent, scored: Incumbent, allowed: Array) -> Incumbent:
    likelier = (scored.errors == incumbent.errors) & (scored.log_likelihood > incumbent.log_likelihood)
    better = allowed & ((scored.errors < incumbent.errors) | likelier)
    return jax.tree.map(partial(jnp.where, better), scored, incumbent)
