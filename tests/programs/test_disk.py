"""Compiled programs kept on disk: what a killed process left in part goes, and so do the oldest."""

import os
import subprocess
import sys
import zlib

import pytest

from mpnn.programs import disk

WHOLE = zlib.compress(os.urandom(2000))
# In a process of its own: JAX's configuration is that of the process.
COMPILE = """
import jax
from mpnn.programs.disk import keep_on_disk
print(keep_on_disk({folder!r}))
jax.jit(lambda x: x * 2 + 1)(jax.numpy.ones(3))
"""


def _write(folder, name, content, age=0.0):
    path = folder / f"{name}-cache"
    path.write_bytes(content)
    os.utime(path, (path.stat().st_atime - age, path.stat().st_mtime - age))
    return path


@pytest.mark.parametrize("torn", [b"", WHOLE[:1000], WHOLE[:-1], b"not compressed", disk.ZSTANDARD + b"torn"])
def test_programs_written_in_part_are_deleted(tmp_path, torn):
    whole, part = _write(tmp_path, "whole", WHOLE), _write(tmp_path, "part", torn)
    disk._tidy(tmp_path)
    assert whole.exists()
    assert not part.exists()


def test_programs_are_checked_once(tmp_path):
    disk._tidy(tmp_path)
    old = _write(tmp_path, "old", WHOLE[:1000], age=60)
    disk._tidy(tmp_path)
    assert old.exists()


def test_the_oldest_programs_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "LARGEST_FOLDER", 2.5 * len(WHOLE))
    kept = [_write(tmp_path, f"new{age}", WHOLE, age) for age in (0, 10)]
    gone = [_write(tmp_path, f"old{age}", WHOLE, age) for age in (20, 30)]
    disk._tidy(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_a_folder_that_cannot_be_tidied_is_not_used(tmp_path, monkeypatch):
    def refuse(folder):
        raise OSError("no space left on device")

    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.delitem(sys.modules, "jax")  # which has a folder already
    monkeypatch.setattr(disk, "_tidy", refuse)
    assert disk.keep_on_disk(tmp_path) is None


@pytest.mark.slow
def test_a_torn_program_is_compiled_anew_without_a_word(tmp_path):
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}

    def run():
        command = [sys.executable, "-W", "error", "-c", COMPILE.format(folder=str(tmp_path))]
        done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(tmp_path)]
        assert not done.stderr
        return {path: path.stat().st_size for path in tmp_path.glob("*-cache")}

    sizes = run()
    assert sizes
    for path in sizes:
        path.write_bytes(path.read_bytes()[:-10])
    assert run() == sizes
