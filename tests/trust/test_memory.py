"""What a process keeps after many shapes (all of them: ``python -m experiments.trust.memory``)."""

import gc

import jax
import numpy as np
import pytest

from experiments.trust.memory import fits, predictions
from mpnn.message_passing.classifier import compiled
from mpnn.programs import bounded


def programs(*names):
    """Number of programs of these functions that are in memory."""
    gc.collect()
    loaded = jax.devices()[0].client.live_executables()
    modules = [module.name.removeprefix("jit_") for one in loaded for module in one.hlo_modules()]
    return sum(name in names for name in modules)


@pytest.mark.slow
def test_fits_of_many_shapes_keep_few_programs(monkeypatch):
    monkeypatch.setattr(bounded.TOGETHER, "kept", 8)  # two fits: each has one that is only traced
    bounded.TOGETHER.by_key.clear()
    names = "portion", "_init", "_decode"
    before = programs(*names)
    assert sum(1 for _ in fits(np.random.default_rng(0), 9)) == 9
    assert programs(*names) - before == 6


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
