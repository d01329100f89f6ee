import dataclasses
import errno
import json
import os
import runpy
import signal
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest

from mpnn.compare import (
    METHODS,
    CompareConfig,
    ConfigError,
    MethodConfig,
    load_config,
    run_comparison,
    write_report,
)
from mpnn.compare.config import Robustness
from mpnn.compare.run.jobs import list_jobs
from mpnn.data import load_dataset
from mpnn.deploy.runtime import load
from mpnn.runs.rows import read_rows
from tests.oracles.helpers import wait_for_rows

SPIES = (MethodConfig("first", "spy"), MethodConfig("second", "other_spy"))


def test_one_row_a_fitted_model(tiny, tmp_path):
    rows = run_comparison(tiny, tmp_path / "run", command="mpnn compare tiny.toml")
    assert len(rows) == 2 * 2 * 2
    assert rows == read_rows(tmp_path / "run" / "results.jsonl")
    assert [row["key"] for row in rows] == [job.key for job in list_jobs(tiny)]
    first = rows[0]
    assert first["error"] is None
    assert first["num_train"] == 6
    assert first["num_test"] == 45
    assert 0.5 < first["scores"]["predict"]["accuracy"] <= 1
    assert [row["cold"] for row in rows if row["shots"] == 2] == [True, True, False, False]
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["methods"][1] == {
        "name": "linear",
        "method": "linear_svm",
        "params": {"C": 0.5},
        "shots": None,
        "datasets": None,
        "draws": None,
        "figures": True,
        "needs": None,
    }
    environments = json.loads((tmp_path / "run" / "environments.json").read_text())
    assert environments[0]["command"] == "mpnn compare tiny.toml"
    assert environments[0]["scikit-learn"]


def test_all_methods_see_the_same_draws(tiny, tmp_path, spies):
    run_comparison(dataclasses.replace(tiny, methods=SPIES), tmp_path)
    assert len(spies["spy"]) == 4
    for mine, other in zip(spies["spy"], spies["other_spy"], strict=True):
        np.testing.assert_array_equal(mine.x_train, other.x_train)
        np.testing.assert_array_equal(mine.y_train, other.y_train)
        assert mine.seed == other.seed
    assert [task.seed for task in spies["spy"]] == [0, 1, 0, 1]
    assert not np.array_equal(spies["spy"][0].x_train, spies["spy"][1].x_train)


def test_the_test_limit_is_one_choice_for_all(tiny, tmp_path, spies):
    run_comparison(dataclasses.replace(tiny, methods=SPIES, test_limit=10), tmp_path)
    for task in spies["spy"]:
        assert len(task.x_test) == 10
        np.testing.assert_array_equal(task.x_test, spies["spy"][0].x_test)


def test_a_method_may_have_its_own_shots(tiny, tmp_path, spies):
    methods = (SPIES[0], dataclasses.replace(SPIES[1], shots=(4,)))
    run_comparison(dataclasses.replace(tiny, methods=methods), tmp_path)
    assert len(spies["spy"]) == 4
    assert len(spies["other_spy"]) == 2


@pytest.mark.slow
def test_a_method_may_have_fewer_draws(tiny, tmp_path, spies):
    methods = (SPIES[0], dataclasses.replace(SPIES[1], draws=1))
    rows = run_comparison(dataclasses.replace(tiny, methods=methods), tmp_path)
    assert len(spies["spy"]) == 4
    assert [row["draw"] for row in rows if row["name"] == "second"] == [0, 0]
    assert "still missing" not in write_report(tmp_path).read_text()
    all_draws = dataclasses.replace(tiny, methods=SPIES)
    assert {row["key"] for row in rows} < {job.key for job in list_jobs(all_draws)}


@pytest.mark.slow
def test_a_method_may_have_its_own_data_sets(tiny, tmp_path, spies):
    methods = (SPIES[0], dataclasses.replace(SPIES[1], datasets=("wine",)))
    config = dataclasses.replace(tiny, datasets=("iris", "wine"), methods=methods)
    rows = run_comparison(config, tmp_path)
    assert len(spies["spy"]) == 8
    assert [task.x_train.shape[1] for task in spies["other_spy"]] == [13] * 4
    fewer = dataclasses.replace(config, datasets=("iris",))
    assert {job.key for job in list_jobs(fewer)} == {row["key"] for row in rows if row["dataset"] == "iris"}
    assert "still missing" not in write_report(tmp_path).read_text()


def test_models_are_scored_on_disturbed_inputs_too(tiny, tmp_path):
    plain = run_comparison(tiny, tmp_path / "plain")
    robustness = Robustness(noise=(0.0, 0.3, 2.0), flips=(0.0, 0.2))
    rows = run_comparison(dataclasses.replace(tiny, robustness=robustness), tmp_path / "disturbed")
    assert not {row["key"] for row in rows} & {row["key"] for row in plain}
    for row, undisturbed in zip(rows, plain, strict=True):
        accuracy = undisturbed["scores"]["predict"]["accuracy"]
        found = row["scores"]["predict"]["robustness"]
        assert list(found) == ["noise 0", "noise 0.3", "noise 2", "flips 0", "flips 0.2"]
        assert row["scores"]["predict"]["accuracy"] == accuracy == found["noise 0"] == found["flips 0"]
        assert "robustness" not in undisturbed["scores"]["predict"]
    worst = np.mean([row["scores"]["predict"]["robustness"]["noise 2"] for row in rows])
    assert worst < np.mean([row["scores"]["predict"]["accuracy"] for row in rows]) - 0.2


def test_a_failing_method_becomes_a_row(tiny, tmp_path, spies):
    spies["fail"] = True
    config = dataclasses.replace(tiny, methods=SPIES)
    rows = run_comparison(config, tmp_path)
    failed = [row for row in rows if row["error"]]
    assert [(row["name"], row["shots"]) for row in failed] == [("first", 4), ("first", 4)]
    assert failed[0]["error"] == "RuntimeError: no memory left"
    assert "ConstantClassifier" not in failed[0]["error"]
    assert "in fit" in failed[0]["traceback"]

    spies["fail"] = False
    assert run_comparison(config, tmp_path) == rows
    again = run_comparison(config, tmp_path, retry_errors=True)
    assert [row["key"] for row in again] == [row["key"] for row in rows]
    assert not any(row["error"] for row in again)
    assert len({row["key"] for row in again}) == len(again) == 8


def test_what_cannot_be_written_is_no_fault_of_the_method(tiny, tmp_path, spies, monkeypatch):
    config = dataclasses.replace(tiny, methods=SPIES)

    def no_room(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("mpnn.compare.run.fitting.write_atomically", no_room)
        with pytest.raises(OSError, match="No space left on device"):
            run_comparison(config, tmp_path)
    assert read_rows(tmp_path / "results.jsonl") == []
    assert not any(row["error"] for row in run_comparison(config, tmp_path))


def test_warnings_stay_in_the_row(tiny, tmp_path):
    method = MethodConfig("hasty", "logistic_regression", {"max_iter": 1})
    rows = run_comparison(dataclasses.replace(tiny, methods=(method,)), tmp_path)
    assert rows[0]["warnings"][0].startswith("ConvergenceWarning: lbfgs failed to converge")


def test_resumes_where_it_stopped(tiny, tmp_path, spies):
    config = dataclasses.replace(tiny, methods=SPIES)
    stop_after = 3

    def listener(job, row):
        if row is None and len(read_rows(tmp_path / "results.jsonl")) == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_comparison(config, tmp_path, listener=listener)
    told = []
    rows = run_comparison(config, tmp_path, listener=lambda job, row: told.append(row) if row else None)
    assert [row["key"] for row in rows] == [job.key for job in list_jobs(config)]
    assert told == rows
    assert len(spies["spy"]) + len(spies["other_spy"]) == 8
    assert [row["run"] for row in rows] == [0] * 3 + [1] * 5


def test_a_config_may_grow_but_not_change(tiny, tmp_path, spies):
    config = dataclasses.replace(tiny, methods=SPIES)
    run_comparison(config, tmp_path)
    grown = run_comparison(dataclasses.replace(config, draws=3), tmp_path)
    assert len(grown) == 12
    with pytest.raises(ConfigError, match=r"holds 12 results of a different config .*--fresh"):
        run_comparison(dataclasses.replace(config, seed=5), tmp_path)
    assert len(run_comparison(config, tmp_path, fresh=True)) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": ("irys",)}, "cannot load the data set 'irys'.*iris"),
        ({"shots": (500,)}, "iris has only 35 training examples of its rarest class"),
        ({"methods": (MethodConfig("a", "rbf_swm"),)}, "unknown method 'rbf_swm'; did you mean 'rbf_svm'"),
        (
            {"methods": (MethodConfig("a", "rbf_svm", {"Gamma": 1}),)},
            "unknown parameter 'Gamma'; did you mean 'gamma'",
        ),
        ({"methods": (MethodConfig("a", "rbf_svm", {"random_state": 1}),)}, "set `seed` instead"),
    ],
)
def test_refuses_before_anything_is_written(tiny, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        run_comparison(dataclasses.replace(tiny, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


SLOW_RUN = """
    import sys, time
    from mpnn.compare import METHODS, load_config, run_comparison
    from mpnn.compare.methods.contract import Evaluation, Method

    class Slow:
        def fit(self, x, y):
            time.sleep(0.05)

    METHODS["slow"] = Method(
        "slow",
        dict,
        lambda params, task: Slow(),
        lambda model, task: Evaluation({"predict": task.y_test}, {"predict": {"predict_seconds": 0.0}}),
    )
    run_comparison(load_config(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_survives_a_kill(write_config, tmp_path, monkeypatch):
    config = load_config(
        write_config(("draws = 2", "draws = 6"), ('"linear_svm"', '"slow"'), ("{ C = 0.5 }", "{}"))
    )
    script = tmp_path / "slow_run.py"
    script.write_text(dedent(SLOW_RUN))
    folder = tmp_path / "run"
    command = [sys.executable, str(script), str(tmp_path / "tiny.toml"), str(folder)]

    process = subprocess.Popen(command)
    wait_for_rows(process, folder, 7)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    survived = read_rows(folder / "results.jsonl")
    assert 7 <= len(survived) < 24
    with (folder / "results.jsonl").open("ab") as file:
        file.write(b'{"key": "torn')

    monkeypatch.setattr("sys.argv", command[1:])
    monkeypatch.setitem(METHODS, "slow", None)  # what the script registers is gone afterwards
    runpy.run_path(str(script))
    rows = read_rows(folder / "results.jsonl")
    assert rows[: len(survived)] == survived
    assert [row["key"] for row in rows] == [job.key for job in list_jobs(config)]
    assert {path.stem for path in (folder / "artifacts").glob("*.npz")} == {row["key"] for row in rows}


@pytest.mark.slow
def test_rows_measured_with_other_defaults_are_not_reused(tiny, tmp_path, monkeypatch):
    run_comparison(tiny, tmp_path)
    method = METHODS["linear_svm"]
    monkeypatch.setitem(METHODS, "linear_svm", dataclasses.replace(method, resolved=lambda: {"C": 2.0}))
    with pytest.raises(ConfigError, match="4 results measured with other defaults.*'linear', 2 shots"):
        run_comparison(tiny, tmp_path)
    assert write_report(tmp_path).exists()


@pytest.mark.slow
def test_rows_of_older_releases_are_shown_and_not_continued(tiny, tmp_path):
    run_comparison(tiny, tmp_path)
    path = tmp_path / "results.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"defaults": None}) + "\n" for row in rows))
    with pytest.raises(ConfigError, match="before these were recorded"):
        run_comparison(tiny, tmp_path)
    assert write_report(tmp_path).exists()
    assert len(run_comparison(tiny, tmp_path, fresh=True)) == 8


def test_the_size_of_a_few_bit_network_is_that_of_its_file(tmp_path):
    """Of the first draw; a classifier with real weights has no such file."""
    methods = (
        MethodConfig("one neuron", "single_neuron", {"objective": "lp_rounding"}),
        MethodConfig("1-NN", "nearest_neighbour"),
    )
    config = CompareConfig("sizes", ("digits",), (4,), methods, draws=2, classes=(0, 1))
    first, other, again, _ = run_comparison(config, tmp_path)
    network = tmp_path / "artifacts" / f"{first['key']}.mpnn"
    assert first["packed_bytes"] == network.stat().st_size
    assert first["weight_bits"] == 2
    assert not {"packed_bytes", "c_microseconds"} & (set(other) | set(again))
    assert [path.name for path in (tmp_path / "artifacts").glob("*.mpnn")] == [network.name]
    data = load_dataset("digits")
    chosen = np.isin(data.y_test, (0, 1))
    predicted = load(network).predict(data.x_test[chosen].reshape(-1, 64))
    assert np.mean(predicted == data.y_test[chosen]) == first["scores"]["vote"]["accuracy"]
