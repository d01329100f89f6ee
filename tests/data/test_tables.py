"""heart and adult: the text files, OpenML's copies of them, and the encoding."""

import gzip
from types import SimpleNamespace

import numpy as np
import pytest

from mpnn.data import DataError, DataNotFoundError, load_dataset
from mpnn.data.download import _ADULT_ANCHORS, _ADULT_NUM_TEST, _HEART_CODES
from mpnn.data.tables import ADULT_COLUMNS, ADULT_NOMINAL, HEART_COLUMNS, encode_columns

ADULT_ROW = (
    "39, {workclass}, 77516, Bachelors, 13, Divorced, Sales, Wife, White, {sex}, 0, 0, 40, Cuba, {label}"
)
HEART_HEADER = ",".join([*HEART_COLUMNS, "target"])


def heart_table(num_rows=40):
    """Rows with every code of the nominal columns; "ca" and "thal" are never missing."""
    generator = np.random.default_rng(0)
    levels = {"cp": 4, "restecg": 3, "slope": 3, "ca": 4, "sex": 2, "fbs": 2, "exang": 2}
    columns = [np.arange(num_rows) % levels.get(name, 90) for name in HEART_COLUMNS[:-1]]
    thal = 1 + np.arange(num_rows) % 3
    label = np.arange(num_rows) // 2 % 2
    return generator.permutation(np.stack([*columns, thal, label], axis=1).astype(float))


def write_heart(path, table, header=HEART_HEADER, encoding="utf-8-sig", newline="\r\n"):
    lines = [header, *(",".join(f"{value:g}" for value in row) for row in table)]
    path.write_bytes((newline.join(lines) + newline).encode(encoding))


def write_adult(folder, suffix=".gz"):
    train = [("Private", "Male", "<=50K"), ("?", "Female", ">50K"), ("State-gov", "Male", "<=50K")]
    test = [("Private", "Female", ">50K."), ("Never-worked", "Male", "<=50K.")]
    for name, rows, first in (("adult.data", train, ""), ("adult.test", test, "|1x3 Cross validator\n")):
        lines = [ADULT_ROW.format(workclass=work, sex=sex, label=label) for work, sex, label in rows]
        content = (first + "\n".join(lines) + "\n\n").encode()
        (folder / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)


def test_encoding_keeps_the_column_order():
    table, names = encode_columns({"a": np.array(["3", "4"]), "b": np.array(["y", "x"])}, ["b"])
    assert names == ("a", "b=x", "b=y")
    assert table.tolist() == [[3, 0, 1], [4, 1, 0]]


def test_heart_has_the_documented_features_and_split(tmp_path):
    table = heart_table()
    write_heart(tmp_path / "heart.csv", table)
    data = load_dataset("heart", folder=tmp_path)
    assert data.x_train.shape == (32, 20)  # 21 with thal = 0
    assert data.x_test.shape == (8, 20)
    assert data.feature_names[:6] == ("age", "sex", "cp=0", "cp=1", "cp=2", "cp=3")
    assert data.y_test.mean() == 0.5
    assert "label 1 means no disease" in data.note
    ages = np.concatenate([data.x_train[:, 0], data.x_test[:, 0]])
    assert sorted(ages) == sorted(table[:, 0])


def test_heart_split_does_not_depend_on_row_order_or_encoding(tmp_path):
    table = heart_table()
    (tmp_path / "other").mkdir()
    write_heart(tmp_path / "heart.csv", table)
    write_heart(tmp_path / "other" / "heart.csv", table[::-1], encoding="utf-8", newline="\n")
    one, other = load_dataset("heart", folder=tmp_path), load_dataset("heart", folder=tmp_path / "other")
    assert np.array_equal(one.x_train, other.x_train)
    assert np.array_equal(one.y_test, other.y_test)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header is ''"),
        (b"1,2,3\n", "its header is '1,2,3', expected 'age,sex"),
        (HEART_HEADER.encode() + b"\n1,2,3\n", "row 2 has 3 values, expected 14"),
        (HEART_HEADER.encode() + b"\n" + b"1," * 13 + b"sick\n", "row 2 holds something else than numbers"),
        (HEART_HEADER.encode() + b"\n" + b"1," * 13 + b"1\n", "labels 0 and 1"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
    ids=["empty", "header", "short row", "text", "one class", "encoding"],
)
def test_broken_heart(tmp_path, content, message):
    (tmp_path / "heart.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("heart", folder=tmp_path)
    assert str(tmp_path / "heart.csv") in str(caught.value)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_adult_keeps_missing_values_and_the_official_split(tmp_path, suffix):
    write_adult(tmp_path, suffix)
    data = load_dataset("adult", folder=tmp_path)
    assert data.y_train.tolist() == [0, 1, 0]
    assert data.y_test.tolist() == [1, 0]
    assert data.feature_names[1:5] == tuple(
        f"workclass={level}" for level in ("?", "Never-worked", "Private", "State-gov")
    )
    assert data.x_train[1, :5].tolist() == [39, 1, 0, 0, 0]
    assert data.x_test[1, :5].tolist() == [39, 0, 1, 0, 0]


def test_half_of_adult_is_not_adult(tmp_path, no_network):
    write_adult(tmp_path)
    (tmp_path / "adult.test.gz").unlink()
    with pytest.raises(DataNotFoundError, match="adult.data and adult.test of UCI"):
        load_dataset("adult", folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("39, Private", "line 1 has 2 values, expected 15"),
        (ADULT_ROW.format(workclass="?", sex="Male", label="rich"), "line 1 has the label 'rich'"),
        (ADULT_ROW.format(workclass="?", sex="Male", label=">50K")[1:].replace("9", "old", 1), "age = 'old'"),
        ("|only a remark", "holds no rows"),
    ],
)
def test_broken_adult(tmp_path, content, message):
    write_adult(tmp_path, suffix="")
    (tmp_path / "adult.test").write_text(content)
    with pytest.raises(DataError, match=message):
        load_dataset("adult", folder=tmp_path)


def heart_as_openml(table):
    """The table as scikit-learn hands over OpenML's copy: nominal columns coded by their own word lists."""
    columns, categories = [], {}
    for name, values in zip(HEART_COLUMNS, table.T, strict=False):
        if name in _HEART_CODES:
            codes = {word: code for word, code in _HEART_CODES[name].items() if word != "?"}
            categories[name] = sorted(codes, reverse=True)
            position = {codes[word]: index for index, word in enumerate(categories[name])}
            columns.append([position.get(int(value), np.nan) for value in values])
        elif name == "ca":
            columns.append(np.where(values == 4, np.nan, values))
        else:
            columns.append(values)
    target = np.where(table[:, -1] == 1, "<50", ">50_1").astype(object)
    data = np.stack([np.asarray(column, float) for column in columns], axis=1)
    return SimpleNamespace(data=data, target=target, categories=categories, feature_names=list(HEART_COLUMNS))


def test_heart_from_openml_equals_heart_csv(monkeypatch, tmp_path):
    table = heart_table()
    table[0, 11] = 4  # "ca" missing
    table[1, 12] = 0  # "thal" missing
    (tmp_path / "file").mkdir()
    write_heart(tmp_path / "file" / "heart.csv", table)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **arguments: heart_as_openml(table[::-1]))
    downloaded = load_dataset("heart", folder=tmp_path)
    expected = load_dataset("heart", folder=tmp_path / "file")
    kept = load_dataset("heart", folder=tmp_path, download=False)
    assert kept.source == str(tmp_path / "heart.npz")
    for data in (downloaded, kept):
        assert data.feature_names == expected.feature_names
        assert np.array_equal(data.x_train, expected.x_train)
        assert np.array_equal(data.y_test, expected.y_test)


def test_unknown_word_from_openml_is_refused(monkeypatch, tmp_path):
    bunch = heart_as_openml(heart_table())
    bunch.categories["sex"] = ["other", "female"]
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **arguments: bunch)
    with pytest.raises(DataNotFoundError, match=r"column sex holds \['other'\]"):
        load_dataset("heart", folder=tmp_path)


def adult_as_openml():
    """Numbers and codes in the shape of OpenML's copy, test rows first, each row numbered by its age."""
    num_rows = max(_ADULT_ANCHORS) + 1
    data = np.zeros((num_rows, len(ADULT_COLUMNS)))
    data[:, ADULT_COLUMNS.index("age")] = np.arange(num_rows)
    for row, weight in _ADULT_ANCHORS.items():
        data[row, ADULT_COLUMNS.index("fnlwgt")] = weight
    data[7, ADULT_COLUMNS.index("workclass")] = np.nan
    target = np.where(np.arange(num_rows) < 10, ">50K", "<=50K").astype(object)
    categories = {name: [f"some {name}"] for name in ADULT_NOMINAL}
    return SimpleNamespace(data=data, target=target, categories=categories, feature_names=list(ADULT_COLUMNS))


def test_adult_from_openml_is_put_in_order(monkeypatch, tmp_path):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **arguments: adult_as_openml())
    data = load_dataset("adult", folder=tmp_path)
    assert len(data.x_test) == _ADULT_NUM_TEST
    assert data.x_test[:3, 0].tolist() == [0, 1, 2]
    assert data.x_train[0, 0] == _ADULT_NUM_TEST
    assert data.y_test.sum() == 10
    assert data.y_train.sum() == 0
    assert data.x_test[7, data.feature_names.index("workclass=?")] == 1


def test_adult_in_another_order_is_refused(monkeypatch, tmp_path):
    bunch = adult_as_openml()
    bunch.data = bunch.data[::-1]
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **arguments: bunch)
    with pytest.raises(DataNotFoundError, match="rows are not in the expected order"):
        load_dataset("adult", folder=tmp_path)
