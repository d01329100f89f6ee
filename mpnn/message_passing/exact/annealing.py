"""Runs of :mod:`mpnn.message_passing.exact.sweep`: a compiled scan for many problems, new starts for those
with errors."""

import itertools
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from mpnn import sharding as meshes
from mpnn.message_passing.epochs import Problems
from mpnn.message_passing.exact.sweep import Annealing, Beliefs, Carry, Incumbent, init, prepare, sweep
from mpnn.message_passing.fields import LayerState, Natural
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.programs import Pace, devices
from mpnn.programs.bounded import bounded_jit

__all__ = ["Annealing", "Fit", "fit_many", "fit_one"]

# Problems trained side by side: few enough that a sweep's messages stay in a core's cache; on an accelerator
# all pairs of a hundred classes, so that programs do not follow one another.
AT_ONCE, ACCELERATOR_AT_ONCE = 15, 4950
# New starts for problems that keep training errors.
RESTARTS = 4
# Cost of an exact message in products, for a first guess at the length of a sweep.
EXACT_PRODUCTS = 100
# Precision of the belief about a weight whose input never moved: it is 0.
DEAD_PRECISION = 80.0


class Fit(NamedTuple):
    """Discrete weights (int8 ``[in, out]``), beliefs, training errors left, share of errors of each sweep.

    Parameters
    ----------
    weights : list of int8 Array [in, out]
        Discrete weights, a layer each.
    state : State
        Beliefs.
    errors : Array
        Training errors that are left.
    history : Array [sweeps]
        Share of errors of each sweep.
    """

    weights: list[Array]
    state: State
    errors: Array
    history: Array


def _as_state(beliefs: Beliefs, live: Array) -> State:
    """The beliefs in the form that all predictions read: natural parameters and moments."""
    field, mean, variance = beliefs.first
    precision = jnp.broadcast_to((1.0 - live) * DEAD_PRECISION, field.shape)
    layers = [LayerState(Natural(field, precision), mean, variance, None, None)]
    for log_levels in beliefs.upper:
        minus, zero, plus = log_levels
        natural = Natural(0.5 * (plus - minus), 2.0 * zero - plus - minus)
        below, _, above = jax.nn.softmax(log_levels, axis=0)
        mean = above - below
        layers.append(LayerState(natural, mean, above + below - jnp.square(mean), None, None))
    return State(tuple(layers))


class _Running(NamedTuple):
    """A run between two of its portions, None before the first: what sweeps hand on, errors of all sweeps."""

    carry: Carry | None = None
    errors: Array | None = None


def _run(
    key: Array,
    spec: NetworkSpec,
    numbers: Annealing,
    batch: Batch,
    running: _Running,
    portion: tuple[Array, Array],
) -> tuple[_Running, Fit]:
    """Sweeps of one network from one start: from the first of a portion to before the second number."""
    data = prepare(batch)
    done = jnp.arange(spec.sweeps_per_batch) / spec.sweeps_per_batch
    carry, errors = running
    if carry is None:
        beliefs, memory = init(key, spec, numbers, data)
        blank = tuple(jnp.zeros(shape) for shape in itertools.pairwise(spec.widths))
        incumbent = Incumbent(jnp.full((), jnp.inf), jnp.full((), -jnp.inf), blank)
        carry = Carry(beliefs, memory, incumbent, beliefs)
    if errors is None:
        _, one = jax.eval_shape(partial(sweep, spec, numbers, data), carry, done[0])
        errors = jnp.zeros(done.shape, one.dtype)

    def step(index: Array, now: tuple[Carry, Array]) -> tuple[Carry, Array]:
        carry, error = sweep(spec, numbers, data, now[0], done[index])
        return carry, now[1].at[index].set(error)

    carry, errors = jax.lax.fori_loop(*portion, step, (carry, errors))
    weights = [layer.astype(jnp.int8) for layer in carry.incumbent.weights]
    error = errors / jnp.sum(data.weight)
    fit = Fit(weights, _as_state(carry.published, data.live), carry.incumbent.errors, error)
    return _Running(carry, errors), fit


@partial(bounded_jit, static_argnames="spec", donate_argnames="running")
def _run_many(
    keys: Array,
    spec: NetworkSpec,
    numbers: Annealing,
    data: Problems,
    running: _Running,
    portion: tuple[int, int],
) -> tuple[_Running, Fit]:
    def run_share(shared: Any, own: Any) -> tuple[_Running, Fit]:
        inputs, numbers, portion = shared

        def one(key: Array, samples: Any, running: _Running) -> tuple[_Running, Fit]:
            rows, labels, sample_weight = samples
            return _run(key, spec, numbers, Batch(inputs[rows], labels, sample_weight), running, portion)

        return jax.vmap(one)(*own)

    return meshes.over_networks(run_share)((data.inputs, numbers, portion), (keys, data[1:], running))


def _run_in_portions(keys: Array, spec: NetworkSpec, numbers: Annealing, data: Problems) -> Fit:
    """All sweeps, in portions between which an interrupt is heard."""
    running, fit = _Running(), None
    products = data.rows.size * sum(a * b for a, b in itertools.pairwise(spec.widths))
    pace = Pace(EXACT_PRODUCTS * products, bounded=jax.process_count() == 1)
    for portion in pace.portions(spec.sweeps_per_batch):
        running, fit = jax.block_until_ready(_run_many(keys, spec, numbers, data, running, portion))
    assert fit is not None
    return fit


def _run_chosen(
    keys: Array, spec: NetworkSpec, numbers: Annealing, data: Problems, chosen: NDArray, at_once: int
) -> Fit:
    """Train the problems ``chosen``, always ``at_once`` side by side so that one program serves all."""
    fits = []
    for start in range(0, len(chosen), at_once):
        own = np.resize(chosen[start : start + at_once], at_once)
        chunk = jax.tree.map(lambda leaf, own=own: leaf[own], [keys, *data[1:]])
        own_keys, *samples = meshes.place(chunk, meshes.NETWORKS)
        fits.append(_run_in_portions(own_keys, spec, numbers, Problems(data.inputs, *samples)))
    joined = jax.tree.map(lambda *leaves: np.concatenate(leaves), *meshes.to_host(fits))
    return jax.tree.map(lambda leaf: leaf[: len(chosen)], joined)


def fit_many(
    keys: Array, spec: NetworkSpec, numbers: Annealing, data: Problems, at_once: int | None = None
) -> Fit:
    """Train P networks; those that keep training errors start again, up to :data:`RESTARTS` times.

    Parameters
    ----------
    keys : Array [P]
        Random keys, one a problem.
    spec : NetworkSpec
        With exact messages; ``sweeps_per_batch`` is the length of the run.
    numbers : Annealing
        The numbers of the method.
    data : Problems
        See :class:`mpnn.message_passing.training.Problems`; labels are -1 and +1.
    at_once : int >= 1 or None, default=None
        Problems trained side by side on each device; None: as many as suit the device.

    Returns
    -------
    Fit
        NumPy arrays with a leading axis P.
    """
    num_problems, num_devices = len(data.rows), meshes.axis_size(meshes.NETWORKS)
    most = devices.at_once(AT_ONCE, ACCELERATOR_AT_ONCE) if at_once is None else at_once
    chunks = -(-num_problems // (num_devices * most))
    at_once = meshes.round_up(-(-num_problems // chunks), meshes.NETWORKS)
    data = data._replace(inputs=meshes.place(data.inputs))
    run = partial(_run_chosen, spec=spec, numbers=meshes.place(numbers), data=data, at_once=at_once)
    fit = run(keys, chosen=np.arange(num_problems))
    for attempt in range(1, RESTARTS + 1):
        failed = np.flatnonzero(fit.errors)
        if len(failed) == 0:
            break
        fresh = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, attempt)
        again = run(fresh, chosen=failed)
        better = again.errors < fit.errors[failed]

        def take(old: NDArray, new: NDArray, into: Any = failed[better], of: Any = better) -> NDArray:
            merged = old.copy()
            merged[into] = new[of]
            return merged

        fit = jax.tree.map(take, fit, again)
    return fit


def fit_one(key: Array, spec: NetworkSpec, numbers: Annealing, data: Batch) -> Fit:
    """As :func:`fit_many` for a single problem: leaves without the leading axis.

    Parameters
    ----------
    key : Array
        Random key.
    spec : NetworkSpec
        The network's static description.
    numbers : Annealing
        The numbers of the method.
    data : Batch
        The problem.
    """
    num_samples = data.inputs.shape[0]
    weight = jnp.ones(num_samples) if data.sample_weight is None else data.sample_weight
    problems = Problems(data.inputs, jnp.arange(num_samples)[None], data.labels[None], weight[None])
    return jax.tree.map(lambda leaf: leaf[0], fit_many(key[None], spec, numbers, problems))
