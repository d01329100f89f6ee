"""Watching a training behind the estimator: callbacks after every epoch, and stopping early."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from mpnn.callbacks.base import Callback, Epoch, notify, running
from mpnn.classifiers.problems import in_few_shapes
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier.settings import Settings
from mpnn.message_passing.network import State
from mpnn.message_passing.sweep import Info
from mpnn.validation import number

__all__ = ["UNWATCHED", "Watch", "Watching", "split_rows"]


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
    if not 0.0 < number(fraction) < 1.0:
        raise ValueError(f"validation_fraction must be above 0 and below 1, got {fraction!r}")
    kept, validation = train_test_split(
        np.arange(len(codes)), test_size=fraction, stratify=codes, random_state=seed
    )
    return np.sort(kept), np.sort(validation)


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
        self._watching, self._settings, self._num_batches = watching, settings, num_batches
        self._best: tuple[float, State] | None = None
        self._begun = time.perf_counter()
        self.scores: list[float] = []
        if watching.validation is not None and settings.num_epochs == 1:
            raise ValueError(
                "early_stopping needs several epochs, and all samples in one batch make one: set batch_size"
            )

    @property
    def on_epoch(self) -> Callable[[int, State, Info], bool] | None:
        """What to call, or None where nothing is to happen: then no epoch waits for its numbers."""
        return self._report if self._watching.callbacks or self._watching.validation is not None else None

    def running(self) -> AbstractContextManager[None]:
        """Begin the callbacks, and end them."""
        return running(self._watching.callbacks, self._settings.num_epochs)

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best score, counted from 1; None: none was scored."""
        return int(np.argmax(self.scores)) + 1 if self.scores else None

    def best_of(self, state: State) -> State:
        """The state with the best score, or the last one.

        Parameters
        ----------
        state : State
            After the last epoch.
        """
        return state if self._best is None else self._best[1]

    def _report(self, epoch: int, state: State, info: Info) -> bool:
        """Score and report an epoch; True stops the training."""
        # mini-batches that only pad the program have numbers of 0
        share = info.error.shape[-2] / self._num_batches
        metrics = {name: share * float(np.mean(getattr(info, name))) for name in ("error", "polarization")}
        stops = False
        if self._watching.validation is not None:
            metrics["validation_score"] = self._score(*self._watching.validation, state)
            stops = len(self.scores) - 1 - int(np.argmax(self.scores)) >= self._watching.patience
        seconds = time.perf_counter() - self._begun
        done = Epoch(epoch + 1, self._settings.num_epochs, metrics, seconds)
        return notify(self._watching.callbacks, done) or stops

    def _score(self, inputs: NDArray, codes: NDArray, state: State) -> float:
        """Accuracy of the Bayesian prediction on held-out samples; the best state is kept."""
        spec = self._settings.spec
        hyper = self._settings.schedules.at_sweep(0, spec.num_layers)
        model = compiled.Model([], state, hyper, np.int32(0))
        decide = partial(compiled.decide, spec, "bayes", 1, model)
        probabilities = in_few_shapes(lambda rows: decide(rows)[1], inputs)
        score = float(np.mean(np.argmax(probabilities, axis=1) == codes))
        self.scores.append(score)
        if self._best is None or score > self._best[0]:
            self._best = score, jax.device_get(state)  # a copy: training takes the buffers over
        return score
