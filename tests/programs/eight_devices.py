"""Run by tests/test_meshes.py on eight devices of the host: every mesh must train the same networks."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from mpnn import meshes, network, training
from mpnn.estimators import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.network import Batch
from mpnn.prediction import decode
from mpnn.schedules import Schedules
from mpnn.spec import NetworkSpec
from mpnn.training import Problems

SPEC = NetworkSpec((12, 16, 4), rule="amp", output="argmax", sweeps_per_batch=2)
SCHEDULES = Schedules(damping=0.3)
HYPER = jax.tree.map(lambda leaf: leaf[0], SCHEDULES.at(jnp.arange(1), SPEC.num_layers))
INPUTS = jax.random.normal(jax.random.key(1), (64, 12))
LABELS = jax.random.randint(jax.random.key(2), (64,), 0, 4)
NUM_NETWORKS = 4
OPTIONS = {"num_epochs": 2, "batch_size": 16}


def train_one():
    state = network.init(jax.random.key(0), SPEC, HYPER)
    data = Batch(INPUTS, LABELS)
    return training.train(jax.random.key(3), SPEC, state, data, SCHEDULES, **OPTIONS)[0]


def train_several():
    keys = jax.random.split(jax.random.key(0), NUM_NETWORKS)
    state = jax.vmap(lambda key: network.init(key, SPEC, HYPER))(keys)
    rows = jnp.tile(jnp.arange(64), (NUM_NETWORKS, 1))
    data = Problems(INPUTS, rows, jnp.tile(LABELS, (NUM_NETWORKS, 1)))
    return training.train_many(keys, SPEC, state, data, SCHEDULES, **OPTIONS)[0]


def assert_same(mesh, train, compiled):
    """Train without and with the mesh: same beliefs up to rounding, same weights, one compilation."""
    alone = meshes.to_host(train())
    with jax.set_mesh(meshes.make_mesh(**mesh)):
        before = compiled._cache_size()
        state = train()
        assert compiled._cache_size() == before + 1, f"compiled more than once on {mesh}"
    assert len(state.layers[0].mean.sharding.device_set) == 8
    together = meshes.to_host(state)
    for own, other in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-4, atol=2e-4, err_msg=str(mesh))
    for own, other in zip(decode(SPEC, alone, HYPER), decode(SPEC, together, HYPER), strict=True):
        np.testing.assert_array_equal(own, other)


def ensemble_weights(base):
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
    assert_same({"networks": 2, "data": 2, "model": 2}, train_several, training._epoch_of_many)
    check_errors()


def check_one_network():
    assert_same({"data": 2, "model": 4}, train_one, training._epoch)


def check_ensembles():
    assert_same_ensemble(MessagePassingClassifier(hidden=(3,)))
    assert_same_ensemble(MessagePassingClassifier(hidden=(20,), num_epochs=2, batch_size=8))


def check_errors():
    with jax.set_mesh(meshes.make_mesh(networks=1, data=8)), pytest.raises(ValueError, match="multiple"):
        training.train(
            jax.random.key(3), SPEC, None, Batch(INPUTS, LABELS), SCHEDULES, num_epochs=1, batch_size=12
        )
    with jax.set_mesh(meshes.make_mesh()), pytest.raises(ValueError, match="number of networks"):
        train_several()


if __name__ == "__main__":
    assert jax.device_count() == 8
    globals()[sys.argv[1]]()
