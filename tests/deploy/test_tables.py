"""C of tables: rows of numbers and texts give the labels of the encoder and the network behind it."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from mpnn.deploy.c_source import c_files, save_c
from mpnn.deploy.c_tables import row_type_of, table_rows
from mpnn.integer_networks.lowering import lower
from mpnn.preprocessing.scaling import fit_transform_of
from tests.deploy.test_back_ends import check_c_of_many, check_packed
from tests.integer_networks.random_networks import fitted
from tests.marks import mostly_slow

ROW_TYPES = ("int32_t", "float", "double")


def draw_column(rng, row_type, number):
    """A column's code, and values: at thresholds, beside them, missing, and of no category."""
    kind, off = str(rng.choice(["thermometer", "numbers", "texts"])), int(rng.integers(-1, 1))
    code = SimpleNamespace(kind="categories", thresholds=(), categories=(), off=off)
    if kind == "texts":
        code.categories = ("red", 'a "quoted" word', "é")
        values = rng.choice(np.array([*code.categories, "none of them", None], object), number)
    elif kind == "numbers":
        code.categories = (1.0, 2.5, 7)
        values = rng.choice([1.0, 2.5, 3.0, 7.0, np.nan], number).astype(object)
    else:
        code.kind = "thermometer"
        code.thresholds = tuple(
            np.unique(np.round(rng.normal(0.0, 4.0, 5), int(rng.integers(0, 5)))).tolist()
        )
        near = np.array([*code.thresholds, *np.nextafter(code.thresholds, np.inf), np.nan])
        values = rng.choice(np.concatenate([near, rng.normal(0.0, 4.0, 9)]), number).astype(object)
    if kind != "texts" and row_type != "double":
        numbers = values.astype(float)
        numbers = np.rint(numbers) if row_type == "int32_t" else numbers.astype(np.float32).astype(float)
        values = numbers.astype(object)
    return code, values


def draw_table(seed, row_type):
    """A network behind an encoder, and a table whose rows have a type."""
    rng = np.random.default_rng(seed)
    columns = [draw_column(rng, row_type, 80) for _ in range(int(rng.integers(1, 6)))]
    encoder = SimpleNamespace(columns_=[code for code, _ in columns])
    table = np.stack([values for _, values in columns], axis=1)
    num_bits = sum(len(code.thresholds) + len(code.categories) for code, _ in columns)
    transform = fit_transform_of(np.array([[1.0] * num_bits, [-1.0] * num_bits], np.float32), None)
    widths = (num_bits, *([5] if seed % 2 else []), 3)
    options = {"bias": True, "density": 1.0, "classes": np.arange(3)}
    model = fitted(rng, transform, widths, "ternary", **options)
    return lower(model, encoder=encoder), table


@mostly_slow("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("row_type", ROW_TYPES)
def test_rows_in_c(tmp_path, compiler, row_type):
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"install {compiler} to test the exported C")
    drawn = [draw_table(seed, row_type) for seed in range(12)]
    for network, table in drawn[:3]:
        check_packed(network, table)
    check_c_of_many(found, tmp_path, drawn, "size", row_type=row_type)


def test_type_of_rows_is_that_of_the_examples():
    network, table = draw_table(2, "double")
    assert row_type_of(network.encoder, None) == "double"
    whole = np.array([[None if v is None or v != v else 3 for v in row] for row in table], object)
    texts = [any(isinstance(c, str) for c in column.categories) for column in network.encoder.columns]
    whole[:, texts] = table[:, texts]
    assert row_type_of(network.encoder, whole) == "int32_t"
    assert table_rows(network.encoder, whole, "int32_t").dtype == np.int32


def test_header_says_what_a_row_holds():
    encoder = SimpleNamespace(
        columns_=[
            SimpleNamespace(kind="thermometer", thresholds=(0.5,), categories=(), off=-1),
            SimpleNamespace(kind="categories", thresholds=(), categories=("red", "blue"), off=0),
        ]
    )
    transform = fit_transform_of(np.array([[1.0] * 3, [-1.0] * 3], np.float32), None)
    options = {"bias": False, "density": 1.0, "classes": np.arange(2)}
    model = fitted(np.random.default_rng(0), transform, (3, 1), "binary", **options)
    network = lower(model, encoder=encoder)
    header, source = c_files(network, "net")
    assert "int net_predict(const double *x);" in header
    assert "/*   1: 0 = 'red', 1 = 'blue', -1 = another */" in header
    assert "0x1.0000000000000p-1" in source
    header, _ = c_files(network, "net", column_names=["a */ int b; /* ??/\n", "colör"])
    assert r"/*   0, a * / int b; / * ? ?/?: a number */" in header
    assert r"/*   1, col\xf6r: 0 = 'red', 1 = 'blue', -1 = another */" in header
    with pytest.raises(ValueError, match="column_names must have 2 names, one a column, got 1"):
        c_files(network, "net", column_names=["a"])


def test_row_types_are_named(tmp_path):
    network, _ = draw_table(0, "double")
    with pytest.raises(ValueError, match="row_type must be one of"):
        save_c(network, tmp_path / "net.c", row_type="int")
