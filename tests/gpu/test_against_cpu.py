"""What an accelerator computes in float32 is what the processor computes in float64.

    python -m pytest -m gpu

The first device of JAX is tested, whatever it is: without an accelerator that is the processor in float32,
which checks the tests themselves. Tolerances leave room for products of reduced precision (TF32 keeps ten
bits of a factor, so single terms are good to 1e-3), and no sign that stands on the edge is compared.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.channels import OUTPUTS
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import class_probabilities, decode, moment_outputs
from mpnn.message_passing.rules import RULES
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Schedules, run_batch, train
from tests.oracles.helpers import first_numbers, numbers_for, random_batch, start

pytestmark = pytest.mark.gpu
TOLERANCE = 5e-3
NUMBERS = {"rho": 0.9, "damping": 0.5, "noise": 0.1}
CPU = jax.devices("cpu")[0]


def spec_of(rule, **options):
    """Every rule with the output it takes, over two sweeps, which use all that it remembers."""
    if RULES[rule].messages.zero_temperature:
        return NetworkSpec.dense((33, 9, 1), rule=rule, output="binary_label", sweeps_per_batch=2, **options)
    return NetworkSpec.dense((33, 9, 4), rule=rule, output="argmax", sweeps_per_batch=2, **options)


def exactly(work, *given):
    """The result on the processor in float64, from the same float32 numbers."""
    with jax.enable_x64(True), jax.default_device(CPU):
        return jax.tree.map(np.asarray, work(*jax.tree.map(as_float64, given)))


def as_float64(leaf):
    leaf = jax.device_put(leaf, CPU)
    return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


def assert_close(actual, expected, tolerance=TOLERANCE):
    """Relative to the largest entry of each array: what is summed is as exact as its largest term."""
    leaves = zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
    for number, (left, right) in enumerate(leaves):
        left, right = np.asarray(left), np.asarray(right)
        if np.issubdtype(right.dtype, np.floating):
            scale = max(1.0, float(np.abs(right).max(initial=0.0)))
            np.testing.assert_allclose(left, right, atol=tolerance * scale, err_msg=f"leaf {number}")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("weights", ["binary", "ternary", 2])
def test_sweeps(rule, weights):
    if RULES[rule].messages.zero_temperature and weights != "binary":
        pytest.skip(f"{rule} has binary weights only")
    spec = spec_of(rule, weights=weights)
    state, batch = start(spec), random_batch(spec, 0, 16)
    work = jax.jit(lambda state, batch: run_batch(spec, state, batch, numbers_for(spec, **NUMBERS))[0])
    assert_close(work(state, batch), exactly(work, state, batch))


@pytest.mark.parametrize("rule", ["mean_field", "amp", "bp_inspired"])
def test_training(rule):
    """Three epochs of mini-batches: beliefs alike, and the weights that are sure the same."""
    spec = spec_of(rule)
    generator = np.random.default_rng(0)
    labels = np.arange(64) % 4
    centres = generator.normal(size=(4, 33))
    data = Batch(
        jnp.asarray(centres[labels] + generator.normal(size=(64, 33)), jnp.float32), jnp.asarray(labels)
    )
    key, state = jax.random.key(1), start(spec)

    def work(state, data):
        found, _ = train(key, spec, state, data, Schedules(**NUMBERS), num_epochs=3, batch_size=16)
        return found

    expected = exactly(work, state, data)
    actual = work(state, data)  # last: training takes over the state's memory
    for left, right in zip(actual.layers, expected.layers, strict=True):
        assert_close(left.mean, right.mean, 2e-2)
        sure = np.abs(right.mean) > 0.1
        assert sure.any()
        np.testing.assert_array_equal(np.sign(left.mean)[sure], np.sign(right.mean)[sure])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("activation", ["sign", "relu"])
def test_predictions(output, activation):
    widths = (33, 9, 4) if output == "argmax" else (33, 9, 1)
    spec = NetworkSpec.dense(widths, rule="mean_field", output=output, activation=activation)
    state, batch, numbers = start(spec), random_batch(spec, 2, 50), first_numbers(spec)

    def work(state, inputs):
        beliefs = [damped_moments(layer) for layer in state.layers]
        outputs = moment_outputs(spec, beliefs, inputs, jnp.zeros(spec.num_layers, inputs.dtype))
        return outputs, class_probabilities(outputs)

    assert_close(work(state, batch.inputs), exactly(work, state, batch.inputs))
    for left, right in zip(
        decode(spec, state, numbers), exactly(lambda one: decode(spec, one, numbers), state), strict=True
    ):
        assert left.dtype == jnp.int8
        np.testing.assert_array_equal(left, right)
