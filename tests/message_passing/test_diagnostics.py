"""Diagnostics against enumeration, against plain loops, and against what they must be at their ends."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from mpnn.message_passing import diagnostics
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.layers import Conv2D, Dense, Flatten
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.prediction import decode, discrete_outputs
from mpnn.message_passing.spec import NetworkSpec
from tests.oracles.exact_posterior import (
    enumerate_weights,
    log_likelihood_of_labels,
    log_prior,
    perceptron_outputs,
    two_layer_outputs,
)
from tests.oracles.helpers import compiled_batch, numbers_for, start


def log_evidence(outputs, assignments, fields, labels):
    """``log P(labels | inputs)`` under independent priors, by enumeration; noise 1 on the outputs."""
    prior = log_prior(assignments, np.concatenate([field.ravel() for field in fields]))
    return logsumexp(prior + log_likelihood_of_labels(outputs, labels, noise=1.0)) - logsumexp(prior)


def found_by_bethe(widths, fields, inputs, labels, **numbers):
    """The Bethe free energy under the posterior that AMP finds from prior ``fields``."""
    spec = NetworkSpec.dense(widths, rule="amp", sweeps_per_batch=40)
    prior = start(spec, **numbers)
    layers = [
        layer._replace(
            posterior=Natural(jnp.float32(field), None),
            mean=jnp.tanh(jnp.float32(field)),
            variance=1.0 - jnp.tanh(jnp.float32(field)) ** 2,
        )
        for layer, field in zip(prior.layers, fields, strict=True)
    ]
    prior, batch = prior._replace(layers=tuple(layers)), Batch(jnp.float32(inputs), jnp.float32(labels))
    hyper = numbers_for(spec, **numbers)
    posterior, _ = compiled_batch(spec, prior, batch, hyper)
    energy = jax.jit(partial(diagnostics.bethe_free_energy, spec))
    return float(energy(posterior, prior, batch, jax.tree.map(lambda leaf: leaf[0], hyper)))


@pytest.mark.slow
def test_bethe_free_energy_of_a_perceptron():
    """11 binary weights, 5 samples: 0.08 nats from the truth in the mean over 4 problems, of 3.8 nats."""
    errors, assignments = [], enumerate_weights((-1, 1), 11)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        inputs, fields = generator.normal(size=(5, 11)), [0.5 * generator.normal(size=(11, 1))]
        labels = generator.choice([-1.0, 1.0], 5)
        exact = -log_evidence(perceptron_outputs(assignments, inputs), assignments, fields, labels)
        errors.append(found_by_bethe((11, 1), fields, inputs, labels, noise=1.0, damping=0.5) - exact)
    assert np.abs(errors).mean() < 0.085
    assert np.abs(errors).max() < 0.2


@pytest.mark.slow
def test_bethe_free_energy_of_two_layers():
    """15 binary weights, 4 samples: within 0.13 nats in three problems of four, far from the truth in one."""
    errors, assignments = [], enumerate_weights((-1, 1), 15)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        inputs, labels = generator.normal(size=(4, 4)), generator.choice([-1.0, 1.0], 4)
        fields = [0.5 * generator.normal(size=(4, 3)), np.abs(generator.normal(size=(3, 1)))]
        outputs = two_layer_outputs(assignments, inputs, num_hidden=3)
        exact = -log_evidence(outputs, assignments, fields, labels)
        found = found_by_bethe((4, 3, 1), fields, inputs, labels, noise=[0.0, 1.0], damping=0.7)
        errors.append(found - exact)
    assert np.sort(np.abs(errors))[2] < 0.135
    assert np.max(np.abs(errors)) < 1.0


@pytest.mark.slow
def test_polarization_and_overlaps_in_plain_loops():
    state = start(NetworkSpec.dense((6, 3, 1)), seed=1)
    first, second = (np.asarray(layer.mean) for layer in state.layers)
    np.testing.assert_allclose(
        diagnostics.polarization(state), [np.mean(first**2), np.mean(second**2)], rtol=1e-6
    )
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    expected = np.mean([first[:, a] @ first[:, b] / 6 for a, b in pairs])
    found = diagnostics.overlaps(state)
    assert found[0] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(found[1])  # a single unit has no other


def test_local_energy_of_no_flips_and_of_all():
    """All signs flipped, one layer says the opposite: the error is what was right."""
    generator = np.random.default_rng(0)
    weights = jnp.asarray(generator.choice([-1, 1], (9, 1)), jnp.int8)
    inputs = generator.normal(size=(40, 9))
    labels = np.sign(inputs @ np.asarray(weights))[:, 0]
    labels[:10] *= -1.0
    batch = Batch(jnp.float32(inputs), jnp.float32(labels))
    added, spread = diagnostics.local_energy(
        jax.random.key(0), NetworkSpec.dense((9, 1)), [weights], batch, [0.0, 0.5, 1.0], num_draws=3
    )
    np.testing.assert_allclose(added[[0, 2]], [0.0, 0.75 - 0.25], atol=1e-6)
    np.testing.assert_allclose(spread[[0, 2]], 0.0, atol=1e-6)
    assert 0.0 < added[1] < 0.5
    assert spread[1] > 0.0


@pytest.mark.slow
def test_networks_of_convolutions():
    """Weights of one position are what is counted; with all of them flipped every output is the same."""
    spec = NetworkSpec((4, 4, 1), (Conv2D(3, 2), Flatten(), Dense(2)), output="argmax")
    hyper = Schedules().at_sweep(0, 2)
    state = init(jax.random.key(0), spec, hyper, 2.0)
    means = [np.asarray(layer.mean, float) for layer in state.weighted]
    np.testing.assert_allclose(diagnostics.polarization(state), [np.mean(own**2) for own in means], rtol=1e-5)
    assert [own.shape for own in means] == [(4, 3), (27, 2)]
    assert np.all(np.isfinite(diagnostics.overlaps(state)))
    inputs = jax.random.normal(jax.random.key(1), (30, 4, 4, 1))
    weights = decode(spec, state, hyper)
    classes = jnp.argmax(discrete_outputs(spec, weights, inputs), axis=1)
    mean, _ = diagnostics.local_energy(
        jax.random.key(2), spec, weights, Batch(inputs, classes), [0.0, 1.0], num_draws=1
    )
    # hidden signs and output weights are all the other ones, but for sums of exactly 0
    assert mean[0] == 0.0
    assert mean[1] < 0.2
    with pytest.raises(ValueError, match="dense layers only"):
        diagnostics.bethe_free_energy(spec, state, state, Batch(inputs, classes), hyper)
