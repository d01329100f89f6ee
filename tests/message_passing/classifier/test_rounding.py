"""Rounding with error feedback: what the first layer says on known inputs survives."""

import jax.numpy as jnp
import numpy as np
import pytest

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.message_passing.rounding import can_round, round_with_feedback

LEVELS = {"binary": (-1, 1), "ternary": (-1, 0, 1), "to 3": (-3, -2, -1, 0, 1, 2, 3)}


def images_and_beliefs(num_inputs=120, num_units=6, num_samples=80):
    """Smooth non-negative inputs, whose mean dominates, and weak means that are orthogonal to it."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(num_samples, num_inputs + 20))
    inputs = np.abs([np.convolve(row, np.ones(21) / 21, "valid") for row in noise]) + 0.2
    mean = 0.05 * generator.normal(size=(num_inputs, num_units))
    return inputs.astype(np.float32), (mean - mean.mean(axis=0)).astype(np.float32)


def cosines(inputs, mean, weights):
    rows = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
    wanted, found = rows @ mean, rows @ weights
    return (wanted * found).sum(0) / np.linalg.norm(wanted, axis=0) / np.linalg.norm(found, axis=0)


@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS)
def test_what_units_say_together_survives(levels):
    inputs, mean = images_and_beliefs()
    weights = np.asarray(round_with_feedback(mean, jnp.asarray(inputs), jnp.zeros(()), levels))
    assert weights.dtype == np.int8
    assert set(np.unique(weights).tolist()) <= set(levels)
    kept, one_by_one = cosines(inputs, mean, weights), cosines(inputs, mean, np.where(mean >= 0, 1, -1))
    assert kept.mean() > one_by_one.mean() + 0.1


def test_a_sign_without_input_cancels_among_its_neighbours():
    inputs, mean = images_and_beliefs()
    silent = slice(40, 60)
    inputs[:, silent], mean[silent] = 0.0, 0.0
    weights = np.asarray(round_with_feedback(mean, jnp.asarray(inputs), jnp.zeros(()), (-1, 1)))
    np.testing.assert_array_equal(weights[silent].sum(axis=0), 0)


@pytest.mark.slow
def test_one_pass_trains_hidden_units():
    """Beliefs of few mini-batches are weak, most of all the output's: each rounded alone, all would be 0."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(16_000, 12))
    labels = (inputs[:, :3].sum(axis=1) > 0.6) ^ (rng.random(16_000) < 0.3)
    model = MessagePassingClassifier(hidden=(8,), num_epochs=1, random_state=0)
    model.fit(inputs[:12_000], labels[:12_000])
    smaller = labels[12_000:].mean()
    assert 1.0 - model.score(inputs[12_000:], labels[12_000:]) < smaller - 0.06
    assert np.count_nonzero(model.weights_[-1]) >= 2


def test_which_levels_can_be_rounded():
    assert all(can_round(levels) for levels in LEVELS.values())
    assert not can_round((-3, -1, 1, 3))
    assert not can_round(())


@pytest.mark.parametrize(
    "hidden", [(), pytest.param((6,), marks=pytest.mark.slow)], ids=["single layer", "hidden"]
)
def test_many_networks_round_like_one(hidden, three_blobs):
    """In an ensemble, each first layer is rounded on all inputs, as it would be alone."""
    X, y = three_blobs
    member = MessagePassingClassifier(
        hidden=hidden,
        weights="binary",
        num_sweeps=10,
        small_fan_in="gaussian",
        encoding=None,
        random_state=0,
    )
    ensemble = PairwiseVoteClassifier(member).fit(X, y)
    for own in ensemble.estimators_:
        inputs = jnp.asarray(own.input_transform_(np.asarray(X, np.float32)))
        mean = np.asarray(own.state_.layers[0].mean)
        alone = round_with_feedback(mean, inputs, jnp.zeros(()), (-1, 1))
        np.testing.assert_array_equal(own.weights_[0], alone)


def test_real_weights_are_not_rounded():
    with pytest.raises(ValueError, match="rounding='feedback' needs weights that are signs or whole"):
        MessagePassingClassifier(weights="gaussian", rounding="feedback").fit(
            *np.split(np.eye(4), 2)[:1], [0, 1]
        )
