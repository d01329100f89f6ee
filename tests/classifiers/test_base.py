"""What classifiers of all families do alike: labels in, labels out."""

import numpy as np
import pytest
from sklearn.base import clone

from mpnn import MessagePassingClassifier
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
