"""Exact messages behind the estimator: when they are chosen, and fits of networks that exchange them."""

import dataclasses
from typing import Any

import jax
import numpy as np

from mpnn.message_passing.classifier.settings import Fit, Parameters, Settings
from mpnn.message_passing.exact import annealing
from mpnn.message_passing.exact.requirements import unmet_requirement
from mpnn.message_passing.hyper import NUMBERS
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems
from mpnn.validation import one_of

__all__ = ["SMALL_FAN_INS", "chosen", "fit", "fit_many"]

SMALL_FAN_INS = ("auto", "exact", "gaussian")
# What belongs to the Gaussian messages alone: every number but the damping, steps, epochs and rounding.
LEFT_OPEN = ("num_epochs", "rate", "counts", *(name for name in NUMBERS if name != "damping"), "rounding")


def chosen(given: Parameters, spec: NetworkSpec, full_batch: bool) -> bool:
    """Whether a network is trained with exact messages above its first layer.

    ``small_fan_in="exact"`` demands it, ``"gaussian"`` refuses it, ``"auto"`` does it wherever it can be
    done: where :func:`mpnn.message_passing.exact.requirements.unmet_requirement` finds nothing, every sweep
    sees all samples, and no number is set that only Gaussian messages have.

    Parameters
    ----------
    given : Parameters
        Parameters of the estimator.
    spec : NetworkSpec
        The network's static description.
    full_batch : bool
        Whether every sweep sees all samples.

    Raises
    ------
    ValueError
        If ``"exact"`` cannot be done.
    """
    choice = given.small_fan_in
    one_of("small_fan_in", choice, SMALL_FAN_INS)
    if choice == "gaussian":
        return False
    unmet = _unmet_requirement(given, full_batch) or unmet_requirement(spec)
    if choice == "exact" and unmet:
        raise ValueError(f"small_fan_in='exact' needs {unmet}")
    return unmet is None


def _unmet_requirement(given: Parameters, full_batch: bool) -> str | None:
    if not full_batch:
        return "all samples in one batch: set batch_size=None"
    if given.in_portions or given.warm_start:
        return "one fit of all samples: beliefs that exact messages annealed cannot go on"
    if given.cavity not in ("auto", "second_order"):
        return f"cavity='second_order', got {given.cavity!r}"
    values = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    for name in LEFT_OPEN:
        if values.get(name) is not None:
            return f"{name}=None, got {values[name]!r}"
    if callable(given.damping) or np.ndim(given.damping) > 0:  # type: ignore[arg-type]
        return f"one number as damping, got {given.damping!r}"
    return None


def _fit_of(settings: Settings, fit: Any) -> Fit:
    hyper = jax.device_get(settings.schedules.at_sweep(0, settings.spec.num_layers))
    return Fit(fit.state, hyper, fit.weights, {"error": fit.history})


def fit(key: jax.Array, settings: Settings, data: Batch) -> Fit:
    """Train one network.

    Parameters
    ----------
    key : Array
        Random key.
    settings : Settings
        The settings.
    data : Batch
        Samples, labels -1 and +1.
    """
    assert settings.annealing is not None
    return _fit_of(settings, annealing.fit_one(key, settings.spec, settings.annealing, data))


def fit_many(keys: jax.Array, settings: Settings, data: Problems, problems_at_once: int | None) -> list[Fit]:
    """Train P networks, a problem each.

    Parameters
    ----------
    keys : Array [P]
        Random keys, one a network.
    settings : Settings
        The settings.
    data : Problems
        Samples of the P problems.
    problems_at_once : int >= 1 or None
        Problems that each device trains side by side, which bounds the memory; None: all of its own.
    """
    assert settings.annealing is not None
    fits = annealing.fit_many(keys, settings.spec, settings.annealing, data, problems_at_once)
    return [
        _fit_of(settings, jax.tree.map(lambda leaf, own=index: leaf[own], fits))
        for index in range(len(data.rows))
    ]
