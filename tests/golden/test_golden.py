"""Discrete weights are those of the first release: nothing that moves may change a number.

The files hold what ``MPNN_RECORD_GOLDEN=1 python -m pytest tests/golden`` trained. Products of matrices are
summed in another order by another processor or compiler, which turns weights whose belief is nearly a tie;
so equality is asked for where both are those of the recording, and elsewhere that few weights differ.
"""

import json
import os
import platform
from pathlib import Path

import jaxlib
import numpy as np
import pytest

from mpnn.preprocessing import scaling
from tests.golden.networks import NETWORKS

FOLDER = Path(__file__).parent / "weights"
RECORD = bool(os.environ.get("MPNN_RECORD_GOLDEN"))
# Share of weights that another processor may decide otherwise.
TOLERATED = 0.02
FAST = {"ternary_ensemble"}


def conditions():
    """What decides in which order sums are taken."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "jaxlib": jaxlib.__version__,
        "flags": os.environ.get("XLA_FLAGS", ""),
        "cores": os.cpu_count(),
    }


@pytest.mark.optimized
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in NETWORKS]
)
def test_weights_are_those_of_the_first_release(name, monkeypatch):
    monkeypatch.setitem(scaling.DEAD_ZONES, "mild_root", 0.0)  # the first release had none
    path = FOLDER / f"{name}.npz"
    weights = [np.asarray(layer) for layer in NETWORKS[name]()]
    if RECORD:
        FOLDER.mkdir(exist_ok=True)
        np.savez_compressed(path, *weights, conditions=json.dumps(conditions()))
    with np.load(path) as file:
        recorded = json.loads(file["conditions"].item())
        golden = [file[f"arr_{layer}"] for layer in range(len(file.files) - 1)]
    assert [layer.dtype for layer in weights] == [np.int8] * len(golden)
    assert [layer.shape for layer in weights] == [layer.shape for layer in golden]
    different = sum(np.sum(one != other) for one, other in zip(weights, golden, strict=True))
    total = sum(layer.size for layer in golden)
    assert different <= (0 if recorded == conditions() else TOLERATED * total)
