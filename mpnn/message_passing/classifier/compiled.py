"""Compiled programs of the estimator: initial beliefs, discrete weights and predictions."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mpnn.classifiers.problems import few_sizes
from mpnn.message_passing import network, prediction
from mpnn.message_passing.classifier.settings import Settings
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State
from mpnn.message_passing.rounding import (
    FEW_LINKS,
    FEW_LINKS_BEFORE_DESCENT,
    SAMPLES_LOOKED_AT,
    has_few_links,
    round_layer,
    round_layers,
)
from mpnn.message_passing.spec import NetworkSpec
from mpnn.programs import refuse_forked_child
from mpnn.programs.bounded import bounded_jit

__all__ = [
    "Model",
    "bayes_probabilities",
    "decide",
    "decide_many",
    "decode",
    "decode_many",
    "init",
    "init_many",
    "probabilities",
    "score",
]


class Model(NamedTuple):
    """A trained network: discrete weights, beliefs, the numbers they were trained with, a seed.

    Parameters
    ----------
    weights : list of Array [fan in, units]
        Discrete weights, a layer each; none where only beliefs are asked.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    seed : int
        Seeds the drawn networks.
    """

    weights: list[Any]
    state: State
    hyper: Hyper
    seed: Any


@partial(bounded_jit, static_argnames="spec")
def _init(key: Array, spec: NetworkSpec, hyper: Hyper, initial_field: float | None) -> State:
    return network.init(key, spec, hyper, 0.0 if initial_field is None else initial_field)


@partial(bounded_jit, static_argnames="spec")
def _init_many(keys: Array, spec: NetworkSpec, hyper: Hyper, initial_field: float | None) -> State:
    return jax.vmap(lambda key: _init(key, spec, hyper, initial_field))(keys)


def init(key: Array, settings: Settings) -> State:
    """Initial beliefs.

    Parameters
    ----------
    key : Array
        Random key.
    settings : Settings
        The settings.
    """
    first = settings.schedules.at_sweep(0, settings.spec.num_layers)
    return _init(key, settings.spec, first, settings.initial_field or None)


def init_many(keys: Array, settings: Settings) -> State:
    """As :func:`init` for P networks: every leaf has a leading axis P.

    Parameters
    ----------
    keys : Array [P]
        Random keys, one a network.
    settings : Settings
        The settings.
    """
    first = settings.schedules.at_sweep(0, settings.spec.num_layers)
    return _init_many(keys, settings.spec, first, settings.initial_field or None)


def decode(
    spec: NetworkSpec,
    rounding: str,
    state: State,
    hyper: Hyper,
    inputs: Array | NDArray,
    sample_weight: Array | None = None,
    num_frozen: int = 0,
) -> list[Array]:
    """The discrete weights; ``inputs [B, N]`` are for rounding with feedback.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    rounding : str
        As of :class:`Settings`; of ``"none"`` there are no weights, and hardening begins where feedback ends.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : Array [B, N]
        Inputs.
    sample_weight : Array [B] or None, default=None
        How often each row counts, 0 for padding; None: once.
    num_frozen : int >= 0, default=0
        Lowest layers that have been rounded in training.
    """
    if rounding == "none":
        return []
    weights = _decode(spec, rounding, state, hyper, inputs, sample_weight, num_frozen)
    if not _listen_to_few(spec, rounding, weights).any():
        return weights
    return [*weights[:-1], _decode_output(spec, state, hyper, inputs, weights, sample_weight)]


def _listen_to_few(spec: NetworkSpec, rounding: str, weights: list[Array]) -> NDArray:
    """Whether outputs are to be rounded with feedback, too; bool ``[...]``."""
    shares = {"mode": 0.0, "feedback": FEW_LINKS, "harden": FEW_LINKS_BEFORE_DESCENT}
    return has_few_links(spec, weights, shares[rounding])


@partial(bounded_jit, static_argnames=("spec", "rounding", "num_frozen"))
def _decode(
    spec: NetworkSpec,
    rounding: str,
    state: State,
    hyper: Hyper,
    inputs: Array,
    sample_weight: Array | None,
    num_frozen: int,
) -> list[Array]:
    weights = prediction.decode(spec, state, hyper)
    if rounding != "mode":
        weights = round_layers(spec, state, hyper, inputs, weights, sample_weight, num_frozen)
    return weights


@partial(bounded_jit, static_argnames="spec")
def _decode_output(
    spec: NetworkSpec,
    state: State,
    hyper: Hyper,
    inputs: Array,
    weights: list[Array],
    sample_weight: Array | None,
) -> Array:
    """The output rounded with feedback, where answers are then the beliefs' more often than without."""
    rounded = round_layer(spec, state, hyper, inputs, weights, len(weights) - 1, sample_weight)
    some = slice(None, None, -(-len(inputs) // SAMPLES_LOOKED_AT))
    counts = jnp.ones(len(inputs)) if sample_weight is None else sample_weight

    def answers(how: str, own: list[Array]) -> Array:
        return jnp.argmax(_decide(spec, how, 1, Model(own, state, hyper, 0), inputs[some])[1], axis=1)

    def agreement(output: Array) -> Array:
        return jnp.sum(counts[some] * (answers("mode", [*weights[:-1], output]) == believed))

    believed = answers("bayes", weights)
    return jnp.where(agreement(rounded) > agreement(weights[-1]), rounded, weights[-1])


def decode_many(
    spec: NetworkSpec,
    rounding: str,
    state: State,
    hyper: Hyper,
    inputs: Array,
    sample_weight: Array | None = None,
    num_frozen: int = 0,
) -> list[Array]:
    """As :func:`decode` for P networks on the same inputs; every leaf of the state has a leading axis P.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    rounding : str
        As of :func:`decode`.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : Array [B, N]
        Inputs.
    sample_weight : Array [B] or None, default=None
        How often each row counts, 0 for padding; None: once.
    num_frozen : int >= 0, default=0
        Lowest layers that have been rounded in training.
    """
    if rounding == "none":
        return []
    weights = _decode_many(spec, rounding, state, hyper, inputs, sample_weight, num_frozen)
    few = _listen_to_few(spec, rounding, weights)
    if not few.any():
        return weights
    outputs = _decode_outputs(spec, state, hyper, inputs, weights, sample_weight)
    return [*weights[:-1], jnp.where(few[:, None, None], outputs, weights[-1])]


@partial(bounded_jit, static_argnames=("spec", "rounding", "num_frozen"))
def _decode_many(
    spec: NetworkSpec,
    rounding: str,
    state: State,
    hyper: Hyper,
    inputs: Array,
    sample_weight: Array | None,
    num_frozen: int,
) -> list[Array]:
    return jax.vmap(lambda own: _decode(spec, rounding, own, hyper, inputs, sample_weight, num_frozen))(state)


@partial(bounded_jit, static_argnames="spec")
def _decode_outputs(
    spec: NetworkSpec,
    state: State,
    hyper: Hyper,
    inputs: Array,
    weights: list[Array],
    sample_weight: Array | None,
) -> Array:
    def one(own: State, below: list[Array]) -> Array:
        return _decode_output(spec, own, hyper, inputs, below, sample_weight)

    return jax.vmap(one)(state, weights)


def _decide(
    spec: NetworkSpec, how: str, num_samples: int, model: Model, inputs: Array
) -> tuple[Array, Array]:
    """Scores ``[B, K]`` (of two classes, 0 and more choose the second) and probabilities ``[B, C]``.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    how : str
        ``"mode"``, ``"bayes"`` or ``"sample"``.
    num_samples : int >= 1
        Networks drawn by ``"sample"``.
    model : Model
        The trained network.
    inputs : Array [B, N]
        Inputs.
    """
    inputs = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
    if how == "mode":
        return prediction.mode_scores(spec, model.weights, inputs)
    if how == "bayes":
        return prediction.bayes_scores(spec, model.state, inputs, model.hyper.noise)
    key = jax.random.key(model.seed)
    return prediction.sampled_scores(key, spec, model.state, model.hyper, inputs, num_samples)


# Scores [B, K] (0 and more: the second of two classes) and probabilities [B, C] of one network.
decide = bounded_jit(_decide, static_argnums=(0, 1, 2))


@partial(bounded_jit, static_argnums=(0, 1, 2))
def score(spec: NetworkSpec, how: str, num_samples: int, model: Model, inputs: Array) -> Array:
    """As :data:`decide`, the scores alone: the compiler leaves out what only probabilities need.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    how : str
        ``"mode"``, ``"bayes"`` or ``"sample"``.
    num_samples : int >= 1
        Number of samples.
    model : Model
        The trained network.
    inputs : Array [B, N]
        Inputs.
    """
    return _decide(spec, how, num_samples, model, inputs)[0]


def bayes_probabilities(spec: NetworkSpec, state: State, hyper: Hyper, inputs: NDArray, room: int) -> NDArray:
    """Bayesian probabilities ``[n, C]`` of rows that are asked for while training, by a single program.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    state : State
        The network's beliefs.
    hyper : Hyper
        The numbers of the sweep, leaves ``[L]``.
    inputs : array [n, N]
        Inputs.
    room : int >= 1
        Rows of the training: so many, padded to one of few sizes, are asked for at once.
    """
    refuse_forked_child()
    size, model = few_sizes(room), Model([], state, hyper, np.int32(0))
    found = []
    for start in range(0, max(len(inputs), 1), size):  # no rows at all: an array of none
        block = np.zeros((size, inputs.shape[1]), np.float32)
        rows = inputs[start : start + size]
        block[: len(rows)] = rows
        found.append(np.asarray(decide(spec, "bayes", 1, model, block)[1])[: len(rows)])
    return np.concatenate(found)


# Probabilities [B, C] of a discrete network's scores [B, K].
probabilities = bounded_jit(prediction.mode_probabilities)


@partial(bounded_jit, static_argnums=(0, 1, 2))
def decide_many(
    spec: NetworkSpec, how: str, num_samples: int, models: Model, inputs: Array
) -> tuple[Array, Array]:
    """As :data:`decide` for stacked models ``[P, ...]`` on the same inputs: ``[P, B, ...]``.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    how : str
        ``"mode"``, ``"bayes"`` or ``"sample"``.
    num_samples : int >= 1
        Number of samples.
    models : Model
        Networks, every leaf with a leading axis P.
    inputs : Array [B, N]
        Inputs.
    """
    own = partial(_decide, spec, how, num_samples)
    return jax.vmap(own, in_axes=(0, None))(models, inputs)
