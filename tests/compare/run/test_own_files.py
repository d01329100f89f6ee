"""Files of one's own in a comparison: numbers for all methods alike, splits, keys."""

import dataclasses

import numpy as np
import pytest

from mpnn.compare import run_comparison
from mpnn.compare.config import DataFile
from mpnn.compare.config_files import load_config
from mpnn.compare.run.jobs import list_jobs, make_task, open_dataset
from mpnn.compare.run.own_files import file_key, read_file
from mpnn.runs.toml import ConfigError

HEADER = "size,town,mark,kind\n"
ROWS = [
    f"{place}.5,{'Rome' if place % 3 else 'Oslo'},{place % 5},{'xyy'[place % 3]}\n" for place in range(30)
]


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.csv"
    rows = [*ROWS, ",Rome,1,x\n", "3.5,,2,y\n"]
    path.write_text(HEADER + "".join(rows))
    return DataFile(str(path), label="kind", drop=("mark",))


def test_columns_become_numbers_learned_from_the_training_part(own):
    data = read_file("own", own)
    assert data.class_names == ("x", "y")
    assert (len(data.x_train), len(data.x_test)) == (22, 10)
    assert set(data.feature_names) <= {"size", "size missing", "town=Oslo", "town=Rome"}
    x = np.concatenate([data.x_train, data.x_test])
    assert np.isfinite(x).all()
    towns = x[:, [data.feature_names.index(name) for name in ("town=Oslo", "town=Rome")]]
    assert sorted(towns.sum(axis=1).tolist()) == [0.0] + [1.0] * 31  # one row names no town
    filled = x[:, 0][~np.isin(x[:, 0], np.arange(30) + 0.5)]
    sizes = data.x_train[:, 0]
    if "size missing" in data.feature_names:
        sizes = sizes[data.x_train[:, data.feature_names.index("size missing")] == 0]
    assert set(filled.tolist()) <= {float(np.median(sizes))}


def test_a_split_is_that_of_its_seed_and_has_every_class_in_equal_shares(own):
    first, again = read_file("own", own), read_file("own", own)
    other = read_file("own", dataclasses.replace(own, split=1))
    np.testing.assert_array_equal(first.x_test, again.x_test)
    assert not np.array_equal(first.x_test, other.x_test)
    for data in (first, other):
        assert abs(data.y_test.sum() - 10 * 21 / 32) < 1  # of 32 rows, 21 are of class y


def test_a_file_of_test_examples_is_read_by_column_names(own, tmp_path):
    test = tmp_path / "test.csv"
    test.write_text("kind,town,size\nx,Rome,1\ny,Nowhere,\n")
    data = read_file("own", dataclasses.replace(own, test=str(test)))
    assert (len(data.x_train), data.y_test.tolist()) == (32, [0, 1])
    assert data.x_test[0, data.feature_names.index("town=Rome")] == 1.0


def test_keys_follow_content_and_reading_and_not_the_place(own, tmp_path):
    moved = tmp_path / "moved.csv"
    moved.write_bytes((tmp_path / "own.csv").read_bytes())
    assert file_key(dataclasses.replace(own, file=str(moved))) == file_key(own)
    others = [{"split": 1}, {"test_size": 0.4}, {"drop": ()}, {"test": str(moved)}]
    keys = {file_key(dataclasses.replace(own, **change)) for change in others}
    moved.write_text(HEADER + "".join(ROWS))
    keys |= {file_key(own), file_key(dataclasses.replace(own, file=str(moved)))}
    assert len(keys) == 6


def test_methods_see_files_and_smaller_classes_give_all_that_they_have(tiny, own, tmp_path):
    config = dataclasses.replace(tiny, datasets=("iris", "own"), files={"own": own}, shots=(2, 12), draws=1)
    rows = [row for row in run_comparison(config, tmp_path / "run") if row["dataset"] == "own"]
    assert [row["error"] for row in rows] == [None] * 4
    assert [row["num_train"] for row in rows] == [4, 4, 20, 20]  # 8 of x, 12 of y
    assert len({job.data for job in list_jobs(config)}) == 2
    with np.load(tmp_path / "run" / "artifacts" / f"{rows[0]['key']}.npz") as arrays:
        assert arrays["classes"].tolist() == ["x", "y"]


CONFIG = """
name = "own"
datasets = [{datasets}]
shots = {shots}
methods = [{{ name = "linear", method = "logistic_regression" }}]
"""


@pytest.mark.parametrize(("shots", "expected"), [('"all"', (7,)), ('[2, "all", 500]', (2, 7)), ("[2]", (2,))])
def test_all_examples_are_those_of_the_largest_class(tmp_path, shots, expected):
    lines = ["a,kind", *(f"{number},{'x' if number < 10 else 'y'}" for number in range(16))]
    (tmp_path / "own.csv").write_text("\n".join(lines))
    config = tmp_path / "own.toml"
    config.write_text(CONFIG.format(datasets='{ file = "own.csv", label = "kind" }', shots=shots))
    read = load_config(config)
    assert read.shots == expected
    job = list_jobs(read)[-1]
    if "all" in shots:
        dataset = open_dataset("own", read)
        assert len(make_task(dataset, job).x_train) == len(dataset.x_train)


def test_all_examples_are_for_own_files(tmp_path):
    config = tmp_path / "known.toml"
    config.write_text(CONFIG.format(datasets='"iris"', shots='"all"'))
    with pytest.raises(ConfigError, match="is for files of your own, got the data set 'iris'"):
        load_config(config)
