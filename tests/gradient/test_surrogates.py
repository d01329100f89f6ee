"""Forwards exactly discrete, backwards exactly the surrogate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.gradient.surrogates import SURROGATES, sign, ternary
from tests.marks import mostly_slow

POINTS = np.array([-3.0, -1.2, -1.0, -0.4, 0.0, 0.3, 0.99, 1.0, 2.0])


def derivative(surrogate, x, width):
    """Each definition, written out."""
    if surrogate == "clip":
        return np.where(np.abs(x) <= width, 1.0, 0.0)
    if surrogate == "approx_sign":
        return np.where(np.abs(x) < width, (2 - 2 * np.abs(x) / width) / width, 0.0)
    if surrogate == "identity":
        return np.ones_like(x)
    slope = 5.0 / width
    return slope * (2 - slope * x * np.tanh(slope * x / 2)) / (1 + np.cosh(slope * x))


@pytest.mark.parametrize("surrogate", SURROGATES)
@mostly_slow("width", [1.0, 1.3])
@pytest.mark.parametrize("unit", [sign, ternary])
def test_gradient_is_the_surrogate(unit, surrogate, width):
    x = jnp.asarray(POINTS, jnp.float32)
    upstream = jnp.arange(1.0, 1.0 + len(POINTS))
    gradient = jax.grad(lambda own: jnp.sum(upstream * unit(own, surrogate, width)))(x)
    np.testing.assert_allclose(
        gradient, upstream * derivative(surrogate, POINTS, width), rtol=2e-5, atol=1e-6
    )


def test_forward_and_forward_mode():
    x = jnp.asarray(POINTS, jnp.float32)
    np.testing.assert_array_equal(sign(x), np.where(POINTS >= 0, 1, -1))
    threshold = 0.7 * np.abs(POINTS).mean()
    np.testing.assert_array_equal(ternary(x), np.sign(POINTS) * (np.abs(POINTS) > threshold))
    primal, tangent = jax.jvp(sign, (x,), (jnp.ones_like(x),))
    np.testing.assert_array_equal(primal, sign(x))
    np.testing.assert_array_equal(tangent, np.abs(POINTS) <= 1)
