"""The table of numbers, and what follows from it: fields, ranges, documentation, traced values."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mpnn import MessagePassingClassifier
from mpnn.message_passing.classifier.settings import Parameters
from mpnn.message_passing.hyper import NUMBERS, Hyper, Schedules
from tests.marks import mostly_slow


def test_every_number_is_a_field_and_is_documented():
    assert tuple(NUMBERS) == Hyper._fields
    assert tuple(NUMBERS) == tuple(field.name for field in dataclasses.fields(Schedules))
    for name, number in NUMBERS.items():
        assert getattr(Schedules(), name) == number.default
        assert number.low <= number.default <= number.high
        for documented in (Hyper, Schedules, MessagePassingClassifier):
            shown = f"    {name} : float {number.text}, schedule or one value a layer, default="
            takes_it = documented is not MessagePassingClassifier or hasattr(documented(), name)
            assert (shown in documented.__doc__) == takes_it
        assert number.meaning in getattr(Hyper, name).__doc__


def test_training_gets_every_parameter_of_the_estimator():
    fields = {field.name for field in dataclasses.fields(Parameters)} | {"encoding", "class_weight"}
    watching = {"callbacks", "early_stopping", "n_iter_no_change", "validation_fraction", "verbose"}
    assert set(MessagePassingClassifier().get_params()) - fields - watching == {
        "prediction",
        "num_samples",
        "random_state",
    }
    given = Parameters.of(MessagePassingClassifier(damping=0.3, rho=(1.0, 0.9))).given_numbers
    assert given == {"rho": (1.0, 0.9), "damping": 0.3}


def test_numbers_are_frozen_copied_and_pickled():
    schedules = Schedules(damping=(0.1, 0.2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedules.damping = 0.3
    with pytest.raises(ValueError, match=r"damping must be in \[0, 1\), got 1.5"):
        dataclasses.replace(schedules, damping=1.5)
    assert pickle.loads(pickle.dumps(schedules)) == schedules
    with pytest.raises(TypeError, match="dampng"):
        Schedules(dampng=0.3)


@mostly_slow("name", list(NUMBERS), fast=4)
def test_every_number_may_be_traced(name):
    """Under jit, vmap and grad, alone and in one value a layer; outside the range, too: it is not seen."""
    steps = jnp.arange(3)

    def mean(value):
        return jnp.mean(getattr(Schedules(**{name: value}).at(steps, 2), name))

    values = jnp.asarray([1.0, 1.25])
    np.testing.assert_array_equal(jax.jit(jax.vmap(mean))(values), values)
    assert jax.grad(mean)(1.0) == 1.0
    assert jax.grad(lambda value: mean([value, 1.0]))(1.0) == 0.5


def test_numbers_inside_jit_are_those_outside():
    schedules = Schedules(damping=(0.1, 0.7), rho=optax.linear_schedule(1.0, 0.8, 10), noise=0.3)
    steps = jnp.arange(5)
    outside = schedules.at(steps, 2)
    inside = jax.jit(lambda steps: schedules.at(steps, 2))(steps)
    for one, other in zip(outside, inside, strict=True):
        assert one.shape == (5, 2)
        np.testing.assert_allclose(one, other, rtol=1e-6)
    fourth = jax.jit(lambda sweep: schedules.at_sweep(sweep, 2))(3)
    np.testing.assert_allclose(fourth.rho, [0.94, 0.94], rtol=1e-6)


@pytest.mark.slow
def test_a_falling_step_is_differentiable_in_its_rate_and_counts():
    """Its evidence is ``N/B counts rate (1 + cos) / 2``, and the prior's share 1 less the step."""

    def at_the_third(rate, first, last):
        own = Schedules.falling_step(rate, (first, last), num_batches=5.0, num_steps=8, num_layers=1)
        hyper = own.at_sweep(2, 1)
        return hyper.rho[0], hyper.evidence[0]

    fall = 0.5 * (1.0 + np.cos(np.pi * 2 / 8))
    rho, evidence = jax.jit(at_the_third)(0.2, 3.0, 6.0)
    np.testing.assert_allclose([rho, evidence], [1 - 0.2 * fall, 5 * 0.2 * fall * 3 * 2**0.25], rtol=1e-6)
    slopes = jax.jacobian(at_the_third, argnums=(0, 1, 2))(0.2, 3.0, 6.0)
    np.testing.assert_allclose(slopes[0], [-fall, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(
        slopes[1], [evidence / 0.2, 0.75 * evidence / 3, 0.25 * evidence / 6], rtol=1e-5
    )


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(
    ("value", "got"),
    [(jnp.full(3, 0.5), 3), (lambda step: jnp.full(3, 0.5), 3), (lambda step: jnp.full((2, 4), 0.5), 4)],
)
def test_numbers_of_another_depth(value, got, traced):
    def numbers(value):
        return Schedules(damping=value).at(jnp.arange(2), 2)

    with pytest.raises(ValueError, match=f"damping must be one number or 2, one a layer; got {got}"):
        jax.jit(numbers)(value) if traced and not callable(value) else numbers(value)


@pytest.mark.parametrize("value", ["slow", [], np.full((2, 2), 0.5), [[0.5], [0.5, 0.5]], {"start": 0.5}])
def test_what_is_no_number(value):
    with pytest.raises(ValueError, match="damping must be a number, one value a layer or a schedule, got"):
        Schedules(damping=value)


@pytest.mark.parametrize("value", [0.0, 1.5, "fast", True, (0.1, 0.2), float("nan")])
def test_a_rate_is_one_number(value):
    with pytest.raises(ValueError, match=r"rate must be in \(0, 1\], got"):
        Schedules.falling_step(value, 3.0, 5.0, 10, num_layers=1)
