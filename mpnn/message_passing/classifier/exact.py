"""Networks with few hidden units behind the estimators: when they are chosen, and how they are fitted."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from mpnn.message_passing.exact import annealing
from mpnn.message_passing.exact.annealing import Fit
from mpnn.message_passing.exact.sweep import Annealing
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec, hinders_small_fan_in
from mpnn.message_passing.training import Problems

if TYPE_CHECKING:
    from mpnn.message_passing.classifier.defaults import Settings

__all__ = ["DEFAULTS", "SMALL_FAN_INS", "chosen", "numbers", "train", "train_many"]

SMALL_FAN_INS = ("auto", "exact", "gaussian")
# Chosen on validation draws of MNIST and Fashion-MNIST training images, 2 to 40 a class, the same for all
# (docs/experiments/bemi_networks.md).
DEFAULTS: dict[str, Any] = {
    "num_epochs": 1,
    "num_sweeps": 120,
    "rho": 1.0,
    "damping": 0.5,
    "reinforcement": 1.0,
    "sparsity": 0.0,
    "initial_field": 0.1,
    "input_scaling": "auto",
    "rounding": "mode",
    "noise": 0.0,
}
# What belongs to the Gaussian messages alone.
LEFT_OPEN = (
    "num_epochs",
    "rate",
    "counts",
    "rho",
    "reinforcement",
    "sparsity",
    "noise",
    "margin",
    "replicas",
    "coupling",
    "rounding",
)


def chosen(parameters: dict[str, Any], spec: NetworkSpec, full_batch: bool) -> bool:
    """Whether a network is trained with exact messages above its first layer.

    ``"exact"`` demands it, ``"gaussian"`` refuses it, ``"auto"`` does it wherever it can be done: where
    :func:`mpnn.message_passing.spec.hinders_small_fan_in` finds nothing, every sweep sees all samples, and
    no number is set
    that only the Gaussian messages have.
    """
    choice = parameters["small_fan_in"]
    if choice not in SMALL_FAN_INS:
        raise ValueError(f"small_fan_in must be one of {SMALL_FAN_INS}, got {choice!r}")
    if choice == "gaussian":
        return False
    hindrance = _hindrance(parameters, full_batch) or hinders_small_fan_in(spec)
    if choice == "exact" and hindrance:
        raise ValueError(f"small_fan_in='exact' needs {hindrance}")
    return hindrance is None


def _hindrance(parameters: dict[str, Any], full_batch: bool) -> str | None:
    if not full_batch:
        return "all samples in one batch: set batch_size=None"
    if parameters["cavity"] != "second_order":
        return f"cavity='second_order', got {parameters['cavity']!r}"
    for name in LEFT_OPEN:
        if parameters[name] is not None:
            return f"{name}=None, got {parameters[name]!r}"
    damping = parameters["damping"]
    if callable(damping) or np.ndim(damping) > 0:
        return f"one number as damping, got {damping!r}"
    return None


def numbers(damping: float, initial_field: float) -> Annealing:
    """The numbers of annealing: those that the estimator knows, and the best known of the others."""
    return Annealing(damping=damping, initial_field=initial_field)


def _publishable(settings: "Settings", fit: Fit) -> tuple[Any, ...]:
    """State, numbers, weights and history of one network, as the estimator keeps them."""
    hyper = jax.device_get(settings.schedules.at_sweep(0, settings.spec.num_layers))
    return fit.state, hyper, fit.weights, {"error": fit.history}


def train(key: jax.Array, settings: "Settings", data: Batch) -> tuple[Any, ...]:
    """Train one network."""
    assert settings.annealing is not None
    return _publishable(settings, annealing.fit_one(key, settings.spec, settings.annealing, data))


def train_many(
    keys: jax.Array, settings: "Settings", data: Problems, problems_at_once: int | None
) -> list[tuple[Any, ...]]:
    """Train P networks."""
    assert settings.annealing is not None
    fits = annealing.fit_many(keys, settings.spec, settings.annealing, data, problems_at_once)
    return [
        _publishable(settings, jax.tree.map(lambda leaf, own=index: leaf[own], fits))
        for index in range(len(data.rows))
    ]
