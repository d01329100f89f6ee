"""Training behind the estimators, of one network or of many: a method and arrays in, fits out.

Axes: samples of the pool n, problems P.
"""

import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from numpy.typing import NDArray

from mpnn.classifiers.problems import PaddedProblems
from mpnn.gradient import training
from mpnn.gradient.method import Method, Plan
from mpnn.programs import refuse_forked_child

__all__ = ["Fit", "fit", "fit_many"]


class Fit(NamedTuple):
    """What training leaves: NumPy arrays."""

    state: training.TrainState
    history: training.History


def fit(how: training.Steps, seed: int, method: Method, plan: Plan, inputs: NDArray, targets: NDArray) -> Fit:
    """Train one network.

    Parameters
    ----------
    how : Steps
        The way to train.
    seed : int
        Of everything that is drawn.
    method, plan : Method, Plan
        What is trained, and for how long.
    inputs : float32 array [n, features]
        Transformed.
    targets : array [n]
        -1 and +1, float32, for two classes; else class numbers, int32.
    """
    refuse_forked_child()
    count = len(inputs)
    data = training.Data(jnp.asarray(inputs), jnp.arange(count), jnp.asarray(targets), jnp.ones(count))
    return Fit(*jax.device_get(training.fit(how, jax.random.key(seed), method, plan, data)))


def fit_many(
    how: training.Steps,
    seeds: Sequence[int],
    method: Method,
    plan: Plan,
    inputs: NDArray,
    problems: PaddedProblems,
    problems_at_once: int | None,
) -> list[Fit]:
    """Train P networks with one output side by side, as one program.

    Parameters
    ----------
    how, method, plan
        As of :func:`fit`; the same for all networks.
    seeds : sequence of int
        One a network.
    inputs : float32 array [n, features]
        The pool, transformed.
    problems : PaddedProblems
        Of the pool.
    problems_at_once : int or None
        Bounds the memory; None trains all side by side.
    """
    refuse_forked_child()
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    data = training.Data(jnp.asarray(inputs), *(jnp.asarray(leaf) for leaf in problems))
    fits = training.fit_many(how, keys, method, plan, data, problems_at_once)
    return [Fit(*jax.tree.map(operator.itemgetter(index), fits)) for index in range(len(seeds))]
