"""Priors, damping, reinforcement and focusing, against their definitions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from mpnn.linear_maps.base import Moments
from mpnn.message_passing import fields
from mpnn.message_passing.fields import LayerState, Natural, damped_moments, mix
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Schedules
from mpnn.message_passing.weights import Binary, Integer, Ternary
from tests.oracles.helpers import compiled_batch, numbers_for, random_batch, start

begin_batch = jax.jit(fields.begin_batch)
update = jax.jit(fields.update, static_argnames=("family", "damp_field"))
focusing_message = jax.jit(fields.focusing_message, static_argnames="family")
masked_moments = jax.jit(fields.masked_moments, static_argnames="family")


def layer_numbers(**numbers):
    """Scalars, as one layer sees them."""
    return jax.tree.map(lambda leaf: leaf[0, 0], Schedules(**numbers).at(jnp.arange(1), 1))


def layer_state(family, seed=0, focusing=False):
    generator = np.random.default_rng(seed)
    field = jnp.float32(generator.normal(size=(4, 3)))
    precision = jnp.float32(generator.uniform(0, 1, (4, 3))) if family.uses_precision else None
    natural = Natural(field, precision)
    mean, variance = masked_moments(family, natural, 0.0, None)
    focus = natural.scaled(0.3) if focusing else None
    return LayerState(natural, mean, variance, focus, None)


def message(family, seed=1):
    return layer_state(family, seed).posterior


def test_the_posterior_becomes_the_prior_to_the_power_rho():
    state = layer_state(Ternary())
    prior, data = begin_batch(state, jnp.float32(0.9))
    np.testing.assert_allclose(prior.field, 0.9 * state.posterior.field)
    np.testing.assert_allclose(prior.precision, 0.9 * state.posterior.precision)
    assert not np.any(data.field)
    assert not np.any(data.precision)


def test_undamped_update_adds_the_message_to_the_prior():
    state, told = layer_state(Ternary()), message(Ternary())
    hyper = layer_numbers(rho=0.5, sparsity=0.4)
    after, evidence = update(state, begin_batch(state, hyper.rho), told, Ternary(), hyper, damp_field=False)
    np.testing.assert_allclose(after.posterior.field, 0.5 * state.posterior.field + told.field, rtol=1e-6)
    np.testing.assert_allclose(evidence.data.field, told.field, rtol=1e-6)
    expected = Ternary().moments(*after.posterior, 0.4)
    np.testing.assert_allclose(after.mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(damped_moments(after).variance, expected.variance, rtol=1e-6)


def test_damping_averages_magnetizations_but_not_the_posterior():
    state, told = layer_state(Binary()), message(Binary())
    hyper = layer_numbers(damping=0.8)
    after, _ = update(state, begin_batch(state, hyper.rho), told, Binary(), hyper, damp_field=False)
    fresh = np.tanh(state.posterior.field + told.field)
    np.testing.assert_allclose(after.posterior.field, state.posterior.field + told.field, rtol=1e-6)
    np.testing.assert_allclose(after.mean, 0.8 * state.mean + 0.2 * fresh, rtol=1e-5)
    np.testing.assert_allclose(damped_moments(after).variance, 1 - np.square(after.mean), rtol=1e-5)


def test_damping_the_field():
    state, told = layer_state(Binary()), message(Binary())
    hyper = layer_numbers(damping=0.8, rho=0.9)
    after, _ = update(state, begin_batch(state, hyper.rho), told, Binary(), hyper, damp_field=True)
    expected = 0.8 * state.posterior.field + 0.2 * (0.9 * state.posterior.field + told.field)
    np.testing.assert_allclose(after.posterior.field, expected, rtol=1e-5)
    np.testing.assert_allclose(after.mean, np.tanh(expected), rtol=1e-5)


def test_mixture_moments():
    """Against the two-component mixture by its second moment."""
    old, new = Moments(jnp.float32(0.9), jnp.float32(0.3)), Moments(jnp.float32(-0.4), jnp.float32(0.7))
    mean, variance = mix(old, new, jnp.float32(0.25))
    second = 0.25 * (0.3 + 0.9**2) + 0.75 * (0.7 + 0.4**2)
    np.testing.assert_allclose(mean, 0.25 * 0.9 - 0.75 * 0.4, rtol=1e-6)
    np.testing.assert_allclose(variance, second - float(mean) ** 2, rtol=1e-6)


def test_binary_weights_keep_no_variance():
    """The damped mean decides it: that of the mixture where there is a weight, 0 where there is none."""
    state, told, hyper = layer_state(Binary()), message(Binary()), layer_numbers(damping=0.25)
    mask = jnp.ones_like(state.mean).at[0].set(0.0)
    state = state._replace(mean=state.mean * mask, variance=None, mask=mask)
    after, _ = update(state, begin_batch(state, hyper.rho), told, Binary(), hyper, damp_field=False)
    assert after.variance is None
    old, field = Binary().moments(state.posterior.field, None), after.posterior.field
    expected = mix(old, Binary().moments(field, None), jnp.float32(0.25))
    moments = damped_moments(after)
    np.testing.assert_allclose(moments.mean, expected.mean * mask, rtol=1e-5)
    np.testing.assert_allclose(moments.variance, expected.variance * mask, rtol=1e-5)
    assert float(jnp.min(expected.variance)) > 0.01


def test_reinforcement_repeats_the_batch_but_not_the_prior():
    """With a constant message the evidence tends to message / (1 - r); the prior is never touched."""
    state, told = layer_state(Binary()), message(Binary())
    hyper = layer_numbers(reinforcement=0.5)
    evidence, moved = begin_batch(state, hyper.rho), state
    for _ in range(30):
        moved, evidence = update(moved, evidence, told, Binary(), hyper, damp_field=False)
    np.testing.assert_allclose(evidence.prior.field, state.posterior.field, rtol=1e-6)
    np.testing.assert_allclose(evidence.data.field, 2 * told.field, rtol=1e-5)
    np.testing.assert_allclose(
        moved.posterior.field, state.posterior.field + 2 * told.field, rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_reinforcement_with_mini_batches_stays_bounded():
    """r = 0.9 and rho = 0.9 over 60 batches: reinforcing the prior too would multiply fields by 1.8 each."""
    spec = NetworkSpec.dense((20, 7, 1), rule="amp", sweeps_per_batch=3)
    numbers = {"reinforcement": 0.9, "rho": 0.9, "damping": 0.5}
    state, hyper = start(spec, **numbers), numbers_for(spec, **numbers)
    for seed in range(60):
        state, _ = compiled_batch(spec, state, random_batch(spec, seed % 4, 10), hyper)
    for layer in state.layers:
        assert float(jnp.abs(layer.posterior.field).max()) < 1e4
        assert np.all(np.isfinite(layer.mean))


def test_reinforcement_with_one_sweep_does_nothing():
    """There is no earlier evidence from the same batch to repeat."""
    spec = NetworkSpec.dense((20, 1), rule="amp")
    batch = random_batch(spec, 0, 10)
    plain, _ = compiled_batch(spec, start(spec), batch, numbers_for(spec))
    reinforced, _ = compiled_batch(spec, start(spec), batch, numbers_for(spec, reinforcement=0.9))
    np.testing.assert_array_equal(plain.layers[0].posterior.field, reinforced.layers[0].posterior.field)


@pytest.mark.parametrize("replicas", [1.0, 2.0, 3.0, 7.5])
def test_focusing_binary_weights_has_a_closed_form(replicas, x64):
    coupling, field = 0.8, np.linspace(-4, 4, 9)
    hyper = layer_numbers(replicas=replicas, coupling=coupling)
    actual = focusing_message(Binary(), Natural(jnp.asarray(field), None), hyper)
    to_centre = np.arctanh(np.tanh(field) * np.tanh(coupling))
    expected = np.arctanh(np.tanh((replicas - 1) * to_centre) * np.tanh(coupling))
    np.testing.assert_allclose(actual.field, expected, rtol=1e-9, atol=1e-12)
    assert actual.precision is None


def enumerated_focus(levels, log_belief, replicas, coupling):
    """Log message to one replica: sum over the centre and all other replicas."""
    totals = []
    for own in levels:
        terms = [
            coupling * own * centre
            + sum(log_belief[levels.index(other)] + coupling * other * centre for other in others)
            for centre in levels
            for others in itertools.product(levels, repeat=replicas - 1)
        ]
        totals.append(logsumexp(terms))
    return np.array(totals)


@pytest.mark.parametrize("replicas", [2, 3])
@pytest.mark.parametrize("family", [Binary(), Ternary()], ids=["binary", "ternary"])
def test_focusing_matches_enumeration_of_the_replicas(family, replicas, x64):
    coupling, field, precision, sparsity = 0.7, 0.6, 0.9, -0.4
    levels = family.levels
    log_belief = [field * w - precision * w**2 / 2 + sparsity * (w == 0) for w in levels]
    hyper = layer_numbers(replicas=float(replicas), coupling=coupling, sparsity=sparsity)
    cavity = Natural(jnp.asarray(field), jnp.asarray(precision) if family.uses_precision else None)
    sent = focusing_message(family, cavity, hyper)
    expected = enumerated_focus(levels, log_belief, replicas, coupling)
    actual = np.array(
        [sent.field * w - (0.0 if sent.precision is None else sent.precision) * w**2 / 2 for w in levels]
    )
    np.testing.assert_allclose(actual - actual[-1], expected - expected[-1], rtol=1e-9, atol=1e-12)


def test_focusing_reaches_the_posterior_but_not_the_next_prior():
    for family in (Binary(), Ternary()):
        state, told = layer_state(family, focusing=True), message(family)
        hyper = layer_numbers(replicas=4.0, coupling=0.9, rho=0.8, damping=0.6)
        prior, _ = begin_batch(state, hyper.rho)
        np.testing.assert_allclose(prior.field, 0.8 * 0.7 * state.posterior.field, rtol=1e-5)
        after, evidence = update(state, begin_batch(state, hyper.rho), told, family, hyper, damp_field=False)
        cavity = prior.field + told.field
        fresh = focusing_message(family, evidence.prior.plus(told), hyper).field
        expected_focus = 0.4 * fresh + 0.6 * state.focus.field
        np.testing.assert_allclose(after.focus.field, expected_focus, rtol=1e-5)
        np.testing.assert_allclose(after.posterior.field, cavity + expected_focus, rtol=1e-5, atol=1e-6)
        next_prior, _ = begin_batch(after, hyper.rho)
        np.testing.assert_allclose(next_prior.field, 0.8 * cavity, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_focusing_is_off_with_one_replica_or_no_coupling():
    cavity = layer_state(Ternary()).posterior
    for numbers in ({"replicas": 1.0, "coupling": 2.0}, {"replicas": 5.0, "coupling": 0.0}):
        sent = focusing_message(Ternary(), cavity, layer_numbers(**numbers))
        np.testing.assert_allclose(sent.field, 0.0, atol=1e-6)
    with_focus = NetworkSpec.dense((9, 5, 1), rule="amp", focusing=True)
    without = NetworkSpec.dense((9, 5, 1), rule="amp")
    batch = random_batch(without, 0, 6)
    one, _ = compiled_batch(with_focus, start(with_focus), batch, numbers_for(with_focus, coupling=1.0))
    other, _ = compiled_batch(without, start(without), batch, numbers_for(without))
    np.testing.assert_allclose(one.layers[0].mean, other.layers[0].mean, atol=1e-5)


def test_focusing_needs_few_levels():
    with pytest.raises(ValueError, match="focusing needs binary or ternary weights"):
        focusing_message(Integer(3), layer_state(Integer(3)).posterior, layer_numbers())
