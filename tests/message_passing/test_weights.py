"""Weight families against enumeration of their levels in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.fields import Natural, masked_moments
from mpnn.message_passing.weights import Binary, Gaussian, Integer, Ternary, weight_family
from tests.marks import mostly_slow

DISCRETE = [Binary(), Ternary(), Integer(2), Integer(5)]
# field, precision, sparsity: moderate, then large ones in every combination of signs
BELIEFS = np.array(
    [
        (h, g, s)
        for h in (-12.0, -2.0, -0.3, 0.0, 0.7, 5.0, 20.0)
        for g in (-1.5, 0.0, 2.5)
        for s in (-3.0, 0.0, 2.0)
    ]
)


def probabilities(family, field, precision, sparsity):
    """Of every level, ``[..., levels]``, in float64."""
    levels = np.array(family.levels, np.float64)
    sparsity = np.where(levels == 0, np.asarray(sparsity, np.float64)[..., None], 0.0)
    logits = field[..., None] * levels - precision[..., None] * levels**2 / 2 + sparsity
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True), levels


def enumerated_moments(family, field, precision, sparsity):
    """Mean, and variance as a sum over pairs of levels, which cannot cancel."""
    weights, levels = probabilities(family, field, precision, sparsity)
    squared_gaps = np.square(levels[:, None] - levels[None, :])
    variance = np.einsum("...i,...j,ij->...", weights, weights, squared_gaps) / 2
    return weights @ levels, variance


@pytest.mark.parametrize("family", DISCRETE, ids=str)
def test_moments_match_enumeration(family):
    field, precision, sparsity = BELIEFS.T
    mean, variance = jax.jit(family.moments)(*BELIEFS.astype(np.float32).T)
    expected_mean, expected_variance = enumerated_moments(family, field, precision, sparsity)
    np.testing.assert_allclose(mean, expected_mean, rtol=3e-6, atol=1e-6)
    np.testing.assert_allclose(variance, expected_variance, rtol=5e-6)


@pytest.mark.parametrize("family", DISCRETE, ids=str)
def test_variance_of_certain_weights_does_not_cancel(family):
    """Fields up to 40: 1 - mean^2 would be exactly 0 in float32 from 9 on."""
    field = np.array([-40.0, -25.0, -12.0, 12.0, 25.0, 40.0])
    flat = np.zeros_like(field)
    _, variance = jax.jit(family.moments)(jnp.float32(field), jnp.float32(flat), jnp.float32(flat))
    np.testing.assert_allclose(variance, enumerated_moments(family, field, flat, flat)[1], rtol=1e-5)
    assert np.all(variance > 0)


@pytest.mark.parametrize("family", [*DISCRETE, Gaussian()], ids=str)
def test_extreme_beliefs_stay_finite(family):
    field, precision, sparsity = (
        values.ravel().astype(np.float32)
        for values in np.meshgrid([-1e4, -100, 0, 100, 1e4], [-1e3, 0, 1e3], [-1e3, 0, 1e3])
    )
    mean, variance = jax.jit(family.moments)(field, precision, sparsity)
    assert np.all(np.isfinite(mean))
    assert np.all(np.isfinite(variance))
    assert np.all(variance >= 0)
    largest = max(family.levels) if family.levels else np.inf
    assert np.all(np.abs(mean) <= largest)


@pytest.mark.parametrize("family", DISCRETE, ids=str)
def test_mode_is_the_most_probable_level(family):
    field, precision, sparsity = BELIEFS[BELIEFS[:, 0] != 0].T  # at field 0 both signs tie
    weights, levels = probabilities(family, field, precision, sparsity)
    mode = jax.jit(family.mode)(*np.float32([field, precision, sparsity]))
    assert mode.dtype == jnp.int8
    chosen = np.take_along_axis(weights, np.searchsorted(levels, mode)[:, None], axis=1)[:, 0]
    # where 0 and a level tie in exact arithmetic either may be chosen
    np.testing.assert_allclose(chosen, weights.max(axis=1), rtol=1e-5)


@pytest.mark.slow
def test_ties_of_the_mode():
    zero = jnp.zeros(())
    assert Binary().mode(zero, zero) == 1
    assert Ternary().mode(zero, zero) == 0
    assert Ternary().mode(jnp.float32(1.0), jnp.float32(2.0)) == 0
    assert Integer(3).mode(zero, zero) == 0


@pytest.mark.slow
@pytest.mark.parametrize("family", DISCRETE, ids=str)
def test_samples_have_the_frequencies_of_the_belief(family):
    num_draws = 20_000
    beliefs = np.array([(0.4, 0.5, 0.3), (-1.0, 0.0, -1.0), (0.0, -0.2, 1.0)])
    weights, levels = probabilities(family, *beliefs.T)
    keys = jax.random.split(jax.random.key(0), num_draws)
    draws = jax.jit(jax.vmap(lambda key: family.sample(key, *jnp.float32(beliefs.T))))(keys)
    assert draws.dtype == jnp.int8
    frequency = np.mean(np.asarray(draws)[..., None] == levels, axis=0)
    deviation = np.sqrt(weights * (1 - weights) / num_draws)
    assert np.all(np.abs(frequency - weights) < 4.5 * deviation + 1e-9)


def test_gaussian_moments_mode_and_samples():
    field, precision = jnp.asarray([2.0, -3.0, 0.5]), jnp.asarray([4.0, 0.5, 10.0])
    mean, variance = Gaussian().moments(field, precision)
    np.testing.assert_allclose(mean, [0.5, -6.0, 0.05], rtol=1e-6)
    np.testing.assert_allclose(variance, [0.25, 2.0, 0.1], rtol=1e-6)
    np.testing.assert_array_equal(Gaussian().mode(field, precision), mean)
    keys = jax.random.split(jax.random.key(1), 20_000)
    draws = np.asarray(jax.vmap(lambda key: Gaussian().sample(key, field, precision))(keys))
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=4.5 * np.sqrt(2.0 / 20_000))
    np.testing.assert_allclose(draws.var(axis=0), variance, rtol=4.5 * np.sqrt(2.0 / 20_000))


@mostly_slow("family", [*DISCRETE, Gaussian()], ids=str, fast=2)
def test_masked_weights_have_no_moments(family):
    field = jnp.asarray([[3.0, -2.0], [0.5, 0.0]])
    mask = jnp.asarray([[1.0, 0.0], [0.0, 1.0]])
    natural = Natural(field, jnp.ones_like(field) if family.uses_precision else None)
    moments = jax.jit(masked_moments, static_argnums=0)
    masked = moments(family, natural, 0.5, mask)
    plain = moments(family, natural, 0.5, None)
    for with_mask, without in zip(masked, plain, strict=True):
        np.testing.assert_array_equal(with_mask[mask == 0], 0.0)
        np.testing.assert_array_equal(with_mask[mask == 1], without[mask == 1])


@pytest.mark.parametrize("largest", [0, -1, 128])
def test_integer_levels_must_fit_int8(largest):
    with pytest.raises(ValueError, match=f"largest level from 1 to 127, got {largest}"):
        Integer(largest)


@pytest.mark.slow
def test_largest_integer_family_fits_int8():
    mode = Integer(127).mode(jnp.asarray([-5.0, 5.0]), jnp.zeros(2))
    np.testing.assert_array_equal(mode, np.array([-127, 127], np.int8))


def test_weight_family_by_name():
    assert weight_family("binary") == Binary()
    assert weight_family("ternary") == Ternary()
    assert weight_family(1) == weight_family(np.int64(1)) == Ternary()
    assert weight_family(7) == Integer(7)
    assert weight_family("gaussian") == Gaussian()
    for wrong in ("quaternary", True, 0, 2.5):
        with pytest.raises(ValueError, match="largest level|weights must be"):
            weight_family(wrong)
