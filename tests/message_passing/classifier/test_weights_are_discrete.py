"""What is published is int8, and the scores reported for it come from it alone."""

import jax
import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.base import clone

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.message_passing import portions
from mpnn.message_passing.channels import VARIANCE_FLOOR
from mpnn.message_passing.classifier import compiled

CONFIGURATIONS = {
    "single layer, feedback": {"rounding": "feedback"},
    "binary, hidden, bias": {"weights": "binary", "hidden": (5,), "bias": True, "rule": "amp"},
    "levels to 3, sparse links": {"weights": 3, "hidden": (6,), "density": 0.6, "initial_field": 0.5},
    "few units, exact messages": {"hidden": (3,), "small_fan_in": "exact"},
}


# The fast suite has the last from test_small_networks.py; sparse links, and levels to 3, from others.
SLOW = ("levels to 3, sparse links", "few units, exact messages")

CASES = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CONFIGURATIONS]


@pytest.fixture(scope="module", params=CASES)
def fitted(request, two_blobs):
    return MessagePassingClassifier(
        num_sweeps=15, encoding=None, random_state=0, **CONFIGURATIONS[request.param]
    ).fit(*two_blobs)


def outputs_by_hand(classifier, X):
    """Outputs ``[n, K]`` and their standard deviations, in float64, from the published weights alone."""
    values = classifier.input_transform_(X.astype(np.float32)).astype(float)
    biases = classifier.biases_ or [0] * len(classifier.weights_)
    for index, (layer, bias) in enumerate(zip(classifier.weights_, biases, strict=True)):
        inputs = values if index == 0 else np.where(values >= 0, 1.0, -1.0)
        weights = layer.astype(float)
        values = inputs @ weights + bias
        variance = inputs**2 @ weights**2 + np.square(np.asarray(bias, float))
    return values, np.sqrt(variance + VARIANCE_FLOOR)


def test_weights_are_int8_among_the_declared_levels(fitted):
    levels = set(fitted.spec_.weighted[0].family.levels) | ({0} if fitted.density < 1.0 else set())
    for index, layer in enumerate(fitted.weights_):
        assert layer.dtype == np.int8
        assert layer.shape == fitted.spec_.widths[index : index + 2]
        assert set(np.unique(layer).tolist()) <= levels
    assert any(np.any(layer != 0) for layer in fitted.weights_)
    for bias in fitted.biases_ or []:
        assert bias.dtype == np.int8


def test_beliefs_are_kept_apart(fitted):
    for layer in fitted.state_.layers:
        assert layer.mean.dtype == np.float32
        assert not any(np.shares_memory(layer.mean, weights) for weights in fitted.weights_)


def test_scores_of_the_mode_are_those_of_the_published_weights(fitted, two_blobs):
    X, _ = two_blobs
    outputs, deviation = outputs_by_hand(fitted, X)
    scores = (outputs / deviation)[:, 0]
    np.testing.assert_allclose(fitted.decision_function(X), scores, atol=1e-4)
    clear = np.abs(scores) > 1e-4  # elsewhere the rounding of float32 decides
    np.testing.assert_array_equal(fitted.predict(X)[clear], (scores >= 0)[clear])
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], ndtr(scores), atol=1e-4)


@pytest.mark.slow
def test_many_classes_choose_the_largest_output(three_blobs):
    X, y = three_blobs
    classifier = MessagePassingClassifier(num_sweeps=15, encoding=None, random_state=0).fit(X, y)
    outputs, _ = outputs_by_hand(classifier, X)
    scores = classifier.decision_function(X)
    assert scores.shape == (len(X), 3)
    np.testing.assert_array_equal(scores.argmax(axis=1), outputs.argmax(axis=1))
    np.testing.assert_array_equal(classifier.predict(X), outputs.argmax(axis=1))
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1.0, atol=1e-6)


def corrupted(classifier):
    """The same estimator with beliefs that say nothing, and other numbers."""
    broken = clone(classifier)
    vars(broken).update(vars(classifier))
    broken.state_ = jax.tree.map(np.zeros_like, classifier.state_)
    broken.hyper_ = jax.tree.map(lambda leaf: leaf + 1, classifier.hyper_)
    return broken


def test_the_mode_never_looks_at_the_beliefs(fitted, two_blobs):
    X, _ = two_blobs
    broken = corrupted(fitted)
    np.testing.assert_array_equal(fitted.decision_function(X), broken.decision_function(X))
    broken.weights_ = [*fitted.weights_[:-1], -fitted.weights_[-1]]
    assert np.any(fitted.predict(X) != broken.predict(X))


def test_bayes_looks_at_the_beliefs_alone(fitted, two_blobs):
    X, _ = two_blobs
    bayes = clone(fitted)
    vars(bayes).update(vars(fitted))
    bayes.prediction = "bayes"
    before = bayes.predict_proba(X)
    bayes.weights_ = [np.zeros_like(layer) for layer in fitted.weights_]
    np.testing.assert_array_equal(bayes.predict_proba(X), before)
    assert np.any(corrupted(bayes).predict_proba(X) != before)


def test_prediction_may_change_after_fitting(two_blobs):
    X, y = two_blobs
    classifier = MessagePassingClassifier(num_sweeps=15, encoding=None, random_state=0).fit(X, y)
    weights, mode = classifier.weights_, classifier.predict_proba(X)
    found = {}
    for kind in ("bayes", "sample", "mode"):
        found[kind] = classifier.set_params(prediction=kind).predict_proba(X)
        np.testing.assert_allclose(found[kind].sum(axis=1), 1.0, atol=1e-5)
        assert np.mean(classifier.predict(X) == y) > 0.9
    assert classifier.weights_ is weights
    np.testing.assert_array_equal(found["mode"], mode)
    assert np.any(np.abs(found["bayes"] - mode) > 1e-3)
    # drawn networks vote: shares of 32
    np.testing.assert_allclose(found["sample"] * 32, np.round(found["sample"] * 32), atol=1e-4)


def test_the_ensemble_changes_its_prediction_too(three_blobs):
    X, y = three_blobs
    ensemble = PairwiseVoteClassifier(
        MessagePassingClassifier(num_sweeps=15, encoding=None, random_state=0), vote="soft"
    )
    mode = ensemble.fit(X, y).predict_proba(X)
    bayes = ensemble.set_params(estimator__prediction="bayes").predict_proba(X)
    assert np.any(np.abs(bayes - mode) > 1e-3)
    np.testing.assert_array_equal(ensemble.set_params(estimator__prediction="mode").predict_proba(X), mode)


@pytest.mark.slow
def test_ten_values_of_every_number_compile_once(two_blobs):
    X, y = two_blobs

    def programs():
        jitted = (compiled._init, portions.portion, compiled._decode, compiled.decide)
        return [function._cache_size() for function in jitted]

    sizes = []
    for trial in range(10):
        classifier = MessagePassingClassifier(
            rule="mean_field",
            num_sweeps=4,
            rounding="mode",
            damping=0.05 * trial,
            rho=0.9 + 0.01 * trial,
            reinforcement=0.1 * trial,
            sparsity=-1.0 + 0.3 * trial,
            noise=0.1 * trial,
            margin=0.1 * trial,
            replicas=2.0 + trial,
            coupling=0.1 * trial,
            initial_field=0.1 + 0.1 * trial,
            random_state=trial,
        )
        classifier.fit(X, y).predict(X)
        sizes.append(programs())
    assert sizes == [sizes[0]] * 10
