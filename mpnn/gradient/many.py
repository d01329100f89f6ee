"""Many problems as one compiled program: arrays and a method in, fits and decisions out."""

import operator
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mpnn.classifiers.problems import PaddedProblems, decide_in_blocks
from mpnn.gradient import prediction, training
from mpnn.gradient.method import Method, Plan

__all__ = ["decide_many", "fit_many"]


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


def decide_many(
    method: Method, how: str, num_samples: int, models: Sequence[prediction.Model], inputs: NDArray
) -> tuple[NDArray, NDArray]:
    """Whether each of P networks chooses its second class, and that class's probability: ``[n, P]`` each.

    Parameters
    ----------
    method : Method
        Of all networks.
    how : str
        ``"mode"``, ``"bayes"`` or ``"sample"``.
    num_samples : int
        Networks drawn by samples.
    models : sequence of Model
        One a network.
    inputs : float32 array [n, features]
        Transformed.
    """
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *models)

    def decide(block: NDArray) -> tuple[jax.Array, jax.Array]:
        return prediction.decide_many(method, how, num_samples, stacked, jnp.asarray(block))

    return decide_in_blocks(decide, inputs, len(models))
