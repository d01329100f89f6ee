"""The commands on a stranger's table: what they print and write, and that it is right."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from mpnn.cli.activity import Activity
from mpnn.cli.main import main
from mpnn.cli.models import Decision
from mpnn.cli.scores import cross_validate, judge
from mpnn.cli.sources import Examples
from mpnn.compare import load_config
from mpnn.data import load_dataset
from mpnn.runs.rows import read_rows
from tests.marks import mostly_slow

SHORT = ["--num-epochs", "1", "--set", "num_sweeps=5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table of flowers, its columns' names and an identifier, and a model of it."""
    folder = tmp_path_factory.mktemp("commands")
    iris = load_dataset("iris")
    with open(folder / "flowers.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", *"abcd", "species"])
        for number, (row, label) in enumerate(zip(iris.x_train[:, :], iris.y_train, strict=True)):
            writer.writerow([f"{number:03d}", *row.tolist(), iris.class_names[label]])
    start = os.getcwd()
    os.chdir(folder)
    assert main(["train", "flowers.csv", "--id", "number", "--output", "model", *SHORT]) == 0
    yield folder
    os.chdir(start)


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run a command in the folder; returns its output."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments, status=0):
        capsys.readouterr()
        assert main(list(arguments)) == status
        return capsys.readouterr().out

    return run


def predictions(text):
    rows = list(csv.DictReader(text.splitlines()))
    names = [name for name in rows[0] if name.startswith("p_")]
    return rows, names, np.array([[float(row[name]) for name in names] for row in rows])


@pytest.mark.slow
@mostly_slow("prediction", [None, "bayes"])
def test_a_label_is_the_largest_probability_or_the_file_says_why(run, prediction):
    how = [] if prediction is None else ["--prediction", prediction]
    output = run("predict", "model", "flowers.csv", "--id", "number", "--output", "-", *how)
    rows, names, probabilities = predictions(output)
    assert [row["number"] for row in rows] == [f"{number:03d}" for number in range(105)]
    assert ("decided_by" in rows[0]) == (prediction is None)
    for row, largest in zip(rows, probabilities.max(axis=1), strict=True):
        assert float(row[f"p_{row['label']}"]) == float(row["probability"])
        by_votes = row.get("decided_by") == "votes"
        assert (float(row["probability"]) < largest) <= by_votes


def test_identifiers_of_training_are_passed_through_where_the_file_has_them(run, folder):
    rows, *_ = predictions(run("predict", "model", "flowers.csv", "--output", "-"))
    assert [row["number"] for row in rows] == [f"{number:03d}" for number in range(105)]
    (folder / "new.csv").write_text("species,d,c,b,a\nS1,0.2,1.4,3.5,5.1\n")
    rows, *_ = predictions(run("predict", "model", "new.csv", "--output", "-"))
    assert "number" not in rows[0]
    rows, *_ = predictions(run("predict", "model", "new.csv", "--id", "species", "--output", "-"))
    assert rows[0]["species"] == "S1"
    run("predict", "model", "flowers.csv", "--label", "number", "--max-classes", "200", "--output", "-")
    assert re.search(r"^id: number$", run("inspect", "model"), re.MULTILINE)


@pytest.mark.slow
def test_columns_without_names_are_found_by_their_places(run, folder):
    lines = (folder / "flowers.csv").read_text().splitlines()[1:]
    rows = [[*line.split(",")[:4], f"{index % 3}", line.split(",")[5]] for index, line in enumerate(lines)]
    (folder / "plain.csv").write_text("\n".join(map(",".join, rows)))
    run("train", "plain.csv", "--id", "0", "--categorical", "4", "--label", "5", "--output", "plain", *SHORT)
    whole = predictions(run("predict", "plain", "plain.csv", "--output", "-"))
    assert [row["column 0"] for row in whole[0]] == [row[0] for row in rows]
    for name, first, last in (("without labels", 0, 5), ("features alone", 1, 5)):
        (folder / "part.csv").write_text("\n".join(",".join(row[first:last]) for row in rows))
        found = predictions(run("predict", "plain", "part.csv", "--output", "-"))
        np.testing.assert_array_equal(found[2], whole[2], name)
    assert "accuracy" in run("evaluate", "plain", "plain.csv")
    (folder / "part.csv").write_text("\n".join(",".join(row[2:5]) for row in rows))
    run("predict", "plain", "part.csv", "--output", "-", status=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "flowers.csv", "--output", "other"],
        ["predict", "model", "flowers.csv"],
        ["evaluate", "model", "flowers.csv"],
        ["export", "model", "--check", "flowers.csv", "--output", "packed"],
        ["init", "flowers.csv", "--output", "other.toml"],
    ],
)
def test_files_are_read_beside_the_main_thread_which_hears_an_interrupt(run, monkeypatch, arguments):
    threads = []

    def read(*_, **__):
        threads.append(threading.current_thread())
        raise ValueError("enough")

    monkeypatch.setattr("mpnn.cli.sources.read_table", read)
    run(*arguments, status=2)
    assert threads
    assert threading.main_thread() not in threads


def test_evaluate_takes_labels_from_their_column_and_agrees_with_predict(run, folder):
    shown = run("evaluate", "model", "flowers.csv")
    rows, names, probabilities = predictions(
        run("predict", "model", "--data", "flowers.csv", "--output", "-")
    )
    with open(folder / "flowers.csv", newline="") as file:
        true = [row["species"] for row in csv.DictReader(file)]
    share = np.mean([row["label"] == label for row, label in zip(rows, true, strict=True)])
    assert f"accuracy {share:.1%} (95 % interval" in shown
    assert "always the largest class: 33.3%" in shown
    classes = [name.removeprefix("p_") for name in names]
    own = [float(row[f"p_{label}"]) for row, label in zip(rows, true, strict=True)]
    assert f"log loss {-np.log(own).mean():.3f} nats" in shown
    table = confusion_matrix(true, [row["label"] for row in rows], labels=classes)
    for name, counts in zip(classes, table.tolist(), strict=True):
        assert [name, *map(str, counts)] in [line.split() for line in shown.splitlines()]


def test_evaluate_names_labels_that_the_model_does_not_know(run, folder):
    (folder / "new.csv").write_text("a,b,c,d,species\n5.1,3.5,1.4,0.2,setosa\n5.1,3.5,1.4,0.2,rose\n")
    shown = run("evaluate", "model", "new.csv")
    assert "the model does not know the labels rose (1)" in shown
    assert "(95 % interval" in shown


def test_judgements_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    classes = np.array(["a", "b", "c"])
    probabilities = generator.dirichlet(np.ones(3), 60)
    labels, predicted = generator.choice(classes, (2, 60), p=[0.6, 0.3, 0.1])
    judgement = judge(Decision(predicted, probabilities, False), classes, labels)
    assert judgement.balanced == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert judgement.scores.negative_log_likelihood == pytest.approx(log_loss(labels, probabilities))
    np.testing.assert_array_equal(judgement.confusion[:, :3], confusion_matrix(labels, predicted))
    assert judgement.accuracy.right == np.trace(judgement.confusion)
    assert judgement.majority.right == (labels == "a").sum()


def test_cross_validation_holds_every_example_out_once():
    iris, heard = load_dataset("iris"), []
    model = KNeighborsClassifier()
    found = cross_validate(model, Examples(iris.x_train, iris.y_train), 3, 5, heard.append)
    folds = StratifiedKFold(3, shuffle=True, random_state=5)
    expected = cross_val_predict(model, iris.x_train, iris.y_train, cv=folds)
    assert found.model == ((expected == iris.y_train).sum(), 105)
    assert found.majority.total == found.linear.total == 105
    assert heard == [1, 2, 3]


@pytest.mark.slow
def test_train_shows_a_cross_validated_accuracy(run):
    shown = run("train", "flowers.csv", "--id", "number", "--cv", "2", "--output", "folds", *SHORT)
    assert "held-out accuracy of 2 parts" in shown
    assert "logistic regression: 9" in shown
    names = [line.split()[0] for line in shown.splitlines() if line.startswith(" ")][:6]
    assert names == ["name", "a", "b", "c", "d", "species"]  # the identifiers are no feature
    assert "held-out accuracy of 2 parts" in run("inspect", "folds")


def test_init_writes_a_config_that_runs(run, folder):
    assert "now: mpnn compare flowers.toml" in run("init", "flowers.csv", "--id", "number")
    text = (folder / "flowers.toml").read_text()
    config = load_config(folder / "flowers.toml")
    assert config.datasets == ("flowers",)
    assert config.files["flowers"].label == "species"
    assert (config.shots, text.count("#") > 10) == ((5, 20, 25), True)
    only = ["--only", "nearest neighbour", "most frequent class", "--draws", "1"]
    shown = run("compare", "flowers.toml", *only)
    assert "6/6 flowers, 25 per class, draw 0, most frequent class: predict 31.2%" in shown
    rows = read_rows(folder / "runs" / "flowers" / "results.jsonl")
    assert [row["num_train"] for row in rows] == [15, 15, 60, 60, 73, 73]
    assert {row["num_test"] for row in rows} == {32}
    assert "6/6" in run("compare", "flowers.toml", *only)
    assert len(read_rows(folder / "runs" / "flowers" / "results.jsonl")) == 6


def test_row_numbers_are_left_out_by_init_and_named_by_compare(run, folder):
    assert "rows.toml leaves out 'number'" in run("init", "flowers.csv", "--output", "rows.toml")
    text = (folder / "rows.toml").read_text()
    assert "105 rows, 4 features" in text
    assert 'drop = ["number"]' in text
    (folder / "rows.toml").write_text(text.replace('drop = ["number"], ', ""))
    few = ["--only", "most frequent class", "--draws", "1", "--shots", "5", "--output", "runs/rows"]
    shown = run("compare", "rows.toml", *few)
    assert "flowers: column 'number' numbers the rows" in shown


def test_init_takes_what_the_config_says_of_columns(run, folder):
    run("init", "flowers.csv", "--drop", "a", "number", "--categorical", "b", "--output", "told.toml")
    file = load_config(folder / "told.toml").files["flowers"]
    assert (file.drop, file.categorical) == (("a", "number"), ("b",))


def test_a_comparison_whose_rows_all_fail_has_status_1(run, folder, capsys):
    (folder / "wrong.toml").write_text(
        'name = "wrong"\ndatasets = ["iris"]\nshots = [2]\ndraws = 1\n'
        '[[methods]]\nname = "C"\nmethod = "linear_svm"\nparams = { C = -1.0 }\n'
    )
    capsys.readouterr()
    assert main(["compare", "wrong.toml"]) == 1
    assert "every row failed; the first says: InvalidParameterError" in capsys.readouterr().err


def test_lists_data_sets_as_json(run):
    rows = json.loads(run("data", "--json"))
    assert {"name": "iris", "found": "bundled"}.items() <= rows[-2].items()


def test_lists_parameters_with_their_defaults_in_each_regime(run):
    lines = run("train", "--list-parameters").splitlines()
    assert "damping = by regime  (float in [0, 1), schedule or one value a layer)" in lines
    assert next(line.split() for line in lines if line.startswith("num_sweeps  ")) == [
        *("num_sweeps", "100", "1", "100", "100", "1", "1", "120")
    ]


def test_an_activity_names_compilation():
    import logging

    shown = Activity("training")
    for name, message, compiling in (
        ("jax._src.interpreters.pxla", "Compiling %s with global shapes", True),
        ("jax._src.dispatch", "Finished tracing step for jit in 0.1 sec", True),
        ("jax._src.dispatch", "Finished XLA compilation of jit(step) in 0.1 sec", False),
    ):
        shown.emit(logging.LogRecord(name, logging.DEBUG, "", 0, message, ("step",) * ("%" in message), None))
        assert ("compiling" in shown.line) == compiling


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "flowers.csv", "--id", "number", "--output", "stopped", "--set", "num_sweeps=1000000"],
        ["train", "flowers.csv", "--id", "number", "--output", "stopped", "--cv", "30"],
    ],
)
def test_an_interrupt_is_heard_within_two_seconds_and_leaves_nothing(arguments, folder):
    parent, child = pty.openpty()
    program = [sys.executable, "-m", "mpnn", *arguments]
    process = subprocess.Popen(program, cwd=folder, stdout=subprocess.DEVNULL, stderr=child)
    os.close(child)
    text = b""
    while b"training" not in text and b"part 2" not in text:
        text += os.read(parent, 1000)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert process.wait(timeout=20) == 130
    assert time.monotonic() - start < 2.0
    os.close(parent)
    assert not [path for path in folder.iterdir() if "stopped" in path.name or path.name.startswith(".mpnn")]


@pytest.mark.slow
def test_many_files_are_one_table(run, folder):
    """Few rows: what is printed and saved, and read again by names."""
    rows = (folder / "flowers.csv").read_text().splitlines()
    (folder / "parts").mkdir()
    for number in range(3):
        own = [rows[0], *rows[1 + number :: 3]]
        (folder / "parts" / f"{number}.csv").write_text("\n".join(own))
    how = ["--label", "species", "--drop", "number", "--set", "hidden=[]", "noise=1.0", "num_sweeps=5"]
    printed = run("train", "parts/*.csv", "--output", "many", "--test", "flowers.csv", *how)
    assert "training accuracy" in printed
    assert "test accuracy" in printed
    assert "3 files" in run("inspect", "many")
    assert "accuracy" in run("evaluate", "many", "flowers.csv")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["flowers.csv", "--readers", "2"], "--readers is for many files"),
        (["*.csv", "--cv", "3"], "--cv is for a table in memory"),
        (["*.csv", "--id", "number"], "--id is for a single file"),
        (["*.csv", "--num-processes", "0"], "--num-processes must be at least 1"),
        (["*.csv", "--num-processes", "2"], "--num-processes needs --checkpoints"),
        (["none/*.csv"], "names no file"),
    ],
)
def test_options_of_many_files(folder, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(folder)
    assert main(["train", *arguments]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_process_that_fails_ends_the_others(tmp_path, monkeypatch):
    from mpnn.cli import processes

    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    waiting = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    failing = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    try:
        assert processes._first_failure([waiting, failing]) == 3
    finally:
        waiting.kill()
        waiting.wait()
