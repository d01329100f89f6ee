"""Probabilities of classes from Gaussian outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.prediction import argmax_probabilities
from mpnn.message_passing.spec import NetworkSpec
from tests.marks import mostly_slow
from tests.oracles.helpers import discrete_outputs, discrete_units, moment_units


def by_quadrature(mean, variance):
    """Each class by adaptive integration over its own output."""
    deviation = np.sqrt(variance)

    def density(t, winner):
        others = np.delete(np.arange(len(mean)), winner)
        scaled = (t - mean) / deviation  # by special functions: scipy.stats takes 20 times as long
        height = np.exp(-0.5 * scaled[winner] ** 2) / (np.sqrt(2 * np.pi) * deviation[winner])
        return height * special.ndtr(scaled[others]).prod()

    reach = [mean.min() - 12 * deviation.max(), mean.max() + 12 * deviation.max()]
    return [integrate.quad(density, *reach, args=(k,), limit=500)[0] for k in range(len(mean))]


@pytest.mark.slow
@pytest.mark.parametrize("largest", [1.0, 16.0])
def test_probability_of_the_largest_output(largest):
    generator = np.random.default_rng(0)
    means = generator.normal(0, 2, (6, 10))
    variances = generator.uniform(1.0, largest, (6, 10)) if largest > 1 else np.ones((6, 10))
    found = argmax_probabilities(jnp.float32(means), jnp.float32(variances))
    expected = [by_quadrature(*pair) for pair in zip(means, variances, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_two_outputs_are_one_difference():
    mean, variance = np.array([[0.3, -0.5], [40.0, 0.0]]), np.array([[1.5, 0.2], [1.0, 3.0]])
    found = argmax_probabilities(jnp.float32(mean), jnp.float32(variance))
    first = stats.norm.cdf((mean[:, 0] - mean[:, 1]) / np.sqrt(variance.sum(axis=1)))
    np.testing.assert_allclose(found, np.stack([first, 1 - first], axis=1), atol=1e-6)


@mostly_slow("bias", [False, True])
def test_units_of_certain_weights_are_their_signs(bias):
    spec = NetworkSpec.dense((6, 5, 4, 3), output="argmax", bias=bias)
    keys = jax.random.split(jax.random.key(0), 4)
    inputs = jax.random.normal(keys[0], (20, 6))
    shapes = [
        (fan_in + bias, fan_out) for fan_in, fan_out in zip(spec.widths[:-1], spec.widths[1:], strict=True)
    ]
    weights = [jax.random.rademacher(key, shape) for key, shape in zip(keys[1:], shapes, strict=True)]
    beliefs = [Moments(layer.astype(float), jnp.zeros(layer.shape)) for layer in weights]
    means = [layer.mean for layer in moment_units(spec, beliefs, inputs, jnp.zeros(3))]
    signs = discrete_units(spec, weights, inputs)
    assert [layer.shape for layer in signs] == [(20, 5), (20, 4)]
    for mean, sign in zip(means, signs, strict=True):
        np.testing.assert_array_equal(sign, np.sign(sign))
        # an even number of signs may add to 0, which decides for +1 and is believed to be either
        np.testing.assert_allclose(np.where(mean == 0.0, 1.0, mean), sign, atol=1e-3)
    last = np.pad(signs[-1], ((0, 0), (0, bias)), constant_values=1.0)
    np.testing.assert_allclose(discrete_outputs(spec, weights, inputs), last @ weights[-1], atol=1e-5)
