"""Training behind the estimators, of one network or of many: a method and arrays in, fits out.

Axes: samples of the pool n, problems P.
"""

import operator
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mpnn.callbacks.base import Callback, Epoch, notify, running
from mpnn.classifiers.problems import PaddedProblems
from mpnn.gradient import training
from mpnn.gradient.method import Method, Plan
from mpnn.programs import refuse_forked_child

__all__ = ["Fit", "fit", "fit_many"]


class Fit(NamedTuple):
    """What training leaves: NumPy arrays."""

    state: training.TrainState
    history: training.History


def fit(
    how: training.Steps,
    seed: int,
    method: Method,
    plan: Plan,
    inputs: NDArray,
    targets: NDArray,
    callbacks: Sequence[Callback] = (),
) -> Fit:
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
    callbacks : sequence of Callback, default=()
        Called after every epoch; those of a warm-up are none.
    """
    refuse_forked_child()
    count = len(inputs)
    # unlike jnp.asarray, device_put makes no program for every shape
    data = training.Data(*jax.device_put((inputs, np.arange(count), targets, np.ones(count))))
    with running(callbacks, plan.num_epochs):
        on_epoch = _report(callbacks, plan.num_epochs)
        return Fit(*jax.device_get(training.fit(how, jax.random.key(seed), method, plan, data, on_epoch)))


def fit_many(
    how: training.Steps,
    seeds: Sequence[int],
    method: Method,
    plan: Plan,
    inputs: NDArray,
    problems: PaddedProblems,
    problems_at_once: int | None,
    callbacks: Sequence[Callback] = (),
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
    callbacks : sequence of Callback, default=()
        Called after every epoch with means over the networks; where not all are trained side by side, after
        every group of them.
    """
    refuse_forked_child()
    keys = jnp.stack([jax.random.key(seed) for seed in seeds])
    data = training.Data(*jax.device_put((inputs, *problems)))
    num_groups = training.num_groups(len(seeds), problems_at_once)
    total = plan.num_epochs if num_groups == 1 else num_groups
    with running(callbacks, total):
        report = _report(callbacks, total)
        fits = training.fit_many(how, keys, method, plan, data, problems_at_once, report)
    return [Fit(*jax.tree.map(operator.itemgetter(index), fits)) for index in range(len(seeds))]


def _report(callbacks: Sequence[Callback], total: int) -> training.Report | None:
    """Calls the callbacks with the numbers of an epoch, or of a group's last; None where there are none."""
    begun = time.perf_counter()

    def report(done: int, last: training.History) -> bool:
        metrics = {name: float(np.mean(leaf)) for name, leaf in zip(last._fields, last, strict=True)}
        return notify(callbacks, Epoch(done, total, metrics, time.perf_counter() - begun))

    return report if callbacks else None
