"""The callbacks that an estimator's parameters ask for."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np

from mpnn.callbacks.base import Callback
from mpnn.callbacks.progress import EpochLines, ProgressBar

__all__ = ["callbacks_of"]

VERBOSE: dict[int, tuple[type[Callback], ...]] = {0: (), 1: (ProgressBar,), 2: (EpochLines,)}


def callbacks_of(callbacks: Sequence[Callback] | None, verbose: int) -> list[Callback]:
    """The callbacks of an estimator, those of ``verbose`` last.

    Parameters
    ----------
    callbacks : sequence of Callback or None
        As given.
    verbose : {0, 1, 2}
        Nothing, a progress bar, or a line an epoch.

    Raises
    ------
    ValueError
        For other values.
    """
    if isinstance(verbose, bool | np.bool_) or not isinstance(verbose, Integral) or verbose not in VERBOSE:
        raise ValueError(f"verbose must be 0, 1 (a progress bar) or 2 (a line an epoch), got {verbose!r}")
    if callbacks is not None and not isinstance(callbacks, list | tuple):
        raise ValueError(f"callbacks must be a list of mpnn.callbacks.Callback, got {callbacks!r}")
    given = list(callbacks or ())
    for callback in given:
        if not isinstance(callback, Callback):
            raise ValueError(f"callbacks must be of mpnn.callbacks.Callback, got {callback!r}")
    return [*given, *(kind() for kind in VERBOSE[int(verbose)])]
