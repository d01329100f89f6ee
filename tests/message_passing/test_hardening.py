"""Descent over discrete weights: exact on small networks, and never a worse loss."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mpnn.message_passing.hardening import cross_entropy, harden, resample_columns

LEVELS = (-1, 0, 1)


def outputs_of(inputs, weights):
    *hidden, last = weights
    for layer in hidden:
        inputs = np.append(np.where(inputs @ layer >= 0, 1.0, -1.0), np.ones((len(inputs), 1)), axis=1)
    return inputs @ last


def loss_of(inputs, targets, weights, penalty):
    outputs = outputs_of(inputs, weights)
    logits = outputs if outputs.shape[1] > 1 else np.hstack([0 * outputs, outputs])
    squares = np.sum(np.square(weights[-1], dtype=float))

    def loss(log_scale):
        scale = np.exp(log_scale)
        return cross_entropy(scale * logits, targets).sum() + 0.5 * penalty * scale**2 * squares

    return minimize_scalar(loss, bounds=(-7, 2), method="bounded").fun


def problem(num_outputs, hidden, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.choice([-1.0, 1.0], (60, 7))
    inputs[:, -1] = 1.0
    num_classes = max(2, num_outputs)
    targets = rng.dirichlet(np.full(num_classes, 0.3), 60)
    shapes = [(7, hidden), (hidden + 1, num_outputs)] if hidden else [(7, num_outputs)]
    return inputs, targets, [rng.integers(-1, 2, shape) for shape in shapes]


@pytest.mark.parametrize("num_outputs", [1, 2, 4])
@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_falls_and_weights_stay_levels(num_outputs, hidden, seed):
    inputs, targets, weights = problem(num_outputs, hidden, seed)
    before = [layer.copy() for layer in weights]
    found = harden(inputs, targets, weights, LEVELS, penalty=0.3)
    assert loss_of(inputs, targets, found, 0.3) < loss_of(inputs, targets, weights, 0.3)
    for given, kept, layer in zip(weights, before, found, strict=True):
        np.testing.assert_array_equal(given, kept)
        assert layer.dtype == np.int8
        assert layer.shape == given.shape
        assert set(np.unique(layer)) <= set(LEVELS)


def test_no_change_of_one_output_weight_is_better():
    inputs, targets, weights = problem(1, 0)
    (found,) = harden(inputs, targets, weights, LEVELS, penalty=0.3)
    least = loss_of(inputs, targets, [found], 0.3)
    for row, level in itertools.product(range(7), LEVELS):
        other = found.copy()
        other[row, 0] = level
        assert loss_of(inputs, targets, [other], 0.3) >= least * (1 - 1e-3)


def test_a_teacher_with_one_layer_is_found_again():
    rng = np.random.default_rng(0)
    teacher = rng.choice([-1, 0, 1], (21, 1))
    inputs = rng.normal(size=(500, 21))
    share = 1 / (1 + np.exp(-0.7 * inputs @ teacher))
    (found,) = harden(inputs, np.hstack([1 - share, share]), [np.zeros((21, 1))], LEVELS, penalty=0.0)
    np.testing.assert_array_equal(found, teacher)


def test_damaged_hidden_weights_are_mended():
    rng = np.random.default_rng(1)
    inputs = np.append(rng.choice([-1.0, 1.0], (400, 20)), np.ones((400, 1)), axis=1)
    teacher = [rng.choice([-1, 1], (21, 5)), rng.choice([-1, 1], (6, 3))]
    logits = outputs_of(inputs, teacher)
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    damaged = [np.where(rng.random((21, 5)) < 0.25, 0, teacher[0]), teacher[1]]
    found = harden(inputs, targets, damaged, LEVELS, penalty=0.0, num_passes=4)
    right = [np.mean(outputs_of(inputs, own).argmax(1) == logits.argmax(1)) for own in (damaged, found)]
    assert right[1] > right[0] + 0.05
    assert right[1] > 0.9


def test_weights_without_a_zero_keep_none():
    inputs, targets, weights = problem(1, 3)
    signs = [np.where(layer >= 0, 1, -1) for layer in weights]
    for layer in harden(inputs, targets, signs, (-1, 1)):
        assert set(np.unique(layer)) <= {-1, 1}


def test_resampled_rows_keep_columns_whole():
    inputs = np.repeat(np.arange(40.0)[:, None], 6, axis=1) + 100 * np.arange(6)
    columns = np.array([0, 0, 1, 1, 1, 2])
    rows = resample_columns(inputs, columns, 300, share=0.5, seed=1)
    source = rows - 100 * np.arange(6)
    assert np.all(source[:, 0] == source[:, 1])
    assert np.all(source[:, 2:5] == source[:, 2:3])
    assert 0.3 < np.mean(source[:, 0] != source[:, 5]) < 0.8
    np.testing.assert_array_equal(resample_columns(inputs, columns, 5, share=0.0)[:, 0] % 1, 0)


def test_what_cannot_be_hardened_is_refused():
    inputs, targets, weights = problem(1, 0)
    with pytest.raises(ValueError, match="from among the levels"):
        harden(inputs, targets, [weights[0] * 2], LEVELS)
    with pytest.raises(ValueError, match="one or two layers"):
        harden(inputs, targets, weights * 3, LEVELS)
