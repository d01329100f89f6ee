"""One sweep of messages through a network: a loop up through the layers, and a loop down.

Shapes: batch B, weight layers L.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers.base import Labels
from mpnn.message_passing.layers.chain import backward_chain, begin_chain, forward_chain
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.rules.base import Inputs
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["Info", "Progress", "begin", "blank_info", "data_inputs", "observe", "sweep"]

# Weights of a layer that Info looks at.
OBSERVED_WEIGHTS = 1 << 13


class Progress(NamedTuple):
    """State between the sweeps over one batch.

    Parameters
    ----------
    memories : tuple
        What each layer's rule keeps.
    observed : tuple of Array
        The magnetizations that the next sweep's change is measured from.
    """

    memories: tuple[Any, ...]
    observed: tuple[Array, ...]


class Info(NamedTuple):
    """Diagnostics of a sweep; the next step does not use them.

    Parameters
    ----------
    change : Array [L]
        Mean absolute change of each layer's magnetizations.
    polarization : Array [L]
        Mean squared magnetization of each layer. Both are means over some rows of weights in layers that have
        more than :data:`OBSERVED_WEIGHTS`.
    error : Array []
        Share of the batch that the mean pre-activation of the output classifies wrongly, before the update.
    """

    change: Array
    polarization: Array
    error: Array


def blank_info(state: State, *shape: int) -> Info:
    """Room for the diagnostics of sweeps, all 0.

    Parameters
    ----------
    state : State
        The network's beliefs.
    *shape : int
        Axes of the sweeps, before those of the diagnostics.
    """
    of_layers, dtype = (*shape, len(state.weighted)), state.weighted[0].mean.dtype
    return Info(*(jnp.zeros(own, dtype) for own in (of_layers, of_layers, shape)))


def data_inputs(inputs: Array) -> Inputs:
    """Known inputs ``[B, *input_shape]`` of the first layer.

    Parameters
    ----------
    inputs : Array [B, N]
        Inputs.
    """
    return Inputs(inputs, None, jnp.square(inputs))


def begin(
    spec: NetworkSpec,
    state: State,
    batch_size: int,
    hyper: Hyper,
    observed: tuple[Array, ...] | None = None,
    dtype: Any = None,
) -> Progress:
    """Start a batch: posteriors become priors, and all messages are zero.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    batch_size : int >= 1
        Samples of a mini-batch.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    observed : tuple of Array, optional
        Of ``state``, from a caller that has it. A scan over batches should: whole magnetizations are
        copied in every step if the rows that are looked at are taken from a state that has been replaced.
    dtype : optional
        Of the inputs; None: that of the weights.
    """
    dtype = state.weighted[0].mean.dtype if dtype is None else dtype
    memories = begin_chain(spec.layers, spec.places, state.layers, batch_size, dtype, spec.numbers(hyper))
    return Progress(memories, observe(state) if observed is None else observed)


def sweep(
    spec: NetworkSpec, state: State, batch: Batch, progress: Progress, hyper: Hyper
) -> tuple[State, Progress, Info]:
    """One sweep of messages, forward and backward, and the update of every layer's field.

    ``hyper`` leaves have shape ``[L]``.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    batch : Batch
        Inputs and labels.
    progress : Progress
        What the sweep before handed on.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    """
    numbers = spec.numbers(hyper)
    network = spec.layers, spec.places, state.layers
    outputs, caches = forward_chain(*network, data_inputs(batch.inputs), progress.memories, numbers)
    labels = Labels(batch.labels, spec.output_channel)
    layers, memories, _ = backward_chain(
        *network, caches, labels, progress.memories, numbers, batch.sample_weight
    )
    moved = State(layers)
    observed = observe(moved)
    info = _inform(spec, progress.observed, observed, batch, outputs.mean)
    return moved, Progress(memories, observed), info


def observe(state: State) -> tuple[Array, ...]:
    """Every n-th row of each layer's magnetizations, so that about :data:`OBSERVED_WEIGHTS` are left.

    Parameters
    ----------
    state : State
        The network's beliefs.
    """
    return tuple(layer.mean[:: max(1, layer.mean.size // OBSERVED_WEIGHTS)] for layer in state.weighted)


def _inform(
    spec: NetworkSpec, before: tuple[Array, ...], after: tuple[Array, ...], batch: Batch, omega: Array
) -> Info:
    wrong, counted = spec.output_channel.errors(batch.labels, omega)
    if batch.sample_weight is not None:
        weight = batch.sample_weight
        counted = counted * (weight if weight.ndim == counted.ndim else weight[:, None])
    total, pairs = jnp.sum(counted), zip(before, after, strict=True)
    change = jnp.stack([jnp.mean(jnp.abs(new - old)) for old, new in pairs])
    error = jnp.sum(jnp.where(wrong, counted, 0.0)) / jnp.maximum(total, jnp.finfo(total.dtype).tiny)
    return Info(
        change=change,
        polarization=jnp.stack([jnp.mean(jnp.square(new)) for new in after]),
        error=error.astype(change.dtype),
    )
