"""Sweeps of small networks in float64, whose fields are kept from release to release."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import run_batch

__all__ = ["SWEEPS", "swept"]

RULES = (
    "mean_field",
    "amp",
    "bp_inspired",
    "bp_inspired_second_order",
    "bp_inspired_interpolated",
    "belief_propagation",
)
NUMBERS = {"damping": 0.4, "rho": 0.95, "noise": 0.1, "sparsity": 0.3, "reinforcement": 0.2, "margin": 0.05}
NUM_SAMPLES = 9


def cases():
    """Every rule with each family, one and three sweeps, with and without biases and masks."""
    for rule, weights, sweeps in itertools.product(RULES, ("binary", "ternary", 2, "gaussian"), (1, 3)):
        yield {"rule": rule, "weights": weights, "sweeps_per_batch": sweeps}
    for rule, bias, density in itertools.product(RULES, (False, True), (1.0, 0.6)):
        yield {"rule": rule, "weights": "ternary", "bias": bias, "density": density, "sweeps_per_batch": 2}
    for rule, activation in itertools.product(("mean_field", "amp", "bp_inspired"), ("relu", "identity")):
        yield {"rule": rule, "activation": activation, "output": "argmax", "sweeps_per_batch": 2}
    for sweeps, bias in itertools.product((1, 3), (False, True)):
        yield {"rule": "max_sum", "bias": bias, "sweeps_per_batch": sweeps}
    yield {"rule": "amp", "focusing": True, "sweeps_per_batch": 3}
    yield {"rule": "bp_inspired", "anchored": True, "weights": "ternary", "output": "argmax"}
    yield {"rule": "mean_field", "output": "argmax", "argmax_draws": 5, "bias": True}


SWEEPS = {"-".join(f"{key}={value}" for key, value in options.items()): options for options in cases()}


def swept(options):
    """Leaves of the state and of the Info after all sweeps over one batch, float64."""
    outputs = 3 if options.get("output") == "argmax" else 1
    spec = NetworkSpec.dense((12, 7, 5, outputs), **options)
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(NUM_SAMPLES, 12))
    labels = (
        generator.integers(0, 3, NUM_SAMPLES) if outputs == 3 else generator.choice([-1.0, 1.0], NUM_SAMPLES)
    )
    mask = np.ones(NUM_SAMPLES)
    mask[-2:] = 0.0
    batch = Batch(jnp.asarray(inputs), jnp.asarray(labels), jnp.asarray(mask))
    numbers = {name: value for name, value in NUMBERS.items() if not (outputs == 3 and name == "margin")}
    schedules = Schedules(**numbers, coupling=0.3, replicas=3.0)
    hyper = schedules.at(jnp.arange(spec.sweeps_per_batch), spec.num_layers)
    state = init(jax.random.key(1), spec, jax.tree.map(lambda leaf: leaf[0], hyper))
    state, info = jax.jit(run_batch, static_argnums=0)(spec, state, batch, hyper)
    return [np.asarray(leaf) for leaf in jax.tree.leaves((state, info))]
