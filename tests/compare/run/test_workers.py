import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from textwrap import dedent

import pytest

from mpnn.compare import ConfigError, MethodConfig, load_config, run_comparison
from mpnn.compare.run.jobs import list_jobs
from mpnn.compare.run.workers import run_in_processes
from mpnn.runs.memory import mark_memory, peak_memory
from mpnn.runs.rows import read_rows
from tests.compare.run.dying_worker import die_with_the_first_job
from tests.oracles.helpers import wait_for_rows

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

TIMES = ("train_seconds", "train_cpu_seconds", "memory_before_bytes", "memory_peak_bytes", "run", "cold")
# Workers import the script, so they know its method; on the second draw it kills its process.
SCRIPT = """
    import os, signal, sys, time
    from mpnn.compare import METHODS, load_config, run_comparison
    from mpnn.compare.methods.contract import Evaluation, Method

    class Model:
        def __init__(self, task, fatal):
            self.fatal = fatal and task.seed == 1

        def fit(self, x, y):
            if self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(1.0)

    METHODS["slow"] = Method(
        "slow",
        lambda: {"fatal": False},
        lambda params, task: Model(task, **params),
        lambda model, task: Evaluation({"predict": task.y_test}, {"predict": {"predict_seconds": 0.0}}),
    )

    if __name__ == "__main__":
        run_comparison(load_config(sys.argv[1]), sys.argv[2], workers=2)
"""


@pytest.fixture
def script(write_config, tmp_path):
    """A command that runs six slow fits and six quick ones on two workers, and its config."""

    def write(params):
        path = tmp_path / "run.py"
        path.write_text(dedent(SCRIPT))
        changes = ("draws = 2", "draws = 3"), ('"linear_svm"', '"slow"'), ("{ C = 0.5 }", params)
        config = write_config(*changes)
        return [sys.executable, str(path), str(config), str(tmp_path / "run")], load_config(config)

    return write


def without_times(row):
    row = {name: value for name, value in row.items() if name not in TIMES}
    scores = {
        name: {key: value for key, value in score.items() if key != "predict_seconds"}
        for name, score in row["scores"].items()
    }
    return row | {"scores": scores}


def test_workers_find_the_same(tiny, tmp_path):
    told = []
    rows = run_comparison(
        tiny, tmp_path / "two", workers=2, listener=lambda job, row: told.append((job.key, row is None))
    )
    alone = run_comparison(tiny, tmp_path / "one")
    assert [without_times(row) for row in rows] == [without_times(row) for row in alone]
    assert {path.name for path in (tmp_path / "two" / "artifacts").iterdir()} == {
        f"{row['key']}.npz" for row in rows
    }
    for key in (job.key for job in list_jobs(tiny)):
        assert [begun for heard, begun in told if heard == key] == [True, False]
    assert json.loads((tmp_path / "two" / "environments.json").read_text())[0]["workers"] == 2


@pytest.mark.slow
def test_a_dead_worker_is_replaced(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("mpnn.compare.run.workers._work", die_with_the_first_job)
    jobs, begun = list_jobs(tiny)[:2], []
    done = list(run_in_processes(jobs, tiny, tmp_path, 1, begun.append))
    assert [job for job, _ in done] == begun == jobs
    for job, row in done:
        assert row["key"] == job.key
        assert row["error"].startswith("WorkerDied: the process was ended by SIGKILL, often")


@pytest.mark.slow
def test_a_dead_worker_is_a_row_and_ctrl_c_resumes(script, tmp_path):
    command, config = script("{ fatal = true }")
    survived, errors = stop_after_two_rows(command, tmp_path / "run", signal.SIGINT)
    assert errors.count("KeyboardInterrupt") == 1
    rows = resume(command, config, tmp_path / "run", survived)
    dead = [row for row in rows if row["error"]]
    assert [(row["name"], row["draw"]) for row in dead] == [("linear", 1), ("linear", 1)]
    assert dead[0]["error"].startswith("WorkerDied: the process was ended by SIGKILL")


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(script, tmp_path):
    command, config = script("{}")
    survived, _ = stop_after_two_rows(command, tmp_path / "run", signal.SIGKILL)
    resume(command, config, tmp_path / "run", survived)


def stop_after_two_rows(command, folder, end):
    # a group of its own, as on a terminal: Ctrl-C reaches the workers too
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    wait_for_rows(process, folder, 2)
    if end == signal.SIGINT:
        os.killpg(process.pid, end)
    else:
        process.kill()
    errors = process.communicate()[1]  # returns when no worker holds the pipe any more
    survived = read_rows(folder / "results.jsonl")
    assert 2 <= len(survived) < 12
    return survived, errors


def resume(command, config, folder, survived):
    subprocess.run(command, check=True)
    rows = read_rows(folder / "results.jsonl")
    assert rows[: len(survived)] == survived
    assert sorted(row["key"] for row in rows) == sorted(job.key for job in list_jobs(config))
    return rows


def test_refuses_less_than_one_worker(tiny, tmp_path):
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        run_comparison(tiny, tmp_path / "run", workers=0)


@pytest.mark.slow
def test_a_script_must_guard_its_own_work(tmp_path, script):
    command, _ = script("{}")
    path = tmp_path / "run.py"
    path.write_text(path.read_text().replace('if __name__ == "__main__":', "if True:"))
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "a script that uses workers needs `if __name__" in failed.stderr.splitlines()[-1]


@pytest.mark.slow
def test_methods_registered_here_alone_are_refused(tiny, tmp_path, spies):
    config = replace(tiny, methods=(MethodConfig("here", "spy"),), shots=(2,), draws=1)
    with pytest.raises(ConfigError, match="unknown method 'spy'.*register methods where it imports them"):
        run_comparison(config, tmp_path, workers=2)


def test_each_fit_has_a_high_water_mark_of_its_own():
    if mark_memory() is None:
        pytest.skip("the system cannot set the mark back")
    before = mark_memory()
    block = bytearray(200_000_000)
    assert peak_memory() - before > 150_000_000
    del block
    before = mark_memory()
    assert peak_memory() - before < 50_000_000
