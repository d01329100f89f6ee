"""What the experiment scripts share: rows that resume, and comparisons that start from measured rows."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))  # the scripts are run from there, not installed
from experiments.gather_rows import gather_rows
from experiments.runs import run_jobs
from mpnn.compare import load_config, run_comparison
from mpnn.compare.results import read_rows

CONFIG = """
    name = "tiny"
    datasets = ["iris"]
    shots = [2, 4]
    draws = 2

    [[methods]]
    name = "1-NN"
    method = "nearest_neighbour"

    [[methods]]
    name = "linear"
    method = "linear_svm"
"""


def test_a_row_keeps_what_the_work_found(tmp_path):
    calls = []

    def work(job):
        calls.append(job)
        return {"error": 0.25, "accuracy": 0.75}

    for jobs in ([{"seed": 0}], [{"seed": 0}, {"seed": 1}]):
        rows = run_jobs(jobs, work, tmp_path, {}, "script.py config.toml")
    assert calls == [{"seed": 0}, {"seed": 1}]
    assert [(row["seed"], row["error"], row["run"]) for row in rows] == [(0, 0.25, 0), (1, 0.25, 1)]


@pytest.mark.parametrize("as_file", [False, True])
def test_a_comparison_starts_from_measured_rows(tmp_path, as_file):
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG)
    config = load_config(path)
    measured, output = tmp_path / "measured", tmp_path / "output"
    rows = run_comparison(config, measured)
    path.write_text(CONFIG.replace("shots = [2, 4]", "shots = [4]").replace("draws = 2", "draws = 3"))
    source = measured / "results.jsonl" if as_file else measured
    assert gather_rows(path, output, [source, source]) == 4
    assert gather_rows(path, output, [measured]) == 0
    assert len(list(output.glob("artifacts/*.npz"))) == (0 if as_file else 4)
    grown = run_comparison(load_config(path), output)
    assert len(grown) == 6
    own = {row["key"]: row["train_seconds"] for row in rows}
    assert sum(row["train_seconds"] == own.get(row["key"]) for row in grown) == 4
    environments = json.loads((output / "environments.json").read_text())
    for row in read_rows(output / "results.jsonl"):
        assert row["run"] < len(environments)
