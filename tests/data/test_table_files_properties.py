import csv
import gzip
import io

import numpy as np
import pytest

from mpnn.data import DataError, read_table

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUICK = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
# Zero bytes are refused, and other separators of words are no line ends of CSV.
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def write(path, rows, **layout):
    stream = io.StringIO()
    csv.writer(stream, **({"lineterminator": "\n", "quoting": csv.QUOTE_ALL} | layout)).writerows(rows)
    # quotes in every cell, as the writer leaves a lone carriage return without
    path.write_bytes(stream.getvalue().encode())
    return path


@pytest.mark.slow
@QUICK
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20),
    st.sampled_from([(",", "."), (";", ","), ("\t", ","), ("|", "."), (",", ",")]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_numbers_come_back_to_the_last_bit(tmp_path, rows, signs, end):
    delimiter, decimal = signs
    cells = [[repr(value).replace(".", decimal) for value in row] for row in rows]
    path = write(tmp_path / "t.csv", [["a", "b"], *cells], delimiter=delimiter, lineterminator=end)
    table = read_table(path, decimal=decimal)
    np.testing.assert_array_equal(table.features(), np.array(rows))
    assert table.format.delimiter == delimiter


@QUICK
@given(st.lists(WORDS, min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_words_come_back_as_written_but_for_the_spaces_around(tmp_path, words, end):
    rows = [["number", "word"], *([index, word] for index, word in enumerate(words))]
    path = write(tmp_path / "t.csv", rows, lineterminator=end)
    table = read_table(path, id="word", delimiter=",")
    assert table.ids.tolist() == [word.strip() for word in words]


@pytest.mark.slow
@QUICK
@given(st.lists(st.tuples(NUMBERS, WORDS), min_size=1, max_size=10), st.permutations(range(4)))
def test_the_order_of_columns_does_not_matter_once_kinds_are_known(tmp_path, rows, order):
    kinds = {"x": "number", "w": "category", "y": "number"}
    names = ["x", "w", "y", "other"]
    cells = [[repr(value), word, index, "12%"] for index, (value, word) in enumerate(rows)]
    straight = read_table(write(tmp_path / "a.csv", [names, *cells]), kinds=kinds, delimiter=",")
    turned = [[row[place] for place in order] for row in [names, *cells]]
    shuffled = read_table(write(tmp_path / "b.csv", turned), kinds=kinds, delimiter=",")
    assert shuffled.names == straight.names == ("x", "w", "y")
    for one, other in zip(shuffled.columns, straight.columns, strict=True):
        assert one.values.tolist() == other.values.tolist()


@QUICK
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text("abk,;|\t\n\r\"'10.%$ \u00e4-", max_size=200).map(str.encode),
        st.text('ab,;\n"10.', max_size=80).map(lambda text: text.encode("utf-16")),
        st.binary(max_size=60).map(gzip.compress),
    ),
    st.sampled_from(["t.csv", "t.tsv", "t.csv.gz", "t.npz", "t.npy", "t.txt"]),
    st.sampled_from([{}, {"label": -1}, {"header": True}, {"label": "a", "id": 0}, {"categorical": 0}]),
)
def test_whatever_a_file_holds_it_is_a_table_or_gets_one_sentence(tmp_path, content, name, arguments):
    path = tmp_path / name
    path.write_bytes(content)
    if name.endswith((".npz", ".npy")):
        arguments = {key: value for key, value in arguments.items() if key != "header"}
    try:
        table = read_table(path, **arguments)
    except DataError as error:
        sentence, table = str(error), None
    if table is None:
        assert sentence.isprintable()
    else:
        assert len(table.summary()) == len(table.columns) == table.features().shape[1]
        assert all(len(column.values) == len(table) for column in table.columns)
