"""One ternary neuron by parallel tempering: replicas at several temperatures, many problems in one program.

The energy of weights w is ``mean_k max(0, t - y_k x_k.w) + penalty |w|_0 / N``, with inputs in units of their
norm. A step changes one weight of every replica by Metropolis' rule; neighbouring temperatures then exchange
their replicas (Hukushima and Nemoto 1996). What Ising machines and quadratic binary programs do in hardware.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from mpnn.classifiers.problems import BinaryProblems
from mpnn.programs import Pace, refuse_forked_child
from mpnn.programs.bounded import bounded_jit
from mpnn.programs.forks import in_fresh_process
from mpnn.solvers.base import BinaryNetworkMixin, SolverClassifier
from mpnn.solvers.formulation import Weights
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.parameters import CHECKS
from mpnn.validation import check_parameters

__all__ = ["ParallelTemperingClassifier", "Replicas", "temper"]

# Steps between two exchanges.
EXCHANGE_EVERY = 10


class Replicas(NamedTuple):
    """State of one problem's replicas, coldest first, and the best weights so far.

    Parameters
    ----------
    weights : Array [R, N]
        Levels -1, 0 and 1.
    sums : Array [R, n]
        Outputs times the classes, y_k x_k.w.
    energies : Array [R]
        Their energies.
    best : Array [N]
        Weights of the least energy so far.
    least : Array []
        That energy.
    """

    weights: Array
    sums: Array
    energies: Array
    best: Array
    least: Array


class ParallelTemperingClassifier(BinaryNetworkMixin, SolverClassifier):
    """The sign of one weighted sum, weights {-1, 0, 1}, no bias, annealed at several temperatures at once.

    Problems of equal sizes, such as the pairs of a vote, run side by side in one compiled program.

    Parameters
    ----------
    num_steps : int >= 1, default=20000
        Proposals of every replica.
    num_replicas : int >= 1, default=16
        Temperatures, in geometric progression.
    temperatures : pair of float > 0, default=(1e-4, 3e-2)
        The coldest and the hottest, in units of the energy.
    margin : float > 0, default=0.1
        t in units of sqrt(N / 10): the margin of a tenth of the links, as a share of a sample's norm.
    penalty : float >= 0, default=0.05
        Energy of all links together.
    input_scaling : str, default="raw"
        ``"raw"`` or ``"unit"``, see :func:`mpnn.solvers.integer_inputs.integer_inputs`.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted; a sum of 0 votes for the second.
    weights_ : list of int8 ndarray [features, 1]
        The weights, one array.
    energy_ : float
        Least energy that was found.
    largest_input_ : float
        Largest magnitude of the training inputs as whole numbers, by which margins are measured.
    """

    largest_input_: float

    def __init__(
        self,
        num_steps: int = 20_000,
        *,
        num_replicas: int = 16,
        temperatures: tuple[float, float] = (1e-4, 3e-2),
        margin: float = 0.1,
        penalty: float = 0.05,
        input_scaling: str = "raw",
        random_state: Any = None,
    ) -> None:
        self.num_steps = num_steps
        self.num_replicas = num_replicas
        self.temperatures = temperatures
        self.margin = margin
        self.penalty = penalty
        self.input_scaling = input_scaling
        self.random_state = random_state

    @in_fresh_process
    def fit(self, X: ArrayLike, y: ArrayLike) -> "ParallelTemperingClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of two classes.
        """
        check_parameters(self.get_params(deep=False), CHECKS)
        inputs, codes = self._encode(X, y)
        problems = BinaryProblems([np.arange(len(codes))], [2.0 * codes - 1.0])
        _fit_members([self], inputs, problems)
        return self

    @classmethod
    def fit_many(
        cls,
        members: Sequence["ParallelTemperingClassifier"],
        X: NDArray,
        problems: Sequence[tuple[NDArray, NDArray]],
        *,
        problems_at_once: int | None = None,
    ) -> None:
        """Fit equally configured members, one a problem, in place and as one compiled program.

        Parameters
        ----------
        members : sequence of classifiers of this class
            Unfitted, equal but for their random states.
        X : array [n, features]
            Pool of finite inputs.
        problems : sequence of (int array, array)
            For each member, rows of ``X`` and their labels of two classes.
        problems_at_once : int or None, default=None
            Bounds the memory; None trains all side by side.
        """
        check_parameters(members[0].get_params(deep=False), CHECKS)
        targets = []
        for member, (_, labels) in zip(members, problems, strict=True):
            member.n_features_in_ = X.shape[1]
            targets.append(2.0 * member._class_numbers(labels) - 1.0)
        at_once = len(members) if problems_at_once is None else problems_at_once
        for first in range(0, len(members), at_once):
            chosen = slice(first, first + at_once)
            rows = [rows for rows, _ in problems[chosen]]
            _fit_members(members[chosen], X, BinaryProblems(rows, targets[chosen]))

    @classmethod
    def decide_many(
        cls, members: Sequence["ParallelTemperingClassifier"], X: ArrayLike
    ) -> tuple[NDArray, NDArray]:
        """Return decisions of members that were fitted together, and squashed margins.

        Parameters
        ----------
        members : sequence of P classifiers of this class
            Fitted.
        X : array [n, features]
            The inputs.

        Returns
        -------
        second_wins : bool array [n, P]
            Whether a member chooses its second class.
        probabilities : array [n, P]
            The logistic function of its output over the square root of its links and the largest input of
            training, so that an answer about a row does not depend on the others.
        """
        scores = np.stack([member._scores(X)[:, 0] for member in members], axis=1)
        links = np.array([max(1, np.count_nonzero(member.weights_[0])) for member in members])
        largest = np.array([member.largest_input_ for member in members])
        return scores >= 0, expit(scores / (np.sqrt(links) * largest))


def _fit_members(
    members: Sequence[ParallelTemperingClassifier], inputs: NDArray, problems: BinaryProblems
) -> None:
    first = members[0]
    low, high = first.temperatures
    padded = problems.padded()
    signed = np.zeros((*padded.rows.shape, inputs.shape[1]), np.float32)
    for place, member in enumerate(members):
        own = inputs[problems.rows[place]]
        member.input_transform_ = integer_inputs(own, member.input_scaling)
        samples = member.input_transform_(own).astype(float)
        member.largest_input_ = float(np.abs(samples).max() or 1.0)
        norm = np.linalg.norm(samples, axis=1).mean() or 1.0
        signed[place, : len(own)] = problems.targets[place][:, None] * samples / norm
    target = first.margin * np.sqrt(inputs.shape[1] / 10)
    numbers = jnp.asarray([target, first.penalty], jnp.float32)
    inverse = jnp.asarray(1.0 / np.geomspace(low, high, int(first.num_replicas)), jnp.float32)
    keys = jnp.stack([jax.random.key(member._seed()) for member in members])
    share = padded.sample_weight / padded.sample_weight.sum(axis=1, keepdims=True)
    found = temper(
        keys,
        jnp.asarray(signed),
        jnp.asarray(share, jnp.float32),
        inverse,
        numbers,
        int(first.num_steps) // EXCHANGE_EVERY + 1,
    )
    for member, weights, energy in zip(members, np.asarray(found.best), np.asarray(found.least), strict=True):
        live = member.input_transform_.live
        member._publish(Weights((weights[live].astype(np.int64)[:, None],)))
        member.energy_ = float(energy)


def temper(keys: Array, signed: Array, share: Array, inverse: Array, numbers: Array, rounds: int) -> Replicas:
    """Anneal P problems side by side.

    Parameters
    ----------
    keys : Array [P]
        Random keys.
    signed : Array [P, n, N]
        Inputs times classes, in units of their norm.
    share : Array [P, n]
        Weight of each sample in the mean; 0 for padding.
    inverse : Array [R]
        Inverse temperatures, coldest first.
    numbers : Array [2]
        The margin t, and the penalty.
    rounds : int
        Exchanges, each after ten steps.
    """
    refuse_forked_child()
    state = _start(signed, share, inverse, numbers)
    problems, count, _ = signed.shape
    pace = Pace(EXCHANGE_EVERY * problems * count * len(inverse))
    for portion in pace.portions(rounds):
        state = jax.block_until_ready(_run(keys, signed, share, inverse, numbers, state, portion))
    return state


@bounded_jit
def _start(signed: Array, share: Array, inverse: Array, numbers: Array) -> Replicas:
    """All weights 0."""
    problems, count, features = signed.shape
    energies = jnp.sum(share * jnp.maximum(0.0, numbers[0]), axis=1)
    zeros = partial(jnp.zeros, dtype=signed.dtype)
    return Replicas(
        zeros((problems, len(inverse), features)),
        zeros((problems, len(inverse), count)),
        jnp.tile(energies[:, None], len(inverse)),
        zeros((problems, features)),
        energies,
    )


@partial(bounded_jit, donate_argnames="state")
def _run(
    keys: Array,
    signed: Array,
    share: Array,
    inverse: Array,
    numbers: Array,
    state: Replicas,
    portion: tuple[int, int],
) -> Replicas:
    """Some of the rounds, from the first to the one before the last number."""

    def one(key: Array, signed: Array, share: Array, state: Replicas) -> Replicas:
        # only what moves an output is proposed: weights of dead inputs stay 0
        odds = jnp.where(jnp.any(signed != 0.0, axis=0), 0.0, -jnp.inf)

        def body(number: Array, state: Replicas) -> Replicas:
            own = jax.random.fold_in(key, number)
            return _round(signed, share, inverse, numbers, odds, state, (own, number))

        return jax.lax.fori_loop(*portion, body, state)

    return jax.vmap(one)(keys, signed, share, state)


def _round(
    signed: Array,
    share: Array,
    inverse: Array,
    numbers: Array,
    odds: Array,
    state: Replicas,
    now: tuple[Array, Array],
) -> Replicas:
    """Ten Metropolis steps, an exchange of neighbours, and a look at the coldest."""
    key, number = now
    index_key, level_key, accept_key, swap_key = jax.random.split(key, 4)
    shape = (EXCHANGE_EVERY, len(inverse))
    proposals = (
        jax.random.categorical(index_key, odds, shape=shape),
        jax.random.bernoulli(level_key, shape=shape),
        jnp.log(jax.random.uniform(accept_key, shape)),
    )
    state, _ = jax.lax.scan(partial(_step, signed, share, inverse, numbers), state, proposals)
    state = _exchange(swap_key, inverse, number, state)
    coldest = jnp.argmin(state.energies)
    better = state.energies[coldest] < state.least
    best = jnp.where(better, state.weights[coldest], state.best)
    return state._replace(best=best, least=jnp.minimum(state.least, state.energies[coldest]))


def _step(
    signed: Array,
    share: Array,
    inverse: Array,
    numbers: Array,
    state: Replicas,
    proposal: tuple[Array, Array, Array],
) -> tuple[Replicas, None]:
    """Change one weight of every replica to one of its two other levels, or leave it."""
    index, upwards, log_uniform = proposal
    replica = jnp.arange(len(inverse))
    old = state.weights[replica, index]
    # of -1, 0, 1 the next level round the circle, or the one before
    new = jnp.mod(old + 1 + jnp.where(upwards, 1, -1), 3) - 1
    sums = state.sums + (new - old)[:, None] * signed[:, index].T
    links = numbers[1] / signed.shape[1]
    missed = jnp.sum(share * jnp.maximum(0.0, numbers[0] - sums), axis=1)
    used = jnp.sum(state.weights != 0, axis=1) - (old != 0) + (new != 0)
    energies = missed + links * used
    accepted = log_uniform < inverse * (state.energies - energies)
    weights = state.weights.at[replica, index].set(jnp.where(accepted, new, old))
    return state._replace(
        weights=weights,
        sums=jnp.where(accepted[:, None], sums, state.sums),
        energies=jnp.where(accepted, energies, state.energies),
    ), None


def _exchange(key: Array, inverse: Array, number: Array, state: Replicas) -> Replicas:
    """Exchange neighbouring temperatures, even pairs and odd pairs in turn."""
    count = len(inverse)
    place = jnp.arange(count)
    partner = jnp.where((place + number) % 2 == 0, place + 1, place - 1)
    partner = jnp.where((partner >= 0) & (partner < count), partner, place)
    gain = (inverse - inverse[partner]) * (state.energies - state.energies[partner])
    # one number a pair, that of its lower member
    log_uniform = jnp.log(jax.random.uniform(key, (count,)))[jnp.minimum(place, partner)]
    source = jnp.where(log_uniform < gain, partner, place)
    return state._replace(
        weights=state.weights[source], sums=state.sums[source], energies=state.energies[source]
    )
