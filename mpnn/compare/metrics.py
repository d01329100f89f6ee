"""Scores of predicted labels and probabilities. Shapes: n examples, C classes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "calibration_bins",
    "confusion_matrix",
    "expected_calibration_error",
    "label_positions",
    "negative_log_likelihood",
]

# The least probability that a score believes: 23 nats for a class that was called impossible.
LEAST_PROBABILITY = 1e-10
CALIBRATION_BINS = 15


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: ArrayLike) -> NDArray[np.int64]:
    """Count true class [rows, C] against predicted class [columns, C + 1].

    The last column holds examples that were left unlabelled: any prediction that is not a class.
    """
    classes = np.asarray(classes)
    counts = np.zeros((len(classes), len(classes) + 1), dtype=np.int64)
    np.add.at(counts, (label_positions(labels, classes), label_positions(predicted, classes)), 1)
    return counts


def negative_log_likelihood(probabilities: ArrayLike, positions: ArrayLike) -> float:
    """Return the mean -log p(true class) in nats; probabilities [n, C], position of the true class [n]."""
    probabilities, positions = np.asarray(probabilities, dtype=np.float64), np.asarray(positions)
    chosen = probabilities[np.arange(len(positions)), positions]
    return float(-np.log(np.maximum(chosen, LEAST_PROBABILITY)).mean())


def calibration_bins(probabilities: ArrayLike, positions: ArrayLike) -> NDArray[np.float64]:
    """Return examples, sum of confidences and number right [15, 3] in equal bins of confidence."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == np.asarray(positions)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    columns = (np.bincount(bins, weights, CALIBRATION_BINS) for weights in (None, confidence, right))
    return np.stack(list(columns), axis=1).astype(np.float64)


def expected_calibration_error(bins: NDArray) -> float:
    """Return the mean gap between confidence and accuracy over `calibration_bins` [bins, 3], in [0, 1]."""
    return float(np.abs(bins[:, 1] - bins[:, 2]).sum() / bins[:, 0].sum())


def label_positions(labels: ArrayLike, classes: ArrayLike) -> NDArray[np.intp]:
    """Return where each label stands in `classes` (sorted, as scikit-learn keeps them); C if nowhere."""
    labels, classes = np.asarray(labels), np.asarray(classes)
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, len(classes))
