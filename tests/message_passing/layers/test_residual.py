"""A residual link against a dense layer that has its inputs twice, the second time with weights of 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.fields import Natural
from mpnn.message_passing.layers import Conv2D, Dense, Flatten, Place, Residual
from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import decode
from mpnn.message_passing.rules import find_rule
from mpnn.message_passing.rules.base import Inputs, Preactivation, RequiredMessages
from mpnn.message_passing.spec import NetworkSpec
from tests.oracles.helpers import compiled_batch, discrete_outputs, first_numbers, numbers_for, start

NUM_UNITS, NUM_SAMPLES = 6, 5


@pytest.mark.slow
def test_messages_are_those_of_a_weight_of_one(x64):
    """Exact cavities: the rule itself, on inputs [x, x] and weights [W, 1]."""
    layer = Dense(NUM_UNITS, rule="bp_inspired", weights="ternary").complete()
    place = Place(in_shape=(NUM_UNITS,), known_inputs=False, averaged_signs=1)
    residual = Residual((layer,))
    generator = np.random.default_rng(0)
    numbers = NetworkSpec.dense((NUM_UNITS, 1)).numbers(first_numbers(NetworkSpec.dense((NUM_UNITS, 1))))
    state = residual.init([jax.random.key(0)], place, numbers, 1.0)
    mean = jnp.asarray(np.tanh(generator.normal(size=(NUM_SAMPLES, NUM_UNITS))))
    below = Inputs(mean, 1.0 - mean**2, None)
    above = Natural(jnp.asarray(generator.normal(size=(NUM_SAMPLES, NUM_UNITS))), None)
    memory = residual.begin(place, state, NUM_SAMPLES, mean.dtype, numbers)

    @jax.jit
    def up_and_down(state, below, above, memory):
        _, cache = residual.forward(place, state, below, memory, numbers)
        moved, _, down = residual.backward(place, state, cache, above, memory, numbers, None)
        return cache.last.preactivation, moved, down

    found, moved, down = up_and_down(state, below, above, memory)

    view = layer._view(state[0], numbers[0])
    doubled = view._replace(
        mean=jnp.concatenate([view.mean, jnp.eye(NUM_UNITS)]),
        variance=jnp.concatenate([view.variance, jnp.zeros((NUM_UNITS, NUM_UNITS))]),
    )
    twice = Inputs(jnp.tile(below.mean, 2), jnp.tile(below.variance, 2), jnp.ones((NUM_SAMPLES, 12)))
    rule = find_rule("bp_inspired", one_sweep=True)
    required = RequiredMessages(precision=False, down=True, down_precision=False)

    @jax.jit
    def by_the_rule():
        mean, variance = rule.forward(doubled, twice, None)
        odd = doubled.variance + doubled.mean**2
        half_step = 0.5 * (1.0 + jnp.prod(1.0 - 2.0 * odd, axis=0))  # the link is one more sign in the sum
        preactivation = Preactivation(mean + half_step, variance)
        derive = rule.messages.from_above(layer.channel, above)
        messages, _ = rule.backward(doubled, twice, preactivation, derive, None, required)
        return preactivation, messages

    preactivation, expected = by_the_rule()
    np.testing.assert_allclose(found.mean, preactivation.mean, rtol=1e-12)
    np.testing.assert_allclose(found.variance, preactivation.variance, rtol=1e-12)
    message = moved[0].posterior.field - state[0].posterior.field
    np.testing.assert_allclose(message, expected.field[:NUM_UNITS], rtol=1e-9, atol=1e-12)
    both = expected.down_field[:, :NUM_UNITS] + expected.down_field[:, NUM_UNITS:]
    np.testing.assert_allclose(down.field, both, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_the_discrete_network_adds_its_inputs():
    spec = NetworkSpec(
        (3, 3, 2), (Conv2D(2, 1), Residual((Conv2D(2, 3, padding="same"),)), Flatten(), Dense(1))
    )
    state = start(spec)
    weights = [np.asarray(own, np.float32) for own in decode(spec, state, first_numbers(spec))]
    inputs = np.random.default_rng(0).normal(size=(4, 3, 3, 2)).astype(np.float32)
    hidden = np.where(inputs @ weights[0] >= 0, 1.0, -1.0)
    padded = np.pad(hidden, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.stack(
        [padded[:, y : y + 3, x : x + 3].reshape(4, -1) for y in range(3) for x in range(3)], axis=1
    )
    summed = (patches @ weights[1]).reshape(hidden.shape) + hidden
    outputs = np.where(summed >= 0, 1.0, -1.0).reshape(4, -1) @ weights[2]
    np.testing.assert_allclose(discrete_outputs(spec, weights, inputs), outputs)


@pytest.mark.slow
@pytest.mark.parametrize("sweeps", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_deep_residual_network_learns_a_batch(sweeps):
    branch = Residual((Dense(8), Dense(8)))
    spec = NetworkSpec((8,), (Dense(8), branch, branch, Dense(1)), sweeps_per_batch=sweeps)
    generator = np.random.default_rng(1)
    labels = generator.choice([-1.0, 1.0], 20)
    inputs = generator.normal(size=(20, 8)) + labels[:, None]
    batch, state = Batch(jnp.float32(inputs), jnp.float32(labels)), start(spec)
    assert len(state.weighted) == spec.num_layers == 6
    for _ in range(5):
        state, info = compiled_batch(spec, state, batch, numbers_for(spec))
    assert float(info.error[-1]) <= 0.1


def test_a_branch_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match=r"must keep the shape \(8,\) of its inputs, got \(7,\)"):
        NetworkSpec((4,), (Dense(8), Residual((Dense(7),)), Dense(1)))
    with pytest.raises(ValueError, match="ends with a layer with weights"):
        Residual((Flatten(),))
