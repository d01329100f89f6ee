"""What classifiers of all families do alike: labels in, labels out."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.classifiers.base import NetworkClassifier
from mpnn.gradient import STEClassifier
from mpnn.solvers import LocalSearchClassifier, ToroIcarteClassifier

FAMILIES = [
    MessagePassingClassifier(num_sweeps=5, random_state=0),
    STEClassifier(num_epochs=3, random_state=0),
    LocalSearchClassifier(random_state=0),
]
X = np.random.default_rng(0).normal(size=(12, 5))


class Constant(NetworkClassifier):
    """Scores that are inputs."""

    hidden = (7,)

    def fit(self, X, y):
        """Learn the labels alone."""
        self.codes_ = self._encode(X, y)[1]
        return self

    def _scores(self, X):
        return np.asarray(X, float)


@pytest.mark.parametrize("classifier", FAMILIES, ids=lambda own: type(own).__name__)
@pytest.mark.parametrize("label", ["only", 3, True])
def test_one_class_is_refused_in_one_sentence(classifier, label):
    name = type(classifier).__name__
    with pytest.raises(ValueError, match=f"^{name} needs at least two classes, got one class: {label!r}$"):
        clone(classifier).fit(X, [label] * len(X))


def test_more_classes_than_two_where_two_are_supported():
    y = np.arange(len(X)) % 3
    with pytest.raises(ValueError, match="put LocalSearchClassifier into PairwiseVoteClassifier"):
        LocalSearchClassifier().fit(X, y)
    assert ToroIcarteClassifier().__sklearn_tags__().classifier_tags.multi_class


def test_two_classes_are_signs_and_more_are_numbers():
    two = Constant().fit(X, ["b", "a"] * 6)
    np.testing.assert_array_equal(two._targets(two.codes_), [1, -1] * 6)
    assert two._targets(two.codes_).dtype == np.float32
    three = Constant().fit(X, ["b", "a", "c"] * 4)
    np.testing.assert_array_equal(three._targets(three.codes_), [1, 0, 2] * 4)
    assert three._targets(three.codes_).dtype == np.int32


def test_scores_become_labels():
    two = Constant().fit(X, ["b", "a"] * 6)
    np.testing.assert_array_equal(two.predict([[-0.5], [0.0], [2.0]]), ["a", "b", "b"])
    assert two.decision_function([[1.0], [2.0]]).shape == (2,)
    three = Constant().fit(X, ["b", "a", "c"] * 4)
    np.testing.assert_array_equal(three.predict([[0.1, 0.2, 0.3], [1.0, 1.0, 0.0]]), ["c", "a"])
    assert three.decision_function([[0.1, 0.2, 0.3]]).shape == (1, 3)


def test_seeds_follow_the_random_state():
    generator = np.random.RandomState(0)
    drawn = [MessagePassingClassifier(random_state=generator)._seed() for _ in range(2)]
    assert drawn[0] != drawn[1]
    assert MessagePassingClassifier(random_state=0)._seed() == drawn[0]
    assert Constant()._seed() >= 0


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (["a", "b", None, "a"], "label 2 (from 0) is missing, None: fill it in or leave the sample out"),
        (
            ["a", float("nan"), "b", "a"],
            "label 1 (from 0) is missing, nan: fill it in or leave the sample out",
        ),
        (
            ["a", 1, "b", 1],
            "labels are of several types, such as 'a' (str) and 1 (int): write all as text or all as numbers",
        ),
    ],
)
@pytest.mark.parametrize("vote", [False, True])
def test_labels_that_cannot_be_sorted_are_refused_in_one_sentence(labels, sentence, vote):
    network = MessagePassingClassifier()
    classifier = PairwiseVoteClassifier(network) if vote else network
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        classifier.fit(np.eye(4), np.array(labels, dtype=object))


def test_two_columns_of_one_name_are_refused_in_one_sentence():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X[:, :3], columns=["a", "a", "b"])
    with pytest.raises(ValueError, match="^2 columns are called 'a': give each a name of its own$"):
        MessagePassingClassifier().fit(table, ["x", "y"] * 6)
