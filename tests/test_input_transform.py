import numpy as np
import pytest

from mpnn.inputs import fit_transform_of


def test_silent_inputs_and_scalings():
    inputs = np.array([[0.0, 2.0, 0.0], [0.0, 4.0, 1.0]], np.float32)
    rooted = fit_transform_of(inputs, "auto")
    assert rooted.live.tolist() == [False, True, True]
    powered = (inputs / 4) ** 0.3
    np.testing.assert_allclose(rooted(inputs), powered - 0.8 * powered.mean(axis=0) * rooted.live, atol=1e-6)
    standard = fit_transform_of(inputs, "standard")(inputs)
    assert standard.mean() == pytest.approx(0.0, abs=1e-6)
    features = fit_transform_of(inputs - 1, "auto")(inputs - 1)
    np.testing.assert_allclose(features, [[0, -1, -1], [0, 1, 1]], atol=1e-6)
    np.testing.assert_array_equal(fit_transform_of(inputs, None)(inputs), inputs)
