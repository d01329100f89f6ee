"""What a plan counts is what a network has; rates by name and from a file."""

import dataclasses

import pytest

from mpnn import planning
from mpnn.planning.plans import plan_training
from mpnn.planning.steps import seconds_of

MACHINE = planning.Machine("round numbers", 1e9, 0.0, 1e9, 1e9, 0.0, 1e6, 1e-3)
HOW = {"rows": 1e6, "columns": 5, "bits": 4, "hidden": (12,), "batch_size": 64}


@pytest.fixture(scope="module")
def plan():
    return plan_training(MACHINE, **HOW)


def test_a_step_has_at_least_its_products(plan):
    """Forward and backward means and variances of two layers: some four to six products a weight."""
    products = 2 * 64 * (20 * 12 + 12)
    assert 4 * products < plan.cost.flops < 12 * products
    assert plan.num_inputs == 20
    assert plan.cost.num_weights == 20 * 12 + 12
    assert plan.num_steps == 1e6 / 64
    assert plan.bytes_read == 1e6 * 20


def test_seconds_are_those_of_the_rates(plan):
    cost = plan.cost
    assert plan.step_seconds == pytest.approx((cost.flops + cost.bytes_moved + cost.functions) / 1e9)
    assert plan.seconds == pytest.approx(plan.num_steps * plan.step_seconds)
    narrow = dataclasses.replace(MACHINE, half_width=12.0)  # of the layers' products, 12 and 1 are narrowest
    products = cost.flops / 1e9 * (240 / 252 * 2.0 + 12 / 252 * 13.0)
    assert seconds_of(cost, narrow)[0] == pytest.approx(products + (cost.bytes_moved + cost.functions) / 1e9)
    half = dataclasses.replace(MACHINE, share=0.5)
    assert seconds_of(cost, half)[0] == pytest.approx(2.0 * plan.step_seconds)
    # four arrays of four bytes a weight, three quarters of them twice; two hops for each of eleven arrays
    linking = 2 * 0.75 * 16 * cost.num_weights / 1e6 + 11 * 2 * 1e-3
    assert seconds_of(cost, MACHINE, 4)[1] == pytest.approx(linking)


def test_rates_are_kept(tmp_path):
    path = tmp_path / "own" / "machine.json"
    with pytest.raises(ValueError, match="measure them"):
        planning.load_machine(path=path)
    planning.save_machine(MACHINE, path)
    assert planning.load_machine(path=path) == MACHINE
    assert planning.load_machine("h100").source.startswith("NVIDIA")
    with pytest.raises(ValueError, match="must be one of h100.*'abacus'"):
        planning.load_machine("abacus")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rows": 0}, "rows must be at least 1"),
        ({"devices": 3}, "multiple of the 3 devices"),
        ({"classes": 1}, "classes must be at least 2"),
    ],
)
def test_plans_that_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        plan_training(MACHINE, **HOW | wrong)


@pytest.mark.slow
def test_rates_of_this_machine_are_sane():
    machine = planning.measure_machine()
    assert 1e9 < machine.flops < 1e16
    assert 1e8 < machine.bandwidth < 1e14
    assert 1e6 < machine.functions < 1e14
    assert machine.step_seconds < 1e-3


@pytest.mark.slow
def test_the_command_measures_and_plans(tmp_path, monkeypatch, capsys):
    from mpnn.cli.main import main

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["plan", "--rows", "1e9"]) == 2
    assert main(["plan", "--measure", "--rows", "1e9", "--hidden", "8", "--devices", "4"]) == 0
    printed = capsys.readouterr().out
    assert "1e+09 rows of 39 columns" in printed
    assert "4 devices" in printed
    assert planning.load_machine().link_seconds > 0
