"""Every installed engine: exact on small programs, honest when cut off."""

import _thread
import itertools
import signal
import sys
import threading

import numpy as np
import pytest

from mpnn.solvers.engines import (
    Expression,
    Limits,
    MissingEngineError,
    Model,
    driver,
    installed_engines,
    solve,
)


def random_program(seed):
    """Five integers, four rows, three implications and a binary that they hang on."""
    rng = np.random.default_rng(seed)
    model = Model()
    weights = model.add_variables(5, -1, 1)
    switch = model.add_variables(1, 0, 1)
    for _ in range(2):
        model.add_row(Expression(weights, rng.integers(-4, 5, 5).astype(float)), lower=-3, upper=4)
    for value in (0, 1, 1):
        coefficients = rng.integers(-4, 5, 5).astype(float)
        model.add_row(Expression(weights, coefficients), lower=2, upper=7, when=(int(switch[0]), value))
    aim = rng.integers(-5, 6, 6).astype(float)
    columns = np.append(weights, switch)
    if seed % 2:
        model.maximise(columns, aim)
    else:
        model.minimise(columns, aim)
    return model


def brute_force(model):
    """The best objective over all assignments; None if no assignment is feasible."""
    ranges = [range(int(low), int(high) + 1) for low, high in zip(model.lower, model.upper, strict=True)]
    feasible = [
        model.value(np.array(values, float))
        for values in itertools.product(*ranges)
        if model.accepts(np.array(values, float))
    ]
    if not feasible:
        return None
    return max(feasible) if model.maximised else min(feasible)


@pytest.mark.parametrize("seed", range(6))
def test_engines_find_the_optimum(engine, seed):
    model = random_program(seed)
    best = brute_force(model)
    solution = solve(model, Limits(10), engine=engine)
    if best is None:
        assert solution.status == "infeasible"
        assert solution.values is None
        return
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(best)
    assert solution.bound == pytest.approx(best)
    assert solution.gap == pytest.approx(0.0)
    assert model.accepts(solution.values)


def test_some_of_the_small_programs_are_feasible():
    assert sum(brute_force(random_program(seed)) is not None for seed in range(6)) >= 4


def test_continuous_variables():
    model = Model()
    x = model.add_variables(2, 0, 10, integer=False)
    n = model.add_variables(1, 0, 10)
    model.add_row(Expression(np.append(x, n), np.array([2.0, 1.0, 1.0])), upper=7.5)
    model.maximise(np.append(x, n), [3.0, 1.0, 1.1])
    for name in installed_engines():
        if name == "cpsat":
            with pytest.raises(ValueError, match="engine='highs'"):
                solve(model, Limits(10), engine=name)
        else:
            # x0 = 3.75 earns 11.25; the integer n = 7 with x0 = 0.25 earns 8.45
            assert solve(model, Limits(10), engine=name).objective == pytest.approx(11.25)


def test_a_row_without_variables_forbids_its_condition(engine):
    model = Model()
    switch = model.add_variables(1, 0, 1)
    empty = Expression(np.empty(0, int), np.empty(0))
    model.add_row(empty, upper=-1, when=(int(switch[0]), 0))
    model.minimise(switch)
    assert solve(model, Limits(5), engine=engine).objective == 1
    with pytest.raises(ValueError, match="infeasible"):
        model.add_row(empty, lower=1)


def knapsack(size, seed=0):
    """A correlated multi-row knapsack that no engine proves in a second."""
    rng = np.random.default_rng(seed)
    model = Model()
    items = model.add_variables(size, 0, 1)
    sizes = rng.integers(100, 1000, (30, size)).astype(float)
    for row in sizes:
        model.add_row(Expression(items, row), upper=row.sum() // 2)
    model.maximise(items, np.round(sizes.mean(axis=0) + rng.integers(0, 100, size)))
    return model


def test_a_complete_start_is_the_first_solution(engine):
    model = knapsack(120)
    start = np.zeros(120)
    start[:30] = 1.0
    assert model.accepts(start)
    solution = solve(model, Limits(1.0), engine=engine, start=start)
    assert solution.status in ("feasible", "optimal")
    assert solution.incumbents[0].objective >= model.value(start)
    assert solution.objective >= model.value(start)


def test_the_time_limit_keeps_the_best_solution(engine):
    solution = solve(knapsack(200), Limits(1.0), engine=engine)
    assert solution.status == "feasible"
    assert solution.bound > solution.objective > 0
    assert solution.gap > 0
    assert solution.seconds < 5
    objectives = [found.objective for found in solution.incumbents]
    assert objectives == sorted(objectives)
    assert solution.first_seconds <= solution.seconds


@pytest.mark.slow
def test_an_objective_that_is_good_enough_ends_the_search(engine):
    model = knapsack(200)
    target = 0.5 * solve(model, Limits(1.0), engine=engine).objective
    solution = solve(model, Limits(60.0, stop_at=target), engine=engine)
    assert solution.status == "feasible"
    assert solution.objective >= target
    assert solution.seconds < 30


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in a terminal, also where the parent ignores it, as nohup and background jobs do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_the_best_solution(engine):
    found = []

    def interrupt(incumbent):
        found.append(incumbent)
        if len(found) == 1:
            _thread.interrupt_main()

    solution = solve(knapsack(200), Limits(60.0), engine=engine, listener=interrupt)
    assert solution.interrupted
    assert solution.status == "feasible"
    assert solution.seconds < 50


@pytest.mark.usefixtures("ctrl_c")
def test_an_engine_that_does_not_hear_is_told_again(monkeypatch):
    monkeypatch.setattr(driver, "POLL_SECONDS", 0.001)

    class Deaf:
        def __init__(self):
            self.told, self.heard = 0, threading.Event()

        def run(self):
            _thread.interrupt_main()
            return self.heard.wait(60)

        def stop(self):
            self.told += 1
            if self.told == 3:
                self.heard.set()

    for _ in range(50):  # Ctrl-C comes at another moment every time
        assert driver._run_interruptibly(Deaf()) == (True, True)


def test_one_thread_finds_the_same_twice(engine):
    model = knapsack(14)
    first, second = (solve(model, Limits(60.0, seed=3), engine=engine) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cpsat", "gurobi"])
def test_a_work_limit_cuts_off_at_the_same_place(name):
    if name not in installed_engines():
        pytest.skip(f"the engine {name} is not installed")
    model = knapsack(200)
    first, second = (solve(model, Limits(60.0, work=0.5), engine=name) for _ in range(2))
    assert first.status == "feasible"
    np.testing.assert_array_equal(first.values, second.values)
    assert first.seconds < 30


def test_infeasible_is_not_none_found(engine):
    model = Model()
    x = model.add_variables(2, 0, 1)
    model.add_row(Expression(x, np.ones(2)), lower=3)
    solution = solve(model, Limits(5), engine=engine)
    assert solution.status == "infeasible"
    assert solution.gap is None


def test_bad_input():
    model = knapsack(5)
    with pytest.raises(ValueError, match="engine must be one of"):
        solve(model, Limits(1), engine="cplex")
    with pytest.raises(ValueError, match="start must hold 5 values"):
        solve(model, Limits(1), start=np.zeros(4))
    with pytest.raises(ValueError, match="time_limit must be above 0"):
        Limits(0.0)
    with pytest.raises(ValueError, match="threads must be a whole number of at least 1"):
        Limits(1.0, threads=0)
    with pytest.raises(ValueError, match="finite"):
        Model().add_variables(1, 0, np.inf)


def test_a_missing_engine_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.sat.python.cp_model", None)
    with pytest.raises(MissingEngineError, match=r"pip install 'mpnn\[solvers\]'"):
        solve(knapsack(5), Limits(1), engine="cpsat")


def test_the_size_limit_of_the_gurobi_licence_is_named():
    if "gurobi" not in installed_engines():
        pytest.skip("the engine gurobi is not installed")
    model = Model()
    many = model.add_variables(2500, 0, 1)
    for column in range(2500):
        model.add_row(Expression(many[column : column + 1], np.ones(1)), upper=1)
    try:
        solution = solve(model, Limits(5), engine="gurobi")
    except ValueError as error:
        assert "engine='cpsat'" in str(error)  # noqa: PT017  (a full licence solves it)
    else:
        assert solution.status == "optimal"
