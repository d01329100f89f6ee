"""The numbers of a training run: constant, per layer, or changing with the sweep."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mpnn.message_passing.fields import Hyper
from mpnn.validation import above_zero

__all__ = ["Schedule", "Schedules"]

# The last is an optax schedule.
Schedule: TypeAlias = float | Sequence[float] | NDArray | Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Schedules:
    """The numbers of :class:`mpnn.message_passing.fields.Hyper`, each constant, one value a layer, or an
    optax schedule.

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
    evidence: Schedule = 1.0

    def __post_init__(self) -> None:
        for field, (low, high, text) in _RANGES.items():
            for number in _numbers(field, getattr(self, field)):
                if not low <= number <= high:
                    raise ValueError(f"{field} must be {text}, got {number}")

    @classmethod
    def counting_once(
        cls, rate: Schedule, num_batches: float | Sequence[float], **others: Schedule
    ) -> "Schedules":
        """Numbers with which layers that have an anchor count a sample once (see
        :mod:`mpnn.message_passing.fields`).

        rate: the step ``a`` in (0, 1], a schedule as all numbers are.
        num_batches: batches of evidence that a layer holds, one number or one a layer; as many as an epoch
            has count each sample once.
        others: the other numbers.
        """
        for number in _numbers("rate", rate):
            if not 0.0 < number <= 1.0:
                raise ValueError(f"rate must be in (0, 1], got {number}")
        for number in _numbers("num_batches", num_batches):
            if not 0.0 < number < _INFINITY:
                raise ValueError(f"num_batches must be above 0 and finite, got {number}")
        step = rate if callable(rate) else lambda count: jnp.asarray(rate)
        held = jnp.asarray(num_batches)
        return cls(rho=lambda count: 1.0 - step(count), evidence=lambda count: held * step(count), **others)

    @classmethod
    def falling_step(
        cls,
        rate: float,
        counts: float | tuple[float, float],
        num_batches: float,
        num_steps: int,
        num_layers: int,
        output_batches: float = 1.0,
        **others: Schedule,
    ) -> "Schedules":
        """Numbers of :meth:`counting_once` whose step falls from ``rate`` to 0, by half a cosine.

        The output layer of several holds the evidence of few batches, which damping averages, lest it be
        certain before the hidden layers have settled.

        rate: the first step, in (0, 1].
        counts: how often each sample counts, > 0; of a pair, at first and at last, geometric in between.
        num_batches: in an epoch, each seen by one step. num_steps: of the whole training.
        output_batches: batches of evidence that the output layer of several holds, > 0. More of them make
        surer probabilities, and short trainings of small networks unstable (docs/experiments/calibration.md).
        """
        import optax  # takes half a second, which those who need no schedule are spared

        rate = above_zero("rate", rate)
        if rate > 1.0:
            raise ValueError(f"rate must be in (0, 1], got {rate}")
        pair = counts if isinstance(counts, (tuple, list)) else (counts, counts)
        if len(pair) != 2:
            raise ValueError(f"counts must be one number or two, at first and at last, got {counts!r}")
        start, end = (above_zero("counts", own) for own in pair)
        falling = optax.schedules.cosine_decay_schedule(rate, num_steps)
        rising = optax.schedules.exponential_decay(start * num_batches, num_steps, end / start)
        held = above_zero("output_batches", output_batches)
        num_above = int(num_layers > 1)
        num_below = num_layers - num_above

        def layers(below: Array, above: float) -> Array:
            return jnp.asarray([below] * num_below + [above] * num_above)

        return cls(
            rho=lambda count: 1.0 - layers(falling(count), 1.0),
            evidence=lambda count: layers(rising(count) * falling(count), held),
            **others,
        )

    def at(self, steps: Array, num_layers: int) -> Hyper:
        """Return every number at the sweeps ``steps [T]``: leaves ``[T, L]``."""
        return Hyper(
            **{
                field.name: _at(field.name, getattr(self, field.name), steps, num_layers)
                for field in dataclasses.fields(self)
            }
        )

    def at_sweep(self, sweep: int, num_layers: int) -> Hyper:
        """Return every number at one sweep: leaves ``[L]``."""
        return jax.tree.map(lambda leaf: leaf[0], self.at(jnp.asarray([sweep]), num_layers))


_INFINITY = float("inf")
# What single precision can hold: messages are float32.
_LARGEST = float(np.finfo(np.float32).max)
_BELOW_ONE = float(np.nextafter(np.float32(1.0), np.float32(0.0)))
# Smallest and largest value, both allowed.
_RANGES = {
    "rho": (0.0, _LARGEST, "at least 0 and finite"),
    "damping": (0.0, _BELOW_ONE, "in [0, 1)"),
    "reinforcement": (0.0, 1.0, "in [0, 1]"),
    "sparsity": (-_LARGEST, _LARGEST, "finite"),
    "noise": (0.0, _LARGEST, "at least 0 and finite"),
    "margin": (0.0, _LARGEST, "at least 0 and finite"),
    "confidence": (0.0, _INFINITY, "at least 0"),
    "replicas": (1.0, _LARGEST, "at least 1 and finite"),
    "coupling": (0.0, _LARGEST, "at least 0 and finite"),
    "evidence": (0.0, _LARGEST, "at least 0 and finite"),
}


def _numbers(field: str, value: Schedule) -> list[float]:
    """The numbers that can be checked before running: all but those a schedule will return."""
    if callable(value):
        return []
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{field} must be a number, one value a layer or a schedule, got {value!r}"
        ) from error
    if numbers.ndim > 1 or numbers.size == 0:
        raise ValueError(f"{field} must be a number, one value a layer or a schedule, got {value!r}")
    return numbers.ravel().tolist()


def _at(field: str, value: Schedule, steps: Array, num_layers: int) -> Array:
    values = jax.vmap(lambda step: jnp.asarray(value(step)))(steps) if callable(value) else jnp.asarray(value)
    values = jnp.asarray(values, jnp.result_type(float))
    if callable(value) and values.ndim == 1:
        values = values[:, None]
    if values.ndim == 1 and values.shape[0] not in (1, num_layers):
        raise ValueError(f"{field} must be one number or {num_layers}, one a layer; got {values.shape[0]}")
    return jnp.broadcast_to(values, (steps.shape[0], num_layers))
