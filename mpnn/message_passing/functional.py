"""Pure functions over a state: the implementation of :mod:`mpnn.functional`.

Shapes: batch B, outputs K, classes C, weight layers L, epochs E, batches of an epoch M, sweeps S.
"""

import enum
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from mpnn.message_passing import freezing as freezing_of_layers
from mpnn.message_passing import network, prediction
from mpnn.message_passing.boundary import as_key, check_array, check_batch, check_state, numbers_of
from mpnn.message_passing.freezing import Freezing, check_freezing
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info
from mpnn.message_passing.training import run_batch, shuffled_epoch
from mpnn.preprocessing.augmentation import Augment
from mpnn.programs.bounded import bounded_jit
from mpnn.validation import above_zero, at_least_zero, one_of, whole

__all__ = ["Prediction", "Status", "Trained", "decode", "freeze", "init", "predict", "step", "train"]

METHODS = ("mode", "bayes", "sample")


class Status(enum.IntEnum):
    """How a training ended."""

    ALL_EPOCHS = 0
    CONVERGED = 1
    NOT_FINITE = 2


class Trained(NamedTuple):
    """The result of training.

    Attributes
    ----------
    state : State
        The beliefs.
    hyper : Hyper
        The numbers of the last sweep, leaves ``[L]``.
    info : Info
        Of every sweep, leaves ``[E, M, S, ...]``; NaN for epochs after convergence.
    num_epochs : int array
        Epochs done.
    status : int array
        A :class:`Status`.
    """

    state: State
    hyper: Hyper
    info: Info
    num_epochs: Array
    status: Array


class Prediction(NamedTuple):
    """Classes ``[B]`` (of two: 0 and 1), their probabilities ``[B, C]`` and scores ``[B, K]``.

    Parameters
    ----------
    classes : int Array [B]
        Class numbers.
    probabilities : Array [B, C]
        Probabilities of the classes.
    scores : Array [B, K]
        Outputs, or log odds; of two classes, 0 and more choose the second.
    """

    classes: Array
    probabilities: Array
    scores: Array


def init(
    key: Any, spec: NetworkSpec, hyper: Hyper | None = None, initial_field: Array | float = 1.0
) -> State:
    """Return initial beliefs.

    Parameters
    ----------
    key : key or int
        Of the random fields.
    spec : NetworkSpec
        The network; static under ``jit``.
    hyper : Hyper, optional
        Numbers of the first sweep, leaves ``[L]``; None: the defaults.
    initial_field : float >= 0, default=1.0
        Scale of the random fields, or of a Gaussian weight's prior.

    Examples
    --------
    >>> from mpnn import functional as mp
    >>> spec = mp.NetworkSpec.dense((4, 3, 1), weights="ternary")
    >>> [layer.mean.shape for layer in mp.init(0, spec).weighted]
    [(4, 3), (3, 1)]
    """
    numbers = numbers_of(spec, hyper)
    if not isinstance(initial_field, Array):
        initial_field = at_least_zero("initial_field", initial_field)
    return _init(as_key(key), spec, numbers, jnp.asarray(initial_field, float))


@partial(bounded_jit, static_argnames="spec")
def _init(key: Array, spec: NetworkSpec, hyper: Hyper, initial_field: Array) -> State:
    return network.init(key, spec, hyper, initial_field)


def step(spec: NetworkSpec, state: State, batch: Batch, hyper: Hyper | None = None) -> tuple[State, Info]:
    """Pass messages over one batch: the posterior becomes the prior, and the batch's evidence is added.

    Parameters
    ----------
    spec : NetworkSpec
        The network; static under ``jit``.
    state : State
        Beliefs before the batch; it is left as it is.
    batch : Batch
        Inputs ``[B, *input_shape]``, labels ``[B]``.
    hyper : Hyper, optional
        Numbers, leaves ``[L]`` for all sweeps or ``[S, L]``, one a sweep; None: the defaults.

    Returns
    -------
    state : State
        Beliefs after the batch.
    info : Info
        Of every sweep, leaves ``[S, ...]``.

    Raises
    ------
    ValueError
        Where the samples or the state do not fit the network, or a sample is not finite.
    """
    check_batch(spec, batch)
    check_state(spec, state)
    return _step(spec, state, batch, numbers_of(spec, hyper))


@partial(bounded_jit, static_argnames="spec")
def _step(spec: NetworkSpec, state: State, batch: Batch, hyper: Hyper) -> tuple[State, Info]:
    if hyper.rho.ndim == 1:
        sweeps = spec.sweeps_per_batch
        hyper = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (sweeps, *leaf.shape)), hyper)
    return run_batch(spec, state, batch, hyper)


def train(
    key: Any,
    spec: NetworkSpec,
    state: State,
    data: Batch,
    schedules: Schedules | None = None,
    *,
    num_epochs: int,
    batch_size: int,
    augment: Augment | None = None,
    tolerance: float | None = None,
    freezing: Sequence[int] = (),
) -> Trained:
    """Train on mini-batches; the same batches as :func:`mpnn.message_passing.training.train` takes.

    Parameters
    ----------
    key : key or int
        Epoch e shuffles with ``fold_in(key, e)``.
    spec : NetworkSpec
        The network; static under ``jit``.
    state : State
        Beliefs before; left as they are.
    data : Batch
        Inputs ``[n, *input_shape]`` and labels ``[n]``. An epoch drops its last incomplete mini-batch.
    schedules : Schedules, optional
        Numbers, which may be traced; None: the defaults.
    num_epochs : int
        Passes over the data, at least 1.
    batch_size : int
        Samples of a mini-batch, from 1 to n.
    augment : callable, optional
        Changes the inputs of every batch, see :mod:`mpnn.preprocessing.augmentation`.
    tolerance : float, optional
        Ends training when the mean change of the magnetizations of every layer, averaged over an epoch,
        is below it, > 0. The result's ``status`` and ``num_epochs`` say so; None: all epochs.
    freezing : sequence of int, default=()
        Epochs, counted from 0, at whose start hidden layers, the lowest first, are rounded with feedback and
        from which on they stay, as by :func:`freeze`; the layers above learn on.

    Returns
    -------
    Trained
        Beliefs, numbers of the last sweep, what happened, and how training ended.

    Raises
    ------
    ValueError
        Where samples, state or numbers do not fit the network.

    Examples
    --------
    The number of label flips that training assumes, by the gradient of the training error's smooth twin:

    >>> import jax
    >>> from mpnn import functional as mp
    >>> inputs = jax.random.normal(jax.random.key(1), (64, 8))
    >>> data = mp.Batch(inputs, jax.numpy.sign(inputs[:, 0]))
    >>> spec = mp.NetworkSpec.dense((8, 1))
    >>> trained = mp.train(0, spec, mp.init(0, spec), data, num_epochs=20, batch_size=16, tolerance=1e-3)
    >>> mp.Status(int(trained.status)).name
    'CONVERGED'
    """
    check_batch(spec, data)
    check_state(spec, state)
    num_samples = data.inputs.shape[0]
    batch_size, num_epochs = whole("batch_size", batch_size), whole("num_epochs", num_epochs)
    if batch_size > num_samples:
        raise ValueError(f"batch_size must be from 1 to the {num_samples} samples given, got {batch_size}")
    if augment is not None and not callable(augment):
        raise TypeError(f"augment must be a function of a key and inputs, got {augment!r}")
    if schedules is not None and not isinstance(schedules, Schedules):
        raise TypeError(f"schedules must be a Schedules of mpnn.functional, got {schedules!r}")
    limit = None if tolerance is None else above_zero("tolerance", tolerance)
    schedules = Schedules() if schedules is None else schedules
    frozen = Freezing(spec, check_freezing(spec, freezing), num_samples // batch_size)
    schedules = frozen.schedules(schedules)
    sweeps = num_samples // batch_size * spec.sweeps_per_batch
    numbers = schedules.at(jnp.arange(num_epochs * sweeps), spec.num_layers)
    by_epoch = jax.tree.map(lambda leaf: leaf.reshape(num_epochs, sweeps, *leaf.shape[1:]), numbers)
    return _train(as_key(key), spec, state, data, by_epoch, batch_size, augment, limit, frozen.epochs)


@partial(bounded_jit, static_argnames=("spec", "batch_size", "augment", "tolerance", "freezing"))
def _train(
    key: Array,
    spec: NetworkSpec,
    state: State,
    data: Batch,
    hyper: Hyper,
    batch_size: int,
    augment: Augment | None,
    tolerance: float | None,
    freezing: tuple[int, ...],
) -> Trained:
    """All epochs as one scan; ``hyper`` leaves are ``[E, sweeps, L]``."""
    num_epochs = hyper.rho.shape[0]

    def one_epoch(state: State, epoch: Array, numbers: Hyper) -> tuple[State, Info]:
        own = jax.random.fold_in(key, epoch)
        for index, due in enumerate(freezing):
            frozen = partial(_frozen, spec, jax.tree.map(lambda leaf: leaf[0], numbers), data, index)
            state = jax.lax.cond(epoch == due, frozen, lambda same: same, state)
        return shuffled_epoch(own, spec, state, data, numbers, batch_size, augment)

    def body(carry: tuple[State, Array], step: tuple[Array, Hyper]) -> tuple[Any, tuple[Info, Array]]:
        state, converged = carry
        if tolerance is None:
            state, info = one_epoch(state, *step)
            return (state, converged), (info, ~converged)
        like = jax.eval_shape(one_epoch, state, *step)[1]
        blank = jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), like)
        moved, info = jax.lax.cond(converged, lambda state, *_: (state, blank), one_epoch, state, *step)
        settled = jnp.all(jnp.mean(info.change, axis=(0, 1)) < tolerance)
        return (moved, converged | settled), (info, ~converged)

    start = (state, jnp.zeros((), bool))
    (state, converged), (info, ran) = jax.lax.scan(body, start, (jnp.arange(num_epochs), hyper))
    done = jnp.sum(ran)
    last = jax.tree.map(lambda leaf: leaf[done - 1, -1], hyper)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(layer.mean)) for layer in state.weighted]))
    status = jnp.where(converged, Status.CONVERGED, Status.ALL_EPOCHS)
    return Trained(state, last, info, done, jnp.where(finite, status, Status.NOT_FINITE))


def _frozen(spec: NetworkSpec, hyper: Hyper, data: Batch, index: int, state: State) -> State:
    return freezing_of_layers.freeze(spec, state, hyper, data.inputs, index, data.sample_weight)


def freeze(
    spec: NetworkSpec,
    state: State,
    inputs: Array,
    layer: int,
    hyper: Hyper | None = None,
    sample_weight: Array | None = None,
) -> State:
    """Round a layer with feedback and make its beliefs certain; training on it with ``Schedules.frozen``.

    Parameters
    ----------
    spec : NetworkSpec
        The network; static under ``jit``, and so is ``layer``.
    state : State
        Its beliefs; left as they are.
    inputs : array [B, *input_shape]
        Training inputs, which the layers below turn into this layer's.
    layer : int
        The hidden layer with weights, from 0; those inside of residual links counted.
    hyper : Hyper, optional
        Numbers that the beliefs were trained with, leaves ``[L]``; None: the defaults.
    sample_weight : array [B], optional
        How often each input counts; None: once.

    Examples
    --------
    >>> import jax
    >>> from mpnn import functional as mp
    >>> spec = mp.NetworkSpec.dense((8, 5, 1))
    >>> inputs = jax.random.normal(jax.random.key(1), (64, 8))
    >>> state = mp.freeze(spec, mp.init(0, spec), inputs, layer=0)
    >>> float(abs(state.weighted[0].mean).min())
    1.0
    """
    check_state(spec, state)
    check_array("inputs", inputs)
    if sample_weight is not None:
        check_array("sample_weight", sample_weight)
    check_freezing(spec, [0] * (whole("layer", layer, at_least=0) + 1))
    inputs = inputs.astype(state.weighted[0].mean.dtype)
    return freezing_of_layers.freeze(spec, state, numbers_of(spec, hyper), inputs, layer, sample_weight)


def decode(spec: NetworkSpec, state: State, hyper: Hyper | None = None) -> list[Array]:
    """Return the most probable weights.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    state : State
        Its beliefs.
    hyper : Hyper, optional
        Numbers that the beliefs were trained with, leaves ``[L]``; None: the defaults.

    Returns
    -------
    weights : list of int8 array [fan in, units]
        A weight layer each, the bias as the last row; Gaussian weights are real.
    """
    check_state(spec, state)
    return _decode(spec, state, numbers_of(spec, hyper))


@partial(bounded_jit, static_argnames="spec")
def _decode(spec: NetworkSpec, state: State, hyper: Hyper) -> list[Array]:
    return prediction.decode(spec, state, hyper)


def predict(
    spec: NetworkSpec,
    state: State,
    inputs: Array,
    hyper: Hyper | None = None,
    *,
    method: str = "bayes",
    weights: list[Array] | None = None,
    key: Any = 0,
    num_samples: int = 32,
) -> Prediction:
    """Classes and probabilities of a batch.

    Parameters
    ----------
    spec : NetworkSpec
        The network; static under ``jit``, and so are ``method`` and ``num_samples``.
    state : State
        Its beliefs.
    inputs : array [B, *input_shape]
        Inputs.
    hyper : Hyper, optional
        Numbers that the beliefs were trained with, leaves ``[L]``; None: the defaults.
    method : {"bayes", "mode", "sample"}, default="bayes"
        Weights averaged over their beliefs, the most probable weights, or the votes of drawn networks.
    weights : list of array, optional
        For ``"mode"``: discrete weights other than those of :func:`decode`, such as rounded ones.
    key : key or int, default=0
        Of drawn networks.
    num_samples : int, default=32
        Networks drawn, at least 1.

    Raises
    ------
    ValueError
        For another method, or inputs that do not fit.

    Notes
    -----
    Compiled once for a number of rows, as :func:`init` and :func:`step` are; inside ``jit`` they become part
    of its program.
    """
    one_of("method", method, METHODS)
    check_state(spec, state)
    check_array("inputs", inputs)
    if inputs.shape[1:] != spec.input_shape:
        wanted = ", ".join(map(str, spec.input_shape))
        raise ValueError(f"inputs must be [B, {wanted}], as the network has it, got {list(inputs.shape)}")
    if not isinstance(inputs, Tracer) and not np.all(np.isfinite(np.asarray(inputs))):
        raise ValueError("inputs must be finite, got NaN or infinity: replace what is missing")
    if weights is not None:
        _check_weights(spec, weights)
    draws = whole("num_samples", num_samples) if method == "sample" else None
    return _predict(as_key(key), spec, state, inputs, numbers_of(spec, hyper), weights, method, draws)


def _check_weights(spec: NetworkSpec, weights: Any) -> None:
    """Discrete weights of a network, one array a layer."""
    if not isinstance(weights, list | tuple):
        raise TypeError(f"weights must be a list of arrays, one a layer, got {type(weights).__name__}")
    for layer in weights:
        check_array("every layer of weights", layer)
    found = [tuple(layer.shape) for layer in weights]
    wanted = list(zip(spec.fan_ins, spec.widths[1:], strict=True))
    if found != wanted:
        raise ValueError(f"weights must have the shapes {wanted}, as the network has it, got {found}")


@partial(bounded_jit, static_argnames=("spec", "method", "num_samples"))
def _predict(
    key: Array,
    spec: NetworkSpec,
    state: State,
    inputs: Array,
    hyper: Hyper,
    weights: list[Array] | None,
    method: str,
    num_samples: int | None,
) -> Prediction:
    inputs = inputs.astype(state.weighted[0].mean.dtype)
    if method == "mode":
        chosen = prediction.decode(spec, state, hyper) if weights is None else weights
        scores, probabilities = prediction.mode_scores(spec, chosen, inputs)
    elif num_samples is None:
        scores, probabilities = prediction.bayes_scores(spec, state, inputs, hyper.noise)
    else:
        scores, probabilities = prediction.sampled_scores(key, spec, state, hyper, inputs, num_samples)
    return Prediction(prediction.winner(scores), probabilities, scores)
