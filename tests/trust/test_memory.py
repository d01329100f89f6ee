"""What a process keeps after many shapes (all of them: ``python -m experiments.trust.memory``)."""

import gc

import jax
import numpy as np
import pytest

from experiments.trust.memory import fits, predictions
from mpnn.message_passing import portions
from mpnn.message_passing.classifier import compiled

FUNCTIONS = {"portion": portions.portion, "_init": compiled._init, "_decode": compiled._decode}


def programs(name):
    """Number of programs of a function that are in memory."""
    gc.collect()
    loaded = jax.devices()[0].client.live_executables()
    return sum(module.name == f"jit_{name}" for one in loaded for module in one.hlo_modules())


@pytest.mark.slow
def test_fits_of_many_shapes_keep_few_programs(monkeypatch):
    for function in FUNCTIONS.values():
        monkeypatch.setattr(function, "kept", 3)
        function.programs.clear()
    before = {name: programs(name) for name in FUNCTIONS}
    assert sum(1 for _ in fits(np.random.default_rng(0), 9)) == 9
    kept = {name: programs(name) - before[name] for name in FUNCTIONS}
    assert kept == dict.fromkeys(FUNCTIONS, 3)


@pytest.mark.slow
def test_arrays_of_new_shapes_are_moved_without_programs():
    assert sum(1 for _ in fits(np.random.default_rng(0), 2)) == 2
    before = programs("stage"), programs("copy")
    assert sum(1 for _ in fits(np.random.default_rng(1), 4)) == 4
    assert (programs("stage"), programs("copy")) == before


@pytest.mark.slow
def test_predictions_of_many_sizes_compile_few_programs():
    before = compiled.decide._cache_size() + compiled.score._cache_size()
    assert sum(1 for _ in predictions(np.random.default_rng(0), 60)) == 60
    assert compiled.decide._cache_size() + compiled.score._cache_size() - before <= 2 * 8
