"""Each transformation against a twin in NumPy float64, over several updates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mpnn.gradient.method import Parameters, partitioned
from mpnn.gradient.optimizers import (
    FISHER_FLOOR,
    PriorState,
    adaste_weights,
    bayesbinn,
    bimu,
    bop,
    fisher_information,
    keep_in_box,
    proxquant,
    relaxed_sample,
    scale_by_adaste,
    set_prior,
    sign_ema,
)

pytestmark = pytest.mark.usefixtures("x64")
STEPS, SHAPE = 6, (3, 4)


@pytest.fixture
def gradients():
    return np.random.default_rng(0).normal(size=(STEPS, *SHAPE))


@pytest.fixture
def start():
    return np.random.default_rng(1).normal(size=SHAPE)


def updated(transformation, start, gradients):
    """Parameters after each update, in one compiled step each."""
    params = {"kernel": jnp.asarray(start)}
    state = transformation.init(params)

    @jax.jit
    def step(params, state, gradient):
        updates, state = transformation.update({"kernel": gradient}, state, params)
        return optax.apply_updates(params, updates), state

    path = []
    for gradient in gradients:
        params, state = step(params, state, jnp.asarray(gradient))
        path.append(np.asarray(params["kernel"]))
    return np.array(path)


def test_bop(gradients, start):
    weights, average = np.sign(start), np.zeros(SHAPE)
    expected = []
    for gradient in gradients:
        average = 0.7 * average + 0.3 * gradient
        weights = np.where(
            (np.abs(average) > 0.2) & (np.sign(average) == np.sign(weights)), -weights, weights
        )
        expected.append(weights)
    actual = updated(bop(0.3, 0.2), np.sign(start), gradients)
    np.testing.assert_array_equal(actual, expected)
    assert np.any(actual[-1] != np.sign(start))
    assert set(np.unique(actual)) == {-1.0, 1.0}


def test_bop_takes_schedules(gradients, start):
    scheduled = bop(optax.schedules.constant_schedule(0.3), optax.schedules.constant_schedule(0.2))
    np.testing.assert_array_equal(
        updated(scheduled, np.sign(start), gradients), updated(bop(0.3, 0.2), np.sign(start), gradients)
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_bayesbinn(gradients, start, momentum):
    num_samples, rate, prior_weight = 3, 0.02, 0.5
    field, average, expected = start.copy(), np.zeros(SHAPE), []
    for count, gradient in enumerate(gradients, start=1):
        natural = num_samples * gradient / (1 - np.tanh(field) ** 2) + prior_weight * field
        average = momentum * average + (1 - momentum) * natural
        field = field - rate * average / (1 - momentum**count)
        expected.append(field)
    actual = updated(bayesbinn(rate, num_samples, momentum, prior_weight), start, gradients)
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_bayesbinn_bounds_the_data_and_not_the_prior():
    field, gradient = jnp.array([0.0, 3.0, 0.0]), jnp.array([1e6, -1e6, 0.5])
    transformation = bayesbinn(0.1, 4, largest_gradient=10.0)
    updates, _ = transformation.update(gradient, transformation.init(field), field)
    np.testing.assert_allclose(updates, [-1.0, 1.0 - 0.3, -0.2], rtol=1e-6)


def test_bayesbinn_is_the_published_relaxed_step(start):
    """Differentiating through the sample gives the factor ``N (1 - w²) / (temperature (1 - mean²))``."""
    key, temperature, num_samples, rate = jax.random.key(3), 0.5, 10, 0.1
    targets = jnp.asarray(np.random.default_rng(4).normal(size=SHAPE))
    field = jnp.asarray(start)

    def loss(weights):
        return jnp.sum(jnp.square(weights - targets))

    gradient = jax.grad(lambda own: loss(relaxed_sample(key, own, temperature)))(field)
    transformation = bayesbinn(rate, num_samples)
    updates, _ = transformation.update(gradient, transformation.init(field), field)
    weights = np.asarray(relaxed_sample(key, field, temperature))
    scale = num_samples * (1 - weights**2) / (temperature * (1 - np.tanh(start) ** 2))
    expected = -rate * (scale * np.asarray(jax.grad(loss)(jnp.asarray(weights))) + start)
    np.testing.assert_allclose(updates, expected, rtol=1e-9)


@pytest.mark.slow
def test_certain_weights_are_trained_straight_through_above_the_derivatives_floor():
    key, temperature, field = jax.random.key(0), 0.01, jnp.array([-20.0, 0.0, 15.0])

    def gradient(floor):
        return jax.grad(lambda own: jnp.sum(relaxed_sample(key, own, temperature, floor)))(field)

    plain, floored = gradient(0.0), gradient(FISHER_FLOOR)
    np.testing.assert_array_equal(plain[jnp.array([0, 2])], 0.0)
    ratio = floored / fisher_information(field)
    np.testing.assert_allclose(ratio[jnp.array([0, 2])], 1.0 / temperature, rtol=1e-5)
    np.testing.assert_array_equal(
        relaxed_sample(key, field, temperature, FISHER_FLOOR), relaxed_sample(key, field, temperature)
    )


def test_the_prior_of_the_next_task(start):
    transformation = bayesbinn(0.1, 5)
    field = jnp.asarray(start)
    state = set_prior(transformation.init(jnp.zeros_like(field)), field)
    assert sum(isinstance(one, PriorState) for one in state) == 1
    updates, _ = transformation.update(jnp.zeros_like(field), state, field)
    np.testing.assert_allclose(updates, 0.0, atol=1e-15)


def test_the_prior_beside_other_parameters(start):
    parameters = Parameters(latents=(jnp.asarray(start),), real=(jnp.ones(2),))
    transformation = partitioned(bayesbinn(0.1, 5), optax.adam(0.1))
    state = transformation.init(parameters)
    gradients = jax.tree.map(jnp.zeros_like, parameters)
    pulled, _ = transformation.update(gradients, state, parameters)
    np.testing.assert_allclose(pulled.latents[0], -0.1 * start, rtol=1e-12)
    kept, _ = transformation.update(gradients, set_prior(state, parameters.latents), parameters)
    np.testing.assert_allclose(kept.latents[0], 0.0, atol=1e-15)


def test_sign_ema(gradients, start):
    field, expected = start.copy(), []
    for gradient in gradients:
        field = 0.9 * field - 0.1 * gradient
        expected.append(field)
    np.testing.assert_allclose(updated(sign_ema(0.1), start, gradients), expected, rtol=1e-12)


def test_saturated_bayesbinn_flips_the_signs_that_sign_ema_flips():
    """At the released settings float32 leaves the sign of a decayed gradient sum: the rule in NumPy."""
    generator = np.random.default_rng(5)
    signs = generator.choice([-1.0, 1.0], size=200)
    released, plain = (10 * signs).astype(np.float32), jnp.zeros(200)
    transformation = sign_ema(1e-4)
    state = transformation.init(plain)
    tiny = np.float32(1e-10)
    for _ in range(20):
        gradient = generator.normal(size=200).astype(np.float32)
        weights, mean = np.sign(released), np.tanh(released, dtype=np.float32)
        assert np.all(np.abs(mean) == 1)
        factor = 54000 * (1 - weights**2 + tiny) / (tiny * (1 - mean**2 + tiny))
        released = np.float32((1 - 1e-4) * released - 1e-4 * factor * gradient)
        updates, state = transformation.update(jnp.asarray(gradient), state, plain)
        plain = optax.apply_updates(plain, updates)
        agreement = np.mean(np.sign(released) == np.sign(np.asarray(plain)))
        assert agreement == 1.0


@pytest.mark.parametrize("magnitude", [0.0, 1.0, 10.0, 50.0, 1e4, 1e30])
def test_bayesbinn_is_finite_in_float32_for_any_field(magnitude):
    field = jnp.asarray([-magnitude, magnitude], jnp.float32)
    transformation = bayesbinn(0.1, 60000, 0.9)

    @jax.jit
    def step(field):
        sampled = jax.grad(lambda own: jnp.sum(relaxed_sample(jax.random.key(0), own, 1.0)))(field)
        return transformation.update(sampled, transformation.init(field), field)[0]

    assert np.all(np.isfinite(step(field)))
    assert np.all(np.asarray(fisher_information(field)) > 0)


def test_fisher_information_does_not_cancel():
    field = np.linspace(-10, 10, 41)
    np.testing.assert_allclose(fisher_information(jnp.asarray(field)), 1 / np.cosh(field) ** 2, rtol=1e-6)
    single = fisher_information(jnp.asarray(9.0, jnp.float32))
    assert single == pytest.approx(1 / np.cosh(9.0) ** 2, rel=1e-5)


def test_bimu(gradients, start):
    rate, memory, weight, largest = 0.3, 50, 0.7, 4.0
    field, expected = start.copy(), []
    for gradient in gradients:
        information = weight / np.cosh(field) ** 2
        numerator = rate * gradient + information * field / memory
        curvature = information + 2 * gradient * np.tanh(field) + 2 * np.abs(gradient)
        field = field - numerator / (curvature + 1 / largest)
        expected.append(field)
    transformation = bimu(rate, memory=memory, prior_weight=weight, largest_step=largest)
    np.testing.assert_allclose(updated(transformation, start, gradients), expected, rtol=1e-9)
    np.testing.assert_array_equal(updated(transformation, start, np.zeros((1, *SHAPE)))[0], start)


def test_proxquant_minimizes_its_objective(start):
    """``argmin_p (p - w)² / 2 + strength * distance to the nearest level``, by brute force."""
    strength = 0.3
    zero = np.zeros((1, *SHAPE))
    actual = updated(proxquant(strength), start, zero)[0]
    grid = np.linspace(-4, 4, 80001)
    distance = np.minimum(np.abs(grid - 1), np.abs(grid + 1))
    for weight, moved in zip(start.ravel(), actual.ravel(), strict=True):
        best = grid[np.argmin(0.5 * (grid - weight) ** 2 + strength * distance)]
        assert moved == pytest.approx(best, abs=2e-4)


def test_adaste(gradients, start):
    sharpness, margin = 2.0, 0.01
    latent, expected = 1.5 * start, []
    for gradient in gradients:
        inside = (latent + sharpness * (1 + margin) * np.sign(latent)) / (1 + sharpness)
        multiplier = np.full(SHAPE, 1 / (1 + sharpness))
        saturated = np.abs(inside) >= 1
        multiplier[saturated] = np.minimum(1 / np.abs(latent), 0.5)[saturated]
        multiplier[saturated & (np.sign(-gradient) == np.sign(latent))] = 0.0
        latent = latent - 0.2 * multiplier * gradient
        expected.append(latent)
    transformation = optax.chain(scale_by_adaste(sharpness, margin), optax.sgd(0.2))
    np.testing.assert_allclose(updated(transformation, 1.5 * start, gradients), expected, rtol=1e-9)


def test_adaste_sharpens_to_the_sign(start):
    latent = jnp.asarray(start)
    np.testing.assert_allclose(adaste_weights(latent, 0.0), np.clip(start, -1, 1))
    np.testing.assert_allclose(adaste_weights(latent, 1e6), np.sign(start), atol=1e-4)
    np.testing.assert_array_equal(adaste_weights(latent, 100.0), np.sign(start))


def test_the_box_holds(gradients, start):
    path = updated(optax.chain(optax.sgd(3.0), keep_in_box()), np.clip(start, -1, 1), gradients)
    clipped = np.clip(start, -1, 1)
    for gradient, actual in zip(gradients, path, strict=True):
        clipped = np.clip(clipped - 3.0 * gradient, -1, 1)
        np.testing.assert_allclose(actual, clipped, atol=1e-12)


@pytest.mark.parametrize("transformation", [bop(), bimu(memory=1), proxquant(0.1), scale_by_adaste(1.0)])
def test_parameters_are_asked_for(transformation):
    params = jnp.ones(2)
    with pytest.raises(ValueError, match="needs the parameters"):
        transformation.update(params, transformation.init(params))
