import numpy as np
import pytest

from mpnn import MessagePassingClassifier
from mpnn.message_passing.classifier.noise import folds_of, to_try
from mpnn.message_passing.classifier.settings import Parameters


def test_folds_hold_every_class_and_ignore_order_and_repetition():
    rng = np.random.default_rng(0)
    inputs, targets = rng.choice([-1.0, 1.0], (60, 8)).astype(np.float32), np.repeat([-1.0, 1.0], 30)
    folds = folds_of(inputs, targets)
    for target in (-1.0, 1.0):
        assert np.ptp(np.bincount(folds[targets == target], minlength=3)) <= 2
    order = rng.permutation(np.repeat(np.arange(60), 2))
    np.testing.assert_array_equal(folds_of(inputs[order], targets[order]), folds[order])


def test_what_is_given_stays():
    for given, tried in (({}, 4), ({"noise": 0.7}, 1), ({"noise": [1.0, 0.5]}, 1), ({"sparsity": 1.0}, 3)):
        parameters = Parameters.of(MessagePassingClassifier(**given), coded=True)
        found = to_try(parameters, 100, 100, goes_on=False)
        assert len(found) == tried
        for name, value in given.items():
            assert all(getattr(own, name) == value for own in found)
    binary = Parameters.of(MessagePassingClassifier(weights="binary"), coded=True)
    assert [own.sparsity for own in to_try(binary, 100, 100, goes_on=False)] == [None] * 3


@pytest.mark.slow
def test_few_of_many_columns_decide():
    rng = np.random.default_rng(1)
    table = rng.integers(0, 2, (1480, 60))
    labels = table[:, :5].sum(axis=1) > 2
    model = MessagePassingClassifier(random_state=0).fit(table[:480], labels[:480])
    assert model.score(table[480:], labels[480:]) > 0.95


@pytest.mark.slow
def test_rules_of_several_columns_are_learned():
    """That exactly two of six are the first word: with noise 0.5 or more 12 in 100 answers are wrong."""
    words = np.random.default_rng(0).choice(list("abc"), (900, 6))
    labels = (words == "a").sum(axis=1) == 2
    model = MessagePassingClassifier(random_state=0).fit(words[:400], labels[:400])
    assert model.score(words[400:], labels[400:]) > 0.97
