"""Pools against enumeration of the signs in a window."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.fields import Natural
from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Place
from mpnn.message_passing.network import Batch
from mpnn.message_passing.rules.base import Inputs
from mpnn.message_passing.spec import NetworkSpec
from tests.marks import mostly_slow
from tests.oracles.helpers import compiled_batch, numbers_for, start

PLACE = Place(in_shape=(2, 2, 1), known_inputs=False, averaged_signs=1)
SIGNS = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))


def signs(fields):
    mean = jnp.tanh(fields).reshape(1, 2, 2, 1)
    return Inputs(mean, 1.0 - mean**2, None, None, jnp.asarray(fields).reshape(1, 2, 2, 1))


def messages(pool, fields, above, precision=None):
    """Mean of the output under the field from above, and fields of the messages down, flat."""
    shaped = jnp.full((1, 1, 1, 1), above)
    message = Natural(shaped, None if precision is None else jnp.full((1, 1, 1, 1), precision))
    place = PLACE
    alone, cache = pool.forward(place, None, signs(fields), None, ())
    _, _, down = pool.backward(place, None, cache, message, None, (), None)
    return float(alone.mean.squeeze()), float(alone.variance.squeeze()), np.asarray(down.field).ravel()


def enumerated(fields, output, log_message):
    """Moments of ``output(x)`` without the message, and messages of the factor to each sign."""
    weights = np.exp(SIGNS @ fields)
    values = output(SIGNS)
    mean = np.average(values, weights=weights)
    variance = np.average((values - mean) ** 2, weights=weights)
    total = np.exp(SIGNS @ fields + log_message(values))
    odds = [np.log(total[SIGNS[:, i] > 0].sum() / total[SIGNS[:, i] < 0].sum()) / 2 for i in range(4)]
    return mean, variance, np.array(odds) - fields


@pytest.mark.parametrize("above", [-3.0, 0.0, 0.7, 40.0])
@mostly_slow("scale", [0.3, 3.0])
def test_the_largest_sign_is_exact(above, scale, x64):
    fields = scale * np.random.default_rng(0).normal(size=4)
    mean, variance, down = messages(MaxPool2D(2), fields, above)
    expected = enumerated(fields, lambda x: x.max(axis=1), lambda value: above * value)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-9)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(down, expected[2], rtol=1e-8, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("field", [-60.0, 60.0])
def test_certain_signs_stay_finite(field):
    mean, _, down = messages(MaxPool2D(2), np.full(4, field, np.float32), 5.0)
    assert mean == np.sign(field)
    assert np.all(np.isfinite(down))


def test_the_mean_is_exact_for_a_field(x64):
    fields = np.random.default_rng(1).normal(size=4)
    mean, variance, down = messages(MeanPool2D(2), fields, 0.7, precision=0.0)
    expected = enumerated(fields, lambda x: x.mean(axis=1), lambda value: 0.7 * value)
    np.testing.assert_allclose([mean, variance], expected[:2], rtol=1e-9)
    np.testing.assert_allclose(down, expected[2], rtol=1e-9)


def test_the_mean_is_close_for_a_precision(x64):
    fields = 0.3 * np.random.default_rng(2).normal(size=4)
    _, _, down = messages(MeanPool2D(2), fields, 1.0, precision=0.8)
    expected = enumerated(fields, lambda x: x.mean(axis=1), lambda value: value - 0.4 * value**2)
    np.testing.assert_allclose(down, expected[2], atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("pool", [MaxPool2D(2), MeanPool2D(2)])
def test_what_is_left_over_gets_no_message(pool):
    place = Place(in_shape=(5, 4, 2), known_inputs=False, averaged_signs=1)
    fields = jnp.zeros((3, 5, 4, 2))
    below = Inputs(jnp.tanh(fields), jnp.ones_like(fields), None, None, fields)
    outputs, cache = pool.forward(place, None, below, None, ())
    assert outputs.mean.shape == (3, *pool.out_shape(place.in_shape)) == (3, 2, 2, 2)
    above = Natural(jnp.ones((3, 2, 2, 2)), jnp.zeros((3, 2, 2, 2)))
    down = pool.backward(place, None, cache, above, None, (), None)[2].field
    assert np.all(np.asarray(down[:, :4]) != 0)
    assert np.all(np.asarray(down[:, 4:]) == 0)


@mostly_slow("sweeps", [1, 3])
@mostly_slow("pool", [MaxPool2D(2), MeanPool2D(2)])
def test_networks_with_pools_learn_a_batch(pool, sweeps):
    layers = (Conv2D(4, 3), pool, Flatten(), Dense(1))
    spec = NetworkSpec((6, 6, 1), layers, sweeps_per_batch=sweeps)
    generator = np.random.default_rng(0)
    labels = generator.choice([-1.0, 1.0], 20)
    inputs = generator.normal(size=(20, 6, 6, 1)) + labels[:, None, None, None]
    batch, state, hyper = Batch(jnp.float32(inputs), jnp.float32(labels)), start(spec), numbers_for(spec)
    for _ in range(5):
        state, info = compiled_batch(spec, state, batch, hyper)
    assert float(info.error[-1]) <= 0.1


def test_pools_need_signs_below():
    with pytest.raises(ValueError, match="takes the largest of sign units"):
        NetworkSpec((4, 4, 1), (MaxPool2D(2), Flatten(), Dense(1)))
    with pytest.raises(ValueError, match="does not fit into 2 x 2 inputs"):
        NetworkSpec((4, 4, 1), (Conv2D(2, 3), MaxPool2D(3), Flatten(), Dense(1)))
