"""Checkpoints: a killed run goes on to the same weights; damage and mix-ups are named."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.message_passing import network
from mpnn.message_passing.checkpoints import CheckpointError, checkpoint_callback, restore_state, save_state
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.layers import Conv2D, Dense, Flatten, MaxPool2D, Residual
from mpnn.message_passing.network import Batch
from mpnn.message_passing.prediction import decode
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import train

SPEC = NetworkSpec.dense((20, 5, 1), weights="ternary")
NUM_EPOCHS = 6
SCHEDULES = Schedules(damping=0.5)

# The same run in a process of its own, which kills itself as the power would.
KILLED_RUN = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import test_checkpoints as run
from mpnn.message_passing.checkpoints import checkpoint_callback

save = checkpoint_callback(sys.argv[1], run.KEY, run.SPEC)

def on_epoch(epoch, state, info):
    save(epoch, state, info)
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

run.run(run.KEY, run.begin(), 0, on_epoch)
"""
KEY = jax.random.key(7)


def numbers():
    return SCHEDULES.at_sweep(0, SPEC.num_layers)


def begin(seed=0):
    return network.init(jax.random.key(seed), SPEC, numbers())


def run(key, state, first_epoch, on_epoch):
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(40, 20)), jnp.float32)
    data = Batch(inputs, jnp.where(inputs[:, 0] > inputs[:, 1], 1.0, -1.0))
    state, _ = train(
        key,
        SPEC,
        state,
        data,
        SCHEDULES,
        num_epochs=NUM_EPOCHS,
        batch_size=8,
        first_epoch=first_epoch,
        on_epoch=on_epoch,
    )
    return state


def save(folder, epoch, **options):
    save_state(folder, begin(epoch), epoch=epoch, key=KEY, **{"spec": SPEC, **options})


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path):
    arguments = [sys.executable, "-c", KILLED_RUN, str(tmp_path / "run"), str(Path(__file__).parent)]
    assert subprocess.run(arguments, check=False).returncode == -9
    done = restore_state(tmp_path / "run", SPEC)
    assert done.epoch == 3
    callback = checkpoint_callback(tmp_path / "run", done.key, SPEC, every=2)
    resumed = run(done.key, done.state, done.epoch, callback)
    uninterrupted = run(KEY, begin(), 0, None)
    for one, other in zip(
        decode(SPEC, resumed, numbers()), decode(SPEC, uninterrupted, numbers()), strict=True
    ):
        assert one.dtype == np.int8
        np.testing.assert_array_equal(one, other)
    for one, other in zip(jax.tree.leaves(resumed), jax.tree.leaves(uninterrupted), strict=True):
        np.testing.assert_array_equal(one, other)
    assert restore_state(tmp_path / "run", SPEC).epoch == 6


@pytest.mark.slow
def test_keeps_the_newest_and_all_that_was_given(tmp_path):
    for epoch in (1, 2, 5, 6):
        save(tmp_path, epoch, keep=2, metadata={"damping": [0.5, 0.9], "of": f"epoch {epoch}"})
    done = restore_state(tmp_path, SPEC)
    assert (done.epoch, done.metadata) == (6, {"damping": [0.5, 0.9], "of": "epoch 6"})
    np.testing.assert_array_equal(jax.random.key_data(done.key), jax.random.key_data(KEY))
    for one, other in zip(jax.tree.leaves(begin(6)), jax.tree.leaves(done.state), strict=True):
        np.testing.assert_array_equal(one, other)
    assert restore_state(tmp_path, SPEC, epoch=5).metadata["of"] == "epoch 5"
    with pytest.raises(CheckpointError, match=r"no checkpoint after epoch 2 .*those after epochs \[5, 6\]"):
        restore_state(tmp_path, SPEC, epoch=2)


def test_a_stack_of_networks_with_masks_and_focusing(tmp_path):
    spec = NetworkSpec.dense((6, 3, 1), density=0.5, focusing=True)
    keys = jax.random.split(KEY, 3)
    state = jax.jit(jax.vmap(lambda key: network.init(key, spec, numbers())))(keys)
    save_state(tmp_path, state, epoch=1, key=keys, spec=spec)
    with pytest.raises(CheckpointError, match="other shapes, .*: give one of them as like"):
        restore_state(tmp_path, spec)
    done = restore_state(tmp_path, spec, like=state)
    np.testing.assert_array_equal(jax.random.key_data(done.key), jax.random.key_data(keys))
    assert jax.tree.structure(state) == jax.tree.structure(done.state)
    for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(done.state), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_convolutions_and_residual_links(tmp_path):
    layers = (Conv2D(3, 3, bias=True), MaxPool2D(2), Residual((Conv2D(3, 1),)), Flatten(), Dense(2))
    spec = NetworkSpec((6, 6, 1), layers, output="argmax", anchored=True)
    state = network.init(KEY, spec, Schedules().at_sweep(0, spec.num_layers), 0.5)
    save_state(tmp_path, state, epoch=1, key=KEY, spec=spec)
    found = restore_state(tmp_path, spec).state
    assert jax.tree.structure(found) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [layer.shape for layer in jax.tree.map(np.asarray, [own.mean for own in found.weighted])] == [
        (10, 3),
        (3, 3),
        (12, 2),
    ]
    other = NetworkSpec((6, 6, 1), (Conv2D(3, 3, bias=True), *layers[1:2], *layers[3:]), output="argmax")
    with pytest.raises(CheckpointError):
        restore_state(tmp_path, other)


def test_another_network_is_refused(tmp_path):
    save(tmp_path, 1)
    other = NetworkSpec.dense((20, 7, 1), weights="ternary")
    sentence = r"another network \(layers\[0\].units=5, not 7\): use another folder"
    with pytest.raises(CheckpointError, match=sentence):
        restore_state(tmp_path, other)
    with pytest.raises(CheckpointError, match=sentence):
        save(tmp_path, 2, spec=other)
    with pytest.raises(CheckpointError, match="already holds epoch 1"):
        save(tmp_path, 1)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        restore_state(tmp_path / "nowhere", SPEC)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        restore_state(tmp_path, SPEC)
    assert not list(tmp_path.iterdir())


def test_an_unfinished_checkpoint_is_passed_over(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "2.orbax-checkpoint-tmp-1").mkdir()
    assert restore_state(tmp_path, SPEC).epoch == 1


def test_misuse(tmp_path):
    with pytest.raises(ValueError, match="keep must be a whole number of at least 1"):
        save(tmp_path, 1, keep=0)
    with pytest.raises(ValueError, match="every must be a whole number of at least 1"):
        checkpoint_callback(tmp_path, KEY, SPEC, every=0)
    with pytest.raises(TypeError, match="JSON"):
        save(tmp_path, 1, metadata={"schedule": lambda step: step})
    assert not list(tmp_path.iterdir())


def data_files(folder):
    return [path for path in folder.glob("state/**/d/*") if path.is_file()]


def truncate(folder):
    for path in data_files(folder):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_bits(folder):
    for path in data_files(folder):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(bytes(content))


def lose_the_arrays(folder):
    for path in data_files(folder):
        path.unlink()


def cut_the_description(folder):
    path = folder / "about" / "metadata"
    path.write_text(path.read_text()[:20])


def wrong_digest(folder):
    path = folder / "about" / "metadata"
    path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "0"}))


@pytest.mark.parametrize("damage", [truncate, flip_bits, lose_the_arrays, cut_the_description, wrong_digest])
def test_damage_is_named_with_what_to_do(tmp_path, damage):
    save(tmp_path, 1)
    save(tmp_path, 2)
    damage(tmp_path / "2")
    with pytest.raises(CheckpointError, match=r"/2 is damaged \(.*\): delete that folder to resume"):
        restore_state(tmp_path, SPEC)
    assert restore_state(tmp_path, SPEC, epoch=1).epoch == 1
