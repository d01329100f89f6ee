"""Many problems over one pool: their arrays, and decisions block by block."""

import numpy as np
import pytest

from mpnn.classifiers.problems import (
    ROWS_AT_ONCE,
    BinaryProblems,
    FitsMany,
    blocks_of,
    decide_in_blocks,
    few_sizes,
)
from mpnn.gradient import STEClassifier
from mpnn.solvers import SingleNeuronClassifier

PROBLEMS = BinaryProblems(
    rows=[np.array([4, 0, 2]), np.array([1])],
    targets=[np.array([1.0, -1.0, 1.0], np.float32), np.array([-1.0], np.float32)],
)


def test_short_problems_are_padded():
    padded = PROBLEMS.padded()
    np.testing.assert_array_equal(padded.rows, [[4, 0, 2], [1, 0, 0]])
    np.testing.assert_array_equal(padded.targets, [[1, -1, 1], [-1, 0, 0]])
    np.testing.assert_array_equal(padded.sample_weight, [[1, 1, 1], [1, 0, 0]])
    assert [leaf.dtype for leaf in padded] == [np.int32, np.float32, np.float32]
    assert (len(PROBLEMS), PROBLEMS.most_samples) == (2, 3)


def test_columns_have_targets_for_their_own_samples_only():
    columns, weights = PROBLEMS.as_columns(6)
    np.testing.assert_array_equal(columns.T, [[-1, 0, 1, 0, 1, 0], [0, -1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(weights, columns != 0)
    np.testing.assert_array_equal(PROBLEMS.pool_weight(6), [1, 1, 1, 0, 1, 0])
    padded = PROBLEMS.padded(4)
    for problem, column in enumerate(columns.T):
        real = padded.sample_weight[problem] == 1
        np.testing.assert_array_equal(column[padded.rows[problem][real]], padded.targets[problem][real])


@pytest.mark.parametrize("num_inputs", [0, 3, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_decisions_do_not_depend_on_blocks(num_inputs):
    X = np.random.default_rng(0).normal(size=(num_inputs, 2))
    X[:1] = 0.0  # an output of 0 chooses the second class
    sizes = []

    def decide(block):
        sizes.append(len(block))
        scores = block.T[:, :, None]
        second = 1 / (1 + np.exp(-scores))
        return scores, np.concatenate([1 - second, second], axis=2)

    second_wins, probabilities = decide_in_blocks(decide, blocks_of(X), 2)
    np.testing.assert_array_equal(second_wins, X >= 0)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-X)), rtol=1e-6)
    assert sum(sizes) >= num_inputs
    assert set(sizes) <= {few_sizes(size) for size in range(ROWS_AT_ONCE + 1)}
    assert max(sizes, default=0) <= ROWS_AT_ONCE


def test_who_fits_many():
    assert isinstance(STEClassifier(), FitsMany)
    assert not isinstance(SingleNeuronClassifier(), FitsMany)
