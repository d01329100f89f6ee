"""Hardening in order: frozen layers stay, those above learn on, a resumed run is the uninterrupted one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn import functional as mp
from mpnn.layers import Conv2D, Dense, Flatten, Residual
from mpnn.message_passing import portions
from mpnn.message_passing.checkpoints import restore_state, save_state
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.freezing import check_freezing
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems, Schedules, train, train_many
from tests.marks import mostly_slow
from tests.oracles.helpers import first_numbers, start

IMAGES = (
    Conv2D(4, 2, padding="same"),
    Residual((Conv2D(4, 2, padding="same", weights="binary"),)),
    Flatten(),
    Dense(3),
)
SPECS = {
    "dense": NetworkSpec.dense((16, 7, 5, 3), 2, "mean_field", output="argmax", anchored=True, bias=True),
    "images": NetworkSpec((4, 4, 1), IMAGES, output="argmax", anchored=True).with_layers(rule="mean_field"),
}
NUM_SAMPLES, BATCH_SIZE, NUM_EPOCHS = 48, 12, 4
SCHEDULES = Schedules.falling_step(0.3, 10.0, 4, 16, 3, output_counts=(0.3, 3.0), damping=(0.9, 0.7, 0.8))
FREEZING = (1, 2)
KEY = jax.random.key(5)


def data_of(spec):
    inputs = jax.random.normal(jax.random.key(1), (NUM_SAMPLES, *spec.input_shape))
    return Batch(inputs, jnp.arange(NUM_SAMPLES, dtype=jnp.int32) % 3)


def run(spec, state=None, freezing=FREEZING, **options):
    """The states after every epoch."""
    states = []

    def on_epoch(epoch, state, info):
        states.append(jax.device_get(state))

    state = start(spec) if state is None else state
    how = {"num_epochs": NUM_EPOCHS, "batch_size": BATCH_SIZE, "freezing": freezing, "on_epoch": on_epoch}
    train(KEY, spec, state, data_of(spec), SCHEDULES, **how, **options)
    return states


@pytest.fixture(scope="module")
def traces():
    """Counts how often an epoch is traced."""
    count, shuffled = [], portions.shuffled
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "shuffled", lambda *given: count.append(1) or shuffled(*given))
        yield count


@pytest.fixture(scope="module")
def trained(traces):
    return functools.cache(lambda name: run(SPECS[name]))


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def moved(before, after):
    return bool(np.any(before.mean != after.mean))


@pytest.mark.slow
@mostly_slow("name", SPECS)
def test_a_frozen_layer_stays_and_those_above_learn_on(name, trained):
    states, spec = [state.weighted for state in trained(name)], SPECS[name]
    for index, (epoch, layer) in enumerate(zip(FREEZING, spec.weighted, strict=False)):
        for later in states[epoch + 1 :]:
            assert_same(later[index], states[epoch][index])
        assert np.isin(states[-1][index].mean, layer.family.levels).all()
        assert moved(states[epoch - 1][index], states[epoch][index])
        assert all(moved(states[epoch][above], states[-1][above]) for above in range(epoch, 3))


def test_before_a_layer_is_frozen_nothing_is_different(trained):
    assert_same(trained("dense")[0], run(SPECS["dense"], freezing=())[0])


@mostly_slow("done", [1, 2, 3])
def test_a_resumed_run_is_the_uninterrupted_one(done, trained, tmp_path):
    """Where a layer is about to be frozen, between two of them, and where all are."""
    spec, states = SPECS["dense"], trained("dense")
    save_state(tmp_path, states[done - 1], epoch=done, key=KEY, spec=spec)
    restored = restore_state(tmp_path, spec)
    assert_same(run(spec, restored.state, first_epoch=restored.epoch)[-1], states[-1])


def test_one_program_serves_all_stages(traces, trained):
    trained("dense")
    assert len(traces) <= 4  # of a network: for the shapes of a first portion, and for its program
    del traces[:]
    run(SPECS["dense"], freezing=(0, 3))
    assert not traces


@pytest.mark.slow
def test_many_networks_and_the_pure_function_freeze_alike(trained):
    spec = SPECS["dense"]
    data, first = data_of(spec), start(spec)
    many = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), first)
    rows = jnp.tile(jnp.arange(NUM_SAMPLES, dtype=jnp.int32), (2, 1))
    problems = Problems(data.inputs, rows, jnp.tile(data.labels, (2, 1)))
    keys = jax.random.wrap_key_data(jnp.stack([jax.random.key_data(KEY)] * 2))
    how = {"num_epochs": NUM_EPOCHS, "batch_size": BATCH_SIZE, "freezing": FREEZING}
    states, _ = train_many(keys, spec, many, problems, SCHEDULES, **how)
    pure = mp.train(KEY, spec, first, data, SCHEDULES, **how).state
    for state in (jax.tree.map(lambda leaf: leaf[1], states), pure):
        for layer, expected in zip(state.weighted, trained("dense")[-1].weighted, strict=True):
            np.testing.assert_allclose(layer.mean, expected.mean, atol=1e-5)


def test_a_frozen_layer_has_the_weights_of_rounding_with_feedback():
    spec = SPECS["dense"]
    state, inputs, numbers = start(spec), data_of(spec).inputs, first_numbers(spec)
    rounded = compiled.decode(spec, "feedback", state, numbers, inputs)[0]
    frozen = mp.freeze(spec, state, inputs, layer=0)
    np.testing.assert_array_equal(frozen.weighted[0].mean, rounded)
    kept = compiled.decode(spec, "feedback", frozen, numbers, inputs, num_frozen=1)
    np.testing.assert_array_equal(kept[0], rounded)
    assert_same(frozen.weighted[1:], state.weighted[1:])


@pytest.mark.parametrize(
    ("spec", "freezing", "sentence"),
    [
        (SPECS["dense"], (1, 2, 3), "an epoch for each of the 2 hidden layers, got"),
        (SPECS["dense"], (2, 1), "no layer before those below it, got the epochs"),
        (SPECS["dense"], (0.5,), "whole epochs, counted from 0, got"),
        (SPECS["dense"], (-1,), "whole epochs, counted from 0, got"),
        (SPECS["dense"].with_layers(weights="gaussian"), (1,), "signs or whole numbers, got 'gaussian'"),
        (NetworkSpec.dense((8, 3, 1), "ternary").with_exact_messages(9), (1,), "needs messages='gaussian'"),
    ],
)
def test_what_cannot_be_frozen_is_refused(spec, freezing, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_freezing(spec, freezing)
