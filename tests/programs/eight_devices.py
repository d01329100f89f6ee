"""Run by tests/test_sharding.py on eight devices of the host: every mesh must train the same networks."""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn import sharding as meshes
from mpnn.message_passing import network, portions, training
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, Residual, Unflatten
from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import decode
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems

SPEC = NetworkSpec.dense((12, 16, 4), rule="amp", output="argmax", sweeps_per_batch=2)
SHAPE = (6, 6, 1)
CONVOLUTIONS = NetworkSpec(
    (36,),
    (
        Unflatten(SHAPE),
        Conv2D(4, 3, padding="same"),
        MaxPool2D(2),
        Residual((Conv2D(4, 1),)),
        Flatten(),
        Dense(4),
    ),
    output="argmax",
)
SCHEDULES = Schedules(damping=0.3)
HYPER = SCHEDULES.at_sweep(0, SPEC.num_layers)
GENERATOR = np.random.default_rng(0)
INPUTS = jnp.asarray(GENERATOR.normal(size=(64, 12)), jnp.float32)
LABELS = jnp.asarray(GENERATOR.integers(0, 4, 64))
NUM_NETWORKS = 4
OPTIONS = {"num_epochs": 2, "batch_size": 16}
init = partial(network.init, spec=SPEC, hyper=HYPER)
init_one, init_several = jax.jit(init), jax.jit(jax.vmap(init))


def train_one():
    state = init_one(jax.random.key(0))
    data = Batch(INPUTS, LABELS)
    return training.train(jax.random.key(3), SPEC, state, data, SCHEDULES, **OPTIONS)[0]


def train_several():
    keys = jax.random.split(jax.random.key(0), NUM_NETWORKS)
    rows, labels = (jnp.asarray(np.tile(one, (NUM_NETWORKS, 1))) for one in (np.arange(64), LABELS))
    data = Problems(INPUTS, rows, labels)
    return training.train_many(keys, SPEC, init_several(keys), data, SCHEDULES, **OPTIONS)[0]


def train_convolutions():
    numbers = SCHEDULES.at_sweep(0, CONVOLUTIONS.num_layers)
    state = jax.jit(partial(network.init, spec=CONVOLUTIONS, hyper=numbers))(jax.random.key(0))
    data = Batch(jnp.tile(INPUTS, (1, 3)), LABELS)
    return training.train(jax.random.key(3), CONVOLUTIONS, state, data, SCHEDULES, **OPTIONS)[0]


def assert_same(mesh, train, compiled, spec=SPEC):
    """Train without and with the mesh: same beliefs up to rounding, same weights, one compilation."""
    alone = meshes.to_host(train())
    with jax.set_mesh(meshes.make_mesh(**mesh)):
        before = compiled._cache_size()
        state = train()
        assert compiled._cache_size() == before + 1, f"compiled more than once on {mesh}"
    assert len(state.weighted[0].mean.sharding.device_set) == 8
    together = meshes.to_host(state)
    for own, other in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-4, atol=2e-4, err_msg=str(mesh))
    numbers = SCHEDULES.at_sweep(0, spec.num_layers)
    for own, other in zip(decode(spec, alone, numbers), decode(spec, together, numbers), strict=True):
        np.testing.assert_array_equal(own, other)


def ensemble_weights(base):
    from sklearn.datasets import load_digits

    from mpnn import PairwiseVoteClassifier

    inputs, labels = load_digits(n_class=4, return_X_y=True)
    ensemble = PairwiseVoteClassifier(base, random_state=0).fit(inputs[:40], labels[:40])
    return [layer for member in ensemble.estimators_ for layer in member.weights_]


def assert_same_ensemble(base):
    """An ensemble uses every device by itself; with a mesh of one device along "networks" it does not."""
    with jax.set_mesh(meshes.make_mesh(networks=1, data=8)):
        alone = ensemble_weights(base)
    for own, other in zip(alone, ensemble_weights(base), strict=True):
        np.testing.assert_array_equal(own, other)


def check_several_networks():
    assert_same({"networks": 2, "data": 2, "model": 2}, train_several, portions.portion_of_many)
    check_errors()


def check_one_network():
    assert_same({"data": 2, "model": 4}, train_one, portions.portion)


def check_convolutions():
    assert_same({"data": 4, "model": 2}, train_convolutions, portions.portion, CONVOLUTIONS)


def check_ensembles():
    from mpnn import MessagePassingClassifier

    assert_same_ensemble(MessagePassingClassifier(hidden=(3,)))
    assert_same_ensemble(MessagePassingClassifier(hidden=(20,), num_epochs=2, batch_size=8))


def check_errors():
    with jax.set_mesh(meshes.make_mesh(networks=1, data=8)), pytest.raises(ValueError, match="multiple"):
        training.train(
            jax.random.key(3),
            SPEC,
            init_one(jax.random.key(0)),
            Batch(INPUTS, LABELS),
            SCHEDULES,
            num_epochs=1,
            batch_size=12,
        )
    with jax.set_mesh(meshes.make_mesh()), pytest.raises(ValueError, match="number of networks"):
        train_several()


if __name__ == "__main__":
    assert jax.device_count() == 8
    globals()[sys.argv[1]]()
