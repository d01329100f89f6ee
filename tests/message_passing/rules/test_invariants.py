"""What must not change a network's beliefs: flips, permutations, padding, weights that do not exist."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from tests.oracles.helpers import assert_states_close, compiled_batch, numbers_for, random_batch, start

NUMBERS = {"rho": 0.95, "damping": 0.4, "noise": 0.1}
# every rule over two sweeps, which use all that the rule remembers; second order has no memory
SPECS = {
    "mean_field": NetworkSpec.dense((8, 5, 1), rule="mean_field", density=0.7),
    "amp": NetworkSpec.dense((8, 5, 1), rule="amp", weights="ternary", density=0.7, sweeps_per_batch=2),
    "bp_inspired": NetworkSpec.dense((8, 5, 3), rule="bp_inspired", output="argmax", density=0.7),
    "second_order": NetworkSpec.dense((8, 5, 1), rule="bp_inspired_second_order", weights=2, density=0.7),
    "belief_propagation": NetworkSpec.dense(
        (8, 5, 1), rule="belief_propagation", density=0.7, sweeps_per_batch=2
    ),
    "relu": NetworkSpec.dense(
        (8, 5, 1), rule="amp", weights="gaussian", activation="relu", sweeps_per_batch=2
    ),
}
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
TOLERANCE = 5e-6


def run(spec, state, batch):
    return compiled_batch(spec, state, batch, numbers_for(spec, **NUMBERS))[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mean_field", "amp", "belief_propagation", "second_order"])
def test_flipping_inputs_and_labels_changes_nothing(name):
    """Signs of sums that are never 0, and margins, are odd: the weights hear the same."""
    spec = SPECS[name].with_layers(weights="binary", density=1.0)
    batch, state = random_batch(spec, 0, 7), start(spec, **NUMBERS)
    flipped = Batch(-batch.inputs, -batch.labels)
    assert_states_close(run(spec, state, flipped), run(spec, state, batch), TOLERANCE)


@each_spec
def test_the_order_of_samples_does_not_matter(spec):
    batch, state = random_batch(spec, 1, 7), start(spec, **NUMBERS)
    order = np.random.default_rng(0).permutation(7)
    permuted = Batch(batch.inputs[order], batch.labels[order])
    assert_states_close(run(spec, state, permuted), run(spec, state, batch), TOLERANCE)


def permute_hidden(state, order):
    """Exchange the hidden units of a network with one hidden layer."""

    def taken(layer, axis):
        return jax.tree.map(lambda leaf: jnp.take(leaf, order, axis=axis), layer)

    return State((taken(state.layers[0], 1), taken(state.layers[1], 0)))


@each_spec
def test_hidden_units_may_be_exchanged(spec):
    batch, state = random_batch(spec, 2, 7), start(spec, **NUMBERS)
    order = np.array([3, 0, 4, 2, 1])
    expected = permute_hidden(run(spec, state, batch), order)
    assert_states_close(run(spec, permute_hidden(state, order), batch), expected, TOLERANCE)


WEIGHTS = (2, 0, 1, 3, 1, 0, 2)
WEIGHTED = {
    **SPECS,
    "interpolated": NetworkSpec.dense((8, 5, 1), rule="bp_inspired_interpolated", weights="ternary"),
    "max_sum": NetworkSpec.dense((8, 5, 1), rule="max_sum", bias=True, sweeps_per_batch=2),
}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, id=name, marks=() if name == "mean_field" else pytest.mark.slow)
        for name, spec in WEIGHTED.items()
    ],
)
def test_a_weight_is_so_many_copies_of_the_sample(spec, x64):
    """And a sample of weight 0, with large inputs and any label, is absent."""
    state = start(spec, **NUMBERS)
    batch = random_batch(spec, 3, 7)
    batch = batch._replace(inputs=batch.inputs.at[1].set(5.0))
    repeated = jax.tree.map(lambda leaf: np.repeat(leaf, WEIGHTS, axis=0), batch)
    weighted = batch._replace(sample_weight=jnp.asarray(WEIGHTS))
    numbers = numbers_for(spec, **NUMBERS)
    found, expected = (compiled_batch(spec, state, each, numbers) for each in (weighted, repeated))
    assert_states_close(found[0], expected[0], 1e-11)
    np.testing.assert_allclose(found[1].error, expected[1].error, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.weighted[0].density < 1])
def test_masked_weights_stay_zero_and_out_of_the_variance(name):
    """Whatever the field of a weight that does not exist, nobody hears of it."""
    spec = SPECS[name]
    batch, state = random_batch(spec, 4, 7), start(spec, **NUMBERS)

    def disturbed(layer):
        noise = jnp.where(layer.mask == 0, 7.0, 0.0)
        return layer._replace(posterior=layer.posterior._replace(field=layer.posterior.field + noise))

    after = run(spec, state, batch)
    other = run(spec, State(tuple(disturbed(layer) for layer in state.layers)), batch)
    for layer, moved in zip(after.layers, other.layers, strict=True):
        absent = np.asarray(layer.mask) == 0
        assert layer is not after.layers[0] or 0 < absent.mean() < 1
        moments, others = damped_moments(layer), damped_moments(moved)
        for one in (*moments, *others):
            assert np.all(np.asarray(one)[absent] == 0)
        for one, other in zip(moments, others, strict=True):
            np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE)


def test_a_masked_input_may_take_any_value():
    """An input none of whose weights exist adds to no mean and to no variance."""
    spec = SPECS["amp"]
    batch, state = random_batch(spec, 5, 7), start(spec, **NUMBERS)
    first = state.layers[0]
    mask = first.mask.at[2].set(0.0)
    first = first._replace(mask=mask, mean=first.mean * mask, variance=first.variance * mask)
    state = State((first, *state.layers[1:]))
    louder = batch._replace(inputs=batch.inputs.at[:, 2].set(50.0))
    expected, actual = run(spec, state, batch), run(spec, state, louder)
    for layer, other in zip(expected.layers, actual.layers, strict=True):
        np.testing.assert_allclose(other.mean, layer.mean, rtol=TOLERANCE, atol=TOLERANCE)


def test_bias_is_one_more_input_of_value_one():
    """For the first layer; a hidden layer's constant unit is certain as well."""
    with_bias, without = (
        NetworkSpec.dense((4, 1), bias=True, rule="amp"),
        NetworkSpec.dense((5, 1), rule="amp"),
    )
    batch = random_batch(with_bias, 6, 7)
    extended = batch._replace(inputs=jnp.pad(batch.inputs, ((0, 0), (0, 1)), constant_values=1.0))
    state = start(with_bias, **NUMBERS)
    assert_states_close(run(with_bias, state, batch), run(without, state, extended), 1e-6)
