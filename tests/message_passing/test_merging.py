"""What data say about a weight adds up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn import functional as mp
from mpnn.layers import Conv2D, Dense, Flatten, Residual

INPUTS = jnp.asarray(np.random.default_rng(0).normal(size=(24, 8)), jnp.float32)
DATA = mp.Batch(INPUTS, jnp.sign(INPUTS[:, 0] - INPUTS[:, 1]))
SPECS = {
    "one layer": mp.NetworkSpec.dense((8, 1), "ternary"),
    "binary": mp.NetworkSpec.dense((8, 5, 1), rule="amp"),
    "ternary, biased": mp.NetworkSpec.dense((8, 5, 1), "ternary", bias=True),
    "links": mp.NetworkSpec.dense((8, 5, 1), 2, "mean_field", density=0.5),
    "gaussian": mp.NetworkSpec.dense((8, 1), "gaussian"),
    "residual": mp.NetworkSpec(
        (4, 2, 1), (Conv2D(2, 2, padding="same"), Residual((Conv2D(2, 1),)), Flatten(), Dense(1))
    ),
}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in SPECS if name != "one layer"]


step = jax.jit(mp.step, static_argnums=0)


def shares(spec):
    """The whole data, and three shares of it."""
    data = mp.Batch(DATA.inputs.reshape(-1, *spec.input_shape), DATA.labels)
    return data, [jax.tree.map(lambda leaf, first=first: leaf[first::3], data) for first in range(3)]


def fields(state):
    return [leaf for layer in state.weighted for leaf in jax.tree.leaves(layer.posterior)]


def assert_equal(one, other, tolerance=1e-10):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["one layer", *SLOW])
def test_merged_shares_are_a_step_over_all_data(name, x64):
    spec = SPECS[name]
    prior = mp.init(0, spec)
    data, parts = shares(spec)
    apart = [step(spec, prior, part)[0] for part in parts]
    whole, _ = step(spec, prior, data)
    merged = mp.merge(spec, apart, prior)
    assert_equal(merged, whole)
    rest = mp.forget(spec, merged, mp.learned(apart[0], prior))
    assert_equal(rest, mp.merge(spec, apart[1:], prior))


@pytest.mark.slow
def test_focusing_is_not_evidence(x64):
    spec = mp.NetworkSpec.dense((8, 1), focusing=True)
    numbers = mp.Schedules(replicas=3.0, coupling=0.5).at_sweep(0, 1)
    prior = mp.init(0, spec, numbers)
    plain = prior.weighted[0]._replace(focus=None)
    after, _ = step(spec, prior, DATA, numbers)
    without, _ = step(mp.NetworkSpec.dense((8, 1)), mp.State((plain,)), DATA, numbers)
    assert_equal(mp.learned(after, prior), mp.learned(without, mp.State((plain,))))


@pytest.mark.slow
def test_merging_is_mapped_and_compiled():
    spec = SPECS["one layer"]
    prior = mp.init(0, spec)
    _, parts = shares(spec)
    evidence = [mp.learned(step(spec, prior, part)[0], prior) for part in parts[:2]]
    average = jax.tree.map(lambda *leaves: sum(leaves) / 2, *evidence)
    back = jax.jit(mp.forget, static_argnums=0)(spec, prior, jax.tree.map(jnp.negative, average))
    assert_equal(mp.learned(back, prior), average, 1e-5)


def test_what_does_not_fit_is_refused():
    spec, other = SPECS["binary"], mp.NetworkSpec.dense((8, 4, 1))
    state, stranger = mp.init(0, spec), mp.init(0, other)
    with pytest.raises(ValueError, match="at least one posterior"):
        mp.merge(spec, [], state)
    with pytest.raises(ValueError, match="the network needs"):
        mp.merge(spec, [stranger], state)
    with pytest.raises(ValueError, match="must be of one network"):
        mp.learned(stranger, state)
    with pytest.raises(ValueError, match="must be of this network's weights"):
        mp.forget(spec, state, mp.learned(stranger, stranger))
