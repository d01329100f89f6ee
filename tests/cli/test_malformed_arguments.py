"""Every mistake on the command line is one sentence and exit status 2, and writes nothing."""

import os

import pytest

from mpnn.cli.main import main
from tests.cli.malformed_arguments import MALFORMED, TRAIN, write_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the command lines name, and a small model."""
    folder = tmp_path_factory.mktemp("malformed")
    write_files(folder)
    start = os.getcwd()
    os.chdir(folder)
    short = ["--num-epochs", "1", "--set", "num_sweeps=1"]
    assert main([*TRAIN, "--drop", "name", "--output", "model", *short]) == 0
    yield folder
    os.chdir(start)


@pytest.mark.parametrize(("arguments", "sentence"), MALFORMED, ids=[" ".join(row[0]) for row in MALFORMED])
def test_a_malformed_command_line_gets_its_sentence(arguments, sentence, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert main(arguments) == 2
    assert capsys.readouterr().err == sentence.replace("FOLDER", str(folder)) + "\n"
    left = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert left == before


def test_there_are_many_of_them():
    assert len(MALFORMED) >= 80
