"""Errors on Fashion-MNIST after one epoch, against an independent NumPy implementation.

Binary weights, sign units, batches of 128, inputs standardized by their global mean and deviation,
initial fields N(0, 1), damping 0.8. Test errors in percent, of the discrete network and of the Bayesian pass.
A single run moves by about 1 from one epoch to the next, hence several seeds and the bounds below.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import decode, discrete_outputs, moment_outputs
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Schedules, train
from tests.oracles.helpers import first_numbers, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pixels(fashion_mnist):
    """Training and test pixels, flat and standardized, and their labels."""
    train_pixels = fashion_mnist.x_train.reshape(-1, 784).astype(np.float32) / 255
    test_pixels = fashion_mnist.x_test.reshape(-1, 784).astype(np.float32) / 255
    mean, deviation = train_pixels.mean(), train_pixels.std() + 1e-5
    standardized = [jnp.asarray((values - mean) / deviation) for values in (train_pixels, test_pixels)]
    return *standardized, jnp.asarray(fashion_mnist.y_train), fashion_mnist.y_test


def after_one_epoch(spec, seed, pixels, rho):
    """Test error of the discrete network and of the Bayesian pass, percent; polarization of each layer."""
    numbers = {"rho": rho, "damping": 0.8}
    train_inputs, test_inputs, train_labels, test_labels = pixels
    state, history = train(
        jax.random.key(100 + seed),
        spec,
        start(spec, seed, **numbers),
        Batch(train_inputs, train_labels),
        Schedules(**numbers),
        num_epochs=1,
        batch_size=128,
    )
    hyper = first_numbers(spec, **numbers)
    discrete = discrete_outputs(spec, decode(spec, state, hyper), test_inputs)
    beliefs = [damped_moments(layer) for layer in state.layers]
    mean, variance = moment_outputs(spec, beliefs, test_inputs, hyper.noise)
    errors = [
        100 * np.mean(np.asarray(scores).argmax(axis=1) != test_labels)
        for scores in (discrete, mean / jnp.sqrt(variance))
    ]
    return *errors, np.asarray(history[0].polarization[-1, -1])


def summary(spec, seeds, pixels, **numbers):
    """Means over seeds, printed with every seed's errors."""
    runs = [after_one_epoch(spec, seed, pixels, **numbers) for seed in seeds]
    discrete, bayesian, polarization = (np.array(values) for values in zip(*runs, strict=True))
    print(discrete.round(2), bayesian.round(2), polarization.mean(axis=0).round(4))  # noqa: T201
    return discrete.mean(), bayesian.mean(), polarization.mean(axis=0)


@pytest.mark.parametrize("rule", ["amp", "bp_inspired_second_order"])
def test_fashion_mnist_101_101(rule, pixels):
    """Over 12 seeds the NumPy implementation of AMP gives 17.90 +- 0.74 and Bayesian 17.02 +- 0.89 (standard
    deviation of one run), this one 17.79 and 16.76; polarizations 0.529, 0.708, 0.284 in both.
    """
    spec = NetworkSpec.dense((784, 101, 101, 10), rule=rule, output="argmax")
    discrete, bayesian, polarization = summary(spec, (0, 1, 2, 3), pixels, rho=[1.0, 1.0, 0.9])
    assert abs(discrete - 17.9) < 1.1
    assert abs(bayesian - 17.0) < 1.3
    np.testing.assert_allclose(polarization, [0.529, 0.708, 0.284], atol=0.007)


def test_fashion_mnist_501_501_mean_field(pixels):
    """The NumPy implementation and the published curve both give 18.1; polarizations 0.424, 0.441, 0.079."""
    spec = NetworkSpec.dense((784, 501, 501, 10), rule="mean_field", output="argmax")
    discrete, _, polarization = summary(spec, (0, 1), pixels, rho=[1.0001, 1.0001, 0.9])
    assert abs(discrete - 18.1) < 1.0
    np.testing.assert_allclose(polarization, [0.424, 0.441, 0.079], atol=0.004)
