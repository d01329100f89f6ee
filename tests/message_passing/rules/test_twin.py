"""The rules against a NumPy twin in float64, over several mini-batches."""

import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.spec import NetworkSpec
from tests.marks import mostly_slow
from tests.oracles.helpers import compiled_batch, numbers_for, random_batch, start
from tests.oracles.numpy_twin import TwinLayer, amp_batch, bp_batch, one_sweep_batch

pytestmark = pytest.mark.usefixtures("x64")
TOLERANCE = 1e-6
SEVERAL_SWEEPS = pytest.mark.parametrize(
    ("widths", "weights"),
    [((9, 6, 5, 1), "ternary"), pytest.param((9, 6, 1), "binary", marks=pytest.mark.slow)],
)


def twin_of(spec, state, sparsity=0.0):
    """The same layers in NumPy; a binary layer has no precision, so the twin carries zeros."""
    layers = []
    for layer in state.layers:
        field, precision = layer.posterior
        shape = field.shape
        layers.append(
            TwinLayer(
                field=np.array(field),
                precision=np.zeros(shape) if precision is None else np.array(precision),
                mean=np.array(layer.mean),
                variance=np.array(damped_moments(layer).variance),
                mask=np.ones(shape) if layer.mask is None else np.array(layer.mask),
                ternary=spec.weighted[0].weights == "ternary",
                sparsity=sparsity,
            )
        )
    return layers


def assert_agree(state, twin):
    for index, (layer, other) in enumerate(zip(state.layers, twin, strict=True)):
        pairs = {
            "field": (layer.posterior.field, other.field),
            "mean": (layer.mean, other.mean),
            "variance": (damped_moments(layer).variance, other.variance),
        }
        if layer.posterior.precision is not None:
            pairs["precision"] = (layer.posterior.precision, other.precision)
        for name, (actual, expected) in pairs.items():
            np.testing.assert_allclose(
                actual, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{name} of layer {index}"
            )


@pytest.mark.parametrize("rule", ["mean_field", "amp", "bp_inspired"])
@mostly_slow(
    ("widths", "output", "weights", "density"),
    [
        ((12, 7, 5, 4), "argmax", "binary", 0.4),
        ((12, 7, 1), "binary_label", "ternary", 0.6),
    ],
    ids=["argmax", "ternary"],
)
def test_mini_batches_match_the_twin(rule, widths, output, weights, density):
    """Posterior as prior, damped magnetizations, and the damped field of the argmax output."""
    spec = NetworkSpec.dense(widths, rule=rule, output=output, weights=weights, density=density)
    rho = [0.99, 1.01, 0.9][: spec.num_layers - 1] + [0.9]
    damping = [0.8, 0.5, 0.7][: spec.num_layers - 1] + [0.7]
    numbers = {"rho": rho, "damping": damping, "sparsity": 0.4}
    state, hyper = start(spec, **numbers), numbers_for(spec, **numbers)
    twin = twin_of(spec, state, sparsity=0.4)
    for seed in range(4):
        batch = random_batch(spec, seed, batch_size=9)
        state, _ = compiled_batch(spec, state, batch, hyper)
        one_sweep_batch(twin, np.array(batch.inputs), np.array(batch.labels), rule, rho, damping)
    assert all(layer.mean.dtype == jnp.float64 for layer in state.layers)
    assert_agree(state, twin)


@pytest.mark.slow
@SEVERAL_SWEEPS
def test_amp_over_several_sweeps_matches_the_equations_with_time_indices(widths, weights):
    """Five sweeps on each of three mini-batches, reaction terms of every kind, with reinforcement."""
    spec = NetworkSpec.dense(widths, rule="amp", weights=weights, sweeps_per_batch=5)
    numbers = {"rho": 0.95, "damping": 0.3, "sparsity": -0.2, "reinforcement": 0.2}
    state, hyper = start(spec, seed=3, **numbers), numbers_for(spec, **numbers)
    twin = twin_of(spec, state, sparsity=-0.2)
    for seed in range(3):
        batch = random_batch(spec, seed, batch_size=6)
        state, _ = compiled_batch(spec, state, batch, hyper)
        amp_batch(twin, np.array(batch.inputs), np.array(batch.labels), 5, 0.95, 0.3, reinforcement=0.2)
    assert_agree(state, twin)


@pytest.mark.slow
@SEVERAL_SWEEPS
def test_belief_propagation_over_several_sweeps_matches_the_twin(widths, weights):
    """Four sweeps on each of two mini-batches, with every cavity on its edge."""
    spec = NetworkSpec.dense(
        widths, rule="belief_propagation", weights=weights, density=0.7, sweeps_per_batch=4
    )
    numbers = {"rho": 0.95, "damping": 0.4, "sparsity": 0.3}
    state, hyper = start(spec, seed=4, **numbers), numbers_for(spec, **numbers)
    twin = twin_of(spec, state, sparsity=0.3)
    for seed in range(2):
        batch = random_batch(spec, seed, batch_size=6)
        state, _ = compiled_batch(spec, state, batch, hyper)
        bp_batch(twin, np.array(batch.inputs), np.array(batch.labels), 4, 0.95, 0.4)
    assert_agree(state, twin)
