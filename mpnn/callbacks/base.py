"""The protocol of callbacks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

__all__ = ["Callback", "Epoch", "notify", "running"]


class Epoch(NamedTuple):
    """What a callback is given after an epoch.

    Parameters
    ----------
    number : int >= 1
        Epochs done.
    total : int >= 1
        Epochs that were planned.
    metrics : mapping of str to float
        Numbers of the epoch, such as ``error``, ``polarization`` and ``validation_score``.
    seconds : float
        Since the training began.
    """

    number: int
    total: int
    metrics: Mapping[str, float]
    seconds: float


class Callback:
    """Watches a training; every method may be overridden, and does nothing here."""

    def on_begin(self, total: int) -> None:
        """Before the first epoch.

        Parameters
        ----------
        total : int >= 1
            Epochs that are planned.
        """

    def on_epoch(self, epoch: Epoch) -> bool | None:
        """After an epoch; True stops the training.

        Parameters
        ----------
        epoch : Epoch
            Its numbers.
        """
        return None

    def on_end(self) -> None:
        """After the last epoch, also where the training failed or was interrupted."""


@contextmanager
def running(callbacks: Sequence[Callback], total: int) -> Iterator[None]:
    """Begin all callbacks, and end those that have begun, whatever happens inside.

    Parameters
    ----------
    callbacks : sequence of Callback
        In the order in which they are called.
    total : int >= 1
        Epochs that are planned.
    """
    begun: list[Callback] = []
    try:
        for callback in callbacks:
            callback.on_begin(total)
            begun.append(callback)
        yield
    finally:
        for callback in reversed(begun):
            callback.on_end()


def notify(callbacks: Sequence[Callback], epoch: Epoch) -> bool:
    """Call all callbacks, and return whether one of them stops the training.

    Parameters
    ----------
    callbacks : sequence of Callback
        In the order in which they are called.
    epoch : Epoch
        The numbers of the epoch.
    """
    return any([_stops(callback, callback.on_epoch(epoch)) for callback in callbacks])


def _stops(callback: Callback, answer: object) -> bool:
    if answer is not None and not isinstance(answer, bool | np.bool_):
        name = type(callback).__name__
        raise ValueError(f"{name}.on_epoch must return True, False or None, got {answer!r}")
    return bool(answer)
