"""Small things that several test modules need."""

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np

from mpnn.message_passing import prediction
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.training import Schedules, run_batch
from mpnn.runs.rows import read_rows

# A comparison that takes a second.
TINY_COMPARISON = """
name = "tiny"
datasets = ["iris"]
shots = [2, 4]
draws = 2

[[methods]]
name = "1-NN"
method = "nearest_neighbour"

[[methods]]
name = "linear"
method = "linear_svm"
params = { C = 0.5 }
"""

# One batch with all its sweeps, the initial state, and what it predicts: compiled once per specification and
# shape. Called as they are, every operation would be a program of its own.
compiled_batch = jax.jit(run_batch, static_argnums=0)
compiled_init = jax.jit(init, static_argnums=1)
discrete_outputs = jax.jit(prediction.discrete_outputs, static_argnums=0)
discrete_units = jax.jit(prediction.discrete_units, static_argnums=0)
moment_outputs = jax.jit(prediction.moment_outputs, static_argnums=0)
moment_units = jax.jit(prediction.moment_units, static_argnums=0)
SAME_LAYERS = {"rule": "mean_field", "activation": "sign", "messages": "gaussian"}
SAME_NETWORK = {"output": "binary_label", "sweeps_per_batch": 1, "argmax_draws": 0, "output_gain": None}


def wait_for_rows(process, folder, number):
    """Wait until a started comparison has written some rows; a process that has ended writes no more."""
    deadline = time.monotonic() + 60
    while len(read_rows(folder / "results.jsonl")) < number:
        assert process.poll() is None, "the comparison ended too early; is the package installed?"
        assert time.monotonic() < deadline, f"no {number} rows in a minute"
        time.sleep(0.01)


def numbers_for(spec, **numbers):
    """The hyper-parameters of one batch, ``[sweeps, layers]``; what is not given has its default."""
    return Schedules(**numbers).at(jnp.arange(spec.sweeps_per_batch), spec.num_layers)


def first_numbers(spec, **numbers):
    """Those of the first sweep, ``[layers]``."""
    return Schedules(**numbers).at_sweep(0, spec.num_layers)


def start(spec, seed=0, initial_field=1.0, **numbers):
    """An initial state; what a state does not depend on is the same for all, so that they share a program."""
    alike = dataclasses.replace(spec.with_layers(**SAME_LAYERS), **SAME_NETWORK)
    return compiled_init(jax.random.key(seed), alike, first_numbers(spec, **numbers), initial_field)


def random_batch(spec, seed, batch_size):
    """Gaussian inputs and random labels of the kind that the output takes."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(batch_size, spec.widths[0]))
    if spec.output == "argmax":
        labels = generator.integers(0, spec.widths[-1], batch_size)
    else:
        labels = generator.choice([-1.0, 1.0], batch_size)
    dtype = jnp.result_type(float)
    return Batch(jnp.asarray(inputs, dtype), jnp.asarray(labels, None if spec.output == "argmax" else dtype))


def assert_states_close(actual, expected, tolerance):
    """Posterior fields, precisions, magnetizations and variances of every layer."""
    for index, (one, other) in enumerate(zip(actual.layers, expected.layers, strict=True)):
        for name in ("posterior", "mean", "variance"):
            leaves = zip(
                jax.tree.leaves(getattr(one, name)), jax.tree.leaves(getattr(other, name)), strict=True
            )
            for left, right in leaves:
                np.testing.assert_allclose(
                    left, right, rtol=tolerance, atol=tolerance, err_msg=f"{name} of layer {index}"
                )
