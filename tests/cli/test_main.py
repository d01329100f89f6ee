import csv
import errno
import importlib
import inspect
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpnn
from mpnn.cli.arguments import COMMANDS
from mpnn.cli.main import main
from mpnn.data import load_dataset, sample_few_shot
from tests.oracles.helpers import TINY_COMPARISON


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    path = tmp_path / "tiny.toml"
    path.write_text(TINY_COMPARISON)
    return path


def test_names_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"mpnn {mpnn.__version__}"


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["train", "--help"], []])
def test_explains_itself(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "usage: mpnn" in capsys.readouterr().out


def test_help_of_a_config_shows_its_values(config, capsys):
    with pytest.raises(SystemExit):
        main(["compare", "tiny.toml", "--help"])
    assert "(default: 2 4)" in capsys.readouterr().out


def test_compares_and_reports(config, capsys):
    assert (
        main(["compare", "tiny.toml", "--draws", "3", "--only", "linear", "--set", "linear_svm.C=0.5"]) == 0
    )
    shown = capsys.readouterr().out
    assert "1/6 iris, 2 per class, draw 0, linear: predict" in shown
    assert "2 per class" in shown
    assert "runs/tiny/report.html" in shown
    run = config.parent / "runs" / "tiny"
    rows = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    assert [row["params"] for row in rows] == [{"C": 0.5}] * 6
    command = json.loads((run / "environments.json").read_text())[0]["command"]
    assert shlex.split(command)[:3] == ["mpnn", "compare", "tiny.toml"]

    (run / "report.html").unlink()
    assert main(["report", "runs/tiny"]) == 0
    assert (run / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "name the config right after `compare`"),
        (["compare", "--draws", "2", "tiny.toml"], "name the config right after `compare`"),
        (["compare", "missing.toml"], "cannot read the config missing.toml"),
        (["compare", "tiny.toml", "--draws", "0"], "draws must be at least 1, got 0"),
        (["compare", "tiny.toml", "--workers", "0"], "workers must be at least 1, got 0"),
        (["compare", "tiny.toml", "--cluster-set", "mem_gb=8"], "--cluster-set needs --cluster PARTITION"),
        (
            ["compare", "tiny.toml", "--cluster", "long", "--cluster-set", "mem_gb"],
            "cannot read the parameter 'mem_gb'; write KEY=VALUE",
        ),
        (
            ["compare", "tiny.toml", "--only", "linera"],
            "--only: unknown method 'linera'; did you mean 'linear'",
        ),
        (["compare", "tiny.toml", "--set", "linear.c=1"], "unknown parameter 'c'; did you mean 'C'"),
        (["report", "."], "holds no results"),
        (["train", "no_such_set"], "unknown data set 'no_such_set'"),
        (["train", "no_such.npz"], "no_such.npz"),
        (["train", "iris", "--output", "no/folder"], "of --output does not exist"),
        (["predict", "nowhere", "--data", "no_such.csv"], "there is no model nowhere"),
        (["inspect", "nowhere"], "there is no model nowhere"),
        (["trian", "iris"], "unknown command 'trian'; did you mean 'train'"),
        (["data", "--download", "no_such_set"], "unknown data set 'no_such_set'"),
    ],
)
def test_mistakes_get_one_sentence_and_code_2(config, capsys, arguments, message):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert "Traceback" not in output.err
    assert len(output.err.splitlines()) == 1


def test_a_mistyped_option_gets_code_2(config, capsys):
    assert main(["compare", "tiny.toml", "--drws", "2"]) == 2
    assert capsys.readouterr().err == "mpnn compare: unknown option '--drws'; did you mean '--draws'?\n"


def test_an_interrupt_says_how_to_resume(config, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mpnn.cli.commands.compare.run_comparison", interrupt)
    assert main(["compare", "tiny.toml", "--fresh", "--draws", "3"]) == 130
    assert "To resume: mpnn compare tiny.toml --draws 3" in capsys.readouterr().err


def test_a_full_disk_gets_one_sentence(config, capsys, monkeypatch):
    def fill(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results.jsonl")

    monkeypatch.setattr("mpnn.cli.commands.compare.run_comparison", fill)
    assert main(["compare", str(config)]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "cannot write results.jsonl: No space left on device; finished rows are kept" in message


def test_lists_the_data_sets(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["data"]) == 0
    shown = capsys.readouterr().out
    assert "digits" in shown
    assert "bundled" in shown


def test_starts_without_heavy_imports():
    program = (
        "import sys, mpnn.cli.main, mpnn.compare;"
        "print([name for name in ('jax', 'sklearn', 'scipy', 'matplotlib', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_command_has_a_function():
    for name, kind in COMMANDS.items():
        module = importlib.import_module(f"mpnn.cli.commands.{kind.__name__.lower()}")
        assert inspect.signature(module.run).parameters["command"].annotation is kind
        assert name == kind.__name__.lower()


def test_trains_and_predicts_from_a_csv_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = load_dataset("digits")
    three = digits.y_train < 3
    x, y = sample_few_shot(digits.x_train[three], digits.y_train[three], per_class=8, seed=0)
    with open("train.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"feature_{place}" for place in range(64)), "kind"])
        writer.writerows([*row, f"kind {label}"] for row, label in zip(x.tolist(), y, strict=True))
    assert main(["train", "train.csv", "--label", "kind", "--output", "model", "--num-epochs", "20"]) == 0
    assert "training accuracy" in capsys.readouterr().out
    assert main(["predict", "model", "--data", "train.csv", "--label", "kind"]) == 0
    assert "accuracy" in capsys.readouterr().out
    with open("predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    names = [f"p_kind {number}" for number in range(3)]
    assert list(rows[0]) == ["label", "probability", "decided_by", *names]
    for row in rows:
        largest = max(float(row[name]) for name in names)
        assert row["probability"] == row[f"p_{row['label']}"]
        assert (float(row["probability"]) == largest) == (row["decided_by"] == "votes and probability")
    assert np.mean([row["label"] == f"kind {label}" for row, label in zip(rows, y, strict=True)]) > 0.8
    capsys.readouterr()
    assert main(["inspect", "model"]) == 0
    assert "classes: kind 0, kind 1, kind 2" in capsys.readouterr().out
    assert main(["export", "model", "--output", "packed"]) == 0
    assert main(["export", "model", "--output", "model.c", "--format", "c", "--inputs", "uint8"]) == 0
    assert "bytes" in capsys.readouterr().out
    Path("folder").mkdir()
    assert main(["export", "model", "--output", "folder", "--format", "c", "--inputs", "uint8"]) == 0
    assert {path.name for path in Path("folder").iterdir()} == {"model.c", "model.h"}


# Ctrl-C comes just when the module that is asked for is looked for.
INTERRUPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
sys.argv[1:] = ["data"]
from mpnn.cli.entry import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["mpnn.cli.main", "tyro", "mpnn.cli.commands.data"])
def test_ctrl_c_is_heard_while_modules_are_imported(module):
    command = [sys.executable, "-c", INTERRUPT.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr == "stopped; nothing was written\n"
