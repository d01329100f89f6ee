import pytest

from mpnn.runs.rows import lock_folder, open_results, read_json, read_rows, row_key
from mpnn.runs.toml import ConfigError


def row(key, error=None):
    return {"key": key, "error": error}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.jsonl"


def write(path, *rows):
    with open_results(path) as results:
        for entry in rows:
            results.append(entry)


def test_rows_come_back(path):
    write(path, row("a"))
    write(path, row("b"))
    assert read_rows(path) == [row("a"), row("b")]


def test_a_row_is_on_the_disk_before_the_next_one(path):
    with open_results(path) as results:
        results.append(row("a"))
        assert read_rows(path) == [row("a")]


@pytest.mark.parametrize("torn", [b'{"key": "b", "err', b'{"key": "b", "error": null}', b"\xff"])
def test_a_torn_last_line_is_cut_off(path, torn):
    write(path, row("a"))
    with path.open("ab") as file:
        file.write(torn)
    assert read_rows(path) == [row("a")]
    write(path, row("c"))
    assert read_rows(path) == [row("a"), row("c")]


def test_a_damaged_line_in_the_middle_is_named(path):
    write(path, row("a"))
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    with pytest.raises(ConfigError, match=r"results\.jsonl: line 1 is not JSON"):
        write(path, row("b"))


def test_no_row_twice(path):
    write(path, row("a"))
    with pytest.raises(ValueError, match="already hold the row a"):
        write(path, row("a"))


def test_failed_rows_can_be_dropped(path):
    write(path, row("a"), row("b", error="RuntimeError: no memory left"), row("c"))
    with open_results(path, retry_errors=True) as results:
        assert results.keys == {"a", "c"}
    assert read_rows(path) == [row("a"), row("c")]


def test_one_run_a_folder(tmp_path):
    pytest.importorskip("fcntl")
    with (
        lock_folder(tmp_path),
        pytest.raises(ConfigError, match="another run is writing"),
        lock_folder(tmp_path),
    ):
        pass
    with lock_folder(tmp_path):
        pass


def test_keys_depend_on_content_alone():
    assert row_key({"a": 1, "b": [2]}) == row_key({"b": [2], "a": 1})
    assert row_key({"a": 1}) != row_key({"a": 2})


@pytest.mark.parametrize(
    "line",
    [
        b"3\n",
        b"[]\n",
        b'{"key": "b", "error": null, "x": 1e999}\n',
        b"{}\n",
        b'{"key": 1, "error": null}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_no_row_is_refused_by_its_number(path, line):
    path.write_bytes(b'{"key": "a", "error": null}\n' + line)
    with pytest.raises(ConfigError, match="line 2 is no"):
        read_rows(path)


def test_a_damaged_json_file_is_refused(tmp_path):
    damaged = tmp_path / "config.json"
    damaged.write_bytes(b'{"name": "\xff')
    with pytest.raises(ConfigError, match=r"config.json is not JSON or damaged"):
        read_json(damaged)
