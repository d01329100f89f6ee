"""Rows made on the fly train in bounded memory, though one of the processes is killed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.scale.clicks import Clicks

ROOT = Path(__file__).parents[2]


def test_clicks_are_a_function_of_seed_and_part():
    clicks = Clicks(1024, 256)
    assert len(clicks) == 4
    (features, labels), again = clicks[2], clicks[2]
    assert str(features.tolist()) == str(again[0].tolist())  # missing numbers differ from themselves
    np.testing.assert_array_equal(labels, again[1])
    assert features.shape == (256, 39)
    assert 0.1 < labels.mean() < 0.9
    assert not np.array_equal(labels, clicks[1][1])
    assert not np.array_equal(labels, Clicks(1024, 256, seed=1)[2][1])


@pytest.mark.slow
def test_more_than_memory_holds_is_trained_on(tmp_path):
    """Two million rows are 2 GB as bits, and a process has 1.5 GiB for all it does."""
    pytest.importorskip("grain")
    config = tmp_path / "small.toml"
    config.write_text(
        "num_rows = [2_097_152]\nprocesses = [1]\nhidden = []\nbatch_size = 256\nrows_at_once = 65_536\n"
        "part_rows = 32_768\ngibibytes = 1.5\n"
    )
    command = [sys.executable, "-m", "experiments.scale.streams", config, "--output", tmp_path / "run"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=1200)
    row = json.loads((tmp_path / "run" / "results.jsonl").read_text())
    assert row["killed"] == 1
    assert row["gibibytes_held"] < 1.5
    assert row["test_error"] < row["smaller_class"] - 5.0
