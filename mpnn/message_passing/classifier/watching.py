"""Watching a training behind the estimator: callbacks after every epoch, and stopping early."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from mpnn import sharding as meshes
from mpnn.callbacks.base import Callback, Epoch, notify, running
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier.settings import Settings
from mpnn.message_passing.network import State
from mpnn.message_passing.sweep import Info
from mpnn.validation import number

__all__ = ["UNWATCHED", "EarlyStopping", "Watch", "Watching", "check_fraction", "split_rows", "split_sample"]

# What codes and scalings are learned from, and layers rounded by, is the other half.
LARGEST_SHARE_OF_SAMPLE = 0.5
# Held-out rows that are judged at once, which bounds the memory.
ROWS_AT_ONCE = 2048


def check_fraction(fraction: float) -> None:
    """Refuse what is no share of samples to hold out.

    Parameters
    ----------
    fraction : float in (0, 1)
        As given.
    """
    if not 0.0 < number(fraction) < 1.0:
        raise ValueError(f"validation_fraction must be above 0 and below 1, got {fraction!r}")


def split_rows(codes: NDArray, fraction: float, seed: int) -> tuple[NDArray, NDArray]:
    """Rows to train on and rows to hold out, with the classes in equal shares.

    Parameters
    ----------
    codes : int ndarray [n]
        Class numbers.
    fraction : float in (0, 1)
        Share that is held out.
    seed : int
        Of the choice.

    Raises
    ------
    ValueError
        For another fraction, or too few samples of a class.
    """
    check_fraction(fraction)
    kept, validation = train_test_split(
        np.arange(len(codes)), test_size=fraction, stratify=codes, random_state=seed
    )
    return np.sort(kept), np.sort(validation)


def split_sample(codes: NDArray, num_rows: int, fraction: float, seed: int) -> tuple[NDArray, NDArray]:
    """As :func:`split_rows` of rows that all are a sample of: those held out are rows of the sample.

    They are that share of all rows, but no more than half of the sample; a class that the sample has one row
    of is not held out. Of a sample that is all rows, the split is that of :func:`split_rows`.

    Parameters
    ----------
    codes : int ndarray [n]
        Class numbers of the sample.
    num_rows : int >= n
        All rows.
    fraction : float in (0, 1)
        Share of all rows that is held out.
    seed : int
        Of the choice.

    Returns
    -------
    kept, held_out : int ndarray
        Rows of the sample.
    """
    if num_rows == len(codes):
        return split_rows(codes, fraction, seed)
    check_fraction(fraction)
    several = np.flatnonzero(np.bincount(codes)[codes] > 1)
    share = min(fraction * num_rows / len(codes), LARGEST_SHARE_OF_SAMPLE)
    _, chosen = split_rows(codes[several], share, seed)
    held_out = several[chosen]
    return np.setdiff1d(np.arange(len(codes)), held_out), held_out


class Watching(NamedTuple):
    """What is to happen after every epoch.

    Parameters
    ----------
    callbacks : sequence of Callback
        Called in this order.
    validation : tuple of ndarray or None, default=None
        Transformed inputs ``[n, N]`` and class numbers ``[n]`` that tell when to stop; None: it runs on.
    patience : int >= 1, default=5
        Epochs without a better score after which it stops.
    """

    callbacks: Sequence[Callback] = ()
    validation: tuple[NDArray, NDArray] | None = None
    patience: int = 5


UNWATCHED = Watching()


class EarlyStopping:
    """Judges beliefs on held-out samples, keeps the best, and says when to stop.

    Parameters
    ----------
    settings : Settings
        Of the run.
    validation : tuple of ndarray
        Transformed inputs ``[n, N]`` and class numbers ``[n]``.
    patience : int >= 1
        Epochs without a better score after which to stop.

    Attributes
    ----------
    scores : list of float
        One an epoch.
    best : State or None
        The state with the best score, on the host; None: none was scored.
    """

    def __init__(self, settings: Settings, validation: tuple[NDArray, NDArray], patience: int) -> None:
        if settings.num_epochs == 1:
            raise ValueError(
                "early_stopping needs several epochs: set num_epochs, and batch_size where all samples would "
                "be in one batch"
            )
        self._settings, self._validation, self._patience = settings, validation, patience
        self.scores: list[float] = []
        self.best: State | None = None

    def score_of(self, state: State) -> float:
        """Accuracy of the Bayesian prediction on the held-out samples.

        Parameters
        ----------
        state : State
            After an epoch.
        """
        spec, (inputs, codes) = self._settings.spec, self._validation
        hyper = self._settings.schedules.at_sweep(0, spec.num_layers)
        room = min(len(inputs), ROWS_AT_ONCE)
        probabilities = compiled.bayes_probabilities(spec, state, hyper, inputs, room)
        return float(np.mean(np.argmax(probabilities, axis=1) == codes))

    def add(self, score: float, state: State) -> None:
        """Keep the score of an epoch, and its state where none was better.

        Parameters
        ----------
        score : float
            From :meth:`score_of`.
        state : State
            After the epoch.
        """
        if self.best is None or score > max(self.scores):
            self.best = meshes.to_host(state)  # a copy: training takes the buffers over
        self.scores.append(score)

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best score, counted from 1; None: none was scored."""
        return int(np.argmax(self.scores)) + 1 if self.scores else None

    @property
    def stops(self) -> bool:
        """Whether enough epochs had no better score."""
        best = self.best_epoch
        return best is not None and len(self.scores) - best >= self._patience


class Watch:
    """Watches one training: called after every epoch, as :func:`mpnn.message_passing.training.train` does.

    Parameters
    ----------
    watching : Watching
        What is to happen.
    settings : Settings
        Of the run.
    num_batches : int >= 1
        Mini-batches of an epoch.
    """

    def __init__(self, watching: Watching, settings: Settings, num_batches: int) -> None:
        self._callbacks, self._settings, self._num_batches = watching.callbacks, settings, num_batches
        self._begun = time.perf_counter()
        self._stopping: EarlyStopping | None = None
        if watching.validation is not None:
            self._stopping = EarlyStopping(settings, watching.validation, watching.patience)

    @property
    def on_epoch(self) -> Callable[[int, State, Info], bool] | None:
        """What to call, or None where nothing is to happen: then no epoch waits for its numbers."""
        return self._report if self._callbacks or self._stopping is not None else None

    def running(self) -> AbstractContextManager[None]:
        """Begin the callbacks, and end them."""
        return running(self._callbacks, self._settings.num_epochs)

    @property
    def scores(self) -> list[float]:
        """Scores of the epochs on held-out samples, if there are any."""
        return [] if self._stopping is None else self._stopping.scores

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best score, counted from 1; None: none was scored."""
        return None if self._stopping is None else self._stopping.best_epoch

    def best_of(self, state: State) -> State:
        """The state with the best score, or the last one.

        Parameters
        ----------
        state : State
            After the last epoch.
        """
        return state if self._stopping is None or self._stopping.best is None else self._stopping.best

    def _report(self, epoch: int, state: State, info: Info) -> bool:
        """Score and report an epoch; True stops the training."""
        # mini-batches that only pad the program have numbers of 0
        share = info.error.shape[-2] / self._num_batches
        metrics = {name: share * float(np.mean(getattr(info, name))) for name in ("error", "polarization")}
        stops = False
        if self._stopping is not None:
            metrics["validation_score"] = score = self._stopping.score_of(state)
            self._stopping.add(score, state)
            stops = self._stopping.stops
        seconds = time.perf_counter() - self._begun
        done = Epoch(epoch + 1, self._settings.num_epochs, metrics, seconds)
        return notify(self._callbacks, done) or stops
