"""Programs that are kept, and those that are dropped."""

import gc
import weakref
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mpnn.programs.bounded import Programs, bounded_jit


@partial(bounded_jit, among=Programs(2), static_argnames="power")
def scaled(inputs, factor, power=1):
    """Inputs times a factor."""
    return factor * inputs**power


def test_results_are_those_of_the_function():
    for size in (3, 4, 3, 5):
        inputs = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(scaled(inputs, 2.0, power=2), 2 * inputs**2)
        np.testing.assert_array_equal(scaled(jnp.asarray(inputs), factor=3.0), 3 * inputs)
    assert scaled.eval_shape(np.zeros((2, 3), np.float32), 2.0).shape == (2, 3)
    assert scaled.__doc__ == "Inputs times a factor."


def test_values_share_a_program_and_the_newest_shapes_are_kept():
    counted = []

    @partial(bounded_jit, among=Programs(2), static_argnums=1)
    def total(inputs, times):
        counted.append(inputs.shape)
        return times * inputs.sum()

    for size in (3, 4, 3, 5, 3, 4):  # 5 takes the place of 4, which comes again
        assert total(np.ones(size), 2) == 2 * size
        assert total(np.full(size, 0.5), 2) == size
    assert counted == [(3,), (4,), (5,), (4,)]
    assert total._cache_size() == 2


def test_functions_share_the_places_of_programs():
    kept = Programs(2)
    first, second = (bounded_jit(function, among=kept) for function in (jnp.add, jnp.subtract))
    for size in (3, 4):
        assert first(np.ones(size), 1.0).tolist() == [2.0] * size
    assert second(np.ones(3), 1.0).tolist() == [0.0] * 3
    assert (first._cache_size(), second._cache_size()) == (1, 1)


@pytest.mark.slow
def test_dropped_programs_are_freed():
    kept = Programs(1)
    bounded = bounded_jit(lambda inputs: inputs + 1, among=kept)
    bounded(np.zeros(3))
    (program,) = kept.by_key.values()
    dropped = weakref.ref(program)
    del program
    bounded(np.zeros(4))
    gc.collect()
    assert dropped() is None


def test_inside_other_transformations():
    inner = bounded_jit(lambda inputs: inputs.sum(), among=Programs(1))
    found = jax.jit(jax.vmap(inner))(jnp.ones((3, 4)))
    np.testing.assert_array_equal(found, [4, 4, 4])
    assert jax.grad(inner)(jnp.ones(2)).tolist() == [1, 1]
