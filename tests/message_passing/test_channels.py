"""Channels against automatic differentiation of their free energy and against numerical integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from mpnn.message_passing.channels import Argmax, BinaryLabel, Identity, ReLU, Sign
from tests.marks import mostly_slow

# Autodiff of free energies that contain log_ndtr; see the tolerance of the numerics.
TOLERANCE = 2e-7
HIDDEN = [Sign(), Identity(), ReLU()]


def random_messages(seed, num_points=200):
    """field, precision, omega, variance as a layer in training sees them, float64."""
    generator = np.random.default_rng(seed)
    field = generator.normal(0, 2, num_points)
    precision = generator.uniform(0, 2, num_points)
    omega = generator.normal(0, 2, num_points)
    variance = generator.uniform(0.3, 4, num_points)
    return field, precision, omega, variance


def slope(function, x):
    """Derivative of an elementwise function."""
    return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]


def assert_derivatives(free_energy, derivatives, omega, has_second):
    """``g``, ``Gamma`` and ``g''``, each against the slope of the one before."""

    @jax.jit
    def both(omega):
        actual = derivatives(omega)
        gradient = slope(free_energy, omega)
        curvature = -slope(lambda z: derivatives(z).gradient, omega)
        return actual, gradient, curvature, -slope(lambda z: derivatives(z).curvature, omega)

    actual, gradient, curvature, second = both(omega)
    np.testing.assert_allclose(actual.gradient, gradient, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(actual.curvature, curvature, rtol=TOLERANCE, atol=TOLERANCE)
    if has_second:
        np.testing.assert_allclose(actual.second, second, rtol=TOLERANCE, atol=TOLERANCE)


@mostly_slow("channel", HIDDEN, ids=str, fast=2)
def test_hidden_derivatives_match_autodiff(channel, x64):
    field, precision, omega, variance = random_messages(0)
    assert_derivatives(
        lambda z: channel.free_energy(field, precision, z, variance),
        lambda z: channel.derivatives(field, precision, z, variance),
        omega,
        has_second=not isinstance(channel, ReLU),  # which promises 0: no second-order expansion there
    )


def integrated_moments(channel, field, precision, omega, variance):
    """Mean and variance of the unit and log of the normalization, by the trapezoidal rule on 40001 points."""
    deviation = np.sqrt(variance)
    if isinstance(channel, Sign):
        density = np.exp([-field, field]) * special.ndtr(np.array([-omega, omega]) / deviation)
        values, weights = np.array([-1.0, 1.0]), density
    else:
        # integrate on both sides of the kink, each with its own grid
        grids = [np.linspace(-40 * deviation, 0, 40_001), np.linspace(0, 40 * deviation, 40_001)]
        pieces, masses = [], []
        for z in grids:
            x = np.maximum(z, 0) if isinstance(channel, ReLU) else z
            log_density = -((z - omega) ** 2) / (2 * variance) + field * x - precision * x**2 / 2
            step = np.full(z.shape, z[1] - z[0])
            step[[0, -1]] /= 2
            pieces.append(x)
            masses.append(np.exp(log_density) * step / np.sqrt(2 * np.pi * variance))
        values, weights = np.concatenate(pieces), np.concatenate(masses)
    total = weights.sum()
    mean = values @ weights / total
    return mean, np.square(values - mean) @ weights / total, np.log(total)


@pytest.mark.parametrize("channel", HIDDEN, ids=str)
def test_moments_and_free_energy_match_integration(channel, x64):
    messages = random_messages(1, num_points=30)
    field, precision, omega, spread = messages
    mean, variance = jax.jit(channel.activation)(omega, spread, field, precision)
    free_energy = jax.jit(channel.free_energy)(*messages)
    expected = np.array([integrated_moments(channel, *numbers) for numbers in zip(*messages, strict=True)])
    np.testing.assert_allclose(
        np.stack([mean, variance, free_energy], axis=1), expected, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("channel", HIDDEN, ids=str)
def test_nothing_from_above_is_a_zero_message(channel, x64):
    _, _, omega, variance = random_messages(2)
    zero = np.zeros_like(omega)
    silent = jax.jit(channel.activation)(omega, variance, None, None)
    told = jax.jit(channel.activation)(omega, variance, zero, zero)
    np.testing.assert_allclose(silent.mean, told.mean, rtol=1e-7)
    np.testing.assert_allclose(silent.variance, told.variance, rtol=1e-7)


@pytest.mark.parametrize("channel", HIDDEN, ids=str)
def test_activation_is_the_field_derivative_of_the_free_energy(channel, x64):
    field, precision, omega, variance = random_messages(3)

    @jax.jit
    def both(field):
        moments = channel.activation(omega, variance, field, precision)
        mean = slope(lambda b: channel.free_energy(b, precision, omega, variance), field)
        return moments, mean, slope(lambda b: channel.activation(omega, variance, b, precision).mean, field)

    moments, mean, spread = both(field)
    np.testing.assert_allclose(moments.mean, mean, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(moments.variance, spread, rtol=TOLERANCE, atol=TOLERANCE)


def test_binary_label_matches_autodiff(x64):
    """Over margins and confidences, an infinite one included."""
    _, _, omega, variance = random_messages(4)
    generator = np.random.default_rng(5)
    label = generator.choice([-1.0, 1.0], omega.shape)
    margin = generator.choice([0.0, 0.7], omega.shape)
    confidence = generator.choice([0.4, 3.0, np.inf], omega.shape)
    assert_derivatives(
        lambda z: BinaryLabel().free_energy(label, z, variance, margin, confidence),
        lambda z: BinaryLabel().derivatives(label, z, variance, margin, confidence),
        omega,
        has_second=True,
    )


def test_binary_label_free_energy_is_the_log_probability(x64):
    """With flips of odds exp(-2 confidence), up to their normalization."""
    omega, variance, margin, confidence = 0.3, 1.7, 0.5, 1.2
    for label in (-1.0, 1.0):
        right = special.ndtr((label * omega - margin) / np.sqrt(variance))
        expected = np.log(right + np.exp(-2 * confidence) * (1 - right))
        actual = jax.jit(BinaryLabel().free_energy)(label, omega, variance, margin, confidence)
        np.testing.assert_allclose(actual, expected, rtol=1e-7)


@pytest.mark.parametrize("confidence", [0.5, np.inf])
def test_no_label_says_nothing(confidence):
    for values in BinaryLabel().derivatives(
        jnp.zeros(2), jnp.asarray([0.3, -2.0]), jnp.ones(2), 0.7, confidence
    ):
        np.testing.assert_array_equal(values, 0.0)


@pytest.mark.parametrize("num_draws", [0, 3])
def test_argmax_matches_autodiff(num_draws, x64):
    generator = np.random.default_rng(6)
    omega, variance = generator.normal(0, 3, (20, 4)), generator.uniform(0.3, 4, (20, 4))
    label = generator.integers(0, 4, 20)
    channel = Argmax(num_draws)

    @jax.jit
    def both(omega):
        def gradient(z):
            return channel.derivatives(label, z, variance).gradient

        expected = jax.grad(lambda z: jnp.sum(channel.free_energy(label, z, variance)))(omega)
        # one class at a time: the diagonal of every sample's Hessian
        units = jnp.broadcast_to(jnp.eye(4)[:, None, :], (4, 20, 4))
        rows = jax.vmap(lambda unit: jax.jvp(gradient, (omega,), (unit,))[1])(units)
        return channel.derivatives(label, omega, variance), expected, -jnp.einsum("kbk->bk", rows)

    actual, expected, curvature = both(omega)
    np.testing.assert_allclose(actual.gradient, expected, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(actual.curvature, curvature, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(np.sum(actual.gradient, axis=1), 0.0, atol=1e-12)


def argmax_free_energy(num_draws, variance):
    free_energy = jax.jit(Argmax(num_draws).free_energy)
    return float(free_energy(np.array([0]), np.array([[0.5, -0.3, 0.1]]), np.array([variance]))[0])


def test_argmax_forms_agree_when_the_winner_is_certain(x64):
    certain_winner = (1e-12, 1.0, 2.0)
    np.testing.assert_allclose(
        argmax_free_energy(0, certain_winner), argmax_free_energy(5, certain_winner), 1e-5
    )


@pytest.mark.slow
def test_argmax_forms_are_ordered(x64):
    """The closed form moves an average inside a logarithm, so it lies above the quadrature."""
    noisy_winner = (3.0, 1.0, 2.0)
    assert argmax_free_energy(21, noisy_winner) < argmax_free_energy(0, noisy_winner)


@pytest.mark.slow
def test_argmax_quadrature_is_the_mean_over_the_winner(x64):
    winner = 0.5 + np.sqrt(3.0) * np.random.default_rng(7).normal(size=400_000)
    energies = special.log_ndtr(winner + 0.3) + special.log_ndtr((winner - 0.1) / np.sqrt(2.0))
    error = 4 * energies.std() / np.sqrt(energies.size)
    np.testing.assert_allclose(argmax_free_energy(21, (3.0, 1.0, 2.0)), energies.mean(), atol=error)


def float32_grid(*axes):
    return [values.ravel().astype(np.float32) for values in np.meshgrid(*axes)]


@pytest.mark.parametrize("channel", HIDDEN, ids=str)
def test_extreme_hidden_messages_stay_finite(channel):
    field, precision, omega, variance = float32_grid(
        [-1e4, -30, 0, 1e-6, 30, 1e4], [0, 1e-6, 1, 1e4], [-1e3, -1, 0, 1, 1e3], [1e-8, 1, 1e4]
    )
    derivatives = jax.jit(channel.derivatives)(field, precision, omega, variance)
    moments = jax.jit(channel.activation)(omega, variance, field, precision)
    for values in (*derivatives, *moments):
        assert np.all(np.isfinite(values))
    assert np.all(moments.variance >= 0)


@pytest.mark.parametrize("confidence", [0.0, 1.0, np.inf])
def test_extreme_labels_stay_finite(confidence):
    label, omega, variance, margin = float32_grid([-1, 1], [-1e3, -1, 0, 1, 1e3], [1e-8, 1, 1e4], [0, 10])
    derivatives = jax.jit(BinaryLabel().derivatives)(label, omega, variance, margin, confidence)
    for values in derivatives:
        assert np.all(np.isfinite(values))


@pytest.mark.parametrize("num_draws", [0, 5])
def test_extreme_argmax_stays_finite(num_draws):
    omega = np.array([[1e3, -1e3, 0], [0, 0, 0], [-1e3, 1e3, 1e3]], np.float32)
    for variance in (1e-8, 1e-2, 1e4):
        derivatives = jax.jit(Argmax(num_draws).derivatives)(np.array([1, 0, 0]), omega, variance + 0 * omega)
        for values in derivatives:
            assert np.all(np.isfinite(values))


@pytest.mark.parametrize("channel", HIDDEN, ids=str)
def test_float32_agrees_with_float64(channel, x64):
    """At pre-activations up to 30 standard deviations from 0, relative to the scale 1/sqrt(V)."""
    double = [
        values.astype(np.float64)
        for values in float32_grid([-9, -1, 0, 2, 9], [0, 0.5], [-3, -0.1, 0, 3], [1e-4, 0.01, 1])
    ]
    single = [values.astype(np.float32) for values in double]
    scale = 1 / np.sqrt(double[3])
    exact, rough = jax.jit(channel.derivatives)(*double), jax.jit(channel.derivatives)(*single)
    np.testing.assert_allclose(rough.gradient / scale, exact.gradient / scale, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(rough.curvature / scale**2, exact.curvature / scale**2, rtol=1e-4, atol=5e-5)


def test_deterministic_forward_pass():
    z = jnp.asarray([-2.0, -0.0, 0.0, 3.0])
    np.testing.assert_array_equal(Sign().decide(z), [-1.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(ReLU().decide(z), [0.0, 0.0, 0.0, 3.0])
    np.testing.assert_array_equal(Identity().decide(z), z)
