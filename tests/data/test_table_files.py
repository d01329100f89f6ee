import csv
import gzip
import io
import sys
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

from mpnn.data import (
    DataError,
    holds_test_part,
    is_table_file,
    match_columns,
    read_table,
    require_complete,
    text_sources,
    text_tables,
)
from tests.data.malformed_tables import MALFORMED

ROWS = [[5.1, 3.5, "n\u00e4h"], [4.9, -0.25, "fern"], [1e-3, 12.0, "n\u00e4h"], [7.25, 0.5, "fern, weit"]]
NAMES = ["width", "height", "kind"]


@pytest.fixture
def write(tmp_path):
    def put(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def as_text(rows, delimiter=",", decimal=".", end="\n"):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end)
    writer.writerow(NAMES)
    for row in rows:
        writer.writerow(
            [str(cell).replace(".", decimal) if isinstance(cell, float) else cell for cell in row]
        )
    return stream.getvalue()


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_malformed_tables_get_their_sentence(case, write, monkeypatch):
    monkeypatch.setattr(text_tables, "_block_rows", lambda width: 200)
    path = write(case.content, case.file)
    with pytest.raises(DataError) as refusal:
        read_table(path, **case.arguments)
    sentence = str(refusal.value)
    assert sentence.replace(str(path), "FILE") == case.sentence
    assert sentence.isprintable()
    assert "np." not in sentence
    assert "pickle" not in sentence


def test_the_table_of_malformed_tables_is_long_and_its_names_differ():
    assert len({case.name for case in MALFORMED}) == len(MALFORMED) >= 80


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize(
    ("delimiter", "decimal"), [(",", "."), (",", ","), (";", ","), ("\t", "."), ("|", ",")]
)
def test_one_table_in_every_layout(write, delimiter, decimal, encoding, end):
    text = as_text(ROWS, delimiter, decimal, end)
    table = read_table(write(text.encode(encoding)), label="kind")
    assert table.features().tolist() == [row[:2] for row in ROWS]
    assert table.labels.tolist() == [row[2] for row in ROWS]
    assert (table.names, table.label_name) == (("width", "height"), "kind")
    assert (table.format.delimiter, table.format.decimal, table.format.header) == (delimiter, decimal, True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", as_text(ROWS, "\t").encode()),
        ("t.txt", as_text(ROWS, ";").encode()),
        ("t.csv.gz", gzip.compress(as_text(ROWS).encode())),
        ("gzip.csv", gzip.compress(as_text(ROWS).encode())),
        ("excel.csv", b"sep=;\r\n" + as_text(ROWS, ";", ",", "\r\n").encode()),
        ("latin.csv", as_text(ROWS).encode("latin-1")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_table_in_every_file(write, name, content):
    given = {"encoding": "latin-1"} if name == "latin.csv" else {}
    table = read_table(write(content, name), label=-1, **given)
    assert table.features().tolist() == [row[:2] for row in ROWS]
    assert table.labels.tolist() == [row[2] for row in ROWS]


def test_the_standard_input_is_read_like_a_file(monkeypatch):
    for content in (as_text(ROWS).encode(), gzip.compress(as_text(ROWS).encode())):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        table = read_table("-", label="kind")
        assert table.features().tolist() == [row[:2] for row in ROWS]
        assert table.source == "standard input"


@pytest.mark.parametrize(
    ("text", "header", "names"),
    [
        ("2019,2020,label\n1,2,x\n3,4,y\n", True, ["2019", "2020", "label"]),
        ("a,b\n1,2\n", True, ["a", "b"]),
        ("a,b\nx,y\nz,y\n", True, ["a", "b"]),
        ("1,2,x\n3,4,y\n5,6,x\n", False, ["column 0", "column 1", "column 2"]),
        ("red,small\nred,large\nblue,small\n", False, ["column 0", "column 1"]),
        ("1.5,2\n3,4\n", False, ["column 0", "column 1"]),
        ("0,1,2\n0.5,1.5,2.5\n", True, ["0", "1", "2"]),
        ("400,410,420\n0.1,0.2,0.3\n0.1,0.4,0.5\n", True, ["400", "410", "420"]),
        ("1,2,3\n4,5,6\n", False, ["column 0", "column 1", "column 2"]),
        ("?,2,x\n3,4,x\n", False, ["column 0", "column 1", "column 2"]),
        (",a\n0,1\n1,2\n", True, ["column 0", "a"]),
        ("12%,5\n15%,6\n", False, ["column 0", "column 1"]),
        ("a b;c d\n1;2\n", True, ["a b", "c d"]),
    ],
)
def test_header_is_found(write, text, header, names):
    path = write(text)
    table = read_table(path, categorical=(0,))
    assert table.format.header is header
    assert list(table.names) == names


def test_header_that_is_told_or_wanted_is_taken(write):
    years = write("2019,2020\n1,2\n3,4\n")
    assert len(read_table(years)) == 3
    assert read_table(years, header=True).names == ("2019", "2020")
    assert len(read_table(years, kinds={"2020": "number", "2019": "number"})) == 2
    words = write("kind\nx\nx\n", "w.csv")
    assert read_table(words, header=False, categorical="0").columns[0].values.tolist() == ["kind", "x", "x"]
    assert len(read_table(write("x,kind\ny,x\nx,kind\n", "k.csv"), label="kind")) == 2


def test_a_header_in_doubt_is_mentioned(write):
    assert "the first row (1, 2, 3) was taken for data" in read_table(write("1,2,3\n4,5,7\n")).warnings[0]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "2.5", "-3e2", " 4 ", "+.5"], "number", [1.0, 2.5, -300.0, 4.0, 0.5]),
        (["1", "", "NA", "?", "-", "None", "nan"], "number", [1.0] + 6 * [None]),
        (["yes", "no", "", "Yes"], "boolean", [1.0, 0.0, None, 1.0]),
        (["TRUE", "FALSE"], "boolean", [1.0, 0.0]),
        (["t", "f"], "boolean", [1.0, 0.0]),
        (["red", "None", "", "red"], "category", ["red", "None", None, "red"]),
        (["0", "1", "2", "3+"] * 3, "category", ["0", "1", "2", "3+"] * 3),
        (["10-20", "20-30"], "category", ["10-20", "20-30"]),
        (["", ""], "number", [None, None]),
        (["2nd", "1st"], "category", ["2nd", "1st"]),
        (["v1.2.3", "v1.2.4"], "category", ["v1.2.3", "v1.2.4"]),
    ],
)
def test_kinds_are_inferred(write, cells, kind, values):
    column = read_table(write("other,a\n" + "".join(f"1,{cell}\n" for cell in cells))).columns[1]
    assert column.kind == kind
    found = [None if value is None or value != value else value for value in column.values.tolist()]
    assert found == values
    assert column.missing.tolist() == [value is None for value in values]
    assert column.num_distinct == len(set(values) - {None})


def test_summary_and_features_of_a_mixed_table(write):
    table = read_table(write("a,b,c,kind\n1,red,yes,x\n,blue,no,x\n1,,no,y\n1,red,,y\n"), label="kind")
    assert [tuple(row) for row in table.summary()] == [
        ("a", "number", 1, 1),
        ("b", "category", 2, 1),
        ("c", "boolean", 2, 1),
    ]
    features = table.features()
    assert features.dtype == object
    assert features[0].tolist() == [1.0, "red", 1.0]
    assert np.isnan(features[1, 0])
    assert features[2, 1] is None
    assert table.kinds == {"a": "number", "b": "category", "c": "boolean"}
    assert table.shape == (4, 3)
    assert table.lines.tolist() == [2, 3, 4, 5]
    assert table.place(2).endswith("t.csv, line 4")


def test_frame_has_the_same_values(write):
    table = read_table(write("a,b,kind\n1,red,x\n,blue,x\n3,,y\n"), label="kind")
    frame = table.frame()
    assert frame["a"].tolist()[::2] == [1.0, 3.0]
    assert frame["b"].astype(object).isna().tolist() == [False, False, True]
    assert list(frame["b"].cat.categories) == ["blue", "red"]


@pytest.mark.parametrize(
    "labels",
    [
        ["007", "010", "100"],
        ["07", "7", "7.0"],
        ["12345678901234567890", "12345678901234567891", "12345678901234567892"],
        ["1e3", "1000", "+1000"],
        ["True", "true", "TRUE"],
        ["None", "none", "-"],
        ["yes, perhaps", 'a "b"', "two\nlines"],
        ["0.5", "1.0", "1.5"],
        ["2024-01-01", "12%", "1,234"],
    ],
)
def test_labels_stay_as_written(write, labels):
    stream = io.StringIO()
    csv.writer(stream).writerows([["a", "kind"], *([index, label] for index, label in enumerate(5 * labels))])
    table = read_table(write(stream.getvalue()), label="kind")
    assert table.labels.tolist() == 5 * labels
    assert all(type(label) is str for label in table.labels.tolist())


def test_roles_of_columns(write):
    path = write("key,zip,size,note,kind\nA-1,01234,5,hm,x\n007,00501,6,hm,y\nNA,01234,7,ho,y\n")
    table = read_table(path, label="kind", id="key", drop="note", categorical=["zip"])
    assert (table.ids.tolist(), table.id_name) == (["A-1", "007", "NA"], "key")
    assert table.columns[0].values.tolist() == ["01234", "00501", "01234"]
    assert table.kinds == {"zip": "category", "size": "number"}
    by_number = read_table(path, label="-1", id=0, drop=(3,), categorical="1")
    assert by_number.kinds == table.kinds
    assert read_table(path, label=2, drop=("3", "0")).names == ("zip", "kind")


def test_a_name_counts_before_a_number(write):
    table = read_table(write("1,0,label\n5,6,x\n7,8,y\n"), label="0", categorical="label")
    assert table.label_name == "0"
    assert table.names == ("1", "label")


def test_a_word_that_comes_late_makes_a_category(write, monkeypatch):
    monkeypatch.setattr(text_tables, "_block_rows", lambda width: 32)
    cells = ["0", "1", "02"] * 100 + ["3+"]
    table = read_table(write("a,kind\n" + "".join(f"{cell},x\n" for cell in cells)), label="kind")
    assert table.columns[0].kind == "category"
    assert table.columns[0].values.tolist() == cells


def test_lines_are_those_of_the_file(write):
    table = read_table(write('a,b\n\n1,"x\r\ny"\n\n\n2,z\n3,"\n\n"\n4,w\n'))
    assert table.lines.tolist() == [3, 7, 8, 11]
    assert table.columns[1].values.tolist() == ["x\r\ny", "z", None, "w"]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_blocks_do_not_show(write, monkeypatch, block):
    text = 'a,b,kind\r\n1,"x\r\n,y",p\r\n\r\n2.5,"\r\n",q\r\n,zz,p\r\n' * 1
    text += "".join(f"{number},w{number % 3},p\r\n" for number in range(20))
    whole = read_table(write(text), label="kind")
    monkeypatch.setattr(text_sources, "_BLOCK", block)
    monkeypatch.setattr(text_tables, "_block_rows", lambda width: block)
    parts = read_table(write(text), label="kind")
    assert parts.lines.tolist() == whole.lines.tolist()
    np.testing.assert_array_equal(parts.columns[0].values, whole.columns[0].values)
    assert parts.columns[1].values.tolist() == whole.columns[1].values.tolist()
    assert parts.labels.tolist() == whole.labels.tolist()


def test_a_line_without_end_is_refused_before_it_fills_the_memory(write, monkeypatch):
    monkeypatch.setattr(text_sources, "MAX_LINE", 5000)
    monkeypatch.setattr(text_sources, "_BLOCK", 1000)
    with pytest.raises(DataError, match=r"line 2: longer than 5000 characters"):
        read_table(write("a,b\n" + 10_000 * "1"))


def test_files_that_are_not_there(tmp_path, write):
    write("a\n1\n", "train.csv")
    with pytest.raises(DataError, match=r"tarin\.csv does not exist; did you mean train\.csv\?"):
        read_table(tmp_path / "tarin.csv")
    with pytest.raises(DataError, match=r"does not exist: there is no folder"):
        read_table(tmp_path / "nowhere" / "t.npz")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv is a folder; name a file in it"):
        read_table(tmp_path / "folder.csv")
    with pytest.raises(DataError, match="source must be the path of a file or '-', got list"):
        read_table([1, 2])


def test_other_columns_are_not_looked_at_when_kinds_are_given(write):
    training = read_table(write("w,h,c,kind\n1,2,a,x\n3,4,b,y\n"), label="kind")
    new = write("day,c,extra,h,w\n2024-01-01,1,12%,5,6\n2024-01-02,2,7%,7,8\n", "new.csv")
    table = read_table(new, kinds=training.kinds, id="day")
    assert table.names == ("w", "h", "c")
    assert table.features().tolist() == [[6.0, 5.0, "1"], [8.0, 7.0, "2"]]
    assert table.ids.tolist() == ["2024-01-01", "2024-01-02"]
    assert table.warnings == ()


def test_columns_without_names_are_matched_in_order_where_nothing_has_a_name(write):
    named = {"w": "number", "h": "number"}
    bare = write("1,2\n3,4\n")
    assert read_table(bare, kinds=named, header=False).features().tolist() == [[1, 2], [3, 4]]
    nameless = read_table(write("x,1,2\nx,3,4\ny,5,6\n", "label_first.csv"), label=0).kinds
    assert list(nameless) == ["column 1", "column 2"]
    assert read_table(bare, kinds=nameless).features().tolist() == [[1, 2], [3, 4]]
    with_label = write("x,1,2\nx,3,4\n", "again.csv")
    assert read_table(with_label, kinds=nameless, label=0).features().tolist() == [[1, 2], [3, 4]]


def test_match_columns(write):
    table = read_table(write("a,b,c\n1,2,3\n4,5,6\n"))
    assert match_columns(table, ("c", "a")).features().tolist() == [[3, 1], [6, 4]]
    with pytest.raises(DataError, match=r"lacks the columns 'x', 'y'; it has 'a', 'b', 'c'"):
        match_columns(table, ("x", "a", "y"))
    arrays = write(b"", "x.npy")
    np.save(arrays, np.arange(6).reshape(2, 3))
    table = read_table(arrays)
    assert match_columns(table, ("column 2", "column 0")).features().tolist() == [[2, 0], [5, 3]]


def test_require_complete_names_the_first_gap(write):
    table = read_table(write("a,b\n1,2\n,3\n4,\n"))
    with pytest.raises(DataError, match=r"t\.csv, line 3, column 'a': the value is missing"):
        require_complete(table)
    with pytest.raises(DataError, match=r"line 4, column 'b'"):
        require_complete(table, {"b"})
    require_complete(table, {"other"})


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("n,a,kind\n1,5,x\n2,5.5,x\n3,6,y\n4,1,y\n5,2,y\n", "column 'n' numbers the rows"),
        (
            "n,a,kind\n" + "".join(f"{i * 7 % 30},{i % 4},{i % 2}\n" for i in range(30)),
            "column 'n' numbers the rows",
        ),
        ("a,b,kind\n1,7,x\n2,7,x\n3,7,y\n4,7,y\n1,,y\n", "column 'b' has the same value in every row"),
        ("a,b,kind\n1,q,x\n2,q,x\n3,q,y\n4,q,y\n1,,y\n", "column 'b' has the same value in every row"),
        ("a,b,kind\n1,,x\n2,,x\n3,,y\n4,,y\n1,,y\n", "column 'b' has no value in any row"),
        ("a,kind\n1,x\n2,x\n3,rare\n", "column 'kind': class 'rare' (line 4) has one example only"),
        ("a,kind\n1,x\n2,x\n3,x\n", "column 'kind': every label is 'x', so there is nothing to learn"),
        (
            "a,kind\n" + "".join(f"w{i},{i % 2}\n" for i in range(30)),
            "column 'a' has a different word in nearly",
        ),
        ("a,kind\n" + "0,x\n1,y\n2,x\n3+,y\n" * 3, "column 'a' mixes numbers with words such as '3+'"),
    ],
)
def test_warnings(write, text, warning):
    found = read_table(write(text), label="kind").warnings
    assert len(found) == 1
    assert found[0].startswith(warning)


def test_an_ordinary_table_gets_no_warning(write):
    assert read_table(write("a,b,kind\n1,5,x\n2,7,x\n1,5,y\n2,6,y\n1,4,y\n"), label="kind").warnings == ()


def test_npz_parts(tmp_path):
    path = tmp_path / "t.npz"
    images = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    np.savez(path, x_train=images, y_train=[3, 1, 3], x_test=images[:1], y_test=[1])
    train, test = read_table(path), read_table(path, part="test")
    assert train.features().dtype == np.uint8
    np.testing.assert_array_equal(train.features(), images.reshape(3, 8))
    assert (train.labels.tolist(), test.labels.tolist(), test.shape) == ([3, 1, 3], [1], (1, 8))
    assert holds_test_part(path)
    np.savez(path, x=np.array([[1.0, np.nan]]), y=np.array(["007"]), feature_names=["a", "b"])
    table = read_table(path)
    assert (table.names, table.labels.tolist()) == (("a", "b"), ["007"])
    assert table.summary()[1].missing == 1
    assert not holds_test_part(path)


def test_npz_names_in_capitals(tmp_path):
    np.savez(tmp_path / "t.npz", X_train=np.eye(3), y_train=[3, 1, 3], X_test=np.eye(3)[:1], Y_test=[1])
    assert holds_test_part(tmp_path / "t.npz")
    assert read_table(tmp_path / "t.npz").labels.tolist() == [3, 1, 3]
    assert read_table(tmp_path / "t.npz", part="test").labels.tolist() == [1]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_whatever_their_accents_are_written_in(write, form):
    path = write(unicodedata.normalize("NFD", "gr\u00f6\u00dfe,f\u00e4rbung\n1,x\n2,y\n"))
    table = read_table(path, label=unicodedata.normalize(form, "f\u00e4rbung"))
    assert (table.label_name, table.names) == ("f\u00e4rbung", ("gr\u00f6\u00dfe",))


def test_npy_files(tmp_path):
    path = tmp_path / "t.npy"
    np.save(path, np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 1.0]]))
    table = read_table(path, label=-1)
    assert table.labels.tolist() == [0, 1]
    assert table.labels.dtype == np.int64
    assert table.features().tolist() == [[1, 2], [3, 4]]
    np.save(path, np.array([(1, 2.5), (3, 4.5)], dtype=[("a", int), ("b", float)]))
    assert read_table(path, drop="a").features().tolist() == [[2.5], [4.5]]


def test_parquet_files(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            " n": pa.array([1, None, 3]),
            "whole": pa.array([1, 2, 3], pa.int8()),
            "price": pa.array([1, 2, 3]).cast(pa.decimal128(22, 2)),
            "flag": pa.array([True, None, False]),
            "word": pa.array(["a", None, "b"]).dictionary_encode(),
            "day": pa.array([1, 2, 3], pa.date32()),
            "list": pa.array([[1], [2], [3]]),
            "kind": pa.array(["007", "7", "007"]),
        }
    )
    parquet.write_table(table, path, row_group_size=2)
    read = read_table(path, label="kind", drop=("day", "list"), categorical=("whole",))
    assert read.kinds == {
        "n": "number",
        "whole": "category",
        "price": "number",
        "flag": "boolean",
        "word": "category",
    }
    assert read.labels.tolist() == ["007", "7", "007"]
    assert [None if v != v else v for v in read.features()[:, 0]] == [1.0, None, 3.0]
    assert read.features()[:, 1].tolist() == ["1", "2", "3"]
    assert [None if v != v else v for v in read.columns[3].values] == [1.0, None, 0.0]
    assert read.columns[4].values.tolist() == ["a", None, "b"]
    assert read_table(path, kinds=read.kinds, id="day").ids.tolist()[0] == "1970-01-02"
    with pytest.raises(
        DataError, match=r"column 'day': holds dates or times \(date32\[day\]\); write them as"
    ):
        read_table(path, label="kind", drop="list")
    with pytest.raises(DataError, match=r"column 'list': holds 'list<"):
        read_table(path, label="kind", drop="day")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"is a Parquet file, which needs pyarrow: pip install pyarrow"):
        read_table(tmp_path / "t.parquet")


def test_sources_are_told_by_their_names():
    assert [is_table_file(name) for name in ("-", "a.csv", "b.CSV.gz", "c.npz", "d.parquet")] == 5 * [True]
    assert not any(is_table_file(name) for name in ("digits", "a.xlsx", "csv"))


@pytest.mark.slow
def test_time_grows_with_the_file_not_with_its_square(write):
    from time import process_time

    def seconds(rows, columns):
        line = ",".join(f"{number}.25" for number in range(columns)) + ",w\n"
        path = write(line * rows)
        start = process_time()
        read_table(path, header=False, categorical=(-1,))
        return process_time() - start

    assert seconds(400_000, 4) < 12 * max(seconds(100_000, 4), 0.05)
    assert seconds(4, 80_000) < 12 * max(seconds(4, 20_000), 0.05)
