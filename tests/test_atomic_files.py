"""A file is there whole or not at all."""

import os
import stat

import pytest

from mpnn.atomic_files import open_atomically, write_atomically


def test_a_file_and_its_folder_appear(tmp_path):
    write_atomically(tmp_path / "folder" / "file", b"content")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]
    assert (tmp_path / "folder" / "file").read_bytes() == b"content"


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(handle):
        raise OSError("disk full")

    monkeypatch.setattr("mpnn.atomic_files.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_writer_leaves_no_draft(tmp_path):
    def write():
        with open_atomically(tmp_path / "file") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_rights_are_those_of_a_new_file(tmp_path):
    """Not the private ones of a temporary file."""
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
