"""Metrics of predicted labels and probabilities. Shapes: n examples, C classes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Scores",
    "brier_score",
    "calibration_bins",
    "confusion_matrix",
    "expected_calibration_error",
    "label_positions",
    "negative_log_likelihood",
    "probability_scores",
]

# The least probability that a score believes: 23 nats for a class that was called impossible.
LEAST_PROBABILITY = 1e-10
CALIBRATION_BINS = 15


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: ArrayLike) -> NDArray[np.int64]:
    """Count true class [rows, C] against predicted class [columns, C + 1].

    The last column holds examples that were left unlabelled: any prediction that is not a class.

    Parameters
    ----------
    labels : array-like [n]
        True labels.
    predicted : array-like [n]
        Predicted labels.
    classes : array-like [C]
        Sorted labels of the classes.
    """
    classes = np.asarray(classes)
    counts = np.zeros((len(classes), len(classes) + 1), dtype=np.int64)
    np.add.at(counts, (label_positions(labels, classes), label_positions(predicted, classes)), 1)
    return counts


def negative_log_likelihood(probabilities: ArrayLike, positions: ArrayLike) -> float:
    """Return the mean -log p(true class) in nats; probabilities [n, C], position of the true class [n].

    Parameters
    ----------
    probabilities : ndarray [n, C]
        Probabilities of the classes.
    positions : int ndarray [n]
        Positions of the true labels among the classes; -1: not a known class.
    """
    probabilities, positions = np.asarray(probabilities, dtype=np.float64), np.asarray(positions)
    chosen = probabilities[np.arange(len(positions)), positions]
    return float(-np.log(np.maximum(chosen, LEAST_PROBABILITY)).mean())


def brier_score(probabilities: ArrayLike, positions: ArrayLike) -> float:
    """Return the mean squared distance of probabilities [n, C] from the true class, in [0, 2].

    Parameters
    ----------
    probabilities : ndarray [n, C]
        Probabilities of the classes.
    positions : int ndarray [n]
        Positions of the true labels among the classes; -1: not a known class.
    """
    probabilities, positions = np.asarray(probabilities, dtype=np.float64), np.asarray(positions)
    own = probabilities[np.arange(len(positions)), positions]
    return float(np.mean(np.sum(np.square(probabilities), axis=1) - 2.0 * own + 1.0))


def calibration_bins(
    probabilities: ArrayLike, positions: ArrayLike, num_bins: int = CALIBRATION_BINS
) -> NDArray[np.float64]:
    """Return examples, sum of confidences and number right [num_bins, 3] in equal bins of confidence.

    Parameters
    ----------
    probabilities : ndarray [n, C]
        Probabilities of the classes.
    positions : int ndarray [n]
        Positions of the true labels among the classes; -1: not a known class.
    num_bins : int >= 1, default=15
        Bins of the confidence.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == np.asarray(positions)
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    columns = (np.bincount(bins, weights, num_bins) for weights in (None, confidence, right))
    return np.stack(list(columns), axis=1).astype(np.float64)


def expected_calibration_error(bins: NDArray) -> float:
    """Return the mean gap between confidence and accuracy over `calibration_bins` [bins, 3], in [0, 1].

    Parameters
    ----------
    bins : int >= 1
        Bins of the confidence.
    """
    return float(np.abs(bins[:, 1] - bins[:, 2]).sum() / bins[:, 0].sum())


def label_positions(labels: ArrayLike, classes: ArrayLike) -> NDArray[np.intp]:
    """Return where each label stands in `classes` (sorted, as scikit-learn keeps them); C if nowhere.

    Parameters
    ----------
    labels : array-like [n]
        True labels.
    classes : array-like [C]
        Sorted labels of the classes.
    """
    labels, classes = np.asarray(labels), np.asarray(classes)
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, len(classes))


class Scores(NamedTuple):
    """Scores of predicted probabilities: accuracy, mean negative log likelihood (nats), ECE and Brier score.

    Parameters
    ----------
    accuracy : float in [0, 1]
        Share of right predictions.
    negative_log_likelihood : float >= 0
        Mean, in nats.
    expected_calibration_error : float in [0, 1]
        Mean gap of confidence and accuracy.
    brier : float in [0, 2]
        Mean squared distance from the true class.
    """

    accuracy: float
    negative_log_likelihood: float
    expected_calibration_error: float
    brier: float


def probability_scores(
    probabilities: ArrayLike, positions: ArrayLike, num_bins: int = CALIBRATION_BINS
) -> Scores:
    """Score probabilities [n, C] against the positions of the true classes [n].

    The calibration error averages ``|accuracy - confidence|`` over equally wide bins of the confidence,
    weighted by their counts. Probabilities are floored at :data:`LEAST_PROBABILITY` in the logarithm.

    Parameters
    ----------
    probabilities : array-like [n, C]
        Probabilities of the classes.
    positions : int ndarray [n]
        Class numbers of the labels; -1: not a known class.
    num_bins : int >= 1, default=15
        Bins of the confidence.
    """
    probabilities, positions = np.asarray(probabilities, dtype=np.float64), np.asarray(positions)
    if probabilities.ndim != 2 or positions.shape != probabilities.shape[:1]:
        raise ValueError(
            f"probabilities [n, classes] and classes [n] do not fit: {probabilities.shape}, {positions.shape}"
        )
    return Scores(
        accuracy=float(np.mean(probabilities.argmax(axis=1) == positions)),
        negative_log_likelihood=negative_log_likelihood(probabilities, positions),
        expected_calibration_error=expected_calibration_error(
            calibration_bins(probabilities, positions, num_bins)
        ),
        brier=brier_score(probabilities, positions),
    )
