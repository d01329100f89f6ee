"""What must not change a code: maps of a column, order and repetition of rows, offsets and scales."""

import numpy as np
import pytest

from mpnn.encoders import ThermometerEncoder
from mpnn.encoders.thresholds import midpoints

hypothesis = pytest.importorskip("hypothesis")
given, settings, strategies = hypothesis.given, hypothesis.settings, hypothesis.strategies

FINITE = strategies.floats(allow_nan=False, allow_infinity=False)
SMALL = strategies.integers(-50, 50).map(float)
COLUMNS = strategies.lists(strategies.one_of(FINITE, SMALL), min_size=2, max_size=60).map(np.array)
FEW = settings(max_examples=60, deadline=None, derandomize=True)


def codes(column, num_levels=5):
    return ThermometerEncoder(num_levels).fit_transform(column[:, None])


@FEW
@given(COLUMNS)
def test_increasing_maps_that_float64_resolves_change_nothing(column):
    ranks = np.unique(column, return_inverse=True)[1].astype(float)
    expected = codes(column)
    np.testing.assert_array_equal(codes(ranks), expected)
    for mapped in (np.exp2(ranks), ranks**3 - 7, ranks * 1e-310, ranks * 1e300 - 1e301, ranks + 1e9):
        np.testing.assert_array_equal(codes(mapped), expected)


@FEW
@given(COLUMNS, strategies.randoms(use_true_random=False), strategies.integers(2, 4))
def test_order_and_repetition_of_rows_change_no_threshold(column, random, times):
    order = list(range(len(column)))
    random.shuffle(order)
    own = ThermometerEncoder(5).fit(column[:, None]).columns_
    assert ThermometerEncoder(5).fit(column[order][:, None]).columns_ == own
    assert ThermometerEncoder(5).fit(np.tile(column, times)[:, None]).columns_ == own


@FEW
@given(COLUMNS)
def test_few_distinct_values_are_all_told_apart(column):
    distinct = np.unique(column)
    bits = codes(distinct, num_levels=60)
    assert bits.shape == (len(distinct), len(distinct) - 1)
    assert len(np.unique(bits, axis=0)) == len(distinct)


@FEW
@given(COLUMNS)
def test_midpoints_lie_between_neighbours(column):
    values = np.unique(column)
    between = midpoints(values)
    assert np.all(np.isfinite(between))
    assert np.all((between > values[:-1]) & (between <= values[1:]))


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-40, 1e-20, 1.0, 1e40, 1e300])
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_scales_and_offsets(scale, offset):
    ranks = np.random.default_rng(0).integers(0, 200, 500).astype(float)
    if offset and scale < 1e-6:
        scale = 1e-6
    np.testing.assert_array_equal(codes(ranks * scale + offset), codes(ranks))


def test_a_decreasing_map_mirrors_the_codes_of_few_values():
    column = np.random.default_rng(0).integers(0, 5, 40).astype(float)
    np.testing.assert_array_equal(codes(-column), -codes(column)[:, ::-1])
