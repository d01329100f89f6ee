"""Inputs become float32 where that keeps their values apart, else their column is named."""

import numpy as np
import pytest

from mpnn.preprocessing.precision import as_float32

INPUTS = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize("inputs", [INPUTS, INPUTS + 1e3, INPUTS * 1e30, INPUTS * 1e-30, INPUTS * 0 + 1e9])
def test_what_float32_resolves_is_cast(inputs):
    np.testing.assert_allclose(as_float32(inputs), inputs, rtol=1e-6)


@pytest.mark.parametrize(
    "change", [lambda x: x + 1e8, lambda x: x * 1e300, lambda x: x * 1e-310, lambda x: x * 1e-46]
)
def test_what_it_does_not_resolve_is_refused_by_its_column(change):
    inputs = INPUTS.copy()
    inputs[:, 1] = change(inputs[:, 1])
    with pytest.raises(ValueError, match="column 1 of X holds numbers from"):
        as_float32(inputs)


def test_small_types_stay_as_they_are():
    images = np.arange(12, dtype=np.uint8).reshape(4, 3)
    assert as_float32(images).dtype == np.float32
    single = INPUTS.astype(np.float32) + np.float32(1e8)
    assert as_float32(single) is single
