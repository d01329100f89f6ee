import itertools

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from mpnn.compare import CompareConfig, MethodConfig, load_config, run_comparison, write_report
from mpnn.compare.config import Robustness
from mpnn.compare.methods.contract import Evaluation, Method
from mpnn.compare.methods.registry import METHODS
from tests.oracles.helpers import TINY_COMPARISON

AWKWARD_NAME = "<script>alert('x')</script> | a & b"


@pytest.fixture
def write_config(tmp_path):
    """Write a config file, the tiny one with changes: `write_config(("draws = 2", "draws = 3"))`."""

    def write(*changes):
        text = TINY_COMPARISON
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "tiny.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def tiny(write_config):
    return load_config(write_config())


class MeanClassifier(ClassifierMixin, BaseEstimator):
    """Ternary weights from the difference of two means: enough of a classifier for the ensemble below."""

    def __init__(self, threshold=0.25, prediction="mode", random_state=None):
        self.threshold = threshold
        self.prediction = prediction
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        gap = X[y == self.classes_[0]].mean(axis=0) - X[y == self.classes_[1]].mean(axis=0)
        weights = np.sign(gap) * (np.abs(gap) > self.threshold * np.abs(gap).max())
        self.weights_ = [weights.astype(np.int8)[:, None]]
        self.offset_ = (X @ weights).mean()
        return self

    def decide(self, X):
        return X @ self.weights_[0][:, 0] - self.offset_


class FakeEnsemble(ClassifierMixin, BaseEstimator):
    """The ensemble's public face in a few lines: pairs, votes, unlabelled ties."""

    def __init__(self, estimator, ties="confidence", vote="hard", pairs_per_batch=None):
        self.estimator = estimator
        self.ties = ties
        self.vote = vote
        self.pairs_per_batch = pairs_per_batch

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.pairs_ = list(itertools.combinations(self.classes_.tolist(), 2))
        self.estimators_ = [
            clone(self.estimator).fit(X[(y == a) | (y == b)], y[(y == a) | (y == b)]) for a, b in self.pairs_
        ]
        zeros = float(np.mean([estimator.weights_[0] == 0 for estimator in self.estimators_]))
        self.links_removed_ = {"all": zeros, "live": zeros / 2}
        self.training_errors_ = np.arange(len(self.pairs_))
        return self

    def votes(self, X):
        votes = np.zeros((len(X), len(self.classes_)))
        for (a, b), estimator in zip(self.pairs_, self.estimators_, strict=True):
            first = estimator.decide(X) >= 0
            votes[:, self.classes_ == a] += first[:, None]
            votes[:, self.classes_ == b] += ~first[:, None]
        return votes

    def predict(self, X):
        votes = self.votes(X)
        tied = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1)
        abstain = self.ties == "head_to_head" and tied > 1
        return np.where(abstain, -1, self.classes_[votes.argmax(axis=1)])

    def predict_proba(self, X):
        assert self.vote == "soft"
        assert self.estimator.prediction == "bayes"
        return (self.votes(X) + 1.0) / (self.votes(X) + 1.0).sum(axis=1, keepdims=True)

    def label_status(self, X, y):
        right = int((self.predict(X) == y).sum())
        return {"unique_right": right, "unique_wrong": len(y) - right}


@pytest.fixture
def fake_estimators(monkeypatch):
    """Stand-ins for the two estimators, so that the comparison is tested without training networks."""
    replace_estimators(monkeypatch)


def replace_estimators(monkeypatch):
    monkeypatch.setattr("mpnn.MessagePassingClassifier", MeanClassifier, raising=False)
    monkeypatch.setattr("mpnn.PairwiseVoteClassifier", FakeEnsemble, raising=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a run with two data sets, an awkward name, an error and a warning."""
    methods = (
        MethodConfig("message passing", "message_passing"),
        MethodConfig(AWKWARD_NAME, "nearest_neighbour"),
        MethodConfig("breaks", "spy"),
        MethodConfig("hasty", "logistic_regression", {"max_iter": 1}),
    )
    config = CompareConfig(
        "tiny",
        ("digits", "iris"),
        (2, 4),
        methods,
        draws=2,
        test_limit=60,
        robustness=Robustness(noise=(0.2, 0.4)),
    )
    folder = tmp_path_factory.mktemp("report") / "run"
    with pytest.MonkeyPatch.context() as monkeypatch:
        replace_estimators(monkeypatch)
        register_spies(monkeypatch)["fail"] = True
        run_comparison(config, folder, command="mpnn compare tiny.toml")
    return write_report(folder)


class ConstantClassifier:
    """Predicts the smallest label; fails at four examples a class."""

    def __init__(self, tasks, fail):
        self.tasks = tasks
        self.fail = fail

    def fit(self, x, y):
        if self.fail and len(y) > 6:
            raise RuntimeError("no memory left")
        self.label = y.min()


@pytest.fixture
def spies(monkeypatch):
    """Two registered methods that keep the tasks they saw; `spies["fail"]` breaks the first."""
    return register_spies(monkeypatch)


def register_spies(monkeypatch):
    seen = {"spy": [], "other_spy": [], "fail": False}

    def register(name):
        def build(params, task):
            seen[name].append(task)
            return ConstantClassifier(seen[name], seen["fail"] and name == "spy")

        def evaluate(model, task):
            labels = np.full(len(task.x_test), model.label)
            return Evaluation({"predict": labels}, {"predict": {"predict_seconds": 0.0}})

        monkeypatch.setitem(METHODS, name, Method(name, dict, build, evaluate))

    register("spy")
    register("other_spy")
    return seen
