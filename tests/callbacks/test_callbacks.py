"""Callbacks: what they are given, what they write, and that they can stop a training."""

import csv
import sys

import numpy as np
import pytest
from sklearn.base import clone

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.callbacks import Callback, CSVLog, Epoch, EpochLines, ProgressBar, TensorBoard
from mpnn.callbacks.base import notify, running
from mpnn.gradient import STEClassifier

EPOCH = Epoch(1, 3, {"error": 0.25, "polarization": 0.5}, 1.5)


class Recorder(Callback):
    def __init__(self, stop_after=None):
        self.calls, self.stop_after = [], stop_after

    def on_begin(self, total):
        self.calls.append(("begin", total))

    def on_epoch(self, epoch):
        self.calls.append(epoch)
        return epoch.number == self.stop_after

    def on_end(self):
        self.calls.append("end")


def test_those_that_have_begun_end_whatever_happens():
    first, second, failing = Recorder(), Recorder(), Recorder()
    failing.on_begin = lambda total: 1 / 0
    with pytest.raises(ZeroDivisionError), running([first, failing, second], 3):
        pass
    assert first.calls == [("begin", 3), "end"]
    assert second.calls == []


def test_one_that_stops_does_not_keep_the_others_from_the_epoch():
    stopping, other = Recorder(stop_after=1), Recorder()
    assert notify([stopping, other], EPOCH)
    assert other.calls == [EPOCH]


def test_a_csv_log_has_a_row_an_epoch(tmp_path):
    log = CSVLog(tmp_path / "log.csv")
    with running([log], 2):
        log.on_epoch(EPOCH)
        log.on_epoch(EPOCH._replace(number=2))
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == ["epoch", "seconds", "error", "polarization"]
    assert float(rows[0]["error"]) == 0.25


def test_tensorboard_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mpnn\[tensorboard\]'"):
        TensorBoard(tmp_path).on_begin(3)


def test_tensorboard_writes_events(tmp_path):
    pytest.importorskip("tensorboardX", reason="needs the extra tensorboard")
    board = TensorBoard(tmp_path / "events")
    with running([board], 1):
        board.on_epoch(EPOCH)
    (events,) = (tmp_path / "events").iterdir()
    assert b"polarization" in events.read_bytes()


def test_what_the_terminal_shows_goes_to_standard_error(capsys):
    for callback in (ProgressBar(), EpochLines()):
        with running([callback], 3):
            callback.on_epoch(EPOCH)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "error 0.25, polarization 0.5" in shown.err


@pytest.fixture(scope="module")
def samples():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(120, 10))
    return X, (X @ generator.normal(size=10) > 0).astype(int)


QUICK = MessagePassingClassifier(hidden=(), batch_size=32, num_epochs=4, encoding=None, random_state=0)


@pytest.mark.slow
def test_estimators_call_after_every_epoch(samples):
    network = MessagePassingClassifier(**{**QUICK.get_params(), "callbacks": [Recorder()]})
    vote = PairwiseVoteClassifier(network).fit(*samples)
    for fitted in (
        network.fit(*samples),
        vote.estimators_[0],
    ):  # members are clones, and so are their callbacks
        begin, *epochs, end = fitted.callbacks[0].calls
        assert (begin, end) == (("begin", 4), "end")
        assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
        assert all(0 <= epoch.metrics["error"] <= 1 for epoch in epochs)
        assert epochs[-1].metrics["polarization"] > 0


@pytest.mark.slow
def test_a_callback_may_stop_the_training(samples):
    classifier = MessagePassingClassifier(**{**QUICK.get_params(), "callbacks": [Recorder(stop_after=2)]})
    assert classifier.fit(*samples).n_iter_ == 2 * (120 // 32)


@pytest.mark.slow
def test_gradient_classifiers_call_as_the_others_do(samples):
    network = STEClassifier(num_epochs=4, callbacks=[Recorder()], random_state=0)
    vote = PairwiseVoteClassifier(network).fit(*samples)  # members are clones, and so are their callbacks
    network.fit(*samples)
    for fitted in (network, vote.estimators_[0]):
        begin, *epochs, end = fitted.callbacks[0].calls
        assert (begin, end) == (("begin", 4), "end")
        assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
        np.testing.assert_allclose([epoch.metrics["loss"] for epoch in epochs], fitted.history_["loss"])
    unwatched = STEClassifier(num_epochs=4, random_state=0).fit(*samples)
    np.testing.assert_array_equal(network.weights_[0], unwatched.weights_[0])
    stopped = clone(network).set_params(callbacks=[Recorder(stop_after=2)]).fit(*samples)
    assert stopped.n_iter_ == len(stopped.history_["error"]) == 2


@pytest.mark.slow
def test_gradient_classifiers_in_groups_call_after_every_group(samples):
    X, y = samples[0], np.arange(120) % 3
    member = STEClassifier(num_epochs=4, callbacks=[Recorder()])
    vote = PairwiseVoteClassifier(member, pairs_per_batch=2, random_state=0).fit(X, y)
    begin, *groups, end = vote.estimators_[0].callbacks[0].calls
    assert (begin, [group.number for group in groups], end) == (("begin", 2), [1, 2], "end")


@pytest.mark.slow
def test_early_stopping_goes_back_to_the_best_epoch(samples):
    own = {"early_stopping": True, "num_epochs": 30, "n_iter_no_change": 2, "validation_fraction": 0.25}
    classifier = MessagePassingClassifier(**{**QUICK.get_params(), **own}).fit(*samples)
    scores = classifier.validation_scores_
    assert len(scores) < 30
    assert len(scores) - 1 - int(np.argmax(scores)) == 2
    assert classifier.n_iter_ == len(scores) * (90 // 32)
    again = MessagePassingClassifier(**{**QUICK.get_params(), **own}).fit(*samples)
    np.testing.assert_array_equal(classifier.predict_proba(samples[0]), again.predict_proba(samples[0]))


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"batch_size": None, "num_epochs": 1}, "early_stopping needs several epochs"),
        ({"validation_fraction": 1.0}, "validation_fraction must be above 0 and below 1, got 1.0"),
    ],
)
def test_early_stopping_that_cannot_be(own, sentence, samples):
    parameters = {**QUICK.get_params(), "early_stopping": True, **own}
    with pytest.raises(ValueError, match=sentence):
        MessagePassingClassifier(**parameters).fit(*samples)
    with pytest.raises(ValueError, match="early_stopping belongs to a single network"):
        PairwiseVoteClassifier(MessagePassingClassifier(**parameters)).fit(*samples)
