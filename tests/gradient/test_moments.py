"""Moments through layers, against enumeration and drawn networks; families against their definitions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.stats import norm

from mpnn.gradient import moments
from mpnn.gradient import prediction as deciding
from mpnn.gradient.bayesbinn import BayesianRule
from mpnn.gradient.families import Bernoulli, LatentBinary, LatentTernary, TernaryBelief
from mpnn.gradient.method import initial_leaves
from mpnn.gradient.moment_propagation import MomentPropagation
from mpnn.gradient.perceptron import Perceptron, PerceptronSpec
from mpnn.linear_maps.base import Moments
from tests.marks import mostly_slow

FAMILIES = [Bernoulli(1.0), TernaryBelief(1.0)]


@pytest.mark.slow
@mostly_slow("family", FAMILIES)
def test_samples_are_levels_with_the_moments(family):
    latent = family.init(jax.random.key(0), (3, 4))
    keys = jax.random.split(jax.random.key(1), 20_000)
    drawn = np.asarray(jax.vmap(lambda key: family.sample(key, latent))(keys))
    assert set(np.unique(drawn)) == set(family.levels)
    mean, variance = family.moments(latent)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(drawn.var(axis=0), variance, atol=0.03)
    counts = np.stack([np.mean(drawn == level, axis=0) for level in family.levels])
    clear = np.sort(counts, axis=0)[-1] - np.sort(counts, axis=0)[-2] > 0.03
    likeliest = np.asarray(family.levels)[counts.argmax(axis=0)]
    assert np.all((np.asarray(family.mode(latent)) == likeliest)[clear])


@pytest.mark.slow
@pytest.mark.parametrize("family", [*FAMILIES, LatentBinary(), LatentTernary()])
def test_modes_are_levels_and_follow_real_weights(family):
    real = jnp.asarray(np.random.default_rng(0).normal(size=(30, 20)), jnp.float32)
    mode = np.asarray(family.mode(family.from_real(real)))
    assert set(np.unique(mode)) == set(family.levels)
    assert np.all((np.sign(real) == mode)[mode != 0])


@pytest.mark.slow
def test_dense_moments_by_enumeration():
    """All networks of three random ternary weights on two random signs."""
    family, generator = TernaryBelief(1.0), np.random.default_rng(2)
    latent = family.init(jax.random.key(3), (3, 1))
    zero, plus = (np.asarray(leaf)[:, 0] for leaf in jax.nn.sigmoid(latent))
    chances = np.stack([(1 - zero) * (1 - plus), zero, (1 - zero) * plus], axis=1)
    unit = generator.uniform(-0.9, 0.9, 3)
    total = square = 0.0
    for levels, signs in itertools.product(
        itertools.product((0, 1, 2), repeat=3), itertools.product((-1, 1), repeat=3)
    ):
        chance = np.prod([chances[i, level] for i, level in enumerate(levels)])
        chance *= np.prod([(1 + sign * mean) / 2 for sign, mean in zip(signs, unit, strict=True)])
        value = 0.5 * np.dot(np.array(levels) - 1, signs)
        total, square = total + chance * value, square + chance * value**2
    mean, variance = jnp.asarray(unit[None]), jnp.asarray(1 - unit[None] ** 2)
    for unit_power in (False, True):
        found = moments.dense_moments(mean, variance, family.moments(latent), 0.5, unit_power=unit_power)
        np.testing.assert_allclose(found.mean, [[total]], rtol=1e-5)
        np.testing.assert_allclose(found.variance, [[square - total**2]], rtol=1e-4)


def test_sign_moments():
    state = Moments(jnp.asarray([0.3, -2.0]), jnp.asarray([0.5, 2.0]))
    found = moments.sign_moments(state)
    expected = 2 * norm.cdf(np.asarray(state.mean) / np.sqrt(np.asarray(state.variance))) - 1
    np.testing.assert_allclose(found.mean, expected, rtol=1e-5)
    np.testing.assert_allclose(found.variance, 1 - expected**2, rtol=1e-5)


@pytest.mark.slow
def test_drawn_signs_have_the_mean_and_a_gradient():
    state = Moments(jnp.full((50_000,), 0.4), jnp.ones(50_000))
    drawn = np.asarray(moments.sign_sample(jax.random.key(0), state, 0.5))
    np.testing.assert_allclose(np.abs(drawn), 1.0, atol=1e-6)
    assert drawn.mean() == pytest.approx(2 * norm.cdf(0.4) - 1, abs=0.02)
    slope = jax.grad(
        lambda mean: jnp.mean(moments.sign_sample(jax.random.key(0), state._replace(mean=mean), 0.5))
    )(state.mean)
    # the Concrete distribution's mean moves about as the sign's does
    assert float(slope.sum()) == pytest.approx(2 * norm.pdf(0.4), rel=0.35)


def test_norm_of_moments_counts_both_spreads():
    layer = moments.MomentNorm(2, momentum=0.0, use_bias=False, use_scale=False, rngs=nnx.Rngs(0))
    generator = np.random.default_rng(0)
    mean, variance = generator.normal(size=(64, 2)), generator.uniform(0.5, 2, size=(64, 2))
    found = layer.moments(Moments(jnp.asarray(mean), jnp.asarray(variance)), train=True)
    spread = variance.mean(axis=0) + mean.var(axis=0)
    np.testing.assert_allclose(found.mean, (mean - mean.mean(axis=0)) / np.sqrt(spread + 1e-4), rtol=1e-4)
    np.testing.assert_allclose(found.variance, variance / (spread + 1e-4), rtol=1e-4)
    np.testing.assert_allclose(layer.var[...], spread, rtol=1e-4)


@pytest.mark.slow
def test_norm_of_the_outputs_alone():
    spec = PerceptronSpec((4, 3, 2), activation="tanh", norm="batch", norm_hidden=False)
    network = Perceptron(spec, LatentBinary(), rngs=nnx.Rngs(0))
    inputs = np.random.default_rng(0).normal(size=(16, 4))
    first, second = (np.asarray(kernel[...], float) for kernel in network.kernels)
    outputs = np.tanh(inputs @ first / 2.0) @ second / np.sqrt(3)
    expected = (outputs - outputs.mean(axis=0)) / np.sqrt(outputs.var(axis=0) + 1e-4)
    np.testing.assert_allclose(network(jnp.asarray(inputs), train=True), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "width"), [pytest.param(FAMILIES[0], 101, marks=pytest.mark.slow), (FAMILIES[1], 51)]
)
def test_sampled_means_converge_to_analytic_ones(family, width):
    """Mean outputs of drawn networks: exact for the central limit theorem at these widths."""
    spec = PerceptronSpec((2 * width, width, width, 3), bias=True)
    method = MomentPropagation(network=spec, family=family)
    inputs = jnp.asarray(np.random.default_rng(1).normal(size=(20, 2 * width)), jnp.float32)

    @jax.jit
    def predicted(key):
        (latents, _), statistics = initial_leaves(method, key)
        model = deciding.Model(tuple(map(family.mode, latents)), latents, (), statistics, np.uint32(7))
        read = method.read(latents, key, jnp.zeros([], jnp.int32), None)
        return (
            deciding.sampled_outputs(method, 1000, model, inputs),
            deciding.apply(method, read, (), statistics, inputs)[0],
            *(deciding.decide(method, how, 1000, model, inputs)[1] for how in ("bayes", "sample")),
        )

    drawn, analytic, bayes, sampled = predicted(jax.random.key(0))
    few, many = (np.abs(drawn[:count].mean(axis=0) - analytic.mean).mean() for count in (10, 1000))
    assert many < 0.25 * few
    assert many < 0.05
    np.testing.assert_allclose(drawn.var(axis=0).mean(), np.mean(analytic.variance), rtol=0.1)
    np.testing.assert_allclose(bayes, sampled, atol=0.1)


@pytest.mark.slow
def test_point_modules_share_their_arrays_with_moment_modules():
    """The same leaves run through either module: weights of no variance give the discrete network."""
    method = MomentPropagation(network=PerceptronSpec((20, 11, 2)), family=Bernoulli(5.0))
    parameters, statistics = initial_leaves(method, jax.random.key(0))
    weights = tuple(method.family.mode(latent) for latent in parameters.latents)
    sure = tuple(jnp.stack([weight, jnp.zeros_like(weight)]) for weight in weights)
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(9, 20)), jnp.float32)
    point = deciding.apply(method, weights, (), statistics, inputs, point=True)[0]
    certain = deciding.apply(method, sure, (), statistics, inputs)[0]
    np.testing.assert_allclose(certain.mean, point, atol=1e-3)


@pytest.mark.slow
@mostly_slow("family", FAMILIES)
def test_the_variance_penalty_makes_beliefs_decide(family):
    method = MomentPropagation(network=PerceptronSpec((5, 3)), family=family, variance_penalty=0.5)
    latent = family.init(jax.random.key(0), (5, 3))
    assert float(method.penalty((latent, latent))) == pytest.approx(
        float(family.moments(latent).variance.sum())
    )
    moved = latent - 0.1 * jax.grad(lambda latent: method.penalty((latent,)))(latent)
    assert np.all(family.moments(moved).variance < family.moments(latent).variance)


def test_relaxed_training_reads_inside_the_levels():
    method = BayesianRule(network=PerceptronSpec((4, 2)), family=Bernoulli(1.0), temperature=0.5)
    parameters, _ = initial_leaves(method, jax.random.key(0))
    (read,) = method.read(parameters.latents, jax.random.key(1), jnp.zeros([], jnp.int32), None)
    assert np.all(np.abs(read) < 1)
    assert np.any(read != method.read(parameters.latents, jax.random.key(2), jnp.zeros([]), None)[0])
