import numpy as np
import pytest

from mpnn.preprocessing.scaling import DEAD_ZONES, POWERS, fit_transform_of


def test_silent_inputs_and_scalings():
    inputs = np.array([[0.0, 2.0, 0.0], [0.0, 4.0, 1.0]], np.float32)
    rooted = fit_transform_of(inputs, "root")
    assert rooted.live.tolist() == [False, True, True]
    powered = np.maximum(inputs / 4 - DEAD_ZONES["root"], 0) ** POWERS["root"]
    np.testing.assert_allclose(rooted(inputs), powered - 0.8 * powered.mean(axis=0) * rooted.live, atol=1e-6)
    standard = fit_transform_of(inputs, "standard")(inputs)
    assert standard.mean() == pytest.approx(0.0, abs=1e-6)
    features = fit_transform_of(inputs - 1, "auto")(inputs - 1)
    np.testing.assert_allclose(features, [[0, -1, -1], [0, 1, 1]], atol=1e-6)
    np.testing.assert_array_equal(fit_transform_of(inputs, None)(inputs), inputs)


@pytest.mark.parametrize(("num_pixels", "chosen"), [(64, "mild_root"), (784, "root")])
def test_few_intensities_get_a_milder_root(num_pixels, chosen):
    images = np.maximum(np.random.default_rng(0).poisson(4.0, (20, num_pixels)) - 2, 0).astype(np.float32)
    np.testing.assert_array_equal(
        fit_transform_of(images, "auto")(images), fit_transform_of(images, chosen)(images)
    )


@pytest.mark.parametrize(("background", "chosen"), [(0.0, "max_abs"), (90.0, "standard")])
def test_images_without_a_dark_background_are_standardized(background, chosen):
    images = np.maximum(np.random.default_rng(0).normal(background, 60.0, (20, 48)), 0.0)
    images = np.rint(images).astype(np.float32)
    np.testing.assert_array_equal(
        fit_transform_of(images, "image")(images), fit_transform_of(images, chosen)(images)
    )


@pytest.mark.parametrize("kind", ["root", "mild_root", "features", "max_abs", "standard", "centred"])
def test_unit_power_is_a_factor(kind):
    inputs = np.random.default_rng(0).poisson(2.0, size=(20, 5)).astype(np.float32)
    plain = fit_transform_of(inputs, kind)
    powered = plain.with_unit_power(inputs)
    assert np.mean(np.square(powered(inputs))) == pytest.approx(1.0, rel=1e-5)
    factor = 1.0 / np.sqrt(np.mean(np.square(plain(inputs))))
    np.testing.assert_allclose(powered(inputs), factor * plain(inputs), rtol=1e-4, atol=1e-6)


def test_centred_inputs_keep_their_scale_and_silence_constants():
    noise = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    inputs = noise * np.float32([0.0, 1.0, 4.0]) + np.float32([7.0, 1.0, 2.0])
    centred = fit_transform_of(inputs, "centred")(inputs)
    np.testing.assert_allclose(centred.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(centred[:, 0], 0.0, atol=1e-5)
    spread = centred.std(axis=0)
    assert spread[2] / spread[1] == pytest.approx(inputs[:, 2].std() / inputs[:, 1].std(), rel=1e-4)


@pytest.mark.parametrize("kind", ["root", "mild_root"])
def test_faint_changes_of_a_dark_background_change_nothing(kind):
    images = np.random.default_rng(0).integers(0, 256, (20, 16)).astype(np.float32)
    images[::2] = 0.0
    transform = fit_transform_of(images, kind)
    faint = np.float32(0.99 * DEAD_ZONES[kind] * images.max())
    np.testing.assert_array_equal(transform(images[::2] + faint), transform(images[::2]))


def test_silence_has_no_power():
    silent = np.zeros((3, 2), np.float32)
    np.testing.assert_array_equal(fit_transform_of(silent, "root").with_unit_power(silent)(silent), silent)


@pytest.mark.parametrize("kind", ["features", "standard", "centred"])
def test_many_rows_far_from_zero_are_centred(kind):
    inputs = (np.random.default_rng(0).normal(size=(300_000, 2)) + 1e4).astype(np.float32)
    scaled = fit_transform_of(inputs, kind)(inputs)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=0, dtype=float), 0.0, atol=5e-3)
    np.testing.assert_allclose(scaled.std(axis=0, dtype=float), 1.0, atol=5e-3)
