import numpy as np
import pytest

from mpnn.cli.sources import read_inputs
from mpnn.runs.toml import ConfigError


def test_a_data_set_has_two_halves():
    inputs = read_inputs("digits")
    assert inputs.train.x.shape == (1257, 64)
    assert inputs.test.x.shape == (540, 64)


def test_npz_halves(tmp_path):
    path = str(tmp_path / "data.npz")
    np.savez(path, x_train=np.zeros((4, 2, 3)), y_train=np.arange(4), x_test=np.ones((2, 2, 3)))
    inputs = read_inputs(path)
    assert inputs.train.x.shape == (4, 6)
    assert inputs.test.y is None
    np.savez(path, x=np.zeros((4, 3)), y=np.arange(4))
    inputs = read_inputs(path)
    assert inputs.train is inputs.test


def test_npz_that_does_not_fit(tmp_path):
    path = str(tmp_path / "data.npz")
    np.savez(path, x=np.zeros((4, 3)), y=np.arange(3))
    with pytest.raises(ConfigError, match=r"y has shape \(3,\), expected \(4,\) as x"):
        read_inputs(path)
    np.savez(path, pixels=np.zeros((4, 3)))
    with pytest.raises(ConfigError, match="none of the arrays x_train, x_test and x; it has pixels"):
        read_inputs(path)
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(ConfigError, match="cannot read"):
        read_inputs(path)


@pytest.mark.parametrize("label", ["kind", "1", "-2"])
def test_csv_with_a_header(tmp_path, label):
    path = tmp_path / "data.csv"
    path.write_text("a,kind,b\n1,cat,2\n3,dog,4\n\n")
    examples = read_inputs(str(path), label=label).train
    assert examples.x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert examples.y.tolist() == ["cat", "dog"]


def test_csv_without_header_or_labels(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,2\n3,4\n")
    examples = read_inputs(str(path)).test
    assert examples.x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert examples.y is None
    assert read_inputs(str(path), label="-1").train.y.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("a,b\n1,2\n3\n", None, "row 3 has 1 cells, expected 2"),
        ("a,b\n", None, "holds no rows of numbers"),
        ("a,b\n1,2\n", "c", "has no column 'c'; it has a, b"),
        ("1,2\n", "5", "has no column '5'; it has 0 to 1"),
        ("a,b\n1,cat\n", None, "every feature must be a number .*--label"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path, text, label, message):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_inputs(str(path), label=label)
