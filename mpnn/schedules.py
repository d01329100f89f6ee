"""The numbers of a training run: constant, per layer, or changing with the sweep."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.fields import Hyper

__all__ = ["Schedule", "Schedules"]

Schedule: TypeAlias = float | Sequence[float] | Callable[[Any], Any]  # the last is an optax schedule


@dataclasses.dataclass(frozen=True)
class Schedules:
    """The numbers of :class:`mpnn.fields.Hyper`, each constant, one value a layer, or an optax schedule.

    A schedule is a function of the sweep, counted over the whole training from 0; it returns a number
    or one value a layer.
    """

    rho: Schedule = 1.0
    damping: Schedule = 0.0
    reinforcement: Schedule = 0.0
    sparsity: Schedule = 0.0
    noise: Schedule = 0.0
    margin: Schedule = 0.0
    confidence: Schedule = float("inf")
    replicas: Schedule = 1.0
    coupling: Schedule = 0.0

    def __post_init__(self) -> None:
        for field, (low, high, text) in _RANGES.items():
            for number in _numbers(getattr(self, field)):
                if not low <= number < high:
                    raise ValueError(f"{field} must be {text}, got {number}")

    def at(self, steps: Array, num_layers: int) -> Hyper:
        """Return every number at the sweeps ``steps [T]``: leaves ``[T, L]``."""
        return Hyper(
            **{
                field.name: _at(getattr(self, field.name), steps, num_layers)
                for field in dataclasses.fields(self)
            }
        )


_INFINITY = float("inf")
_RANGES = {
    "rho": (0.0, _INFINITY, "at least 0 and finite"),
    "damping": (0.0, 1.0, "in [0, 1)"),
    "reinforcement": (0.0, 1.0 + 1e-9, "in [0, 1]"),
    "sparsity": (-_INFINITY, _INFINITY, "finite"),
    "noise": (0.0, _INFINITY, "at least 0 and finite"),
    "margin": (0.0, _INFINITY, "at least 0 and finite"),
    "replicas": (1.0, _INFINITY, "at least 1 and finite"),
    "coupling": (0.0, _INFINITY, "at least 0 and finite"),
}


def _numbers(value: Schedule) -> list[float]:
    """The numbers that can be checked before running: all but those a schedule will return."""
    if callable(value):
        return []
    return [float(number) for number in value] if isinstance(value, Sequence) else [float(value)]


def _at(value: Schedule, steps: Array, num_layers: int) -> Array:
    values = jax.vmap(lambda step: jnp.asarray(value(step)))(steps) if callable(value) else jnp.asarray(value)
    values = jnp.asarray(values, jnp.result_type(float))
    if callable(value) and values.ndim == 1:
        values = values[:, None]
    if values.ndim == 1 and values.shape[0] not in (1, num_layers):
        raise ValueError(f"a number per layer needs {num_layers} values, got {values.shape[0]}")
    return jnp.broadcast_to(values, (steps.shape[0], num_layers))
