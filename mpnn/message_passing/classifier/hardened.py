"""Hardening behind the estimator: discrete weights of coded tables, fitted to the beliefs' predictions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier.settings import Fit, Settings
from mpnn.message_passing.hardening import harden, resample_columns

__all__ = ["affordable", "hardened"]

# Resampled rows beside the training rows, at which the beliefs are asked, too.
NUM_RESAMPLED = 500
# Passes over hidden weights. Where samples of frequent classes count less than once, rounding begins further
# from the beliefs (docs/experiments/tables.md, rare classes).
NUM_PASSES, NUM_PASSES_OF_PARTS = 1, 3
# Products of samples, inputs, units and levels over all networks: some seconds on a core.
MOST_WORK = 1 << 31


def affordable(settings: Settings, num_samples: int, num_networks: int) -> bool:
    """Whether hardening takes seconds, not minutes."""
    spec = settings.spec
    levels = len(spec.weighted[0].family.levels or ())
    work = (num_samples + NUM_RESAMPLED) * sum(
        fan_in * units for fan_in, units in zip(spec.fan_ins, spec.widths[1:], strict=True)
    )
    return num_networks * work * levels <= MOST_WORK


def hardened(
    settings: Settings,
    fits: list[Fit],
    rows: list[NDArray],
    columns: NDArray,
    sample_weights: Sequence[NDArray] | None = None,
) -> list[Fit]:
    """The same fits with weights that come closest to their Bayesian predictions.

    Parameters
    ----------
    settings : Settings
        Of all runs.
    fits : list of Fit
        Rounded with feedback: where the descent begins.
    rows : list of array [B, N]
        Training inputs of each.
    columns : int array [N]
        Of every input, the number of its table's column.
    sample_weights : sequence of array [B] or None, default=None
        How often each training row counts; None: once.
    """
    room = max(map(len, rows))
    levels = settings.spec.weighted[0].family.levels or ()
    counts: Sequence[NDArray | None] = [None] * len(rows) if sample_weights is None else sample_weights
    moved = []
    for index, (fit, own, count) in enumerate(zip(fits, rows, counts, strict=True)):
        inputs, weight = _with_resampled(*_merged(own.astype(np.float32), count), columns, seed=index)
        teacher = compiled.bayes_probabilities(settings.spec, fit.state, fit.hyper, inputs, room)
        if settings.spec.weighted[0].bias:
            inputs = np.pad(inputs, ((0, 0), (0, 1)), constant_values=1.0)
        in_parts = weight is not None and weight.min() < 1.0
        num_passes = NUM_PASSES_OF_PARTS if in_parts else NUM_PASSES
        weights = harden(inputs, teacher, fit.weights, levels, sample_weight=weight, num_passes=num_passes)
        moved.append(fit._replace(weights=weights))
    return moved


def _merged(rows: NDArray, counts: NDArray | None) -> tuple[NDArray, NDArray | None]:
    """Equal rows once, with the sum of their counts; rows that are all different and count once stay."""
    merged, places = np.unique(rows, axis=0, return_inverse=True)
    if counts is None and len(merged) == len(rows):
        return rows, None
    counts = np.ones(len(rows)) if counts is None else counts.astype(np.float64)
    return merged, np.bincount(places.ravel(), counts, len(merged))


def _with_resampled(
    rows: NDArray, counts: NDArray | None, columns: NDArray, seed: int
) -> tuple[NDArray, NDArray | None]:
    """Rows and resampled ones, and how often they count."""
    fresh = resample_columns(rows, columns, NUM_RESAMPLED, sample_weight=counts, seed=seed)
    weight = None if counts is None else np.append(counts, np.ones(len(fresh)))
    return np.concatenate([rows, fresh]), weight
