"""Step networks of any depth and several classes by iterative data splitting.

Kurtz, Bah, "Efficient and Robust Mixed-Integer Optimization Methods for Training Binarized Deep Neural
Networks" (2021). All samples begin in one set, and the samples of a set share their activations. Again and
again the set with the most wrong outputs is split in two by k-means, and the program is solved for the finer
sets; the network with the best validation accuracy is kept. Published programs multiply weights by
activations, here these products are rows, so that linear engines take them; and each program starts from the
last network, which finer sets still allow.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

from mpnn.solvers.base import (
    MulticlassNetworkMixin,
    expected_accuracy,
    hold_out,
    seconds_until,
)
from mpnn.solvers.engines import Limits, Solution
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import Announce, shown_progress
from mpnn.solvers.step_classifier import StepClassifier
from mpnn.solvers.step_network import StepProgram, StepWeights, zero_network
from mpnn.validation import check_parameters, hidden_widths

__all__ = ["DataSplittingClassifier", "Split"]

# Starts of k-means, as published.
STARTS = 25


class Split(NamedTuple):
    """One program of the search.

    Parameters
    ----------
    num_sets : int
        Sets that share their activations.
    status : str
        Status of the program; "optimal" also where the network before was, so that nothing was solved.
    objective : float
        Number of wrong outputs of the samples that the program saw.
    bound : float or None
        What no solution can beat; None where unknown.
    seconds : float
        Duration, wall clock.
    errors : int
        Wrong outputs of all training samples.
    accuracy : float in [0, 1]
        Accuracy on the samples held out, or on the training samples where none are.
    """

    num_sets: int
    status: str
    objective: float
    bound: float | None
    seconds: float
    errors: int
    accuracy: float


class DataSplittingClassifier(MulticlassNetworkMixin, StepClassifier):
    """Step neurons in any number of layers and one output a class, trained on ever finer sets of samples.

    Parameters
    ----------
    hidden : sequence of int, default=(10,)
        Widths of the hidden layers; published: (100,) and, robust, (50, 50).
    time_limit : float > 0, default=60.0
        Seconds for all programs; each may use an equal share of what is left.
    max_splits : int >= 0, default=20
        Programs after the first; published: 20 and, robust, 5.
    batch_size : int >= 1 or None, default=None
        Random training samples that each program sees; None: all. Published: 64.
    validation_share : float in [0, 1), default=1/3
        Share of the samples held out to choose the network; with 0, the training samples do that. Published:
        a third.
    integer_weights : bool, default=False
        Whether weights are -1, 0, 1 rather than real in [-1, 1].
    bias : bool, default=True
        Whether neurons have thresholds other than 0.
    radius : float >= 0, default=0.0
        Robustness: every first-layer decision must hold for all inputs within this distance in each feature,
        in units of the scaled features. Published: 0.1.
    engine : str, default="highs"
        ``"highs"``, ``"scip"``, ``"gurobi"``, or, with integer weights, ``"cpsat"``.
    input_scaling : str, default="unit"
        ``"unit"`` (features in [0, 1]) or, with integer weights, ``"raw"``.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show sets, objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted.
    weights_ : list of ndarray [in, out]
        Weights, a layer each; int8 with integer weights, else float64.
    thresholds_ : list of ndarray [out]
        Thresholds, a layer each; those of the first layer in units of `input_transform_`.
    splits_ : list of Split
        A :class:`Split` for each program.
    best_split_ : Split
        The one whose network was kept.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (10,),
        time_limit: float = 60.0,
        *,
        max_splits: int = 20,
        batch_size: int | None = None,
        validation_share: float = 1 / 3,
        integer_weights: bool = False,
        bias: bool = True,
        radius: float = 0.0,
        engine: str = "highs",
        input_scaling: str = "unit",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.time_limit = time_limit
        self.max_splits = max_splits
        self.batch_size = batch_size
        self.validation_share = validation_share
        self.integer_weights = integer_weights
        self.bias = bias
        self.radius = radius
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "DataSplittingClassifier":
        """Train on labelled samples; some network is always found.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of any type.
        """
        check_parameters(self.get_params(deep=False), CHECKS)
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        live, seed = self._live(inputs), self._seed()
        training, held = hold_out(codes, self.validation_share, seed)
        judges = training if len(held) == 0 else held
        search = _Search(self, live[training], codes[training], live[judges], codes[judges], seed)
        with shown_progress(self.verbose) as announce:
            weights = search.run(ends, announce)
        self.splits_, self.best_split_ = search.splits, search.best
        self._store(weights)
        return self


class _Search:
    """Programs on ever finer sets of the training samples; others judge the networks.

    Parameters
    ----------
    settings : DataSplittingClassifier
        The parameters of the search.
    inputs : ndarray [n, live features]
        Training samples.
    codes : ndarray [n]
        Their class numbers.
    judged : ndarray [m, live features]
        Samples that networks are chosen on.
    judged_codes : ndarray [m]
        Their class numbers.
    seed : int
        Seed of batches and of k-means.
    """

    def __init__(
        self,
        settings: DataSplittingClassifier,
        inputs: NDArray,
        codes: NDArray,
        judged: NDArray,
        judged_codes: NDArray,
        seed: int,
    ) -> None:
        self.settings, self.neurons = settings, settings._neurons()
        self.inputs, self.judged, self.judged_codes = inputs, judged, judged_codes
        self.targets = codes[:, None] == np.arange(len(settings.classes_))
        self.widths = (inputs.shape[1], *hidden_widths(settings.hidden), self.targets.shape[1])
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.splits: list[Split] = []
        self.best: Split

    def run(self, ends: float, announce: Announce) -> StepWeights:
        """Return the best network."""
        sets = np.zeros(len(self.inputs), np.intp)
        weights = best = zero_network(self.widths, self.neurons)
        for left in range(self.settings.max_splits + 1, 0, -1):
            began = perf_counter()
            solution, weights = self._solve(sets, weights, began + (ends - began) / left, announce)
            wrong = self._wrong(weights)
            split = self._judge(int(sets.max()) + 1, solution, perf_counter() - began, weights, wrong)
            if not self.splits or _merit(split) > _merit(self.best):
                self.best, best = split, weights
            self.splits.append(split)
            finer = split_worst(sets, self.inputs, wrong.sum(axis=1), self.seed)
            if solution.interrupted or not wrong.any() or finer is None or perf_counter() >= ends:
                break
            sets = finer
        return best

    def _solve(
        self, sets: NDArray, start: StepWeights, ends: float, announce: Announce
    ) -> tuple[Solution, StepWeights]:
        """Solve for these sets from a network, or from the silent one where a batch does not allow it."""
        batch = self._batch()
        present, own = np.unique(sets[batch], return_inverse=True)
        listener = announce(f"{len(present)} sets")
        wrong, least = int(self._wrong(start)[batch].sum()), fewest_wrong(own, self.targets[batch])
        if wrong <= least:
            return Solution("optimal", None, float(wrong), float(least), 0.0), start
        program = StepProgram(self.neurons, self.widths, self.inputs[batch], self.targets[batch], own)
        if not program.model.accepts(program.complete(start)):
            start = zero_network(self.widths, self.neurons)
        limits = Limits(seconds_until(ends), self.settings.threads, self._program_seed())
        solution = program.solve(limits, self.settings.engine, listener, start=start)
        return solution, start if solution.values is None else program.read(solution.values)

    def _batch(self) -> NDArray:
        size = self.settings.batch_size
        if size is None or size >= len(self.inputs):
            return np.arange(len(self.inputs))
        return np.sort(self.rng.choice(len(self.inputs), size, replace=False))

    def _program_seed(self) -> int:
        return int(self.rng.integers(np.iinfo(np.int32).max))

    def _wrong(self, weights: StepWeights) -> NDArray:
        """Return which outputs of the training samples are wrong, [n, C]."""
        on = weights.forward(self.inputs, 0.5 * self.neurons.eps)[-1] >= 0
        return on != self.targets

    def _judge(
        self, num_sets: int, solution: Solution, seconds: float, weights: StepWeights, wrong: NDArray
    ) -> Split:
        outputs = weights.forward(self.judged, 0.5 * self.neurons.eps)[-1]
        accuracy = expected_accuracy(outputs, self.judged_codes)
        objective = float(solution.objective or 0.0)
        return Split(
            num_sets, solution.status, objective, solution.bound, seconds, int(wrong.sum()), accuracy
        )


def fewest_wrong(sets: NDArray, targets: NDArray) -> int:
    """Return a bound on the wrong outputs: those of the rarer target of every set and output.

    Parameters
    ----------
    sets : ndarray [n]
        Number of each sample's set.
    targets : bool ndarray [n, outputs]
        Which outputs ought to be 1.
    """
    ones = np.zeros((int(sets.max()) + 1, targets.shape[1]), np.intp)
    np.add.at(ones, sets, targets)
    return int(np.minimum(ones, np.bincount(sets)[:, None] - ones).sum())


def split_worst(sets: NDArray, inputs: NDArray, wrong: NDArray, seed: int) -> NDArray | None:
    """Split the set with the most wrong outputs, of those that hold unequal samples, into two by k-means.

    Parameters
    ----------
    sets : ndarray [n]
        Number of each sample's set.
    inputs : ndarray [n, features]
        The samples.
    wrong : ndarray [n]
        Number of wrong outputs of each sample.
    seed : int
        Seed of k-means.

    Returns
    -------
    ndarray [n] or None
        The new numbers; None where there is nothing left to split.
    """
    losses = np.bincount(sets, wrong)
    # of equal losses, the larger set
    order = np.lexsort((np.bincount(sets), losses))[::-1]
    for worst in order:
        members = np.flatnonzero(sets == worst)
        own = inputs[members]
        if (own == own[0]).all():
            continue
        halves = KMeans(2, n_init=STARTS, random_state=seed).fit_predict(own)
        finer = sets.copy()
        finer[members[halves == 1]] = sets.max() + 1
        return finer
    return None


def _merit(split: Split) -> tuple[float, int]:
    return split.accuracy, -split.errors
