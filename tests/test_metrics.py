import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import log_loss

from mpnn import metrics
from mpnn.metrics import (
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    negative_log_likelihood,
)


def test_confusion_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    counts = confusion_matrix(truth, guess, np.arange(4))
    np.testing.assert_array_equal(counts[:, :4], sklearn_confusion(truth, guess))
    assert not counts[:, 4].any()


@pytest.mark.parametrize("unlabelled", [-1, 5, 99])
def test_labels_that_are_no_class_count_as_unlabelled(unlabelled):
    counts = confusion_matrix([2, 2, 7], [2, unlabelled, unlabelled], np.array([2, 7]))
    assert counts.tolist() == [[1, 0, 1], [0, 0, 1]]


def test_confusion_of_words():
    counts = confusion_matrix(["cat", "dog"], ["dog", "dog"], np.array(["cat", "dog"]))
    assert counts.tolist() == [[0, 1, 0], [0, 1, 0]]


def test_likelihood_is_that_of_scikit_learn():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    truth = np.random.default_rng(1).integers(0, 3, 40)
    assert negative_log_likelihood(probabilities, truth) == pytest.approx(
        log_loss(truth, probabilities, labels=[0, 1, 2])
    )


def test_impossible_is_finite():
    assert negative_log_likelihood([[0.0, 1.0]], [0]) == pytest.approx(23.0, abs=0.1)


def test_calibration_of_known_cases():
    def error(probabilities, positions):
        return expected_calibration_error(calibration_bins(probabilities, positions))

    sure = np.tile([1.0, 0.0], (10, 1))
    assert error(sure, np.zeros(10, int)) == 0.0
    assert error(sure, np.repeat([0, 1], 5)) == pytest.approx(0.5)
    unsure = np.tile([0.7, 0.3], (10, 1))
    assert error(unsure, [0] * 7 + [1] * 3) == pytest.approx(0.0)


def test_calibration_bins_hold_every_example_once():
    bins = calibration_bins([[1.0, 0.0], [0.0, 1.0], [0.55, 0.45], [0.5, 0.5]], [0, 0, 1, 0])
    assert bins.shape == (15, 3)
    assert bins[14].tolist() == [2.0, 2.0, 1.0]  # sure twice, right once
    assert bins[8].tolist() == [1.0, 0.55, 0.0]
    assert bins[7].tolist() == [1.0, 0.5, 1.0]
    assert bins.sum(axis=0).tolist() == pytest.approx([4.0, 3.05, 2.0])


def test_probability_scores_are_those_of_comparisons():
    generator = np.random.default_rng(3)
    probabilities, classes = generator.dirichlet([0.5] * 4, 200), generator.integers(0, 4, 200)
    scores = metrics.probability_scores(probabilities, classes)
    assert scores.accuracy == np.mean(probabilities.argmax(axis=1) == classes)
    assert scores.negative_log_likelihood == pytest.approx(
        metrics.negative_log_likelihood(probabilities, classes)
    )
    bins = metrics.calibration_bins(probabilities, classes)
    assert scores.expected_calibration_error == pytest.approx(metrics.expected_calibration_error(bins))
    truth = np.eye(4)[classes]
    assert scores.brier == pytest.approx(np.mean(np.sum((probabilities - truth) ** 2, axis=1)))


def test_refuses_probabilities_that_do_not_fit():
    with pytest.raises(ValueError, match=r"do not fit: \(3, 2\), \(4,\)"):
        metrics.probability_scores(np.full((3, 2), 0.5), np.zeros(4, int))
