"""Errors on Fashion-MNIST after one epoch, against an independent NumPy implementation.

Binary weights, sign units, batches of 128, inputs standardized by their global mean and deviation,
initial fields N(0, 1), posterior as prior with rho 1 (output 0.9) and damping 0.8. Test errors in percent,
of the discrete network and of the Bayesian pass. From one epoch to the next a single run moves by about 1,
hence several seeds and the bounds below.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import numbers_for, start

from mpnn.network import Batch
from mpnn.prediction import decode, discrete_outputs, moment_outputs
from mpnn.spec import NetworkSpec
from mpnn.training import Schedules, train
from mpnn.weights import Moments

pytestmark = pytest.mark.slow
NUMBERS = {"rho": [1.0, 1.0, 0.9], "damping": 0.8}
SEEDS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def pixels(fashion_mnist):
    """Training and test pixels, flat and standardized, and their labels."""
    train_pixels = fashion_mnist.x_train.reshape(-1, 784).astype(np.float32) / 255
    test_pixels = fashion_mnist.x_test.reshape(-1, 784).astype(np.float32) / 255
    mean, deviation = train_pixels.mean(), train_pixels.std() + 1e-5
    standardized = [jnp.asarray((values - mean) / deviation) for values in (train_pixels, test_pixels)]
    return *standardized, jnp.asarray(fashion_mnist.y_train), fashion_mnist.y_test


def after_one_epoch(spec, seed, pixels):
    """Test error of the discrete network and of the Bayesian pass, percent; polarization of each layer."""
    train_inputs, test_inputs, train_labels, test_labels = pixels
    state, history = train(
        jax.random.key(100 + seed),
        spec,
        start(spec, seed, **NUMBERS),
        Batch(train_inputs, train_labels),
        Schedules(**NUMBERS),
        num_epochs=1,
        batch_size=128,
    )
    hyper = jax.tree.map(lambda leaf: leaf[0], numbers_for(spec, **NUMBERS))
    discrete = discrete_outputs(spec, decode(spec, state, hyper), test_inputs)
    beliefs = [Moments(layer.mean, layer.variance) for layer in state.layers]
    mean, variance = moment_outputs(spec, beliefs, test_inputs, hyper.noise)
    errors = [
        100 * np.mean(np.asarray(scores).argmax(axis=1) != test_labels)
        for scores in (discrete, mean / jnp.sqrt(variance))
    ]
    return *errors, np.asarray(history[0].polarization[-1, -1])


@pytest.mark.parametrize("rule", ["amp", "bp_inspired_second_order"])
def test_fashion_mnist_101_101(rule, pixels):
    """The NumPy implementation gives 17.0 / 16.1 (AMP) and 17.2 / 16.1 (BP-inspired) with one seed each,
    and polarizations 0.525, 0.711, 0.286.
    """
    spec = NetworkSpec((784, 101, 101, 10), rule=rule, output="argmax")
    discrete, bayesian, polarization = zip(
        *[after_one_epoch(spec, seed, pixels) for seed in SEEDS], strict=True
    )
    print(rule, np.round(discrete, 2), np.round(bayesian, 2), np.mean(polarization, axis=0))  # noqa: T201
    assert abs(np.mean(discrete) - 17.1) < 1.2
    assert abs(np.mean(bayesian) - 16.3) < 1.0
    np.testing.assert_allclose(np.mean(polarization, axis=0), [0.525, 0.711, 0.286], atol=0.01)


def test_fashion_mnist_501_501_mean_field(pixels):
    """The NumPy implementation and the published curve both give 18.1; polarizations 0.424 and 0.441."""
    spec = NetworkSpec((784, 501, 501, 10), rule="mean_field", output="argmax")
    discrete, _, polarization = zip(*[after_one_epoch(spec, seed, pixels) for seed in SEEDS[:2]], strict=True)
    print(np.round(discrete, 2), np.mean(polarization, axis=0))  # noqa: T201
    assert abs(np.mean(discrete) - 18.1) < 1.0
    np.testing.assert_allclose(np.mean(polarization, axis=0)[:2], [0.424, 0.441], atol=0.01)
