import numpy as np
import pytest
from scipy.stats import binomtest

from mpnn.cli.interrupts import Interrupted, in_background
from mpnn.cli.scores import Accuracy, accuracy_of, majority_share


@pytest.mark.parametrize(("right", "total"), [(0, 5), (7, 10), (540, 540), (499, 540)])
def test_the_interval_is_wilsons(right, total):
    expected = binomtest(right, total).proportion_ci(method="wilson")
    assert Accuracy(right, total).interval() == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_labels_of_two_types_are_compared_as_text():
    assert accuracy_of(np.array(["1", "2"]), np.array([1, 3])).share == 0.5


def test_the_majority_is_that_of_training():
    assert majority_share(np.array([0, 0, 1]), np.array([1, 1, 1, 0])).share == 0.25


def test_errors_of_the_background_are_raised_and_interrupts_do_not_wait(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 // 0)
    assert in_background(sum, [1, 2]) == 3

    def interrupt(self, timeout=None):
        raise KeyboardInterrupt

    import threading

    release = threading.Event()
    monkeypatch.setattr("threading.Thread.join", interrupt)
    with pytest.raises(Interrupted):
        in_background(release.wait)
    release.set()


@pytest.mark.parametrize(("total", "text"), [(1, "1 example)"), (2, "2 examples)")])
def test_an_accuracy_counts_its_examples(total, text):
    assert str(Accuracy(1, total)).endswith(text)
