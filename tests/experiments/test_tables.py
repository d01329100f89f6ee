"""The development tables and the script that compares methods on them."""

import json

import numpy as np
import pytest

from experiments.common.runs import read_config
from experiments.tables.compare_defaults import Config, run
from experiments.tables.development import load_table, split_table
from mpnn.runs.toml import ConfigError

TINY = """
num_splits = 2
tables = ["sklearn_iris"]

[[methods]]
name = "logistic regression"
method = "logistic_regression"
params = { C = 0.5 }
code = { num_levels = 4 }

[[methods]]
name = "tree"
method = "tree"
"""


def config_of(tmp_path, text):
    path = tmp_path / "tiny.toml"
    path.write_text(text)
    return read_config(path, Config)


def test_a_run_writes_a_row_for_every_method_and_split_and_resumes(tmp_path, capsys):
    config = config_of(tmp_path, TINY)
    run(config, tmp_path / "out", "command")
    rows = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert [(row["name"], row["split"]) for row in rows] == [
        (name, split) for name in ("logistic regression", "tree") for split in (0, 1)
    ]
    assert {row["inputs"] for row in rows if row["code"]} == {16}
    assert all(85.0 < row["accuracy"] <= 100.0 for row in rows)
    assert "| logistic regression |" in capsys.readouterr().out
    run(config, tmp_path / "out", "command")
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 4


def test_validation_never_meets_test_rows():
    table = load_table("sklearn_wine")
    outer, inner = (split_table(table, 3, judge) for judge in ("test", "validation"))
    rows = {tuple(row) for row in np.concatenate([inner.x_train, inner.x_test])}
    assert rows == {tuple(row) for row in outer.x_train}
    assert len(outer.y_test) == 54


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('method = "tree"', 'method = "treee"'), "method must be one of"),
        (("num_splits = 2", 'num_splits = 2\njudge = "jury"'), "judge must be one of"),
        (("num_splits = 2", "num_split = 2"), "unknown key 'num_split'"),
        (("C = 0.5", "C = 0.5 }\nother = { C = 1"), "unknown key 'other'"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        config_of(tmp_path, TINY.replace(*change))


def test_an_unknown_table_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="tables must be from among"):
        load_table("titanic")
    monkeypatch.delenv("MPNN_DATA", raising=False)
    with pytest.raises(ConfigError, match="needs MPNN_DATA"):
        load_table("pima")
