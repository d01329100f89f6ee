"""Messages are those of the first release, to rounding in float64: every rule, family and option.

The file holds what ``MPNN_RECORD_GOLDEN=1 python -m pytest tests/golden/test_sweeps.py`` computed.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.golden.sweeps import SWEEPS, swept

FILE = Path(__file__).parent / "sweeps.npz"
RULES = ("amp", "max_sum")
FAST = [
    name
    for name in SWEEPS
    if "sweeps_per_batch=3" in name
    and name.startswith(tuple(f"rule={rule}-" for rule in RULES))
    and ("ternary" in name or "bias=True" in name)
]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in SWEEPS]
)
def test_messages_are_those_of_the_first_release(name, x64):
    leaves = swept(SWEEPS[name])
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float64)}
    with np.load(FILE) as file:
        recorded = [file[f"{name}/{index}"] for index in range(len(leaves))]
        assert f"{name}/{len(leaves)}" not in file
    for leaf, before in zip(leaves, recorded, strict=True):
        np.testing.assert_allclose(leaf, before, rtol=1e-12, atol=1e-12)


@pytest.mark.skipif("MPNN_RECORD_GOLDEN" not in os.environ, reason="records only when asked to")
def test_record(x64):
    arrays = {}
    for name, options in SWEEPS.items():
        arrays |= {f"{name}/{index}": leaf for index, leaf in enumerate(swept(options))}
    np.savez_compressed(FILE, **arrays)
