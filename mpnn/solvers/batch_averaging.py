"""Few-bit networks for more samples than one program holds: batches, averaged by validation accuracy.

The batch training of Thorbjarnarson and Yorke-Smith (2023): each batch is an integer program of its own; the
networks are averaged, better ones with more weight; in the next epoch every weight may leave the average by a
little less than in the one before.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.solvers.base import (
    MulticlassNetworkMixin,
    NoNetworkError,
    SolverClassifier,
    expected_accuracy,
    hold_out,
    seconds_until,
)
from mpnn.solvers.engines import Limits
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.linear_start import one_against_rest
from mpnn.solvers.parameters import CHECKS
from mpnn.solvers.progress import Announce, shown_progress
from mpnn.solvers.thorbjarnarson_models import LOSSES, Loss, LossProgram, check_layers
from mpnn.validation import check_parameters, choice, whole

__all__ = ["BatchAveragingClassifier", "Epoch", "average"]


class Epoch(NamedTuple):
    """One pass over the batches.

    Parameters
    ----------
    statuses : tuple of str
        Statuses of the batches' programs.
    accuracies : tuple of float
        Accuracies [found] of the networks that were found, in [0, 1]: on the samples held out, or on the
        training samples where none are.
    accuracy : float in [0, 1]
        Accuracy of the average of these networks.
    seconds : float
        Duration, wall clock.
    """

    statuses: tuple[str, ...]
    accuracies: tuple[float, ...]
    accuracy: float
    seconds: float


class BatchAveragingClassifier(MulticlassNetworkMixin, SolverClassifier):
    """A few-bit sign network with biases, the average of networks that are trained on batches.

    Parameters
    ----------
    hidden : sequence of int, default=(16,)
        Widths of the hidden layers, at least one; published: (16,).
    time_limit : float > 0, default=60.0
        Seconds for all programs; each may use an equal share of what is left.
    loss : str, default="sat_margin"
        ``"max_correct"``, ``"sat_margin"`` or ``"min_hinge"``, as in
        :class:`mpnn.solvers.IntegerNetworkClassifier`.
    levels : int from 1 to 127, default=15
        P of the weights and biases {-P..P}.
    batch_size : int >= 1, default=100
        Training samples of a program.
    num_epochs : int from 1 to P or None, default=None
        Passes over the batches; None: P. In epoch e = 0, 1, ..., weights are within P - e of the last
        average.
    validation_share : float in [0, 1), default=0.2
        Share of the samples held out to weigh and choose networks; with 0, the training samples do that.
    stop_share : float in [0, 1], default=0.1
        A search ends at a loss of this share of the batch (min_hinge: times 1/4).
    engine : str, default="cpsat"
        ``"cpsat"``, ``"highs"``, ``"scip"`` or ``"gurobi"``.
    input_scaling : str, default="unit"
        ``"unit"`` as published, or ``"raw"``.
    threads : int, default=1
        Threads of the engine.
    verbose : bool, default=False
        Whether to show epoch, batch, objective, bound and time.
    random_state : int, RandomState or None, default=None
        Seed or source of randomness; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted.
    weights_ : list of int8 ndarray [in, out]
        Weights, a layer each.
    biases_ : list of int8 ndarray [out]
        Biases, a layer each; a bias adds as an input of 1 does.
    epochs_ : list of Epoch
        An :class:`Epoch` for each pass.
    best_epoch_ : int
        Number of the pass whose average was kept, from 0.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (16,),
        time_limit: float = 60.0,
        *,
        loss: str = "sat_margin",
        levels: int = 15,
        batch_size: int = 100,
        num_epochs: int | None = None,
        validation_share: float = 0.2,
        stop_share: float = 0.1,
        engine: str = "cpsat",
        input_scaling: str = "unit",
        threads: int = 1,
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.time_limit = time_limit
        self.loss = loss
        self.levels = levels
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.validation_share = validation_share
        self.stop_share = stop_share
        self.engine = engine
        self.input_scaling = input_scaling
        self.threads = threads
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "BatchAveragingClassifier":
        """Train on labelled samples.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            Labels of any type.

        Raises
        ------
        NoNetworkError
            No batch found a network in its share of the time.
        """
        loss, hidden = self._check()
        ends = perf_counter() + self.time_limit
        inputs, codes = self._encode(X, y)
        self.input_transform_ = integer_inputs(inputs, self.input_scaling)
        live, seed = self.input_transform_(inputs)[:, self.input_transform_.live], self._seed()
        training, held = hold_out(codes, self.validation_share, seed)
        order = np.random.default_rng(seed).permutation(training)
        batches = np.array_split(order, -(-len(order) // self.batch_size))
        judges = training if len(held) == 0 else held
        widths = (live.shape[1], *hidden, len(self.classes_))
        search = _Search(self, loss, live, codes, widths, judges, seed)
        with shown_progress(self.verbose) as announce:
            weights = search.run(batches, ends, announce)
        self.epochs_, self.best_epoch_ = search.epochs, search.best_epoch
        self._publish(weights)
        return self

    def _check(self) -> tuple[Loss, tuple[int, ...]]:
        check_parameters(self.get_params(deep=False), {**CHECKS, "batch_size": whole, "loss": choice(LOSSES)})
        if self.num_epochs is not None and self.num_epochs > self.levels:
            raise ValueError(f"num_epochs must be None or from 1 to levels, got {self.num_epochs}")
        loss = Loss(self.loss, self.levels, self.stop_share)
        return loss, check_layers(self.hidden)


class _Search:
    """Epochs of programs, on rows of inputs [n, live features] and class numbers [n]."""

    def __init__(
        self,
        settings: BatchAveragingClassifier,
        loss: Loss,
        inputs: NDArray,
        codes: NDArray,
        widths: tuple[int, ...],
        judges: NDArray,
        seed: int,
    ) -> None:
        self.settings, self.loss = settings, loss
        self.inputs, self.codes, self.widths = inputs, codes, widths
        self.unit = settings.input_transform_.unit
        self.judges, self.seed = judges, seed
        self.epochs: list[Epoch] = []
        self.best_epoch = 0

    def run(self, batches: list[NDArray], ends: float, announce: Announce) -> Weights:
        """Return the best average of an epoch."""
        num_epochs = self.settings.num_epochs or self.settings.levels
        mean = best = None
        for number in range(num_epochs):
            began, left = perf_counter(), num_epochs - number
            networks, statuses, interrupted = self._train(batches, mean, number, left, ends, announce)
            if not networks:
                break
            accuracies = [self._accuracy(network) for network in networks]
            mean = average(networks, accuracies)
            accuracy = self._accuracy(mean)
            if best is None or accuracy > self.epochs[self.best_epoch].accuracy:
                best, self.best_epoch = mean, number
            seconds = perf_counter() - began
            self.epochs.append(Epoch(tuple(statuses), tuple(accuracies), accuracy, seconds))
            if interrupted or perf_counter() >= ends:
                break
        if best is None:
            raise NoNetworkError(
                f"{self.settings.engine} found no network for any batch in {self.settings.time_limit:g} s; "
                "raise time_limit or batch_size"
            )
        return best

    def _train(
        self,
        batches: list[NDArray],
        mean: Weights | None,
        epoch: int,
        epochs_left: int,
        ends: float,
        announce: Announce,
    ) -> tuple[list[Weights], list[str], bool]:
        """Return the networks of the batches that found one, all statuses, and whether Ctrl-C ended it."""
        networks, statuses = [], []
        for number, rows in enumerate(batches):
            left = epochs_left * len(batches) - number
            seconds = seconds_until(ends, left)
            inputs, codes = self.inputs[rows], self.codes[rows]
            program = LossProgram(self.loss, inputs, codes, self.widths, self.unit)
            if mean is None:
                start = one_against_rest(inputs, codes, self.widths, self.loss.levels, self.unit)
            else:
                start = mean
                program.bound(mean, self.loss.levels - epoch)
            limits = Limits(seconds, self.settings.threads, self.seed)
            listener = announce(f"epoch {epoch}, batch {number}")
            solution = program.solve(limits, self.settings.engine, listener, start)
            statuses.append(solution.status)
            if solution.values is not None:
                networks.append(program.network.read(solution.values))
            if solution.interrupted:
                return networks, statuses, True
        return networks, statuses, False

    def _accuracy(self, weights: Weights) -> float:
        outputs = forward(self.inputs[self.judges], weights)[-1]
        return expected_accuracy(outputs, self.codes[self.judges])


def average(networks: Sequence[Weights], accuracies: Sequence[float]) -> Weights:
    """Return the rounded mean of the networks, weighted by (accuracy - least) / (largest - least).

    The worst network does not count, unless all are equally good: then all count alike.

    Parameters
    ----------
    networks : sequence of Weights
        Networks of one shape.
    accuracies : sequence of float
        Accuracy of each, in [0, 1].
    """
    merits = np.asarray(accuracies) - min(accuracies)
    shares = merits if merits.any() else np.ones(len(networks))

    def mean(arrays: Sequence[NDArray]) -> NDArray:
        return np.round(np.average(np.stack(arrays), axis=0, weights=shares)).astype(np.int64)

    layers = tuple(mean(arrays) for arrays in zip(*(one.layers for one in networks), strict=True))
    biases = tuple(mean(arrays) for arrays in zip(*(one.biases or () for one in networks), strict=True))
    return Weights(layers, biases or None, networks[0].bias_unit)
