"""Exact small fan-in messages against enumeration of every input and every weight."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.exact import messages as small_fan_in
from tests.marks import mostly_slow

LEVELS = (-1, 0, 1)


def enumerate_unit(signs, levels, above):
    """Messages of one unit by brute force: float64, signs [2, K], levels [3, K], above [2]."""
    fan_in = signs.shape[1]
    up, to_inputs, to_weights = np.zeros(2), np.zeros((2, fan_in)), np.zeros((3, fan_in))
    for inputs in itertools.product((0, 1), repeat=fan_in):
        for weights in itertools.product(range(3), repeat=fan_in):
            total = sum((2 * x - 1) * LEVELS[w] for x, w in zip(inputs, weights, strict=True))
            chosen_signs = signs[list(inputs), range(fan_in)]
            chosen_levels = levels[list(weights), range(fan_in)]
            output = int(total >= 0)
            up[output] += np.prod(chosen_signs) * np.prod(chosen_levels)
            for j in range(fan_in):
                others = np.prod(np.delete(chosen_signs, j)) * np.prod(np.delete(chosen_levels, j))
                to_inputs[inputs[j], j] += others * chosen_levels[j] * above[output]
                to_weights[weights[j], j] += others * chosen_signs[j] * above[output]
    return up, to_inputs, to_weights


def draw_unit(fan_in, sharpness, binary, seed):
    generator = np.random.default_rng(seed)
    fields = sharpness * generator.normal(size=fan_in)
    signs = 1.0 / (1.0 + np.exp(np.stack([2 * fields, -2 * fields])))
    levels = np.exp(sharpness * generator.normal(size=(3, fan_in)))
    if binary:
        levels[1] = 0.0
    return signs, levels / levels.sum(axis=0), generator.dirichlet([1.0, 1.0])


def messages(signs, levels, above, dtype):
    @jax.jit
    def both(signs, levels, above):
        up, sums = small_fan_in.forward(signs, levels)
        return (up, *small_fan_in.backward(signs, levels, sums, above))

    return both(*(jnp.asarray(leaf, dtype) for leaf in (signs, levels, above)))


@pytest.mark.parametrize("binary", [False, True])
@mostly_slow("fan_in", [1, 2, 3, 4, 5], fast=3)
def test_equals_enumeration_in_float64(x64, monkeypatch, fan_in, binary):
    monkeypatch.setattr(small_fan_in, "MESSAGE_FLOOR", 0.0)
    unit = draw_unit(fan_in, 1.0, binary, seed=fan_in)
    expected_up, inputs, weights = enumerate_unit(*unit)
    up, to_inputs, to_weights = messages(*unit, jnp.float64)
    np.testing.assert_allclose(up, expected_up, rtol=1e-12)
    np.testing.assert_allclose(to_inputs, 0.5 * np.log(inputs[1] / inputs[0]), atol=1e-12)
    np.testing.assert_allclose(to_weights, np.log(weights / weights[1]), atol=1e-12)


@pytest.mark.parametrize("fan_in", [1, 3, 5])
def test_equals_enumeration_in_float32(fan_in):
    unit = draw_unit(fan_in, 1.0, False, seed=10 + fan_in)
    expected_up, inputs, weights = enumerate_unit(*unit)
    up, to_inputs, to_weights = messages(*unit, jnp.float32)
    np.testing.assert_allclose(up, expected_up, rtol=1e-5)
    np.testing.assert_allclose(to_inputs, 0.5 * np.log(inputs[1] / inputs[0]), atol=1e-5)
    np.testing.assert_allclose(to_weights, np.log(weights / weights[1]), atol=1e-5)


def test_largest_fan_in_is_normalized_and_agrees_with_itself():
    """Each input's message, averaged over the input, is the probability of what is above: for every j."""
    signs, levels, above = draw_unit(small_fan_in.FAN_IN_LIMIT, 1.0, False, seed=0)
    up, to_inputs, _ = messages(signs, levels, above, jnp.float32)
    assert float(up.sum()) == pytest.approx(1.0, abs=1e-5)
    # P(x_j = 1) after the message, summed with the unit's own evidence, cannot leave (0, 1)
    assert np.isfinite(to_inputs).all()
    assert np.abs(to_inputs).max() <= 0.5 * np.log(1.0 / small_fan_in.MESSAGE_FLOOR)


def test_sign_of_zero_is_positive():
    """Weights that are all 0, and terms that cancel, leave the sum 0."""
    signs = jnp.asarray([[0.3, 0.6], [0.7, 0.4]])
    silent = jnp.asarray([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(small_fan_in.forward(signs, silent)[0], [0.0, 1.0])
    opposite = jnp.asarray([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    alike = jnp.asarray([[0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(small_fan_in.forward(alike, opposite)[0], [0.0, 1.0])


@pytest.mark.parametrize("fan_in", [1, 4, 16])
def test_certain_and_contradicting_beliefs_stay_finite(fan_in):
    signs = jnp.stack([jnp.zeros(fan_in), jnp.ones(fan_in)])
    levels = jnp.stack([jnp.zeros(fan_in), jnp.zeros(fan_in), jnp.ones(fan_in)])
    up, to_inputs, to_weights = messages(signs, levels, [1.0, 0.0], jnp.float32)
    assert all(np.isfinite(leaf).all() for leaf in (up, to_inputs, to_weights))
    assert float(small_fan_in.log_odds(up)) > 0


def test_silence_from_above_says_nothing():
    signs, levels, _ = draw_unit(4, 1.0, False, seed=3)
    _, to_inputs, to_weights = messages(signs, levels, [0.5, 0.5], jnp.float32)
    np.testing.assert_allclose(to_inputs, 0.0, atol=1e-6)
    np.testing.assert_allclose(to_weights, 0.0, atol=1e-6)


def test_weights_and_signs_broadcast_over_units_and_samples():
    units = [draw_unit(3, 1.0, False, seed=seed) for seed in range(4)]
    signs = jnp.stack([unit[0] for unit in units], axis=-1)[:, :, None]  # [2, K, 1, samples]
    levels = jnp.stack([unit[1] for unit in units[:2]], axis=-1)[..., None]  # [3, K, units, 1]
    above = jnp.stack([unit[2] for unit in units[:2]], axis=-1)[..., None]  # [2, units, 1]
    up, to_inputs, to_weights = messages(signs, levels, above, jnp.float32)
    assert (up.shape, to_inputs.shape, to_weights.shape) == ((2, 2, 4), (3, 2, 4), (3, 3, 2, 4))
    alone = messages(units[3][0], units[1][1], units[1][2], jnp.float32)
    np.testing.assert_allclose(to_weights[:, :, 1, 3], alone[2], atol=1e-5)


def test_fields_and_probabilities_are_inverse():
    field = jnp.asarray([-8.0, -0.5, 0.0, 3.0])
    back = small_fan_in.log_odds(small_fan_in.sign_probabilities(field))
    np.testing.assert_allclose(back, field, rtol=1e-5)
