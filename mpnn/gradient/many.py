"""Many problems as one compiled program: arrays and a method in, fits out."""

import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from numpy.typing import NDArray

from mpnn.classifiers.problems import PaddedProblems
from mpnn.gradient import training
from mpnn.gradient.method import Method, Plan

__all__ = ["fit_many"]


def fit_many(
    how: training.FitProblem,
    seeds: Sequence[int],
    method: Method,
    plan: Plan,
    inputs: NDArray,
    problems: PaddedProblems,
    problems_at_once: int | None,
) -> list[tuple[training.TrainState, training.History]]:
    """Train P networks side by side.

    Parameters
    ----------
    how : callable
        Trains one network, as :func:`mpnn.gradient.training.fit_problem`.
    seeds : sequence of int
        One a network.
    method, plan
        What is trained, and for how long: the same for all.
    inputs : float32 array [n, features]
        The pool, transformed.
    problems : PaddedProblems
        Of the pool.
    problems_at_once : int or None
        Bounds the memory; None trains all side by side.

    Returns
    -------
    list of (TrainState, History)
        NumPy arrays, one pair a problem.
    """
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    data = training.Data(jnp.asarray(inputs), *(jnp.asarray(leaf) for leaf in problems))
    fits = jax.device_get(training.fit_many(how, keys, method, plan, data, problems_at_once))
    return [jax.tree.map(operator.itemgetter(index), fits) for index in range(len(seeds))]
