"""Columns in any unit and from any origin that float64 resolves: the same labels."""

import numpy as np
import pytest

from mpnn import PairwiseVoteClassifier
from mpnn.gradient import STEClassifier


def drawn():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    return rng.normal(size=(60, 4)) + 2.0 * y[:, None], y


def classifier():
    return STEClassifier(hidden=(), num_epochs=2, random_state=0)


VOTE = pytest.param(lambda: PairwiseVoteClassifier(classifier()), marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize("make", [classifier, VOTE])
def test_labels_do_not_change_under_affine_maps_of_a_column(make):
    X, y = drawn()
    expected = make().fit(X, y).predict(X)
    assert len(np.unique(expected)) > 1
    for factor, offset in ((1e300, 0.0), (1e-300, 0.0), (1e-40, 0.0), (1.0, 1e9), (1.0, 1e12)):
        moved = X.copy()
        moved[:, 1] = moved[:, 1] * factor + offset
        np.testing.assert_array_equal(make().fit(moved, y).predict(moved), expected)


def test_a_column_that_float64_does_not_resolve_is_named():
    X, y = drawn()
    X[:, 2] = 1e16 + X[:, 2]
    with pytest.raises(ValueError, match="column 2 of X"):
        classifier().fit(X, y)
