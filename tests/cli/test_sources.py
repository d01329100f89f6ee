import numpy as np
import pytest

from mpnn.cli.options import Layout, Train
from mpnn.cli.sources import Schema, read_examples, read_training
from mpnn.runs.toml import ConfigError

ROWS = "a,b,kind\n" + "".join(f"{row % 7}.5,{row % 3},{'xy'[row % 2]}\n" for row in range(20))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(ROWS)
    return str(path)


def test_a_data_set_has_two_halves():
    data = read_training(Train("digits"))
    assert data.train.x.shape == (1257, 64)
    assert data.test.x.shape == (540, 64)


def test_npz_halves(tmp_path):
    path = str(tmp_path / "data.npz")
    x = np.arange(24.0).reshape(4, 2, 3)
    np.savez(path, x_train=x, y_train=np.arange(4), x_test=x[:2], y_test=np.arange(2))
    data = read_training(Train(path))
    assert data.train.x.shape == (4, 6)
    assert data.test.y.tolist() == [0, 1]


def test_a_last_column_of_words_holds_the_labels_and_it_is_said(table):
    data = read_training(Train(table))
    assert data.train.y.tolist() == ["x", "y"] * 10
    assert "'kind'" in data.notes[0]


def test_labels_are_not_guessed_from_numbers(table):
    with pytest.raises(ConfigError, match="which column holds the labels.*there are a, b"):
        read_training(Train(table, drop=("kind",)))


def test_labels_stay_as_written(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,kind\n1,007\n2,7\n3,007\n4,7\n")
    data = read_training(Train(str(path), layout=Layout(label="kind")))
    assert data.train.y.tolist() == ["007", "7", "007", "7"]


def test_a_share_of_every_class_is_held_out(table):
    data = read_training(Train(table, test_size=0.2))
    assert (len(data.train.x), len(data.test.x)) == (16, 4)
    assert sorted(data.test.y.tolist()) == ["x", "x", "y", "y"]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 0.001])
def test_a_share_that_cannot_be_held_out(table, share):
    with pytest.raises(ConfigError, match="--test-size"):
        read_training(Train(table, test_size=share))


def test_columns_are_matched_by_name(table, tmp_path):
    schema = Schema.of(read_training(Train(table)).train.table)
    path = tmp_path / "new.csv"
    path.write_text("more,b,a\nz,1,2.5\nz,2,3.5\n")
    assert read_examples(str(path), Layout(), schema).x.tolist() == [[2.5, 1.0], [3.5, 2.0]]
    path.write_text("b,c\n1,2\n")
    with pytest.raises(ConfigError, match="lacks the column"):
        read_examples(str(path), Layout(), schema)
    path.write_text("a,b\n1,\n")
    with pytest.raises(ConfigError, match="line 2.*missing"):
        read_examples(str(path), Layout(), schema)
