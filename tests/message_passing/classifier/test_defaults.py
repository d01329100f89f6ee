"""From parameters to settings: what is left open, what is given, and in which units."""

import dataclasses

import numpy as np
import optax
import pytest

from mpnn import MessagePassingClassifier
from mpnn.layers import Conv2D
from mpnn.message_passing.classifier.defaults import (
    EXACT,
    FULL_BATCH,
    FULL_BATCH_LIMIT,
    POSTERIOR_AS_PRIOR,
    choose_input_scaling,
)
from mpnn.message_passing.classifier.resolution import resolve
from mpnn.message_passing.classifier.settings import Parameters


def settings_of(num_samples=40, widths=(64, 1), input_norm=1.0, **parameters):
    parameters = {"hidden": widths[1:-1]} | parameters
    given = Parameters.of(MessagePassingClassifier(**parameters))
    return resolve(given, widths, num_samples, input_norm)


def values_of(schedules, spec):
    """All numbers at a few sweeps."""
    return np.stack(schedules.at(np.arange(0, 200, 50), spec.num_layers))


@pytest.mark.parametrize(
    ("defaults", "parameters"),
    [
        (FULL_BATCH, {"rounding": "feedback"}),
        (EXACT, {"widths": (64, 4, 4, 1), "small_fan_in": "auto"}),
        (POSTERIOR_AS_PRIOR, {"num_samples": FULL_BATCH_LIMIT + 1, "rho": 1.0, "rounding": "mode"}),
    ],
)
def test_open_parameters_are_the_regimes(defaults, parameters):
    """Every default, given, resolves to what None does."""
    settings = settings_of(**parameters)
    given = {
        "num_sweeps": defaults.num_sweeps,
        "initial_field": defaults.initial_field,
        "damping": defaults.numbers.damping,
    }
    if defaults is not EXACT:  # whose other numbers have to stay open
        names = ("reinforcement", "sparsity", "noise", "margin", "replicas", "coupling")
        given |= {name: getattr(defaults.numbers, name) for name in names}
        given |= {"num_epochs": defaults.num_epochs}
    same = settings_of(**(parameters | given))
    assert same == settings
    assert (settings.annealing is not None) == (defaults is EXACT)
    assert settings.spec.sweeps_per_batch == defaults.num_sweeps


def test_mini_batches_fall_from_a_first_step_to_nothing():
    settings = settings_of(1000, batch_size=100, num_epochs=4)
    numbers = settings.schedules.at(np.array([0, 20, 40]), 1)
    np.testing.assert_allclose(numbers.rho[:, 0], [0.75, 0.875, 1.0], atol=1e-6)  # a step of 10 / 40 steps
    np.testing.assert_allclose(numbers.damping[:, 0], 0.9, rtol=1e-6)
    np.testing.assert_allclose(numbers.evidence[:, 0], [2.5, 1.25, 0.0], atol=1e-5)  # 10 batches, 1 count
    assert settings.spec.anchored


@pytest.mark.parametrize("num_samples", [2_001, 10_000, 60_000, 100_000, 10_000_000])
def test_hidden_units_of_a_table_take_enough_steps(num_samples):
    """About as many whatever the rows, in mini-batches of few sizes; more of many rows, in few epochs."""
    given = Parameters.of(MessagePassingClassifier((32,)), coded=True)
    settings = resolve(given, (100, 32, 3), num_samples, 1.0)
    steps = settings.num_epochs * num_samples / settings.batch_size
    assert steps > 900
    assert steps < 2_600 or settings.num_epochs == 5
    assert settings.batch_size in (16, 32, 64, 128, 256, 512)
    once = resolve(dataclasses.replace(given, num_epochs=1), (100, 32, 3), num_samples, 1.0)
    assert once.batch_size <= settings.batch_size
    alone = resolve(dataclasses.replace(given, hidden=()), (100, 3), num_samples, 1.0)
    assert alone.batch_size == 128


def test_the_output_of_convolutions_learns_slowly_and_few_images_are_met_often():
    hidden = (Conv2D(4, 3, stride=2),)
    given = Parameters.of(MessagePassingClassifier(hidden), image_shape=(8, 8, 1))
    settings = resolve(given, (64, *hidden, 10), 200, 1.0)
    assert (settings.num_epochs, settings.batch_size, given.weights) == (500, 128, "binary")
    first, last = settings.schedules.at(np.array([0, 499]), 2).evidence
    assert 10 * first[1] < first[0]
    assert last[1] > 10 * last[0] * first[1] / first[0]
    pair = resolve(given, (64, *hidden, 1), 200, 1.0)
    assert pair.num_epochs == 50  # of 45 networks side by side each meets fewer
    assert resolve(given, (64, *hidden, 10), 50_000, 1.0).num_epochs == 10


@pytest.mark.parametrize(
    "noise", [0.5, (0.5, 0.25), optax.linear_schedule(0.5, 0.25, 100)], ids=["one", "layers", "schedule"]
)
def test_noise_is_a_share_of_the_norm_of_a_layers_inputs(noise):
    widths = (64, 9, 1)
    plain = settings_of(widths=widths, noise=noise, small_fan_in="gaussian")
    scaled = settings_of(widths=widths, noise=noise, input_norm=7.0, small_fan_in="gaussian")
    plain, scaled = (values_of(own.schedules, own.spec) for own in (plain, scaled))
    np.testing.assert_allclose(scaled[..., 0][4], 7 * plain[..., 0][4], rtol=1e-6)
    np.testing.assert_array_equal(scaled[..., 1], plain[..., 1])  # the root of 9 inputs, whatever came below
    first = 0.25 if isinstance(noise, tuple) else 0.5
    np.testing.assert_allclose(plain[4, 0], [0.5, 3 * first], rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "num_samples", "expected"),
    [
        ({}, 40, "auto"),
        ({}, FULL_BATCH_LIMIT + 1, "auto"),
        ({"rho": 1.0}, FULL_BATCH_LIMIT + 1, "standard"),
        ({"rho": 1.0, "input_scaling": None}, FULL_BATCH_LIMIT + 1, None),
        ({"input_scaling": "centred"}, 40, "centred"),
    ],
)
def test_scaling_of_inputs_follows_the_regime(parameters, num_samples, expected):
    given = Parameters.of(MessagePassingClassifier(**parameters))
    assert choose_input_scaling(given, num_samples) == expected


def test_single_layers_side_by_side_are_one_layer():
    settings = settings_of()
    together = settings.as_columns(num_problems=45)
    assert together.spec.widths == (64, 45)
    assert together == dataclasses.replace(settings, spec=together.spec)
