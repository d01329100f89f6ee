"""Hardening in order: hidden layers become discrete, the lowest first, while the layers above learn on.

Rounding a trained network at its end costs it what its layers know together. A layer that is rounded in
training costs less: those above it learn to read what its discrete weights say, and repair what rounding
lost. A frozen layer has beliefs that are certain, takes no evidence and forgets nothing; it is in all other
respects a layer like the others, so that one compiled step serves the whole training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.message_passing import prediction
from mpnn.message_passing.epochs import Problems
from mpnn.message_passing.fields import LayerState, Natural
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.network import Batch, State, replaced
from mpnn.message_passing.rounding import can_round, round_layer
from mpnn.message_passing.spec import NetworkSpec
from mpnn.programs.bounded import bounded_jit

__all__ = ["Freezing", "check_freezing", "freeze"]

# Precision of a certain belief: the next level is exp(-40) times as probable, nothing in both precisions.
CERTAIN = 80.0


def freeze(
    spec: NetworkSpec,
    state: State,
    hyper: Hyper,
    inputs: Array,
    index: int,
    sample_weight: Array | None = None,
) -> State:
    """Make the beliefs of one layer certain: at its weights rounded with feedback.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : Array [B, *input_shape]
        Known inputs, which the rounded layers below read.
    index : int >= 0
        The layer, those inside of residual links counted.
    sample_weight : Array [B] or None, default=None
        How often each input counts, 0 for padding; None: once.
    """
    decoded = prediction.decode(spec, state, hyper)
    weights = round_layer(spec, state, hyper, inputs, decoded, index, sample_weight)
    return replaced(state, index, _certain(state.weighted[index], weights))


def _certain(layer: LayerState, weights: Array) -> LayerState:
    """Beliefs that leave no doubt about the weights ``[N, K]``."""
    mean = weights.astype(layer.mean.dtype)
    precision = None if layer.posterior.precision is None else jnp.full_like(mean, CERTAIN)
    focus = None if layer.focus is None else layer.focus.scaled(jnp.zeros(()))
    variance = None if layer.variance is None else jnp.zeros_like(mean)
    posterior = Natural(CERTAIN * mean, precision)
    return layer._replace(posterior=posterior, mean=mean, variance=variance, focus=focus)


def check_freezing(spec: NetworkSpec, freezing: Sequence[int]) -> tuple[int, ...]:
    """The epochs at whose start the lowest layers are frozen, checked.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    freezing : sequence of int >= 0
        One a layer, the lowest first; none later than the next.

    Raises
    ------
    ValueError
        For more layers than are hidden, epochs out of order, or layers whose weights cannot be rounded.
    """
    epochs = tuple(freezing)
    if not epochs:
        return ()
    if len(epochs) > spec.num_layers - 1:
        raise ValueError(
            f"freezing must name at most an epoch for each of the {spec.num_layers - 1} hidden layers, got "
            f"{epochs}"
        )
    if any(isinstance(own, bool) or own != int(own) or own < 0 for own in epochs):
        raise ValueError(f"freezing must be of whole epochs, counted from 0, got {epochs}")
    if list(epochs) != sorted(epochs):
        raise ValueError(f"freezing goes upwards: no layer before those below it, got the epochs {epochs}")
    if spec.exact:
        raise ValueError("freezing needs messages='gaussian': exact ones become discrete by annealing")
    for layer in spec.weighted[: len(epochs)]:
        if not can_round(layer.family.levels or ()):
            raise ValueError(f"freezing needs weights that are signs or whole numbers, got {layer.weights!r}")
    return epochs


@dataclass(frozen=True)
class Freezing:
    """Layers that are frozen in a training, and when.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    epochs : tuple of int
        Of the lowest layers, the epochs, counted from 0, at whose start they are frozen.
    num_batches : int >= 1
        Mini-batches of an epoch.
    """

    spec: NetworkSpec
    epochs: tuple[int, ...]
    num_batches: int

    def schedules(self, schedules: Schedules) -> Schedules:
        """The numbers of the training, with which frozen layers stay as they are.

        Parameters
        ----------
        schedules : Schedules
            Those without frozen layers.
        """
        sweeps = self.num_batches * self.spec.sweeps_per_batch
        return schedules.frozen([epoch * sweeps for epoch in self.epochs], self.spec.num_layers)

    def begin_epoch(
        self, schedules: Schedules, data: Batch, num_samples: int | None, epoch: int, state: State
    ) -> State:
        """The state with those layers frozen whose epoch begins.

        Parameters
        ----------
        schedules : Schedules
            The numbers of the training.
        data : Batch
            Its samples.
        num_samples : int or None
            Only the first so many rows are samples; None: all.
        epoch : int >= 0
            The epoch that begins.
        state : State
            The network's beliefs.
        """
        if epoch not in self.epochs:
            return state
        counts = _counted(data.labels.shape[:1], num_samples, data.sample_weight)
        return self._frozen(_freeze, schedules, data.inputs, counts, epoch, state)

    def begin_epoch_of_many(
        self, schedules: Schedules, data: Problems, num_samples: int | None, epoch: int, state: State
    ) -> State:
        """As :meth:`begin_epoch` of P networks; their layers are rounded on the samples of all problems.

        Parameters
        ----------
        schedules : Schedules
            The numbers of the training.
        data : Problems
            The samples of all networks.
        num_samples : int or None
            Only the first so many rows of a problem are samples; None: all.
        epoch : int >= 0
            The epoch that begins.
        state : State
            Beliefs, every leaf with a leading axis P.
        """
        if epoch not in self.epochs:
            return state
        counts = _counted(data.rows.shape, num_samples, data.sample_weight)
        pool = jnp.zeros(len(data.inputs)).at[data.rows].max(counts)
        return self._frozen(_freeze_many, schedules, data.inputs, pool, epoch, state)

    def _frozen(
        self, own: Any, schedules: Schedules, inputs: Array, counts: Array, epoch: int, state: State
    ) -> State:
        hyper = schedules.at_sweep(0, self.spec.num_layers)
        for index in (index for index, due in enumerate(self.epochs) if due == epoch):
            state = own(self.spec, state, hyper, inputs, index, counts)
        return state


def _counted(shape: tuple[int, ...], num_samples: int | None, weight: Array | None) -> Array:
    """How often rows count, 0 for those that pad the samples."""
    counts = jnp.ones(shape) if weight is None else weight
    return counts if num_samples is None else counts * (jnp.arange(shape[-1]) < num_samples)


_freeze = bounded_jit(freeze, static_argnames=("spec", "index"))


@partial(bounded_jit, static_argnames=("spec", "index"))
def _freeze_many(
    spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, index: int, counts: Array
) -> State:
    return jax.vmap(lambda own: freeze(spec, own, hyper, inputs, index, counts))(state)
