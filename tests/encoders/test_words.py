"""Columns of words that are kept once each."""

import numpy as np

from mpnn.encoders import ColumnCode, apply_codes
from mpnn.encoders.words import Words


def words_of(numbers, *words):
    return Words(np.array(numbers), np.array(words, dtype=object))


def test_words_are_coded_as_the_objects_that_they_stand_for():
    column = words_of([0, 3, 1, 2, 0], "red", "green", "unknown", None)
    code = [ColumnCode("colour", "categories", categories=("green", "red")), ColumnCode("none", "categories")]
    expected = [[-1, 1], [0, 0], [1, -1], [-1, -1], [-1, 1]]
    for given in (column, np.asarray(column)):
        assert apply_codes(code, [given, given]).tolist() == expected


def test_words_are_joined():
    joined = Words.joined([words_of([0, 1], "a", "b"), words_of([1, 0, 0], "a", "c")])
    assert np.asarray(joined).tolist() == ["a", "b", "c", "a", "a"]
    assert joined[2:].tolist() == ["c", "a", "a"]
    assert len(joined) == 5
