"""Probabilities of classes from Gaussian outputs."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from mpnn.prediction import argmax_probabilities


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
