"""Scores of predicted labels and probabilities. Shapes: n examples, C classes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["confusion_matrix", "expected_calibration_error", "negative_log_likelihood", "probability_scores"]

# The least probability that a score believes: 23 nats for a class that was called impossible.
LEAST_PROBABILITY = 1e-10
CALIBRATION_BINS = 15


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: ArrayLike) -> NDArray[np.int64]:
    """Count true class [rows, C] against predicted class [columns, C + 1].

    The last column holds examples that were left unlabelled: any prediction that is not a class.
    """
    classes = np.asarray(classes)
    counts = np.zeros((len(classes), len(classes) + 1), dtype=np.int64)
    np.add.at(counts, (_positions(labels, classes), _positions(predicted, classes)), 1)
    return counts


def negative_log_likelihood(probabilities: ArrayLike, positions: ArrayLike) -> float:
    """Return the mean -log p(true class) in nats; probabilities [n, C], position of the true class [n]."""
    probabilities, positions = np.asarray(probabilities, dtype=np.float64), np.asarray(positions)
    chosen = probabilities[np.arange(len(positions)), positions]
    return float(-np.log(np.maximum(chosen, LEAST_PROBABILITY)).mean())


def expected_calibration_error(probabilities: ArrayLike, positions: ArrayLike) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal bins of confidence, in [0, 1]."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == np.asarray(positions)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def probability_scores(probabilities: ArrayLike, labels: ArrayLike, classes: ArrayLike) -> dict[str, float]:
    """Return nll and ece of class probabilities [n, C] for true labels [n]."""
    positions = _positions(labels, np.asarray(classes))
    return {
        "nll": negative_log_likelihood(probabilities, positions),
        "ece": expected_calibration_error(probabilities, positions),
    }


def _positions(labels: ArrayLike, classes: NDArray) -> NDArray[np.intp]:
    """Return where each label stands in `classes` (sorted, as scikit-learn keeps them); C if nowhere."""
    labels = np.asarray(labels)
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, len(classes))
