"""Updates of the fields between sweeps and between batches.

A layer's field is prior plus evidence, ``H = theta + A (+ u)``:

* posterior as prior: at a new batch ``theta = rho H`` (Lucibello et al. 2022, eq. 3). ``rho`` per layer;
* counting once: that prior counts a sample again in every epoch. A layer with an *anchor* ``theta_0``,
  the belief before data, decays towards it: ``theta = rho H + (1 - rho) theta_0``, and the
  evidence is weighted. With ``rho = 1 - a`` and the weight ``a N / B`` (N samples in batches of B) a batch
  is a step of the Bayesian learning rule (Khan and Rue 2023), at rest where ``H`` is ``theta_0`` plus
  the messages of all samples, each once, however long the training;
* reinforcement: over the sweeps of *one* batch, ``A <- data + r A``. Only the batch's own evidence is
  reinforced, never the prior, so that ``r > 0`` is safe with mini-batches (with ``r`` on the whole field the
  effective decay would be ``rho + r`` and the field would grow without bound);
* focusing: ``u`` is what a centre coupled to ``y`` replicas of the layer sends back, computed from the cavity
  field ``theta + A`` (Baldassi et al. 2016). It is not evidence, so it is not passed on as prior;
* damping: the weight of the old message, in [0, 1). It acts on the magnetizations *across* batches, as a
  mixture of the old belief and the new; the joint argmax output damps its field instead.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.weights import WeightFamily

__all__ = ["Evidence", "LayerState", "Natural", "begin_batch", "focusing_message", "update"]


class Natural(NamedTuple):
    """Natural parameters ``[N, K]``: field, and precision (None where it has no effect).

    Parameters
    ----------
    field : Array [N, K]
        Fields.
    precision : Array [N, K] or None
        Precisions; None where they have no effect.
    """

    field: Array
    precision: Array | None

    def scaled(self, factor: Array) -> "Natural":
        """Both times ``factor``.

        Parameters
        ----------
        factor : Array
            The factor.
        """
        return Natural(self.field * factor, None if self.precision is None else self.precision * factor)

    def mapped(self, function: Callable[[Array], Array]) -> "Natural":
        """Apply a function to both.

        Parameters
        ----------
        function : callable
            A function of one array.
        """
        return Natural(function(self.field), None if self.precision is None else function(self.precision))

    def plus(self, other: "Natural | None", factor: Array | float = 1.0) -> "Natural":
        """Sum with ``factor * other``.

        Parameters
        ----------
        other : Natural or None
            The other term; None: nothing.
        factor : Array, default=1.0
            Factor of the other term.
        """
        if other is None:
            return self
        if self.precision is None or other.precision is None:
            return Natural(self.field + factor * other.field, self.precision)
        return Natural(self.field + factor * other.field, self.precision + factor * other.precision)


class LayerState(NamedTuple):
    """State of a layer between steps: its posterior, its damped magnetizations, its mask.

    ``variance`` may be None for binary weights, whose mean determines it (:func:`damped_moments`): one array
    less to write in a step.

    Parameters
    ----------
    posterior : Natural [N, K]
        Natural parameters of the belief.
    mean : Array [N, K]
        Damped magnetizations.
    variance : Array [N, K] or None
        Damped variances; None for binary weights, whose mean determines it.
    focus : Natural or None
        The focusing message inside the posterior; None without focusing.
    mask : Array [N, K] or None
        0 where a weight does not exist; None: all do.
    anchor : Natural or None, default=None
        What the prior decays towards; None: nothing.
    """

    posterior: Natural
    mean: Array
    variance: Array | None
    focus: Natural | None
    mask: Array | None
    anchor: Natural | None = None


class Evidence(NamedTuple):
    """Prior of the current batch, and its messages so far.

    Parameters
    ----------
    prior : Natural
        What the current batch starts from.
    data : Natural
        What its messages have added so far.
    """

    prior: Natural
    data: Natural


def begin_batch(state: LayerState, rho: Array) -> Evidence:
    """The posterior, less the focusing message, becomes the prior; no evidence yet.

    Parameters
    ----------
    state : LayerState
        The layer's state.
    rho : float > 0
        Share of the posterior that is the next prior.
    """
    prior = state.posterior.plus(state.focus, -1.0).scaled(rho).plus(state.anchor, 1.0 - rho)
    return Evidence(prior, prior.scaled(jnp.zeros(())))


def masked_moments(family: WeightFamily, natural: Natural, sparsity: Array, mask: Array | None) -> Moments:
    """Moments of the belief, 0 and 0 where there is no weight."""
    precision = jnp.zeros(()) if natural.precision is None else natural.precision
    mean, variance = family.moments(natural.field, precision, sparsity)
    return Moments(mean, variance) if mask is None else Moments(mean * mask, variance * mask)


def damped_moments(layer: LayerState) -> Moments:
    """Moments of a layer's weights, 0 and 0 where there is none; any leading axes."""
    if layer.variance is not None:
        return Moments(layer.mean, layer.variance)
    variance = (1.0 - layer.mean) * (1.0 + layer.mean)
    return Moments(layer.mean, variance if layer.mask is None else variance * layer.mask)


def update(
    state: LayerState,
    evidence: Evidence,
    message: Natural,
    family: WeightFamily,
    hyper: Hyper,
    damp_field: bool,
) -> tuple[LayerState, Evidence]:
    """Add one sweep's message ``[N, K]`` to the layer; ``hyper`` holds this layer's numbers.

    Parameters
    ----------
    state : LayerState
        The layer's state.
    evidence : Evidence
        Prior and messages of the batch so far.
    message : Natural [N, K]
        The sweep's message.
    family : WeightFamily
        The weight family.
    hyper : Hyper
        This layer's numbers.
    damp_field : bool
        Whether damping acts on the field rather than the magnetizations; static.
    """
    data = message.scaled(hyper.evidence).plus(evidence.data, hyper.reinforcement)
    target = evidence.prior.plus(data)
    focus = None
    if state.focus is not None:
        fresh = focusing_message(family, target, hyper)
        focus = fresh.scaled(1.0 - hyper.damping).plus(state.focus, hyper.damping)
        target = target.plus(focus)
    if damp_field:
        target = target.scaled(1.0 - hyper.damping).plus(state.posterior, hyper.damping)
    moments = masked_moments(family, target, hyper.sparsity, state.mask)
    if not damp_field:
        moments = mix(damped_moments(state), moments, hyper.damping)
    variance = None if state.variance is None else moments.variance
    moved = LayerState(target, moments.mean, variance, focus, state.mask, state.anchor)
    return moved, Evidence(evidence.prior, data)


def mix(old: Moments, new: Moments, damping: Array) -> Moments:
    """Moments of the mixture ``damping old + (1 - damping) new``."""
    keep = 1.0 - damping
    mean = damping * old.mean + keep * new.mean
    between = damping * keep * jnp.square(old.mean - new.mean)
    return Moments(mean, damping * old.variance + keep * new.variance + between)


def focusing_message(family: WeightFamily, cavity: Natural, hyper: Hyper) -> Natural:
    """Message of a centre, coupled as ``exp(coupling w c)`` to y replicas, back to one of them.

    A replica sends the centre ``a(c) = log sum_w p(w) exp(coupling w c)``; the centre returns
    ``log sum_c exp((y - 1) a(c) + coupling w c)``, whose field and precision are exact for two or three
    levels. For binary weights this is ``atanh(tanh((y - 1) atanh(m tanh(gamma))) tanh(gamma))``.

    Parameters
    ----------
    family : WeightFamily
        The weight family.
    cavity : Natural
        The belief without the focusing message.
    hyper : Hyper
        This layer's numbers.
    """
    levels = family.levels
    if levels not in ((-1, 1), (-1, 0, 1)):
        raise ValueError(f"focusing needs binary or ternary weights, got the levels {levels}")
    values = jnp.asarray(levels, cavity.field.dtype)
    square = jnp.square(values)
    belief = cavity.field[..., None] * values
    if cavity.precision is not None:
        belief = belief - 0.5 * cavity.precision[..., None] * square
    belief = belief + jnp.where(values == 0, hyper.sparsity, 0.0)
    pair = hyper.coupling * values[:, None] * values[None, :]
    to_centre = jax.nn.logsumexp(belief[..., :, None] + pair, axis=-2)
    back = jax.nn.logsumexp((hyper.replicas - 1.0) * to_centre[..., None, :] + pair, axis=-1)
    field = 0.5 * (back[..., -1] - back[..., 0])
    if cavity.precision is None:
        return Natural(field, None)
    return Natural(field, 2.0 * back[..., 1] - back[..., 0] - back[..., -1])
