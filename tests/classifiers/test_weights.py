"""Rows that stand for frequent classes where all classes count alike."""

import numpy as np
import pytest

from mpnn.classifiers.weights import balanced_draw, class_weights


@pytest.mark.parametrize(
    ("sizes", "weight", "expected"),
    [
        ((4900, 100), None, [1900, 100]),
        ((4900, 1400, 50), None, [975, 975, 50]),
        ((4900, 0, 100), None, [1900, 0, 100]),
        ((1500, 400), None, [1500, 400]),  # no more than make a batch
        ((4900, 1400), None, [4900, 1400]),  # both count 1,400 times
        ((4900, 1400), 0.1, [1000, 1000]),
    ],
)
def test_frequent_classes_are_represented(sizes, weight, expected):
    codes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    weights = None if weight is None else np.full(len(codes), weight)
    rows = balanced_draw(codes, weights, 2000)
    assert np.bincount(codes[rows], minlength=len(sizes)).tolist() == expected
    assert np.all(np.diff(rows) > 0)
    np.testing.assert_array_equal(rows, balanced_draw(codes, weights, 2000))
    chosen = None if weights is None else weights[rows]
    own = class_weights("balanced", np.arange(len(sizes)), codes[rows], chosen)
    totals = np.bincount(codes[rows], own, len(sizes))
    np.testing.assert_allclose(totals[totals > 0], totals[totals > 0].min(), rtol=1e-5)
