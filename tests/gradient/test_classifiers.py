"""Every classifier: the contract, discrete weights that decide alone, many problems as one program."""

import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import check_estimator

from mpnn import PairwiseVoteClassifier
from mpnn.gradient import (
    AdaSTEClassifier,
    BayesBiNNClassifier,
    BinaryConvClassifier,
    BopClassifier,
    CoNNTrAClassifier,
    LocalReparameterizationClassifier,
    MomentPropagationClassifier,
    ProxQuantClassifier,
    STEClassifier,
)
from tests.marks import mostly_slow

# A single layer each, or 31 hidden units where the method differs with them; least accuracy on digits.
CASES = {
    "ste": (STEClassifier(), 0.7),
    "ste_ternary": (STEClassifier(weights="ternary", bias=True), 0.7),
    "ste_batch_norm": (STEClassifier((31,), recipe="batch_norm", dropout=(0.1, 0.1)), 0.7),
    "moment_propagation": (MomentPropagationClassifier((31,)), 0.8),
    "bop": (BopClassifier((31,)), 0.75),
    "bayesbinn": (BayesBiNNClassifier((31,)), 0.8),
    "sign_ema": (BayesBiNNClassifier((31,), rule="sign_ema"), 0.75),
    "bimu": (BayesBiNNClassifier(rule="bimu", prior_weight=0.01), 0.6),
    "lr_net": (LocalReparameterizationClassifier((31,), real_output=True, weight_decay=1e-6), 0.75),
    "gumbel": (LocalReparameterizationClassifier((31,), activation="sign", warm_epochs=20), 0.75),
    "proxquant": (ProxQuantClassifier(), 0.65),
    "adaste": (AdaSTEClassifier(), 0.65),
    "conntra": (CoNNTrAClassifier(num_epochs=3), 0.65),
}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400], X[400:], y[400:]


@pytest.fixture(scope="module")
def fitted(digits):
    """Each case, fitted once when it is asked for."""
    X, y, _, _ = digits
    found = {}

    def of(name):
        if name not in found:
            classifier = clone(CASES[name][0]).set_params(random_state=0)
            if classifier.num_epochs is None:
                classifier.set_params(num_epochs=60)
            found[name] = classifier.fit(X, y)
        return found[name].set_params(prediction="mode")

    return of


FAST_CASES = ("ste", "bayesbinn", "bop")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST_CASES else pytest.mark.slow) for name in CASES]
)
def test_learns_discrete_weights(name, fitted, digits):
    _, _, X, y = digits
    classifier = fitted(name)
    assert classifier.score(X, y) > CASES[name][1]
    assert all(layer.dtype == np.int8 for layer in classifier.weights_)
    levels = set(classifier.method_.family.levels)
    assert set().union(*(np.unique(layer).tolist() for layer in classifier.weights_)) == levels
    assert classifier.weights_[0].shape[0] == 64
    assert classifier.history_["loss"].shape == (classifier.n_iter_,)
    assert np.all(np.isfinite(classifier.history_["loss"]))


# Variants of methods that are among the fast cases.
VARIANTS = ("ste_batch_norm", "ste_ternary", "sign_ema", "bimu", "gumbel", "lr_net", "moment_propagation")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in VARIANTS else ()) for name in CASES]
)
def test_weights_alone_decide(name, fitted, digits):
    """What the weights were read from may be lost; other weights give other scores."""
    _, _, X, _ = digits
    classifier = fitted(name)
    scores = classifier.decision_function(X)
    kept = classifier.latents_
    classifier.latents_ = [np.full_like(own, np.nan) for own in kept]
    np.testing.assert_array_equal(classifier.decision_function(X), scores)
    classifier.latents_ = kept
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.slow
def test_the_discrete_network_written_out(fitted, digits):
    _, _, X, _ = digits
    classifier = fitted("moment_propagation")
    units = classifier.input_transform_(X.astype(np.float32))
    first, second = (layer.astype(float) for layer in classifier.weights_)
    units = np.where(units @ first >= 0, 1.0, -1.0)
    expected = units @ second / np.sqrt(31)
    np.testing.assert_allclose(classifier.decision_function(X), expected, atol=1e-4)
    with_bias = fitted("ste_ternary")
    outputs = with_bias.input_transform_(X.astype(np.float32)) @ with_bias.weights_[0] + with_bias.biases_[0]
    np.testing.assert_allclose(with_bias.decision_function(X), outputs / np.sqrt(65), atol=1e-4)


@pytest.mark.slow
@mostly_slow(
    "name",
    [
        "moment_propagation",
        "bayesbinn",
        *(pytest.param(own, marks=pytest.mark.slow) for own in ("lr_net", "gumbel")),
        "ste",
    ],
)
def test_three_predictions(name, fitted, digits):
    _, _, X, y = digits
    classifier = fitted(name)
    found = {}
    for kind in ("mode", "bayes", "sample"):
        found[kind] = classifier.set_params(prediction=kind).predict_proba(X)
        np.testing.assert_allclose(found[kind].sum(axis=1), 1.0, atol=1e-5)
        assert classifier.score(X, y) > CASES[name][1] - 0.1
    point = name == "ste"
    assert np.array_equal(found["mode"], found["sample"]) == point


def test_same_seed_same_weights(fitted, digits):
    X, y, _, _ = digits
    again = clone(fitted("ste")).fit(X, y)
    np.testing.assert_array_equal(again.weights_[0], fitted("ste").weights_[0])
    other = clone(again).set_params(random_state=1).fit(X, y)
    assert np.any(other.weights_[0] != again.weights_[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ste", pytest.param("bayesbinn", marks=pytest.mark.slow)])
def test_many_problems_as_one_program(name, digits):
    """Members fitted side by side are those fitted alone, also when one problem is shorter and padded."""
    X, y, test, _ = digits
    X = X[y < 3]
    y = y[y < 3]
    X, y = X[:-7], y[:-7]
    member = clone(CASES[name][0]).set_params(random_state=0, num_epochs=20, input_scaling="max_abs")
    ensemble = PairwiseVoteClassifier(member, random_state=0).fit(X, y)
    for (first, second), own in zip(ensemble.pairs_, ensemble.estimators_, strict=True):
        rows = (y == first) | (y == second)
        alone = clone(own)
        alone.fit(X[rows], y[rows] == first)
        assert own.weights_[0].shape[0] == 64
        agreement = np.mean(alone.predict(test) == own.predict(test))
        assert agreement > 0.9
    at_once = clone(ensemble).set_params(pairs_per_batch=2).fit(X, y)
    np.testing.assert_array_equal(at_once.predict(test), ensemble.predict(test))
    soft = ensemble.set_params(vote="soft", estimator__prediction="bayes")
    assert soft.predict_proba(test).shape == (len(test), 3)


def test_fitting_again_compiles_nothing(digits):
    X, y, _, _ = digits
    classifier = STEClassifier(num_epochs=2, random_state=0).fit(X, y)
    with jax.log_compiles(False):
        from mpnn.gradient import training

        before = training.portion._cache_size()
        clone(classifier).set_params(random_state=1).fit(X, y)
        assert training.portion._cache_size() == before


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (STEClassifier(recipe="other"), "recipe must be one of"),
        (STEClassifier(weights="octal"), "weights must be one of"),
        (STEClassifier(surrogate="relu"), "surrogate must be one of"),
        (STEClassifier(dropout=(1.0, 0.0)), r"dropout must be in \[0, 1\)"),
        (STEClassifier(num_epochs=0), "num_epochs must be a whole number of at least 1, got 0"),
        (STEClassifier(batch_size=2.5), "batch_size must be a whole number"),
        (STEClassifier(batch_size="all"), "batch_size must be a whole number of at least 1, got 'all'"),
        (STEClassifier(learning_rate=0.0), "learning_rate must be above 0 and finite, got 0.0"),
        (STEClassifier(clip=-1.0), "clip must be above 0"),
        (STEClassifier(input_scaling="log"), "input_scaling must be one of"),
        (STEClassifier((0,)), "every width in hidden must be a whole number of at least 1, got 0"),
        (MomentPropagationClassifier(weights="real"), "weights must be one of"),
        (MomentPropagationClassifier(variance_penalty=-1.0), "variance_penalty must be at least 0"),
        (BopClassifier(adaptivity=0.0), r"adaptivity must be in \(0, 1\], got 0.0"),
        (BayesBiNNClassifier(rule="adam"), "rule must be one of"),
        (BayesBiNNClassifier(temperature=0.0), "temperature must be above 0"),
        (BayesBiNNClassifier(momentum=1.0), r"momentum must be in \[0, 1\), got 1.0"),
        (BayesBiNNClassifier(num_draws=0), "num_draws must be a whole number of at least 1, got 0"),
        (BayesBiNNClassifier((3,), activation="gelu"), "activation must be one of"),
        (BayesBiNNClassifier(norm="layer"), "norm must be one of"),
        (LocalReparameterizationClassifier(real_output=True), "needs hidden layers"),
        (LocalReparameterizationClassifier(propagation="gumbel"), "propagation must be one of"),
        (LocalReparameterizationClassifier(weight_decay=-1.0), "weight_decay must be at least 0"),
        (AdaSTEClassifier(learning_rate=-0.1), "learning_rate must be above 0"),
        (BopClassifier(threshold=-1.0), "threshold must be at least 0"),
        (ProxQuantClassifier(strength=-1.0), "strength must be at least 0 and finite, got -1.0"),
        (BinaryConvClassifier((8, 8, 1), "wide"), "block must be one of"),
        (BinaryConvClassifier(), "image_shape must hold 64 numbers"),
        (BinaryConvClassifier((8, 8, 1), stem=(8, 1)), "stem must have the first stage's channels, 32"),
        (BinaryConvClassifier((8, 8, 1), "dense", reductions=(2.0, 2.0)), "reductions must be 1 numbers"),
        (CoNNTrAClassifier(start=2.0), r"start must be in \[0, 1\], got 2.0"),
    ],
)
def test_bad_parameters(classifier, message, digits):
    X, y, _, _ = digits
    with pytest.raises(ValueError, match=message):
        classifier.fit(X[:20], y[:20])


@pytest.mark.slow
def test_bad_predictions(fitted, digits):
    _, _, X, _ = digits
    classifier = fitted("ste").set_params(prediction="best")
    with pytest.raises(ValueError, match="prediction must be one of"):
        classifier.predict(X)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "classifier", [STEClassifier(num_epochs=60), MomentPropagationClassifier(num_epochs=100)]
)
def test_scikit_learn_accepts(classifier):
    check_estimator(classifier, on_skip=None)
