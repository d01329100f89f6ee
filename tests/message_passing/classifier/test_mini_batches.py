"""Mini-batches with what the estimator chooses by itself."""

import pytest
from sklearn.datasets import load_digits

from mpnn import MessagePassingClassifier


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:1000], y[:1000]), (X[1000:], y[1000:])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "weights", "num_epochs"),
    [
        ((), "ternary", 2),
        pytest.param((64,), "binary", 20, marks=pytest.mark.slow),
        pytest.param((), "binary", 20, marks=pytest.mark.slow),
        pytest.param((), 3, 20, marks=pytest.mark.slow),
        pytest.param((64,), "ternary", 2, marks=pytest.mark.slow),
    ],
)
def test_any_weights_and_any_length_learn(hidden, weights, num_epochs, digits):
    train, test = digits
    classifier = MessagePassingClassifier(
        hidden, weights, num_epochs=num_epochs, batch_size=50, random_state=0
    )
    classifier.fit(*train)
    assert classifier.score(*test) > 0.85
    assert classifier.set_params(prediction="bayes").score(*test) > 0.87


@pytest.mark.slow
def test_a_rate_can_be_asked_for_and_posterior_as_prior_too(digits):
    train, test = digits
    numbers = {"batch_size": 50, "num_epochs": 5, "random_state": 0}
    for own in ({"rate": 0.1, "counts": 20.0}, {"rho": (1.0, 0.9)}):
        classifier = MessagePassingClassifier((64,), **numbers, **own).fit(*train)
        assert classifier.score(*test) > 0.85
