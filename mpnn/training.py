"""Training: compiled epochs over mini-batches, and the host loop around them.

One epoch is one compiled program: a scan over mini-batches, and inside it a scan over the sweeps on a
batch. The host loop reports, calls back and stops between epochs; nothing leaves the device inside one.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.fields import Hyper
from mpnn.network import Batch, Info, State, begin, sweep
from mpnn.spec import NetworkSpec

__all__ = ["Schedules", "run_batch", "run_epoch", "train"]

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


def run_batch(spec: NetworkSpec, state: State, batch: Batch, hyper: Hyper) -> tuple[State, Info]:
    """All sweeps over one batch; ``hyper`` leaves are ``[S, L]``, and so are the returned Info's."""
    first = jax.tree.map(lambda leaf: leaf[0], hyper)
    progress = begin(spec, state, batch.inputs.shape[0], first)
    if spec.sweeps_per_batch == 1:
        state, _, info = sweep(spec, state, batch, progress, first)
        return state, jax.tree.map(lambda leaf: leaf[None], info)

    def body(carry: Any, numbers: Hyper) -> tuple[Any, Info]:
        state, progress, info = sweep(spec, carry[0], batch, carry[1], numbers)
        return (state, progress), info

    (state, _), infos = jax.lax.scan(body, (state, progress), hyper)
    return state, infos


def run_epoch(spec: NetworkSpec, state: State, data: Batch, order: Array, hyper: Hyper) -> tuple[State, Info]:
    """One pass over the data in mini-batches.

    ``order [num_batches, batch_size]`` are rows of ``data``; ``hyper`` leaves are
    ``[num_batches, S, L]``. Returns the state and the Info of every sweep, leaves ``[num_batches, S, ...]``.
    """

    def body(state: State, step: tuple[Array, Hyper]) -> tuple[State, Info]:
        rows, numbers = step
        batch = jax.tree.map(lambda leaf: leaf[rows], data)
        return run_batch(spec, state, batch, numbers)

    return jax.lax.scan(body, state, (order, hyper))


@partial(jax.jit, static_argnames=("spec", "batch_size"), donate_argnames="state")
def _compiled_epoch(
    key: Array, spec: NetworkSpec, state: State, data: Batch, hyper: Hyper, batch_size: int
) -> tuple[State, Info]:
    num_samples = data.inputs.shape[0]
    num_batches = num_samples // batch_size
    order = jax.random.permutation(key, num_samples)[: num_batches * batch_size]
    hyper = jax.tree.map(
        lambda leaf: leaf.reshape(num_batches, spec.sweeps_per_batch, *leaf.shape[1:]), hyper
    )
    return run_epoch(spec, state, data, order.reshape(num_batches, batch_size), hyper)


def train(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch,
    schedules: Schedules,
    *,
    num_epochs: int,
    batch_size: int,
    first_epoch: int = 0,
    on_epoch: Callable[[int, State, Info], bool | None] = lambda epoch, state, info: None,
) -> tuple[State, list[Info]]:
    """Train for ``num_epochs`` epochs and return the state and each epoch's Info.

    Parameters
    ----------
    key : every epoch shuffles with ``fold_in(key, epoch)``, so that a run resumed at ``first_epoch``
        sees the same batches as one that was never interrupted.
    state : as made by :func:`mpnn.network.init` or restored; its buffers are donated.
    data : inputs ``[n, widths[0]]`` and labels ``[n]``. An epoch drops its last incomplete mini-batch.
    on_epoch : called on the host as ``on_epoch(epoch, state, info)`` after each epoch; returning True
        stops the training.
    """
    num_samples = data.inputs.shape[0]
    if not 1 <= batch_size <= num_samples:
        raise ValueError(f"batch_size must be from 1 to the {num_samples} samples given, got {batch_size}")
    sweeps = num_samples // batch_size * spec.sweeps_per_batch
    history = []
    for epoch in range(first_epoch, num_epochs):
        hyper = schedules.at(epoch * sweeps + jnp.arange(sweeps), spec.num_layers)
        epoch_key = jax.random.fold_in(key, epoch)
        state, info = _compiled_epoch(epoch_key, spec, state, data, hyper, batch_size)
        history.append(info)
        if on_epoch(epoch, state, info):
            break
    return state, history
