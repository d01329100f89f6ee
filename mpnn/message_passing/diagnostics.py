"""Diagnostics: polarization, overlaps, Bethe free energy, local energy."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from mpnn.linear_maps import products
from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.base import Derivatives
from mpnn.message_passing.fields import LayerState, masked_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.layers import Dense
from mpnn.message_passing.layers.chain import forward_chain
from mpnn.message_passing.layers.linear import Cache
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.prediction import discrete_outputs, winner
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Progress, begin, data_inputs, sweep
from mpnn.message_passing.weights import WeightFamily

__all__ = ["bethe_free_energy", "local_energy", "overlaps", "polarization"]


def polarization(state: State) -> list[float]:
    """Mean squared magnetization ``q0`` of each layer, in [0, 1]: 1 when every weight is certain.

    Parameters
    ----------
    state : State
        The network's beliefs.
    """
    return [float(jnp.mean(jnp.square(layer.mean))) for layer in state.weighted]


def overlaps(state: State) -> list[float]:
    """Mean overlap ``(1/N) sum_i m_ia m_ib`` between *different* units a, b of each layer.

    The diagonal, which is the polarization, is left out; NaN for a layer of one unit.

    Parameters
    ----------
    state : State
        The network's beliefs.
    """
    values = []
    for layer in state.weighted:
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

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The posterior.
    prior : State
        The prior.
    batch : Batch
        Inputs and labels.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    num_sweeps : int >= 1, default=50
        Iterations of the units' messages.
    """
    if not all(isinstance(layer, Dense) for layer in spec.layers):
        raise ValueError("the Bethe free energy is known for dense layers only")
    spec = dataclasses.replace(spec.with_layers(rule="amp"), sweeps_per_batch=max(num_sweeps, 2))
    numbers, frozen, divergence = spec.numbers(hyper), [], jnp.zeros(())
    for own, linear, after, before in zip(
        numbers, spec.weighted, state.weighted, prior.weighted, strict=True
    ):
        moments = masked_moments(linear.family, after.posterior, own.sparsity, after.mask)
        frozen.append(after._replace(mean=moments.mean, variance=moments.variance))
        divergence = divergence + _divergence(linear.family, after, before, moments, own)
    fixed = State(tuple(frozen))
    progress = begin(spec, fixed, batch.inputs.shape[0], hyper)

    def relax(progress: Progress, _: None) -> tuple[Progress, None]:
        return sweep(spec, fixed, batch, progress, hyper)[1], None

    progress, _ = jax.lax.scan(relax, progress, length=spec.sweeps_per_batch)
    log_evidence = _units_log_evidence(spec, fixed, batch, progress, hyper)
    return divergence - jnp.sum(
        log_evidence if batch.sample_weight is None else log_evidence * batch.sample_weight
    )


def _divergence(
    family: WeightFamily, layer: LayerState, before: LayerState, moments: Moments, own: Hyper
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
    after = family.log_partition(layer.posterior.field, precision, own.sparsity)
    base = family.log_partition(before.posterior.field, precision_before, own.sparsity)
    total = expected - after + base
    return jnp.sum(total if layer.mask is None else total * layer.mask)


def _units_log_evidence(
    spec: NetworkSpec, state: State, batch: Batch, progress: Progress, hyper: Hyper
) -> Array:
    """Contribution ``[B]`` of the units of every layer to each sample's log evidence."""
    numbers, output = spec.numbers(hyper), spec.output_channel
    known = data_inputs(batch.inputs)
    _, caches = forward_chain(spec.layers, spec.places, state.layers, known, progress.memories, numbers)
    omega, variance = caches[-1].preactivation
    total = output.log_evidence(batch.labels, omega, variance, numbers[-1])
    total = total + _reaction(caches[-1], output.derive(batch.labels, numbers[-1])(omega, variance))
    for index, layer in enumerate(spec.weighted[:-1]):
        above: Any = progress.memories[index].above
        units, (mean, spread) = caches[index + 1].rows, caches[index].preactivation
        energy = layer.channel.free_energy(above.field, above.precision, mean, spread)
        width = energy.shape[1]
        expected = above.field * units.mean[:, :width]
        if above.precision is not None and units.second_moment is not None:
            expected = expected - 0.5 * above.precision * units.second_moment[:, :width]
        total = total + jnp.sum(energy - expected, axis=1)
        total = total + _reaction(
            caches[index], layer.channel.derivatives(above.field, above.precision, mean, spread)
        )
    return total


def _reaction(cache: Cache, derivatives: Derivatives) -> Array:
    """``sum V' g^2 / 2`` of a layer's units, per sample ``[B]``."""
    view, rows = cache.view, cache.rows
    moved = products.contract(view.variance, jnp.square(rows.mean))
    if rows.variance is not None:
        moved = moved + products.contract(jnp.square(view.mean), rows.variance)
    return 0.5 * jnp.sum(moved * jnp.square(derivatives.gradient), axis=1)


def local_energy(
    key: Array, spec: NetworkSpec, weights: list[Array], batch: Batch, flips: ArrayLike, num_draws: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Training error added by flipping each weight's sign with probability p, all layers alike.

    ``delta E(p) = E_z[error(w z)] - error(w)`` (Lucibello et al. 2022, eq. 136).

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    weights : list of Array [N, K]
        Discrete weights, a layer each.
    batch : Batch
        Inputs and labels.
    flips : array-like
        Probabilities ``[F]`` in [0, 1].
    num_draws : int >= 1, default=10
        Masks drawn per probability.

    Returns
    -------
    mean, deviation : Array [F]
        Mean and standard deviation over the draws, in units of the error rate.
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
        return jnp.average(wrong.astype(batch.inputs.dtype), weights=batch.sample_weight)

    base = error(key, jnp.zeros(()))
    keys = jax.random.split(key, num_draws)
    added = np.array(
        [[float(error(own, jnp.asarray(flip)) - base) for own in keys] for flip in np.atleast_1d(flips)]
    )
    return added.mean(axis=1), added.std(axis=1)
