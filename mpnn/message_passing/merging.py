"""What data say about a weight adds up: evidence of shards, machines and days is merged, and taken out again.

A belief is a product of factors, so its natural parameters are a sum, ``H = H_0 + sum_p A_p``: the prior and
what every share p of the data adds. Networks that were trained apart *from one prior* are merged by adding
what each learned over it; a share whose evidence was kept is forgotten by subtracting it. With one cavity for
every share, ``H - A_p``, training in rounds is partitioned variational inference (Bui et al. 2018,
arXiv:1811.11206).

Evidence is what :func:`learned` finds between two states, whatever made it. It counts every sample once where
the layers are anchored at the prior (``anchored=True``, ``Schedules.counting_once``) or training was a pass;
several passes of posterior as prior count a sample as often as they see it.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mpnn.message_passing.boundary import check_state, numbers_of
from mpnn.message_passing.fields import LayerState, Natural, masked_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec

__all__ = ["Learned", "add_evidence", "forget", "learned", "merge"]


class Learned(NamedTuple):
    """Evidence about every weight, a pytree: ``jax.tree.map`` adds, scales and averages it.

    Parameters
    ----------
    layers : tuple of Natural
        Of each layer with weights, ``[N, K]``, in order.
    """

    layers: tuple[Natural, ...]


def learned(posterior: State, prior: State) -> Learned:
    """Return what training added to the beliefs: the natural parameters' difference.

    Parameters
    ----------
    posterior : State
        Beliefs after training.
    prior : State
        Beliefs before it.

    Raises
    ------
    ValueError
        If the states are not of one network.
    """
    for name, state in (("posterior", posterior), ("prior", prior)):
        if not isinstance(state, State):
            raise TypeError(f"{name} must be a State of mpnn.functional, got {str(state)[:100]!r}")
    shapes = [[layer.mean.shape for layer in state.weighted] for state in (posterior, prior)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"posterior and prior must be of one network, got weights {shapes[0]} and {shapes[1]}"
        )
    pairs = zip(posterior.weighted, prior.weighted, strict=True)
    return Learned(tuple(_belief(after).plus(_belief(before), -1.0) for after, before in pairs))


def merge(spec: NetworkSpec, posteriors: Sequence[State], prior: State, hyper: Hyper | None = None) -> State:
    """Return the beliefs of all shares: the prior, and what every posterior learned over it.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    posteriors : sequence of State
        Beliefs of networks that were all trained from ``prior``, each on a share of the data.
    prior : State
        The beliefs that they started from. Hidden units of networks with other beginnings have no order in
        common, and their sum means nothing.
    hyper : Hyper, optional
        Numbers that the beliefs were trained with, leaves ``[L]``; None: the defaults.

    Returns
    -------
    State
        The merged beliefs. Means and variances are those of the sum, without damping.

    Raises
    ------
    ValueError
        If a state is not of this network, or there is no posterior.

    Examples
    --------
    Two halves of a table, learned apart:

    >>> import jax
    >>> from mpnn import functional as mp
    >>> inputs = jax.random.normal(jax.random.key(1), (200, 51))
    >>> teacher = jax.random.rademacher(jax.random.key(2), (51,))
    >>> labels = jax.numpy.sign(inputs @ teacher)
    >>> spec = mp.NetworkSpec.dense((51, 1))
    >>> prior = mp.init(0, spec)
    >>> halves = [mp.Batch(inputs[start::2], labels[start::2]) for start in (0, 1)]
    >>> apart = [mp.step(spec, prior, half)[0] for half in halves]
    >>> def right(state):
    ...     return int((mp.decode(spec, state)[0][:, 0] == teacher).sum())
    >>> [right(state) for state in apart], right(mp.merge(spec, apart, prior))
    ([45, 38], 46)
    """
    if not isinstance(posteriors, list | tuple):
        raise TypeError(f"posteriors must be a list of states, got {str(posteriors)[:100]!r}")
    if not posteriors:
        raise ValueError("merge needs at least one posterior, got none")
    for state in (prior, *posteriors):
        check_state(spec, state)
    total = reduce(_sum, (learned(posterior, prior) for posterior in posteriors))
    return add_evidence(spec, prior, total, hyper)


def add_evidence(spec: NetworkSpec, state: State, evidence: Learned, hyper: Hyper | None = None) -> State:
    """Return the beliefs with the evidence of a share of the data added.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    state : State
        Beliefs that do not hold the evidence.
    evidence : Learned
        What :func:`learned` returned, or a sum of such.
    hyper : Hyper, optional
        Numbers that the beliefs were trained with, leaves ``[L]``; None: the defaults.

    Returns
    -------
    State
        The new beliefs. Means and variances are those of the sum, without damping; the anchor stays.

    Raises
    ------
    ValueError
        If state or evidence are not of this network.
    """
    check_state(spec, state)
    if not isinstance(evidence, Learned):
        raise TypeError(f"evidence must be what learned returned, got {str(evidence)[:100]!r}")
    shapes = [layer.field.shape for layer in evidence.layers]
    wanted = [layer.mean.shape for layer in state.weighted]
    if shapes != wanted:
        raise ValueError(f"evidence must be of this network's weights {wanted}, got {shapes}")
    numbers = spec.numbers(numbers_of(spec, hyper))
    own = zip(spec.weighted, state.weighted, evidence.layers, numbers, strict=True)
    moved = iter([_layer_moved(*layer) for layer in own])

    def replaced(layer: LayerState) -> LayerState:
        return next(moved)

    return State(jax.tree.map(replaced, state.layers, is_leaf=lambda node: isinstance(node, LayerState)))


def _layer_moved(layer: Any, state: LayerState, evidence: Natural, own: Hyper) -> LayerState:
    natural = state.posterior.plus(evidence)
    moments = masked_moments(layer.family, natural, own.sparsity, state.mask)
    variance = None if state.variance is None else moments.variance
    return state._replace(posterior=natural, mean=moments.mean, variance=variance)


def forget(spec: NetworkSpec, state: State, evidence: Learned, hyper: Hyper | None = None) -> State:
    """Return the beliefs without a share of the data whose evidence was kept.

    As :func:`add_evidence` with the evidence subtracted.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    state : State
        Beliefs that hold the evidence.
    evidence : Learned
        What :func:`learned` returned when the share came in.
    hyper : Hyper, optional
        Numbers that the beliefs were trained with, leaves ``[L]``; None: the defaults.

    Notes
    -----
    The messages of the shares that stay were made in the presence of the one that goes: the result is
    retraining without it up to that reaction (docs/experiments/merging.md measures it).
    """
    taken_out = jax.tree.map(jnp.negative, evidence) if isinstance(evidence, Learned) else evidence
    return add_evidence(spec, state, taken_out, hyper)


def _belief(layer: LayerState) -> Natural:
    """Natural parameters without the focusing message, which is not evidence."""
    return layer.posterior.plus(layer.focus, -1.0)


def _sum(one: Learned, other: Learned) -> Learned:
    pairs = zip(one.layers, other.layers, strict=True)
    return Learned(tuple(left.plus(right) for left, right in pairs))
