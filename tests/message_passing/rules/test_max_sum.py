"""Max-sum against enumeration: one unit, a tree, the zero-temperature limit; and what it learns."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from mpnn.message_passing import prediction
from mpnn.message_passing import sweep as sweeps
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch
from mpnn.message_passing.rules.max_sum import FORCED_FIELD, node_messages
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import train
from tests.marks import mostly_slow
from tests.oracles.helpers import compiled_batch, first_numbers, numbers_for, start

nodes = jax.jit(node_messages)
begin = jax.jit(sweeps.begin, static_argnums=(0, 2))


def configurations(count):
    return np.array(list(itertools.product([-1, 1], repeat=count)))


def log_sum(log_weights):
    return np.logaddexp.reduce(log_weights)


def enumerate_node(fields, magnitudes, output_field, margin, join=np.max):
    """Upgoing field and messages to the signs by enumeration; ``join`` is the maximum or a log sum."""
    signs = configurations(len(fields))
    total, own = signs @ magnitudes, signs @ fields
    against_plus, against_minus = max(-output_field, 0.0), max(output_field, 0.0)
    impossible = -np.inf
    up = join(own[total >= margin]) - join(own[total < -margin])
    plus = np.where(total >= margin, own - 2.0 * against_plus, impossible)
    minus = np.where(total < -margin, own - 2.0 * against_minus, impossible)
    best = np.where(total >= margin, plus, minus)
    sides = [join(np.append(best[column == side], impossible)) for column in signs.T for side in (1, -1)]
    return up / 2, (np.array(sides[::2]) - np.array(sides[1::2])) / 2 - fields


def messages(fields, magnitudes, output_field, margin=0.0):
    return nodes(*(jnp.asarray(value, jnp.float32) for value in (fields, magnitudes, output_field, margin)))


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
@mostly_slow("output_field", [np.inf, -np.inf, 0.7, -0.3, 0.0])
def test_equal_magnitudes_are_exact(count, output_field):
    rng = np.random.default_rng(count)
    for _ in range(20):
        fields = rng.normal(size=count)
        up, to_signs = enumerate_node(fields, np.ones(count), output_field, 0.0)
        for magnitudes in (np.ones(1), np.ones(count)):
            ours = messages(fields, magnitudes, output_field)
            np.testing.assert_allclose(ours.up, up, rtol=1e-4, atol=1e-5)
            expected = np.clip(to_signs, -FORCED_FIELD, FORCED_FIELD)
            np.testing.assert_allclose(ours.to_signs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("margin", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("label", [np.inf, -np.inf])
def test_margins_are_exact(label, margin):
    for count in (5, 8):
        fields = np.random.default_rng(count).normal(size=count)
        _, to_signs = enumerate_node(fields, np.ones(count), label, margin)
        ours = messages(fields, np.ones(1), label, margin)
        expected = np.clip(to_signs, -FORCED_FIELD, FORCED_FIELD)
        np.testing.assert_allclose(ours.to_signs, expected, rtol=1e-4, atol=1e-5)


def test_margin_beyond_reach_asks_for_all_signs():
    ours = messages(np.array([1.0, -2.0, 0.5]), np.ones(1), -np.inf, 10.0)
    np.testing.assert_array_equal(ours.to_signs, -FORCED_FIELD)


def test_zero_inputs_hear_nothing_and_count_for_nothing():
    fields = np.array([-0.3, 1.2, -0.7, 0.4])
    shorter = messages(fields[[0, 2, 3]], np.ones(3), np.inf)
    ours = messages(fields, np.array([1.0, 0.0, 1.0, 1.0]), np.inf)
    np.testing.assert_allclose(np.delete(ours.to_signs, 1), shorter.to_signs, atol=1e-6)
    np.testing.assert_allclose(ours.up, shorter.up, atol=1e-6)
    assert ours.to_signs[1] == 0.0


@pytest.mark.slow
def test_error_of_the_relaxation_for_real_magnitudes():
    """Bounded by the largest field, and falling with the number of inputs about as 1 / N."""
    rng = np.random.default_rng(0)
    mean_errors = []
    for count in (5, 13):
        errors = []
        for _ in range(40):
            fields, magnitudes = rng.normal(size=count), rng.uniform(0.05, 1.0, size=count)
            magnitudes = magnitudes / magnitudes.max()
            _, to_signs = enumerate_node(fields, magnitudes, np.inf, 0.0)
            reachable = np.isfinite(to_signs)
            error = np.abs(to_signs - messages(fields, magnitudes, np.inf).to_signs)[reachable]
            assert error.max() <= np.abs(fields).max() + 1e-4
            errors.append(error.mean())
        mean_errors.append(np.mean(errors))
    assert mean_errors[1] < 0.6 * mean_errors[0]
    assert mean_errors[1] < 0.12


def test_limit_of_belief_propagation_at_zero_temperature():
    """Exact sum-product messages at inverse temperature beta, over beta, become the max-sum messages."""
    fields = np.random.default_rng(4).normal(size=7)
    ours = messages(fields, np.ones(1), -0.4)
    gaps = []
    for beta in (4.0, 40.0, 400.0):
        up, to_signs = enumerate_node(beta * fields, np.ones(7), -0.4 * beta, 0.0, join=log_sum)
        gaps.append(max(abs(up / beta - ours.up), np.abs(to_signs / beta - ours.to_signs).max()))
    assert gaps[0] > 4.0 * gaps[1] > 16.0 * gaps[2]
    assert gaps[2] < 2e-3


def after_one_batch(spec, state, inputs, labels, **numbers):
    """The state after all sweeps over the samples."""
    batch = Batch(jnp.asarray(inputs), jnp.asarray(labels))
    return compiled_batch(spec, state, batch, numbers_for(spec, **numbers))[0]


def tree_max_marginals(first, second, inputs, label, bias):
    """Half the differences of the best energies with each weight up and down, two layers, one sample."""
    shape = first.shape
    lower = configurations(first.size).reshape(-1, *shape)
    upper = configurations(second.size)
    hidden = np.where(np.einsum("i,wik->wk", inputs, lower) >= 0, 1, -1)
    if bias:
        hidden = np.pad(hidden, ((0, 0), (0, 1)), constant_values=1)
    fits = np.where(hidden @ upper.T >= 0, 1, -1) == label
    energy = np.where(fits, np.sum(lower * first, axis=(1, 2))[:, None] + (upper @ second)[None], -np.inf)
    by_lower, by_upper = energy.max(axis=1), energy.max(axis=0)

    def halves(columns, best):
        return np.array([(best[column == 1].max() - best[column == -1].max()) / 2 for column in columns.T])

    return halves(lower.reshape(len(lower), -1), by_lower).reshape(shape), halves(upper, by_upper)


@pytest.mark.parametrize(
    ("bias", "damping", "sweeps"), [(False, 0.0, 4), pytest.param(True, 0.3, 30, marks=pytest.mark.slow)]
)
def test_max_marginals_of_a_tree(bias, damping, sweeps):
    """One sample makes the network a tree: the fields converge to the exact max-marginals, damped or not."""
    inputs = np.array([1.0, -1.0])
    spec = NetworkSpec.dense((2, 3, 1), bias=bias, sweeps_per_batch=sweeps, rule="max_sum")
    for seed, label in ((0, 1.0), (1, -1.0), (2, -1.0)):
        state = start(spec, seed)
        after = after_one_batch(spec, state, inputs[None], [label], damping=damping)
        fields = [np.asarray(layer.posterior.field) for layer in state.layers]
        seen = np.append(inputs, 1.0) if bias else inputs
        lower, upper = tree_max_marginals(fields[0], fields[1][:, 0], seen, label, bias)
        np.testing.assert_allclose(after.layers[0].posterior.field, lower, atol=1e-5)
        np.testing.assert_allclose(after.layers[1].posterior.field[:, 0], upper, atol=1e-5)
        for layer in after.layers:
            np.testing.assert_allclose(layer.mean, np.tanh(layer.posterior.field), atol=1e-6)


@pytest.mark.slow
def test_one_sweep_needs_no_memory_and_says_the_same():
    rng = np.random.default_rng(5)
    inputs, labels = rng.normal(size=(6, 7)), rng.choice([-1.0, 1.0], size=6)
    one_sweep = NetworkSpec.dense((7, 5, 1), rule="max_sum")
    two_sweeps = NetworkSpec.dense((7, 5, 1), rule="max_sum", sweeps_per_batch=2)
    state = start(one_sweep)
    first = first_numbers(one_sweep, damping=0.2)
    assert [memory.rule for memory in begin(one_sweep, state, 6, first).memories] == [None, None]
    progress = begin(two_sweeps, state, 6, first)
    assert progress.memories[0].rule.to_weight.shape == (5, 6, 7)
    assert progress.memories[0].rule.to_input is None
    without = after_one_batch(one_sweep, state, inputs, labels, damping=0.2)
    batch = Batch(jnp.asarray(inputs), jnp.asarray(labels))
    kept, _, _ = jax.jit(sweeps.sweep, static_argnums=0)(two_sweeps, state, batch, progress, first)
    for one, other in zip(jax.tree.leaves(without), jax.tree.leaves(kept), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
def test_padding_samples_are_silent():
    rng = np.random.default_rng(6)
    fields, magnitudes = rng.normal(size=9), rng.uniform(0.1, 1.0, size=9)
    np.testing.assert_array_equal(messages(fields, magnitudes, 0.0).to_signs, 0.0)
    spec = NetworkSpec.dense((7, 1), rule="max_sum", sweeps_per_batch=2)
    state = start(spec)
    batch = Batch(jnp.asarray(rng.normal(size=(4, 7))), jnp.zeros(4), jnp.zeros(4))
    after, _ = compiled_batch(spec, state, batch, numbers_for(spec, margin=0.5))
    for one, other in zip(state.layers, after.layers, strict=True):
        np.testing.assert_array_equal(one.posterior.field, other.posterior.field)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_learns_a_perceptron_from_a_teacher(seed):
    rng = np.random.default_rng(seed)
    inputs, teacher = rng.choice([-1.0, 1.0], size=(30, 101)), rng.choice([-1.0, 1.0], size=101)
    labels = np.where(inputs @ teacher >= 0, 1.0, -1.0)
    spec = NetworkSpec.dense((101, 1), sweeps_per_batch=30, rule="max_sum")
    after = after_one_batch(spec, start(spec, seed), inputs, labels, reinforcement=1.0)
    weights = np.asarray(after.layers[0].posterior.field)[:, 0]
    np.testing.assert_array_equal(np.where(inputs @ np.sign(weights) >= 0, 1.0, -1.0), labels)


@pytest.mark.slow
def test_learns_two_digits():
    images, digits = load_digits(return_X_y=True)
    chosen = np.isin(digits, (3, 5))
    images, labels = images[chosen], np.where(digits[chosen] == 3, 1.0, -1.0)
    images = (images - images[:100].mean(axis=0)) / images[:100].std()
    spec = NetworkSpec.dense((64, 1), sweeps_per_batch=5, rule="max_sum")
    schedules = Schedules(reinforcement=0.9)
    state, first = start(spec), first_numbers(spec)
    data = Batch(jnp.asarray(images[:100]), jnp.asarray(labels[:100]))
    state, history = train(jax.random.key(1), spec, state, data, schedules, num_epochs=10, batch_size=10)
    weights = prediction.decode(spec, state, first)
    outputs = prediction.discrete_outputs(spec, weights, jnp.asarray(images))
    wrong = np.asarray(prediction.winner(outputs)) != (labels > 0)
    assert wrong[:100].mean() <= 0.02
    assert wrong[100:].mean() <= 0.15
    assert float(history[-1].error.mean()) <= 0.1


@pytest.mark.parametrize(
    ("option", "value"),
    [("weights", "ternary"), ("activation", "relu"), ("density", 0.5), ("focusing", True)],
)
def test_refuses_what_it_cannot_do(option, value):
    with pytest.raises(ValueError, match=f"rule 'max_sum' needs {option}=.*, got {value!r}"):
        NetworkSpec.dense((4, 3, 1), rule="max_sum", **{option: value})


def test_refuses_several_outputs():
    with pytest.raises(ValueError, match="needs output='binary_label', got 'argmax'"):
        NetworkSpec.dense((4, 3), rule="max_sum", output="argmax")
