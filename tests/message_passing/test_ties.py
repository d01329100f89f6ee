"""Units at a pre-activation of exactly 0: moments against enumeration, and against the discrete network."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.exact.prediction import exact_probabilities
from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, MeanPool2D, Residual
from mpnn.message_passing.layers.base import Place
from mpnn.message_passing.rules.base import Inputs
from mpnn.message_passing.spec import NetworkSpec
from tests.marks import mostly_slow
from tests.oracles.helpers import discrete_units, moment_outputs, moment_units

LEVELS = {"binary": (-1, 1), "ternary": (-1, 0, 1), 2: (-2, -1, 0, 1, 2)}


def mean_sign(level_probabilities, levels, signs, size=1):
    """``E[sign(sum_i w_i x_i)]`` over weights and signs (or means of signs), adding term by term."""
    sums = {0.0: 1.0}
    for weight, mean in zip(level_probabilities, signs, strict=True):
        ups = [0.5 * (1 - mean), 0.5 * (1 + mean)]
        terms = {}
        for drawn in itertools.product((0, 1), repeat=size):
            value = sum(2 * up - 1 for up in drawn) / size
            terms[value] = terms.get(value, 0.0) + np.prod([ups[up] for up in drawn])
        longer = {}
        for (total, p), (level, q), (value, r) in itertools.product(
            sums.items(), zip(levels, weight, strict=True), terms.items()
        ):
            longer[round(total + level * value, 9)] = (
                longer.get(round(total + level * value, 9), 0.0) + p * q * r
            )
        sums = longer
    return sum(p if total >= 0 else -p for total, p in sums.items())


def one_unit(weights, probabilities, below, averaged, **options):
    """The unit's mean under the Gaussian, weights as they are enumerated."""
    levels = np.array(LEVELS[weights])
    mean = probabilities @ levels
    belief = Moments(jnp.asarray(mean[:, None]), jnp.asarray((probabilities @ levels**2 - mean**2)[:, None]))
    layer = Dense(1, weights=weights, **options).complete()
    place = Place((len(mean),), known_inputs=averaged == 0, averaged_signs=averaged)
    return float(layer.moments(place, [belief], below, [jnp.zeros(())]).mean[0, 0])


@pytest.mark.parametrize("weights", LEVELS)
@mostly_slow("size", [1, 4])
def test_means_of_units_are_those_of_enumeration(weights, size, x64):
    """Even and odd fan-in; without the half step the error of binary weights is 0.2 at 12 inputs."""
    generator = np.random.default_rng(0)
    for fan_in in (11, 12):
        probabilities = generator.dirichlet(2.0 * np.ones(len(LEVELS[weights])), fan_in)
        signs = generator.uniform(-0.5, 0.5, fan_in)
        mean, square = signs[None], (signs**2 + (1 - signs**2) / size)[None]
        below = Inputs(
            jnp.asarray(mean), jnp.asarray(square - mean**2), None if size == 1 else jnp.asarray(square)
        )
        exact = mean_sign(probabilities, LEVELS[weights], signs, size)
        assert abs(one_unit(weights, probabilities, below, averaged=size) - exact) < 0.02


@pytest.mark.parametrize("weights", LEVELS)
def test_whole_numbers_as_data_tie_as_signs_do(weights, x64):
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(2.0 * np.ones(len(LEVELS[weights])), 12)
    for values in (generator.choice([-1.0, 1.0], 12), np.r_[generator.choice([-1.0, 1.0], 11), 0.0]):
        known = Inputs(jnp.asarray(values[None]), None, jnp.asarray(values[None] ** 2))
        exact = mean_sign_of_data(probabilities, LEVELS[weights], values)
        assert abs(one_unit(weights, probabilities, known, averaged=0) - exact) < 0.02


def mean_sign_of_data(probabilities, levels, values):
    """As :func:`mean_sign`, signs known."""
    live = values != 0
    return mean_sign(probabilities[live], levels, values[live])


NETWORKS = {
    "even": ((8,), (Dense(6), Dense(4), Dense(1))),
    "ternary": (
        (8,),
        (Dense(6, weights="ternary"), Dense(4, weights="ternary"), Dense(1, weights="ternary")),
    ),
    "bias": ((8,), (Dense(5, bias=True), Dense(4, bias=True), Dense(1, bias=True))),
    "masked": ((8,), (Dense(6, density=0.6), Dense(4, density=0.6), Dense(1, density=0.6))),
    "padded": ((4, 4, 1), (Conv2D(2, 3, padding="same"), Conv2D(2, 3, padding="same"), Flatten(), Dense(1))),
    "pools": (
        (6, 6, 1),
        (Conv2D(2, 1), MaxPool2D(2), Conv2D(4, 2), MeanPool2D(2), Conv2D(3, 1), Flatten(), Dense(1)),
    ),
    "residual": ((4, 4, 2), (Conv2D(2, 1), Residual((Conv2D(2, 3, padding="same"),)), Flatten(), Dense(1))),
}


@pytest.mark.parametrize("kind", NETWORKS)
@mostly_slow("noise", [0.0, 0.1])
def test_certain_weights_decide_ties_as_the_discrete_network(kind, noise):
    """Blank, whole and real inputs; noise that is small against the step of a sum turns no unit."""
    shape, layers = NETWORKS[kind]
    spec = NetworkSpec(shape, layers)
    generator = np.random.default_rng(2)
    inputs = generator.choice([-1.0, 1.0], (24, *shape))
    inputs[:4] = 0.0
    inputs[4:8] *= generator.integers(0, 2, (4, *shape))
    inputs = jnp.asarray(inputs, jnp.float32)
    weights = []
    for layer, fan_in, width in zip(spec.weighted, spec.fan_ins, spec.widths[1:], strict=True):
        own = generator.choice(layer.family.levels, (fan_in, width))
        weights.append(jnp.asarray(own * (generator.random(own.shape) < layer.density), jnp.float32))
    certain = [Moments(own, jnp.zeros_like(own)) for own in weights]
    deviations = jnp.full(spec.num_layers, noise)
    discrete = discrete_units(spec, weights, inputs)
    for units, expected in zip(moment_units(spec, certain, inputs, deviations), discrete, strict=True):
        np.testing.assert_allclose(units.mean, expected, atol=1e-3)
    sums = moment_outputs(spec, certain, inputs, deviations).mean
    assert not np.any(sums == 0.0)


def test_few_units_decide_ties_of_bits_in_their_first_layer():
    weights = [np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, 0.0]]), np.array([[1.0], [1.0]])]
    certain = [Moments(jnp.asarray(own), jnp.zeros(own.shape)) for own in weights]
    inputs = np.array(list(itertools.product([-1.0, 0.0, 1.0], repeat=3)))
    hidden = np.where(inputs @ weights[0] >= 0, 1.0, -1.0)
    expected = (hidden @ weights[1] >= 0)[:, 0]
    found = jax.jit(exact_probabilities)(certain, jnp.asarray(inputs), jnp.zeros(2))[:, 1]
    np.testing.assert_allclose(found, expected, atol=1e-3)
