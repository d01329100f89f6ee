"""What is done at a time depends on the device; what is computed does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.classifiers import problems
from mpnn.linear_maps import products
from mpnn.linear_maps.base import Moments
from mpnn.message_passing import training
from mpnn.message_passing.classifier import inputs
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.rules import base, bp_inspired
from mpnn.programs import devices


@pytest.fixture
def accelerator(monkeypatch):
    """An accelerator by name, on which the processor computes."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def test_the_processor_is_no_accelerator():
    assert not devices.on_accelerator()
    assert not devices.rounds_operands()
    assert devices.at_once(15, 4950) == 15


def test_an_accelerator_does_more_at_a_time(accelerator):
    assert devices.at_once(15, 4950) == 4950
    assert devices.rounds_operands()
    with jax.default_matmul_precision("highest"):
        assert not devices.rounds_operands()


def test_a_vote_waits_for_few_blocks(accelerator):
    """A million rows were 490 blocks that the host waited for."""
    rows = np.empty((1_000_000, 0), np.float32)
    assert len(list(problems.blocks_of(rows))) == 16
    assert inputs.at_once is problems.at_once


def steps_of_exact_cavities():
    """Steps that follow one another in a layer of 784 x 128 x 501, from its program, which does not run."""
    batch, num_inputs, num_outputs = 128, 784, 501
    of = jax.ShapeDtypeStruct

    def backward(mean, values, omega):
        layer = base.Layer(mean, 1.0 - mean**2, mean, None, lambda *_: None, 0.0)
        required = base.RequiredMessages(False, False, False)
        derive = lambda omega, variance: base.Derivatives(-omega / variance, omega, omega)  # noqa: E731
        moments = base.Preactivation(omega, jnp.ones_like(omega))
        return bp_inspired.backward(
            layer, base.Inputs(values, None, values**2), moments, derive, None, required
        )[0].field

    shapes = of((num_inputs, num_outputs), jnp.float32), of((batch, num_inputs), jnp.float32)
    program = jax.make_jaxpr(backward)(*shapes, of((batch, num_outputs), jnp.float32))
    return [step.params["length"] for step in program.eqns if step.primitive.name == "scan"]


def test_exact_cavities_take_one_step_on_an_accelerator(monkeypatch):
    assert steps_of_exact_cavities() == [196]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert max(steps_of_exact_cavities(), default=1) == 1


def rounded(weights, values):
    """A product whose operands are rounded to bfloat16 and whose sums are exact, as on a TPU."""
    return (values.astype(jnp.bfloat16).astype(jnp.float32)) @ (
        weights.astype(jnp.bfloat16).astype(jnp.float32)
    )


@pytest.mark.slow
def test_variances_of_certain_weights_survive_rounding(monkeypatch):
    """At a polarization of 0.9999 ``N - m^2 x^2`` is off by a third in bfloat16; a sum is not."""
    rng = np.random.default_rng(0)
    magnetizations = np.tanh(rng.normal(0.0, 8.0, (501, 64)))
    mean = np.sign(magnetizations) * np.sqrt(1.0 - 1e-4 * rng.uniform(0.2, 1.8, magnetizations.shape))
    values = np.sign(rng.normal(size=(16, 501))) * np.sqrt(1.0 - 1e-4 * rng.uniform(0.2, 1.8, (16, 501)))
    exact = (1.0 - (values**2)[:, :, None] * (mean**2)[None]).sum(axis=1)

    weights = jnp.asarray(mean, jnp.float32), jnp.asarray(1.0 - mean**2, jnp.float32)
    layer = base.Layer(*weights, weights[0], None, lambda *_: Moments(*weights), 0.0, signs=True)
    known = base.Inputs(jnp.asarray(values, jnp.float32), jnp.asarray(1.0 - values**2, jnp.float32), None)
    monkeypatch.setattr(products, "contract", rounded)
    found = {}
    for rounds in (False, True):
        monkeypatch.setattr(base, "rounds_operands", lambda rounds=rounds: rounds)
        variance = np.asarray(base.gaussian_preactivation(layer, known).variance)
        found[rounds] = np.abs(variance / exact - 1.0).max()
    assert found[False] > 0.3
    assert found[True] < 0.01


def test_schedules_are_evaluated_once_for_many_epochs():
    calls = []

    def falling(step):
        calls.append(step)
        return 1.0 / (1.0 + step)

    numbers = list(training._numbers_of(Schedules(damping=0.5, rho=falling), 2, 10, 12, range(2, 6)))
    assert len(calls) == 1
    assert [own.rho.shape for own in numbers] == [(12, 2)] * 4
    for epoch, own in zip(range(2, 6), numbers, strict=True):
        steps = epoch * 10 + np.arange(12)
        np.testing.assert_allclose(own.rho[:, 1], 1.0 / (1.0 + steps), rtol=1e-6)
