"""The gain of a step of the output: that of the parabola's minimum is 1, and bounded ones go no further."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.gain import step_gain, within_gain
from mpnn.message_passing.network import Batch
from mpnn.message_passing.rules.base import Inputs
from mpnn.message_passing.spec import NetworkSpec
from tests.oracles.helpers import compiled_batch, first_numbers, numbers_for, start

SPEC = NetworkSpec.dense((6, 5, 3), rule="mean_field", output="argmax")
BOUNDED = dataclasses.replace(SPEC, output_gain=0.01)
BATCH = Batch(jax.random.normal(jax.random.key(0), (20, 6)), jnp.arange(20, dtype=jnp.int32) % 3)


@pytest.mark.slow
def test_a_gain_of_one_is_the_best_step_along_the_message():
    """Free energies ``-curvature (target - z)^2 / 2``, whose messages are exact."""
    keys = jax.random.split(jax.random.key(2), 4)
    rows, mean = jax.random.normal(keys[0], (9, 4)), jax.random.uniform(keys[1], (4, 2))
    curvature, counts = jax.random.uniform(keys[2], (9, 2)) + 0.1, jnp.arange(9.0)[:, None]
    error = jax.random.normal(keys[3], (9, 2))
    weights, inputs = Moments(mean, 1.0 - mean**2), Inputs(rows, None, rows**2, sample_weight=counts)
    message = rows.T @ (counts * curvature * error)
    own = jax.tree.map(lambda leaf: leaf[0], first_numbers(SPEC, evidence=0.7, damping=0.5))
    gain = step_gain(weights, inputs, message, curvature, own)

    def energy(step):
        moved = rows @ (weights.variance * message) * step
        return -0.5 * jnp.sum(counts * curvature * (error - moved) ** 2)

    best = 0.7 * 0.5 / gain
    assert abs(jax.grad(energy)(best)) < 1e-4 * abs(jax.grad(energy)(0.0))
    reduced = within_gain(0.25 * float(gain), gain, own)
    np.testing.assert_allclose(reduced.evidence, 0.25 * own.evidence, rtol=1e-5)
    assert within_gain(2.0 * float(gain), gain, own).evidence == own.evidence


@pytest.mark.slow
def test_only_the_output_is_bounded():
    numbers = numbers_for(SPEC, evidence=30.0)
    free, bounded = (compiled_batch(spec, start(spec), BATCH, numbers)[0] for spec in (SPEC, BOUNDED))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    jax.tree.map(close, free.layers[0], bounded.layers[0])
    before = start(SPEC).layers[1].posterior.field
    steps = [np.abs(state.layers[1].posterior.field - before).max() for state in (free, bounded)]
    assert steps[1] < 0.3 * steps[0]
    unreached = dataclasses.replace(SPEC, output_gain=1e9)
    same = compiled_batch(unreached, start(unreached), BATCH, numbers)[0]
    jax.tree.map(close, same, free)


def test_what_cannot_be_bounded_is_refused():
    with pytest.raises(ValueError, match="output_gain must be above 0 and finite, got 0"):
        dataclasses.replace(SPEC, output_gain=0)
    with pytest.raises(ValueError, match="output_gain bounds the output 'argmax', got output='binary_label'"):
        NetworkSpec.dense((6, 1), output_gain=1.0)
