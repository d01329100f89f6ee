"""Encoders: codes by hand, inputs of every kind, and what must not change a code."""

import json
import subprocess
import sys

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from mpnn.encoders import (
    ColumnCode,
    TableEncoder,
    ThermometerEncoder,
    apply_codes,
    from_json,
    is_intensity,
    to_json,
)

NUMBERS = np.array([[0.0, 5.0], [1.0, 5.0], [3.0, 5.0]])


def frame():
    return pd.DataFrame(
        {
            "age": [30, 40, 50, 60],
            "smokes": [True, False, True, False],
            "colour": ["red", "blue", "red", None],
            "size": pd.Categorical([1, 2, 1, 3]),
        }
    )


def thermometer(values, thresholds):
    """The code by its definition, one bit after the other."""
    bits = [np.where(np.isnan(values), 0, np.where(values >= t, 1, -1)) for t in thresholds]
    return np.stack(bits, axis=1)


def test_a_small_table_by_hand():
    encoder = ThermometerEncoder().fit(NUMBERS)
    assert encoder.columns_[0] == ColumnCode("x0", "thermometer", (0.5, 2.0))
    assert encoder.columns_[1].num_bits == 0  # never varied
    bits = encoder.transform([[-7.0, 0.0], [0.5, 1.0], [np.nan, np.nan], [9.0, 1.0]])
    assert bits.dtype == np.int8
    assert bits.tolist() == [[-1, -1], [1, -1], [0, 0], [1, 1]]


def test_a_frame_by_hand():
    encoder = TableEncoder().fit(frame())
    names = ["age>=35.0", "age>=45.0", "age>=55.0", "smokes>=0.5", "colour=blue", "colour=red"]
    assert encoder.get_feature_names_out().tolist() == [*names, "size=1", "size=2", "size=3"]
    row = pd.DataFrame({"age": [47], "smokes": [None], "colour": ["green"], "size": [2]})
    assert encoder.transform(row).tolist() == [[1, 1, -1, 0, -1, -1, -1, 1, -1]]
    zero_one = clone(encoder).set_params(indicators="zero_one").fit(frame())
    assert zero_one.transform(row).tolist() == [[1, 1, -1, 0, 0, 0, 0, 1, 0]]


@pytest.mark.parametrize("num_levels", [1, 4, 16])
def test_many_values_are_cut_into_equal_shares(num_levels):
    values = np.random.default_rng(0).normal(size=(1700, 1))
    encoder = ThermometerEncoder(num_levels).fit(values)
    assert len(encoder.columns_[0].thresholds) == num_levels
    shares = np.diff([0.0, *np.mean(values < encoder.columns_[0].thresholds, axis=0), 1.0])
    np.testing.assert_allclose(shares, 1 / (num_levels + 1), atol=1 / 1700)
    expected = thermometer(values[:, 0], encoder.columns_[0].thresholds)
    np.testing.assert_array_equal(encoder.transform(values), expected)


def test_a_value_that_most_rows_share_leaves_thresholds_to_the_others():
    values = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    (code,) = ThermometerEncoder(8).fit(values[:, None]).columns_
    assert code.thresholds[0] == 0.5
    assert len(code.thresholds) >= 7


def test_max_categories_keeps_the_most_frequent():
    column = np.array([["a"], ["b"], ["c"], ["c"], ["b"], ["c"]], dtype=object)
    (code,) = TableEncoder(max_categories=2).fit(column).columns_
    assert code.categories == ("b", "c")
    assert TableEncoder(max_categories=2).fit_transform(column)[0].tolist() == [-1, -1]


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int8", "uint8", "int64", "bool", "object", ml_dtypes.bfloat16]
)
def test_arrays_of_every_dtype_have_the_same_code(dtype):
    values = np.array([[0, 1], [1, 0], [1, 1], [0, 0]])
    expected = ThermometerEncoder().fit_transform(values.astype(float))
    np.testing.assert_array_equal(ThermometerEncoder().fit_transform(values.astype(dtype)), expected)


@pytest.mark.parametrize(
    "dtype", ["float64", "Float64", "Int64", "double[pyarrow]", "int64[pyarrow]", "object"]
)
def test_columns_with_missing_values_of_every_dtype_have_the_same_code(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    values = [1, None, 3, 4, 3]
    expected = ThermometerEncoder().fit_transform(pd.DataFrame({"a": values}).astype(float))
    assert np.sum(expected == 0) == expected.shape[1]
    table = pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
    np.testing.assert_array_equal(ThermometerEncoder().fit_transform(table), expected)


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category", "string[pyarrow]"])
def test_text_of_every_dtype_has_the_same_code(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    table = pd.DataFrame({"a": pd.Series(["x", "y", None, "z"], dtype=dtype)})
    expected = [[1, -1, -1], [-1, 1, -1], [0, 0, 0], [-1, -1, 1]]
    assert ThermometerEncoder().fit_transform(table).tolist() == expected


def test_polars_has_the_code_of_pandas():
    polars = pytest.importorskip("polars")
    table = frame().astype({"size": object})
    columns = {name: polars.Series(name, table[name].tolist()) for name in ("age", "smokes")}
    columns["colour"] = polars.Series("colour", ["red", "blue", "red", None])
    own = polars.DataFrame(
        columns | {"size": polars.Series("size", ["1", "2", "1", "3"], polars.Categorical)}
    )
    encoder = TableEncoder().fit(own)
    np.testing.assert_array_equal(encoder.transform(own), TableEncoder().fit_transform(frame()))
    assert encoder.feature_names_in_.tolist() == ["age", "smokes", "colour", "size"]
    assert isinstance(encoder.set_output(transform="polars").transform(own), polars.DataFrame)


def test_output_as_a_frame_has_the_names_of_the_bits():
    encoder = TableEncoder().set_output(transform="pandas").fit(frame())
    out = encoder.transform(frame())
    assert list(out.columns) == encoder.get_feature_names_out().tolist()
    assert (out.dtypes == np.int8).all()


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array])
def test_sparse_matrices_have_the_code_of_dense_ones(kind):
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((40, 600)) < 0.1, rng.integers(-3, 4, (40, 600)), 0).astype(float)
    dense[:, 0] = rng.integers(0, 2, 40)
    encoder = ThermometerEncoder(4).fit(kind(dense))
    assert encoder.columns_ == ThermometerEncoder(4).fit(dense).columns_
    assert encoder.columns_[0].thresholds == (0.5,)
    np.testing.assert_array_equal(encoder.transform(kind(dense)), encoder.transform(dense))


@pytest.mark.slow
def test_a_wide_bag_of_words_is_never_dense():
    places = np.random.default_rng(0).integers(0, [20_000_000, 3_000], (4_000, 2)).T
    words = sparse.csr_matrix((np.ones(4_000), places), shape=(20_000_000, 3_000))
    encoder = ThermometerEncoder().fit(words > 0)  # 60 GB as a whole
    assert {code.num_bits for code in encoder.columns_} == {0, 1}


def test_the_code_survives_json_bit_for_bit_and_needs_numpy_alone():
    encoder = TableEncoder().fit(frame().assign(age=[0.1, 1 / 3, 1e-300, 1e300]))
    text = json.dumps(to_json(encoder.columns_))
    assert from_json(json.loads(text)) == encoder.columns_
    program = (
        "import sys, mpnn.encoders.codes as codes;"
        "print([name for name in ('sklearn', 'scipy', 'jax', 'pandas') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_apply_codes_takes_a_sequence_of_columns():
    encoder = TableEncoder().fit(frame())
    columns = [frame()[name].to_numpy(dtype=object) for name in frame()]
    np.testing.assert_array_equal(apply_codes(encoder.columns_, columns), encoder.transform(frame()))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"pay": [1.0, np.inf, 2.0]}), "column 'pay' holds an infinite value"),
        (pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2021-01-01"])}), "column 'day' holds dates"),
        (pd.DataFrame({"mix": ["a", 1.0]}), "column 'mix' holds both text and other values"),
        (np.array([1.0, 2.0]), "Reshape your data"),
        (np.zeros((0, 3)), "0 sample"),
        (pd.DataFrame({"a": []}), "0 sample"),
    ],
)
def test_what_cannot_be_encoded_is_refused_by_name(table, message):
    with pytest.raises(ValueError, match=message):
        ThermometerEncoder().fit(table)


def test_text_where_training_had_numbers_is_refused_by_name():
    encoder = ThermometerEncoder().fit(pd.DataFrame({"age": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="column 'age' must hold numbers as in training"):
        encoder.transform(pd.DataFrame({"age": ["old", "young"]}))
    with pytest.raises(ValueError, match="column 'age' holds an infinite value"):
        encoder.transform(pd.DataFrame({"age": [1.0, -np.inf]}))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_levels": 0}, "num_levels must be a whole number"),
        ({"max_categories": 1.5}, "max_categories must be a whole number"),
        ({"dtype": "uint8"}, "dtype must hold -1"),
        ({"indicators": "one"}, "indicators must be one of"),
        ({"categorical_features": ["pay"]}, "categorical_features names no column: 'pay'"),
        ({"categorical_features": [4]}, "categorical_features has no column 4"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(**parameters).fit(frame())


def test_declared_categories_of_numbers():
    numbers = np.array([[1.0], [2.0], [7.0]])
    (code,) = TableEncoder(categorical_features=[0]).fit(numbers).columns_
    assert code == ColumnCode("x0", "categories", categories=(1.0, 2.0, 7.0))
    assert TableEncoder(categorical_features=[-1]).fit_transform(numbers)[2].tolist() == [-1, -1, 1]


def test_intensities_are_told_from_tables():
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

    digits = load_digits().data
    assert is_intensity(digits)
    assert is_intensity(sparse.csr_matrix(digits))
    assert not any(is_intensity(load().data) for load in (load_breast_cancer, load_iris, load_wine))
    assert all(
        is_intensity(own) for own in (digits - 1, digits * 1e-40, digits * 1e300, digits.astype(object))
    )
    assert not is_intensity(np.where(digits < 2, -digits.max(), digits))  # another value than its neighbours
    assert not is_intensity(np.minimum(digits, 7) + 1)  # ratings
    assert not is_intensity((digits > 8).astype(float))
    assert not is_intensity(np.where(digits == 3, np.nan, digits))
    assert not is_intensity(frame())
