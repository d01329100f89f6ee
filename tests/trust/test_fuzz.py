"""Damaged files given to every reader: no fault (all of the inputs: ``python -m experiments.trust.fuzz``)."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from experiments.trust.fuzz import KINDS, try_kind
from mpnn.data import DataError, read_table
from mpnn.runs.toml import ConfigError
from mpnn.runs.toml import read_table as read_config


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_readers_read_or_refuse(kind):
    assert try_kind(kind, inputs=500 if kind == "checkpoint" else 2000, seed=7)["faults"] == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("seed = " + "9" * 5000, "Exceeds the limit"),
    ],
)
def test_hostile_configs_are_refused(tmp_path, text, reason):
    path = tmp_path / "hostile.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_config(path)


def test_arrays_that_unpack_to_a_great_multiple_are_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive, archive.open("x.npy", "w") as stream:
        np.lib.format.write_array(stream, np.zeros((100, 2)))
    with pytest.raises(DataError, match="x is packed in an unknown way"):
        read_table(path)


def test_a_header_that_promises_more_than_is_there_allocates_nothing(tmp_path):
    path = tmp_path / "huge.npy"
    with path.open("wb") as stream:
        about = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 4)}
        np.lib.format.write_array_header_1_0(stream, about)
        stream.write(bytes(80))
    tracemalloc.start()
    with pytest.raises(DataError, match="is no NumPy array, or a damaged one"):
        read_table(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 24


def test_tables_that_unpack_to_a_great_multiple_are_refused(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from mpnn.data import array_files

    path = tmp_path / "bomb.parquet"
    parquet.write_table(pyarrow.table({"a": np.zeros(1_000_000)}), path)
    read_table(path)
    monkeypatch.setattr(array_files, "_ALWAYS_ALLOWED", 0)
    with pytest.raises(DataError, match=r"unpacks to 8.0e\+06 bytes, more than 1024 times its size"):
        read_table(path)


def test_names_of_columns_that_are_no_text_are_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "names.parquet"
    parquet.write_table(pyarrow.table({"abcd": [1.0]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"abcd", b"ab\xff\xfe"))
    with pytest.raises(DataError, match="is no Parquet file, or a damaged one"):
        read_table(path)
