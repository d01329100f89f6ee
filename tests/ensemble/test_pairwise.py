"""One classifier per pair: the same networks as alone, any member, and the counts that are reported."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from tests.marks import mostly_slow

# No number depends on the pool of inputs, which a member alone does not see.
ALONE = {"input_scaling": None, "num_sweeps": 12, "random_state": 0}


@pytest.fixture(scope="module")
def uneven(three_blobs):
    """Three classes of 12, 9 and 5 samples: pairs of different sizes."""
    X, y = three_blobs
    kept = np.concatenate([np.flatnonzero(y == label)[:count] for label, count in enumerate((12, 9, 5))])
    return X[kept], y[kept]


@pytest.mark.parametrize(
    "configuration",
    [
        {"noise": 0.0},
        pytest.param(
            {"noise": 0.0, "hidden": (5,), "rule": "amp", "weights": "binary", "rounding": "mode"},
            marks=pytest.mark.slow,
        ),
        # the fast suite has it from below the estimators, in test_small_networks.py
        pytest.param({"hidden": (3,), "small_fan_in": "exact"}, marks=pytest.mark.slow),
    ],
    ids=["single layer", "hidden", "exact messages"],
)
def test_pairs_together_are_as_alone(configuration, uneven):
    """Whatever number is trained side by side, and though the short ones are padded."""
    X, y = uneven
    member = MessagePassingClassifier(**ALONE, **configuration)
    together = PairwiseVoteClassifier(member, random_state=0).fit(X, y)
    # two of three: the last one is trained by itself
    split = clone(together).set_params(pairs_per_batch=2).fit(X, y)
    for one, other in zip(together.estimators_, split.estimators_, strict=True):
        for left, right in zip(one.weights_, other.weights_, strict=True):
            np.testing.assert_array_equal(left, right)
    # the last pair is the shortest
    (first, second), own = together.pairs_[-1], together.estimators_[-1]
    rows = (y == first) | (y == second)
    alone = clone(own).fit(X[rows], y[rows] == first)
    for left, right in zip(own.weights_, alone.weights_, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "member", [LogisticRegression(), RidgeClassifier()], ids=lambda member: type(member).__name__
)
def test_any_binary_classifier_is_fitted_one_by_one(member, three_blobs):
    X, y = three_blobs
    ensemble = PairwiseVoteClassifier(member).fit(X, y)
    expected = np.zeros((len(X), 3), int)
    for (first, second), own in zip(ensemble.pairs_, ensemble.estimators_, strict=True):
        rows = (y == first) | (y == second)
        alone = clone(member).fit(X[rows], y[rows] == first)
        np.testing.assert_allclose(own.coef_, alone.coef_)
        chosen = alone.predict(X)
        expected[:, first] += chosen
        expected[:, second] += ~chosen
    np.testing.assert_array_equal(ensemble.votes(X), expected)
    assert ensemble.score(X, y) > 0.9


class Scripted(LogisticRegression):
    """A member that says what it was told to, whatever the inputs: for votes known beforehand."""

    def __init__(self, script=None):
        super().__init__()
        self.script = script

    def predict(self, X):
        return np.asarray(X)[:, self.script] > 0

    def predict_proba(self, X):
        first = 1 / (1 + np.exp(-np.asarray(X)[:, self.script]))
        return np.stack([1 - first, first], axis=1)


@pytest.fixture
def scripted(three_blobs):
    """Three classes; column p of the inputs is the log odds of pair p's first class."""
    X, y = three_blobs
    ensemble = PairwiseVoteClassifier(Scripted(0), ties="head_to_head").fit(X, np.array([4, 6, 9])[y])
    for column, member in enumerate(ensemble.estimators_):
        member.script = column
    return ensemble


def inputs_of(*log_odds):
    return np.pad(np.array(log_odds, float), ((0, 0), (0, 5)))


CYCLE = (1.0, -1.0, 2.0)  # 4 beats 6, 9 beats 4, 6 beats 9: one vote each


def test_ties_of_three_stay_unlabelled_under_head_to_head(scripted):
    X = inputs_of((1, 1, 1), (-1, 1, 1), CYCLE, (-1, -1, -1))
    np.testing.assert_array_equal(scripted.votes(X), [[2, 1, 0], [1, 2, 0], [1, 1, 1], [0, 1, 2]])
    np.testing.assert_array_equal(scripted.predict(X), [4, 6, -1, 9])
    counts = scripted.label_status(X, [4, 4, 4, 9])
    named = {name: count for name, count in counts.items() if count}
    assert named == {"unique_right": 2, "unique_wrong": 1, "many_way_with_right": 1}


def test_ties_by_confidence_always_give_a_label(scripted):
    X = inputs_of(CYCLE)
    scripted.set_params(ties="confidence")
    odds = 1 / (1 + np.exp(-np.array(CYCLE)))
    inverse = [
        1 / odds[0] + 1 / odds[1],
        1 / (1 - odds[0]) + 1 / odds[2],
        1 / (1 - odds[1]) + 1 / (1 - odds[2]),
    ]
    by_hand = 1 / (np.array(inverse) - 1)
    by_hand /= by_hand.sum()
    assert scripted.predict(X) == np.array([4, 6, 9])[by_hand.argmax()]
    np.testing.assert_allclose(scripted.decision_function(X), [1 + by_hand], rtol=1e-6)
    scripted.set_params(vote="soft")
    np.testing.assert_allclose(scripted.predict_proba(X), [by_hand], rtol=1e-6)


def test_soft_votes_are_probabilities(three_blobs, scripted):
    X, _ = three_blobs
    probabilities = scripted.set_params(vote="soft").predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)
    assert np.all(probabilities > 0)
    np.testing.assert_array_equal(scripted.predict(X), scripted.classes_[probabilities.argmax(axis=1)])


def test_unlabelled_takes_the_label_asked_for(scripted):
    X = inputs_of(CYCLE)
    assert scripted.set_params(unlabelled=0).predict(X) == [0]
    with pytest.raises(ValueError, match="unlabelled must not be one of the classes, got 6"):
        scripted.set_params(unlabelled=6).predict(X)


def test_labels_below_minus_one_leave_room_for_the_unlabelled(scripted):
    scripted.classes_ = np.array([-3, -1, 2])
    assert scripted.predict(inputs_of(CYCLE)) == [-4]
    scripted.classes_ = np.array(["cat", "dog", "eel"])
    assert scripted.predict(inputs_of(CYCLE)) == ["unlabelled"]


def test_label_status_needs_one_label_a_sample(scripted):
    with pytest.raises(ValueError, match=r"one label a sample, 1, got shape \(2,\)"):
        scripted.label_status(inputs_of(CYCLE), [4, 4])
    unknown = scripted.label_status(inputs_of((1, 1, 1)), [77])
    assert unknown["unique_wrong"] == 1


def test_training_errors_and_links_removed_are_counted(uneven):
    X, y = uneven
    X = X.copy()
    X[y < 2, 2] = 0.0
    X[:, 5] = 0.0
    member = MessagePassingClassifier(num_sweeps=12, input_scaling="max_abs", sparsity=3.0, random_state=0)
    ensemble = PairwiseVoteClassifier(member).fit(X, y)
    zeros = live_zeros = 0
    for index, ((first, second), own) in enumerate(zip(ensemble.pairs_, ensemble.estimators_, strict=True)):
        rows = (y == first) | (y == second)
        wrong = np.sum(own.predict(X[rows]) != (y[rows] == first))
        assert ensemble.training_errors_[index] == wrong
        zeros += np.sum(own.weights_[0] == 0)
        live_zeros += np.sum(np.delete(own.weights_[0], 5, axis=0) == 0)
    assert 0 < live_zeros < zeros
    assert ensemble.links_removed_ == {"all": zeros / (3 * 8), "live": live_zeros / (3 * 7)}


@pytest.mark.slow
def test_the_random_state_of_the_ensemble_seeds_its_members(three_blobs):
    X, y = three_blobs
    ensemble = PairwiseVoteClassifier(MessagePassingClassifier(num_sweeps=12), random_state=5)
    first, again = (clone(ensemble).fit(X, y) for _ in range(2))
    seeds = [member.random_state for member in first.estimators_]
    assert len(set(seeds)) == 3
    assert seeds == [member.random_state for member in again.estimators_]
    for one, other in zip(first.estimators_, again.estimators_, strict=True):
        np.testing.assert_array_equal(one.weights_[0], other.weights_[0])


@mostly_slow("vote", ["soft", "hard"])
def test_probabilities_whatever_the_vote(vote, three_blobs):
    X, y = three_blobs
    ensemble = PairwiseVoteClassifier(MessagePassingClassifier(random_state=0), vote=vote).fit(X, y)
    probabilities = ensemble.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(ensemble.classes_[probabilities.argmax(axis=1)], ensemble.predict(X))
    np.testing.assert_allclose(np.exp(ensemble.predict_log_proba(X)), probabilities)
