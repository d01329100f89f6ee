"""Inputs far from 0, tiny or huge: exports take them as they are and give the classifier's labels."""

import numpy as np
import pytest

from mpnn.deploy.c_source import c_files
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.lowering import lower
from mpnn.preprocessing.units import InputUnit
from tests.deploy.checks import (
    check_against_classifier,
    check_c,
    check_c_of_many,
    check_onnx,
    check_packed,
    lower_any,
)
from tests.integer_networks.random_images import draw_image_classifier
from tests.integer_networks.random_networks import draw_classifier

# Origin and unit of the inputs.
UNITS = {
    "far": (1e9, 1.0),
    "far fractions": (-1e9, 2.0**-10),
    "normalized": (-1.0, 0.125),
    "tiny": (0.0, 1e-40),
    "least": (0.0, 1e-270),
    "huge": (0.0, 1e300),
    "pixels": (5.0, 1.0),
    "halves": (0.5, 2.0),
}


def measured(model, X, name):
    """The classifier of inputs in other units, and these."""
    unit = InputUnit(*map(np.asarray, UNITS[name]))
    for member in getattr(model, "estimators_", [model]):
        member.input_unit_ = unit
    return model, X * unit.unit + unit.origin


def measured_by_column(model, X, seed):
    """The same with units and origins of some columns."""
    rng = np.random.default_rng(seed)
    lost = rng.random(X.shape[1]) < 0.5
    origin = np.where(lost, rng.choice([0.0, 1e9, -3e9], X.shape[1]), 0.0)
    unit = InputUnit(origin, np.where(lost, rng.choice([1.0, 1e-40, 1e200], X.shape[1]), 1.0))
    origin[unit.unit != 1.0] = 0.0
    for member in getattr(model, "estimators_", [model]):
        member.input_unit_ = unit
    return model, X * unit.unit + unit.origin


def between(X, seed):
    """Numbers that no sum of which is at its threshold."""
    return X + np.random.default_rng(seed).uniform(-0.3, 0.3, X.shape)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("seed", [1, pytest.param(range(2, 23), marks=pytest.mark.slow)])
def test_labels_are_those_of_the_classifier(name, seed):
    for each in np.atleast_1d(seed).tolist():
        drawn, X = draw_classifier(each)
        for rows in (X, between(X, each)):
            model, own = measured(drawn, rows, name)
            network = lower_any(model, own)
            check_against_classifier(network, model, own)
            check_packed(network, own)
            check_onnx(network, own)


@pytest.mark.parametrize("seed", [5, *(pytest.param(s, marks=pytest.mark.slow) for s in range(12, 150, 7))])
def test_columns_with_units_of_their_own(seed):
    model, X = draw_classifier(seed)
    model, rows = measured_by_column(model, between(X, seed), seed)
    network = lower(model, examples=rows)
    check_against_classifier(network, model, rows)
    check_packed(network, rows)
    check_onnx(network, rows)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.slow) for seed in range(18)])
def test_images(seed):
    drawn, X = draw_image_classifier(seed)
    for name in ("far", "normalized", "pixels"):
        model, rows = measured(drawn, X, name)
        network = lower_any(model, rows)
        check_against_classifier(network, model, rows)
        check_packed(network, rows)
        check_onnx(network, rows)


def test_c_takes_real_numbers(gcc, tmp_path):
    """Codes are computed in double, and compared with those of NumPy."""
    model, X = draw_classifier(5)
    model, rows = measured_by_column(model, between(X, 0), 0)
    network = lower(model, examples=rows)
    assert len(network.inputs.offset) > 1
    check_c(gcc, tmp_path, network, np.concatenate([rows, 1e6 * rows, -1e6 * rows])[::9], "size")


@pytest.mark.slow
def test_c_of_all_units(gcc, tmp_path):
    drawn = []
    for seed, name in enumerate(UNITS):
        model, X = draw_classifier(seed + 1)
        model, rows = measured(model, between(X, seed), name)
        drawn.append((lower_any(model, rows), rows))
    check_c_of_many(gcc, tmp_path, drawn, "speed")


def test_whole_numbers_far_from_zero_are_exact():
    """Codes count from the origin, whose size no sum sees; pixels stay what they are."""
    drawn, X = draw_classifier(7 * 3)  # max_abs: a linear transform
    model, rows = measured(drawn, X, "far")
    network = lower(model, examples=rows)
    assert network.exact
    assert network.inputs.offset.tolist() == [1e9]
    assert "codes_codes(const double *row" in c_files(network, "codes")[0]
    model, rows = measured(drawn, X, "pixels")
    network = lower(model, examples=rows)
    assert network.exact
    assert isinstance(network.inputs, PixelTable)
    assert network.inputs.is_identity


def test_numbers_whose_inverse_is_beyond_float64_are_named():
    model, X = draw_classifier(21)
    model.input_unit_ = InputUnit(np.asarray(0.0), np.asarray(1e-320))
    with pytest.raises(ValueError, match="power of two"):
        lower(model, examples=X * 1e-320)


def test_members_of_different_units_are_refused():
    model, X = draw_classifier(1)
    for number, member in enumerate(model.estimators_):
        member.input_unit_ = InputUnit(np.asarray(float(number)), np.asarray(1.0))
    with pytest.raises(ValueError, match="one unit"):
        lower(model, examples=X)
