"""Marginals of tiny networks against enumeration of all their weights, with the error of each rule stated.

A rule's marginals are not exact even on a tree: pre-activations are taken as Gaussian (which costs less
the more inputs there are), the factor is expanded in one weight's contribution, and every rule uses the full
variance of the pre-activation where the cavity's would be right. The bounds below are the measured errors,
rounded up; the distance from prior to posterior says how much there was to learn.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_ndtr

from mpnn.message_passing.channels import Identity
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.network import Batch
from mpnn.message_passing.rules import RULES
from mpnn.message_passing.rules.base import Inputs, Layer, RequiredMessages
from mpnn.message_passing.spec import NetworkSpec
from tests.oracles.exact_posterior import (
    enumerate_weights,
    exact_means,
    log_likelihood_of_labels,
    log_prior,
    perceptron_outputs,
    two_layer_outputs,
)
from tests.oracles.helpers import compiled_batch, numbers_for, start

LEVELS = {"binary": (-1, 1), "ternary": (-1, 0, 1)}


def learned_means(spec, fields, inputs, labels, **numbers):
    """Magnetizations after one batch, starting from the given prior fields, of all layers in a row."""
    state = start(spec, **numbers)
    layers = []
    for layer, field in zip(state.layers, fields, strict=True):
        prior = Natural(jnp.float32(field), jax.tree.map(jnp.zeros_like, layer.posterior.precision))
        moments = spec.weighted[0].family.moments(
            prior.field, jnp.zeros(field.shape), numbers.get("sparsity", 0.0)
        )
        layers.append(layer._replace(posterior=prior, mean=moments.mean, variance=moments.variance))
    batch = Batch(jnp.float32(inputs), jnp.float32(labels))
    after, _ = compiled_batch(spec, state._replace(layers=tuple(layers)), batch, numbers_for(spec, **numbers))
    return np.concatenate([np.asarray(layer.mean).ravel() for layer in after.layers])


def perceptron_problem(seed, num_inputs, num_samples):
    """Inputs, prior fields and labels; several samples get the labels of a random teacher."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(num_samples, num_inputs))
    fields = 0.5 * generator.normal(size=(num_inputs, 1))
    if num_samples == 1:
        return inputs, fields, np.array([1.0])
    return inputs, fields, np.sign(inputs @ generator.choice([-1.0, 1.0], num_inputs))


def exact_perceptron(weights, inputs, fields, labels, noise, sparsity=0.0):
    """Means of the weights under prior and posterior."""
    assignments = enumerate_weights(LEVELS[weights], fields.size)
    prior = log_prior(assignments, fields, sparsity)
    outputs = perceptron_outputs(assignments, inputs)
    posterior = prior + log_likelihood_of_labels(outputs, labels, noise)
    return exact_means(assignments, prior), exact_means(assignments, posterior)


def central_limit_means(inputs, fields):
    """Binary weights, one sample with label 1, exact messages but for a Gaussian cavity: Phi ratios."""
    x, field = inputs[0], fields[:, 0]
    mean = np.tanh(field)
    own_variance = (1 - mean**2) * x**2
    cavity, deviation = mean @ x - mean * x, np.sqrt(own_variance.sum() - own_variance)
    message = (log_ndtr((cavity + x) / deviation) - log_ndtr((cavity - x) / deviation)) / 2
    return np.tanh(field + message)


@pytest.mark.parametrize("rule", ["mean_field", "amp", "bp_inspired"])
def test_one_sample_is_a_tree(rule):
    """13 binary weights, one sample, mean over 6 problems of the largest error of a marginal: 0.11.

    The label moves the largest marginal by 0.55; the central limit alone would leave 0.044. The rest is
    the full variance in place of the cavity's.
    """
    errors, limits, shifts = [], [], []
    for seed in range(6):
        inputs, fields, labels = perceptron_problem(seed, 13, 1)
        before, exact = exact_perceptron("binary", inputs, fields, labels, noise=0.0)
        learned = learned_means(NetworkSpec.dense((13, 1), rule=rule), [fields], inputs, labels)
        errors.append(np.abs(learned - exact).max())
        limits.append(np.abs(central_limit_means(inputs, fields) - exact).max())
        shifts.append(np.abs(before - exact).max())
    assert np.mean(errors) < 0.11
    assert np.mean(limits) < 0.044
    assert np.mean(shifts) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "sizes"),
    [("binary", (5, 9, 13)), pytest.param("ternary", (4, 6, 9), marks=pytest.mark.slow)],
)
def test_error_on_a_tree_falls_with_the_number_of_inputs(weights, sizes):
    errors = []
    for size in sizes:
        spec = NetworkSpec.dense((size, 1), rule="bp_inspired", weights=weights)
        worst = []
        for seed in range(6):
            inputs, fields, labels = perceptron_problem(seed, size, 1)
            _, exact = exact_perceptron(weights, inputs, fields, labels, noise=0.0, sparsity=0.3)
            learned = learned_means(spec, [fields], inputs, labels, sparsity=0.3)
            worst.append(np.abs(learned - exact).max())
        errors.append(np.mean(worst))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.6 * errors[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "size", "bounds"),
    [
        ("binary", 11, {"amp": 0.035, "belief_propagation": 0.08, "bp_inspired": 0.17, "mean_field": 0.22}),
        pytest.param(
            "ternary",
            8,
            {"amp": 0.015, "belief_propagation": 0.07, "bp_inspired": 0.12, "mean_field": 0.15},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_several_samples_make_loops(weights, size, bounds):
    """Five samples of a teacher, noise 1, 40 damped sweeps: mean error of a marginal over 4 problems.

    The labels move the mean marginal by 0.36 to 0.58 (binary).
    """
    errors = {rule: [] for rule in bounds}
    for seed in range(4):
        inputs, fields, labels = perceptron_problem(seed, size, 5)
        before, exact = exact_perceptron(weights, inputs, fields, labels, noise=1.0, sparsity=0.3)
        assert np.abs(before - exact).mean() > 0.25
        for rule in bounds:
            spec = NetworkSpec.dense((size, 1), rule=rule, weights=weights, sweeps_per_batch=40)
            numbers = {"noise": 1.0, "sparsity": 0.3, "damping": 0.5}
            learned = learned_means(spec, [fields], inputs, labels, **numbers)
            errors[rule].append(np.abs(learned - exact).mean())
    for rule, bound in bounds.items():
        assert np.mean(errors[rule]) < bound, rule


@pytest.mark.slow
def test_two_layers():
    """4 inputs, 3 sign units, one output, 4 samples with random labels: 15 binary weights.

    Mean error of a marginal over 4 problems: 0.056 for BP and for AMP, 0.082 for the rules that keep no
    cavity between sweeps. The labels move the mean marginal by 0.12.
    """
    bounds = {"belief_propagation": 0.057, "amp": 0.057, "bp_inspired": 0.085, "mean_field": 0.085}
    shifts = []
    errors, assignments = {rule: [] for rule in bounds}, enumerate_weights((-1, 1), 15)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        inputs = generator.normal(size=(4, 4))
        fields = [0.5 * generator.normal(size=(4, 3)), np.abs(generator.normal(size=(3, 1)))]
        labels = generator.choice([-1.0, 1.0], 4)
        outputs = two_layer_outputs(assignments, inputs, num_hidden=3)
        prior = log_prior(assignments, np.concatenate([field.ravel() for field in fields]))
        exact = exact_means(assignments, prior + log_likelihood_of_labels(outputs, labels, noise=1.0))
        shifts.append(np.abs(exact - exact_means(assignments, prior)).mean())
        for rule in bounds:
            spec = NetworkSpec.dense((4, 3, 1), rule=rule, sweeps_per_batch=60)
            learned = learned_means(spec, fields, inputs, labels, noise=[0.0, 1.0], damping=0.7)
            errors[rule].append(np.abs(learned - exact).mean())
    for rule, bound in bounds.items():
        assert np.mean(errors[rule]) < bound, rule
    np.testing.assert_allclose(np.mean(shifts), 0.12, atol=0.01)


@pytest.mark.slow
def test_gaussian_weights_and_linear_output():
    """One noisy linear observation: everything is Gaussian, so only the full variance is inexact.

    Its effect on the posterior mean, relative to the shift, is 1 / inputs.
    """
    observed, accuracy, prior_precision = 3.0, 2.0, 4.0

    def derive(omega, spread):
        return Identity().derivatives(accuracy * observed, accuracy, omega, spread)

    relative = []
    for num_inputs in (10, 40, 160):
        generator = np.random.default_rng(num_inputs)
        x, mean = generator.choice([-1.0, 1.0], (1, num_inputs)), generator.normal(size=(num_inputs, 1))
        variance = np.full_like(mean, 1 / prior_precision)
        layer = Layer(*(jnp.float32(v) for v in (mean, variance, prior_precision * mean)), None, None, 0.0)
        inputs = Inputs(jnp.float32(x), None, jnp.float32(x**2))
        forward = RULES["bp_inspired"].forward(layer, inputs, None)
        told, _ = RULES["bp_inspired"].backward(
            layer,
            inputs,
            forward,
            derive,
            None,
            RequiredMessages(precision=True, down=False, down_precision=False),
        )
        learned = (prior_precision * mean + told.field) / (prior_precision + told.precision)
        gain = x.T / prior_precision / (x @ x.T / prior_precision + 1 / accuracy)
        exact = mean + gain * (observed - x @ mean)
        relative.append(float(np.abs(learned - exact).max() / np.abs(exact - mean).max()))
    assert relative[0] < 0.1
    np.testing.assert_allclose(np.array(relative[:-1]) / relative[1:], 4.0, rtol=0.35)
