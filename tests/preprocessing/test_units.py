"""Numbers of every scale and type: the answers of the numbers themselves, or a column that is named."""

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.deploy import export
from mpnn.deploy.runtime import load
from mpnn.preprocessing.intensity import is_intensity
from mpnn.preprocessing.units import unit_of
from tests.marks import mostly_slow

hypothesis = pytest.importorskip("hypothesis")
given, settings, strategies = hypothesis.given, hypothesis.settings, hypothesis.strategies

SCALES = strategies.floats(-200, 200).map(lambda exponent: 1.7 * 10.0**exponent)
OFFSETS = strategies.floats(-1e6, 1e6)
PIXELS = load_digits().data[:100]
SINGLE = MessagePassingClassifier((), num_sweeps=5, random_state=0)
MAKE = {
    "single": SINGLE,
    "vote": PairwiseVoteClassifier(SINGLE),
    "features": MessagePassingClassifier((), num_sweeps=5, input_scaling="features", random_state=0),
    "common": MessagePassingClassifier((), num_sweeps=5, input_scaling="standard", random_state=0),
    "code": MessagePassingClassifier((), num_sweeps=5, encoding="table", random_state=0),
}
CHANGES = {
    "tiny": lambda x: x * 1e-40,
    "huge": lambda x: x * 1e300,
    "far": lambda x: x + 1e9,
    "affine": lambda x: 0.3 * x - 7,
    **{kind: lambda x, kind=kind: x.astype(kind) for kind in ("float16", "int8", "uint8", "object")},
    "bfloat16": lambda x: x.astype(ml_dtypes.bfloat16),
}


@pytest.fixture(scope="module")
def digits():
    pixels, labels = load_digits(n_class=3, return_X_y=True)
    return pixels[:120], labels[:120]


@mostly_slow(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "code" else ()) for name in MAKE], fast=2
)
def test_the_answer_follows_maps_and_types(name, digits):
    pixels, labels = digits
    expected = MAKE[name].fit(pixels[:60], labels[:60]).predict(pixels)
    assert np.mean(expected == labels) > 0.8
    for change in CHANGES.values():
        own = change(pixels)
        np.testing.assert_array_equal(MAKE[name].fit(own[:60], labels[:60]).predict(own), expected)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(SCALES, OFFSETS, strategies.booleans())
def test_intensities_have_one_unit(scale, offset, with_offset):
    mapped = (PIXELS + offset * with_offset) * scale
    assert is_intensity(mapped)
    unit = unit_of(mapped, "auto", True)
    own = mapped.astype(np.float32) / (16 * scale) if unit is None else unit(mapped)
    np.testing.assert_allclose(own, PIXELS / 16, atol=1e-6)


@pytest.mark.parametrize("name", ["single", "features", "common"])
def test_what_float64_does_not_resolve_is_refused_by_its_column(name, digits):
    pixels, labels = digits
    with pytest.raises(ValueError, match=r"column \d+ of X holds numbers from 1e\+16 .* float64 cannot"):
        MAKE[name].fit(pixels + 1e16, labels)


@pytest.mark.slow
def test_files_and_exports_hold_the_unit(digits, tmp_path):
    pixels, labels = digits[0] + 1e9, digits[1]
    for name in ("single", "vote", "features"):
        model = MAKE[name].fit(pixels, labels)
        save_model(model, tmp_path / "model")
        loaded = load_model(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict_proba(pixels), model.predict_proba(pixels))
        report = export(loaded, tmp_path / "model.mpnn", check=pixels)
        assert report.labels_changed == 0
        np.testing.assert_array_equal(load(tmp_path / "model.mpnn").predict(pixels), model.predict(pixels))


def test_later_portions_are_in_the_unit_of_the_first(digits):
    pixels, labels = digits[0] + 1e9, digits[1]
    portions = [(slice(0, 60), slice(60, 120)), (slice(60, 120), slice(0, 60))]
    for first, second in portions:
        model = clone(SINGLE).partial_fit(pixels[first], labels[first], classes=[0, 1, 2])
        model.partial_fit(pixels[second], labels[second])
        assert float(model.input_unit_.origin) == 1e9


@pytest.mark.parametrize("kind", ["float64", "Int64"])
def test_frames_of_pixels_are_their_numbers(kind, digits):
    pixels, labels = digits
    frame = pd.DataFrame(pixels, columns=[f"pixel {index}" for index in range(64)]).astype(kind)
    for name in ("single", "vote"):
        expected = MAKE[name].fit(pixels[:60], labels[:60]).predict(pixels)
        np.testing.assert_array_equal(MAKE[name].fit(frame[:60], labels[:60]).predict(frame), expected)
        assert MAKE[name].feature_names_in_[3] == "pixel 3"
        del MAKE[name].feature_names_in_
