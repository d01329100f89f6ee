"""What one wants to know of a trained network: how certain, how alike its units, how flat, how calibrated."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mpnn.linear_maps.dense import Dense
from mpnn.message_passing import channels
from mpnn.message_passing.fields import LayerState, masked_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.prediction import discrete_outputs, winner
from mpnn.message_passing.rules.base import Layer
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import (
    Progress,
    begin,
    binary_labels,
    forward,
    layer_hyper,
    layer_view,
    output_derivatives,
    sweep,
)
from mpnn.message_passing.weights import Moments

__all__ = ["bethe_free_energy", "local_energy", "overlaps", "polarization"]


def polarization(state: State) -> list[float]:
    """Mean squared magnetization ``q0`` of each layer, in [0, 1]: 1 when every weight is certain."""
    return [float(jnp.mean(jnp.square(layer.mean))) for layer in state.layers]


def overlaps(state: State) -> list[float]:
    """Mean overlap ``(1/N) sum_i m_ia m_ib`` between *different* units a, b of each layer.

    The diagonal, which is the polarization, is left out; NaN for a layer of one unit.
    """
    values = []
    for layer in state.layers:
        num_inputs, num_units = layer.mean.shape
        gram = layer.mean.T @ layer.mean / num_inputs
        between = jnp.sum(gram) - jnp.trace(gram)
        values.append(float(between) / (num_units * (num_units - 1)) if num_units > 1 else float("nan"))
    return values


def bethe_free_energy(
    spec: NetworkSpec,
    state: State,
    prior: State,
    batch: Batch,
    hyper: Hyper,
    num_sweeps: int = 50,
) -> Array:
    """Bethe free energy ``-log P(labels | inputs)`` in nats, in its TAP form for dense layers.

    The units' messages are iterated to their fixed point under the given, fixed posterior; then::

        log Z = - KL(posterior || prior)
                + sum over samples and units of phi(B, omega, V) + V' g^2 / 2
                - sum over samples and hidden units of B <x> - A <x^2> / 2

    ``V' = sigma <x>^2 + m^2 Delta`` is what the unit's own message moved: expanding the edges' terms of the
    Bethe free energy to second order in that message leaves just this. Good where the central limit is;
    stationary in the posterior at the fixed point of AMP. ``hyper`` leaves have shape ``[L]``.
    """
    spec = dataclasses.replace(spec, rule="amp", sweeps_per_batch=max(num_sweeps, 2))
    views, divergence = [], jnp.zeros(())
    for index, (layer, before) in enumerate(zip(state.layers, prior.layers, strict=True)):
        own = layer_hyper(hyper, index)
        moments = masked_moments(spec.family, layer.posterior, own.sparsity, layer.mask)
        view = layer_view(spec, layer._replace(mean=moments.mean, variance=moments.variance), own)
        views.append(view)
        divergence = divergence + _divergence(spec, layer, before, moments, own)
    frozen = State(
        tuple(
            layer._replace(mean=view.mean, variance=view.variance)
            for layer, view in zip(state.layers, views, strict=True)
        )
    )
    progress = begin(spec, frozen, batch.inputs.shape[0], hyper)

    def relax(progress: Progress, _: None) -> tuple[Progress, None]:
        return sweep(spec, frozen, batch, progress, hyper)[1], None

    progress, _ = jax.lax.scan(relax, progress, length=spec.sweeps_per_batch)
    log_evidence = _units_log_evidence(spec, views, batch, progress, hyper)
    return divergence - jnp.sum(
        log_evidence if batch.sample_mask is None else log_evidence * batch.sample_mask
    )


def _divergence(
    spec: NetworkSpec, layer: LayerState, before: LayerState, moments: Moments, own: Hyper
) -> Array:
    """``KL(posterior || prior)`` of one layer's weights."""
    change = layer.posterior.plus(before.posterior, -1.0)
    expected = change.field * moments.mean
    zero = jnp.zeros(())
    precision, precision_before = zero, zero
    if layer.posterior.precision is not None and before.posterior.precision is not None:
        precision, precision_before = layer.posterior.precision, before.posterior.precision
        second = moments.variance + jnp.square(moments.mean)
        expected = expected - 0.5 * (precision - precision_before) * second
    after = spec.family.log_partition(layer.posterior.field, precision, own.sparsity)
    base = spec.family.log_partition(before.posterior.field, precision_before, own.sparsity)
    total = expected - after + base
    return jnp.sum(total if layer.mask is None else total * layer.mask)


def _units_log_evidence(
    spec: NetworkSpec, views: list[Layer], batch: Batch, progress: Progress, hyper: Hyper
) -> Array:
    """What the units of every layer contribute to each sample's log evidence ``[B]``."""
    inputs, preactivations = forward(spec, views, batch, progress, hyper)
    omega, variance = preactivations[-1]
    if spec.output == "argmax":
        total = channels.Argmax(spec.argmax_draws).free_energy(batch.labels, omega, variance)
    else:
        label, last = binary_labels(batch), layer_hyper(hyper, spec.num_layers - 1)
        energy = channels.BinaryLabel().free_energy(label, omega, variance, last.margin, last.confidence)
        total = jnp.sum(energy * jnp.abs(label), axis=1)
    derived = [output_derivatives(spec, batch, hyper)(omega, variance)]
    for heard, (mean, spread), units in zip(progress.above, preactivations[:-1], inputs[1:], strict=True):
        if heard is None:
            raise AssertionError("more than one sweep keeps what came from above")
        field, precision = heard
        width = field.shape[1]
        energy = spec.hidden_channel.free_energy(field, precision, mean, spread)
        expected = field * units.mean[:, :width]
        if precision is not None and units.second_moment is not None:
            expected = expected - 0.5 * precision * units.second_moment[:, :width]
        total = total + jnp.sum(energy - expected, axis=1)
        derived.append(spec.hidden_channel.derivatives(field, precision, mean, spread))
    # derived runs output first, then the hidden layers bottom up
    order = [spec.num_layers - 1, *range(spec.num_layers - 1)]
    for index, derivatives in zip(order, derived, strict=True):
        moved = Dense.contract(views[index].variance, jnp.square(inputs[index].mean))
        spread = inputs[index].variance
        if spread is not None:
            moved = moved + Dense.contract(jnp.square(views[index].mean), spread)
        total = total + 0.5 * jnp.sum(moved * jnp.square(derivatives.gradient), axis=1)
    return total


def local_energy(
    key: Array, spec: NetworkSpec, weights: list[Array], batch: Batch, flips: ArrayLike, num_draws: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Training error added by flipping each weight's sign with probability p, all layers alike.

    ``delta E(p) = E_z[error(w z)] - error(w)`` (Lucibello et al. 2022, eq. 136).

    Parameters
    ----------
    flips : probabilities ``[F]`` in [0, 1].
    num_draws : masks drawn per probability, >= 1.

    Returns
    -------
    Mean and standard deviation over the draws, ``[F]`` each, in units of the error rate.
    """
    labels = batch.labels
    classes = (labels > 0).astype(jnp.int32) if spec.output == "binary_label" else labels

    @jax.jit
    def error(key: Array, flip: Array) -> Array:
        keys = jax.random.split(key, len(weights))
        flipped = [
            jnp.where(jax.random.bernoulli(own, flip, layer.shape), -layer, layer)
            for own, layer in zip(keys, weights, strict=True)
        ]
        wrong = winner(discrete_outputs(spec, flipped, batch.inputs)) != classes
        return jnp.average(wrong.astype(batch.inputs.dtype), weights=batch.sample_mask)

    base = error(key, jnp.zeros(()))
    keys = jax.random.split(key, num_draws)
    added = np.array(
        [[float(error(own, jnp.asarray(flip)) - base) for own in keys] for flip in np.atleast_1d(flips)]
    )
    return added.mean(axis=1), added.std(axis=1)
