"""Everything that can be wrong with inputs, labels and parameters, each with the sentence that says so."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.message_passing.hyper import Schedules

NETWORK = MessagePassingClassifier(num_sweeps=5, rounding="mode", encoding=None, random_state=0)
BOTH = pytest.mark.parametrize(
    "classifier", [NETWORK, PairwiseVoteClassifier(NETWORK)], ids=["network", "ensemble"]
)


@BOTH
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.nan, "Input X contains NaN"),
        (np.inf, "Input X contains infinity"),
        (-np.inf, "Input X contains infinity"),
        (1e300, "too large for dtype|which float32 cannot tell apart"),
    ],
)
def test_inputs_that_are_no_finite_numbers(classifier, value, sentence, two_blobs):
    X, y = two_blobs
    bad = X.copy()
    bad[3, 2] = value
    fitted = clone(classifier).fit(X, y)
    # a value beyond float32 becomes infinite on the way
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=sentence):
        clone(classifier).fit(bad, y)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=sentence):
        fitted.predict(bad)


@BOTH
def test_shapes(classifier, two_blobs):
    X, y = two_blobs
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        clone(classifier).fit(X[:, 0], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(classifier).fit(X, y[:-1])
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        clone(classifier).fit(X[:0], y[:0])
    fitted = clone(classifier).fit(X, y)
    with pytest.raises(ValueError, match="X has 7 features, but .* is expecting 8 features"):
        fitted.predict(X[:, :-1])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fitted.predict(X[0])


@BOTH
def test_labels(classifier, two_blobs):
    X, y = two_blobs
    with pytest.raises(ValueError, match="needs at least two classes, got one class: 1"):
        clone(classifier).fit(X, np.ones_like(y))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        clone(classifier).fit(X, y + 0.5)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        clone(classifier).fit(X, np.where(y == 0, np.nan, 1.0))


@BOTH
def test_a_category_without_samples_is_no_class(classifier, two_blobs):
    X, y = two_blobs
    labels = pd.Series(pd.Categorical.from_codes(y, categories=["cat", "dog", "eel"]))
    fitted = clone(classifier).fit(X, labels)
    assert fitted.classes_.tolist() == ["cat", "dog"]


@BOTH
@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0])
def test_constant_features_have_no_say(classifier, constant, two_blobs):
    """Not even when they change at prediction; 0.1 has a rounded mean."""
    X, y = two_blobs
    wider = np.column_stack([X, np.full(len(X), constant)])
    fitted = clone(classifier).fit(wider, y)
    moved = wider.copy()
    moved[:, -1] += 5.0
    np.testing.assert_array_equal(fitted.decision_function(moved), fitted.decision_function(wider))
    np.testing.assert_array_equal(fitted.predict(wider), clone(classifier).fit(X, y).predict(X))


@BOTH
def test_features_that_are_all_constant_teach_nothing_but_fit(classifier, two_blobs):
    X, y = two_blobs
    fitted = clone(classifier).fit(np.ones_like(X), y)
    assert len(np.unique(fitted.predict(X))) == 1
    assert np.all(np.isfinite(fitted.decision_function(X)))


@pytest.mark.slow
def test_a_single_sample_of_each_class_is_enough(two_blobs):
    X, y = two_blobs
    rows = [np.flatnonzero(y == label)[0] for label in (0, 1)]
    assert MessagePassingClassifier().fit(X[rows], y[rows]).score(X[rows], y[rows]) == 1.0


OUT_OF_RANGE = [
    ("hidden", (0,), "every width in hidden must be a whole number of at least 1, got 0"),
    ("hidden", (4.5,), "every width in hidden must be a whole number of at least 1, got 4.5"),
    ("hidden", 4, "hidden must be a sequence of widths such as (4, 4), got 4"),
    ("hidden", "44", "hidden must be a sequence of widths such as (4, 4), got '44'"),
    ("weights", "quaternary", "weights must be 'binary', 'ternary', 'gaussian' or an int"),
    ("weights", 0, "integer weights need a largest level from 1 to 127, got 0"),
    ("weights", True, "weights must be 'binary', 'ternary', 'gaussian' or an int"),
    ("rule", "gradient", "rule must be one of"),
    ("prediction", "median", "prediction must be one of ('mode', 'bayes', 'sample'), got 'median'"),
    ("num_epochs", 0, "num_epochs must be a whole number of at least 1, got 0"),
    ("num_epochs", float("inf"), "num_epochs must be a whole number of at least 1, got inf"),
    ("num_sweeps", 2.5, "num_sweeps must be a whole number of at least 1, got 2.5"),
    ("num_sweeps", "many", "num_sweeps must be a whole number of at least 1, got 'many'"),
    ("num_sweeps", True, "num_sweeps must be a whole number of at least 1, got True"),
    ("num_samples", 0, "num_samples must be a whole number of at least 1, got 0"),
    ("batch_size", 0, "batch_size must be a whole number of at least 1, got 0"),
    ("batch_size", "all", "batch_size must be a whole number, None or 'auto', got 'all'"),
    ("damping", 1.0, "damping must be in [0, 1), got 1.0"),
    ("damping", np.array([0.5, -0.1]), "damping must be in [0, 1), got -0.1"),
    ("damping", [], "damping must be a number, one value a layer or a schedule, got []"),
    ("damping", "slow", "damping must be a number, one value a layer or a schedule, got 'slow'"),
    ("reinforcement", 1.1, "reinforcement must be in [0, 1], got 1.1"),
    ("rate", 1.5, "rate must be in (0, 1], got 1.5"),
    ("rate", "fast", "rate must be in (0, 1], got 'fast'"),
    ("counts", 10.0, "counts belongs to training that forgets: set rate, too"),
    ("rho", -0.1, "rho must be at least 0 and finite, got -0.1"),
    ("sparsity", float("-inf"), "sparsity must be finite, got -inf"),
    ("sparsity", float("inf"), "sparsity must be finite, got inf"),
    ("noise", -1.0, "noise must be at least 0 and finite, got -1.0"),
    ("noise", [0.1, 0.2, 0.3], "noise must be one number or 1, one a layer; got 3"),
    ("margin", float("nan"), "margin must be at least 0 and finite, got nan"),
    ("replicas", 0.5, "replicas must be at least 1 and finite, got 0.5"),
    ("coupling", -1.0, "coupling must be at least 0 and finite, got -1.0"),
    ("initial_field", -1.0, "initial_field must be at least 0 and finite, got -1.0"),
    ("initial_field", "small", "initial_field must be at least 0 and finite, got 'small'"),
    ("activation", "tanh", "activation must be one of"),
    ("freezing", 0.5, "freezing must be shares of the epochs such as (0.5, 0.8), got 0.5"),
    ("freezing", (1.0,), "freezing must be in [0, 1), got 1.0"),
    ("freezing", (0.5,), "freezing needs several epochs of mini-batches: set batch_size, got [0.5]"),
    ("output_gain", "small", "output_gain must be a number, None or 'auto', got 'small'"),
    ("output_gain", 1.0, "output_gain bounds the output 'argmax', got output='binary_label'"),
    ("image_shape", (8, 0), "every side in image_shape must be a whole number of at least 1, got 0"),
    ("image_shape", 8, "image_shape must be (height, width, channels), got 8"),
    ("largest_shift", -1, "largest_shift must be a whole number of at least 0, got -1"),
    ("largest_shift", 2, "convolutions and shifts need images [n, height, width(, channels)], got"),
    ("density", 0.0, "density must be in (0, 1], got 0.0"),
    ("cavity", "third_order", "cavity must be one of ('auto', 'none', 'exact', 'interpolated', "),
    ("small_fan_in", "sometimes", "small_fan_in must be one of"),
    ("encoding", "one_hot", "encoding must be one of ('auto', 'table', None), got 'one_hot'"),
    ("bias", "yes", "bias must be True, False or 'auto', got 'yes'"),
    ("input_scaling", "log", "input_scaling must be one of"),
    ("rounding", "up", "rounding must be one of ('mode', 'feedback', 'harden'), got 'up'"),
    ("class_weight", "heavy", "class_weight must be 'balanced', a dict or None, got 'heavy'"),
    ("class_weight", {"cat": 2.0}, "class_weight names 'cat', which is none of the classes"),
    ("class_weight", {1: 0.0}, "class_weight must be above 0 and finite, got {1: 0.0}"),
    ("warm_start", "yes", "warm_start must be True or False, got 'yes'"),
    ("early_stopping", 1, "early_stopping must be True or False, got 1"),
    ("n_iter_no_change", 0, "n_iter_no_change must be a whole number of at least 1, got 0"),
    ("callbacks", [print], "callbacks must be of mpnn.callbacks.Callback, got <built-in function print>"),
    ("verbose", 3, "verbose must be 0, 1 (a progress bar) or 2 (a line an epoch), got 3"),
    (
        "random_state",
        "seed",
        "random_state must be None, a whole number from 0 to 2**32 - 1 or a NumPy RandomState",
    ),
]


@pytest.mark.parametrize(("name", "value", "sentence"), OUT_OF_RANGE, ids=lambda part: str(part)[:20])
def test_parameters_of_the_network(name, value, sentence, two_blobs):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        clone(NETWORK).set_params(**{name: value}).fit(*two_blobs)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        PairwiseVoteClassifier(clone(NETWORK).set_params(**{name: value})).fit(*two_blobs)


def test_real_weights_need_a_prior_with_a_width(two_blobs):
    real = clone(NETWORK).set_params(weights="gaussian")
    with pytest.raises(ValueError, match="initial_field must be above 0 with weights='gaussian'"):
        clone(real).set_params(initial_field=0.0).fit(*two_blobs)
    assert real.fit(*two_blobs).score(*two_blobs) == 1.0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"rate": 0.1, "counts": 0.0}, "counts must be above 0 and finite, got 0.0"),
        ({"rate": 0.1, "counts": (1.0, 2.0, 3.0)}, "counts must be one number or two, at first and at last"),
        ({"rate": 0.1, "rho": 1.0}, "rate says how much of the prior is kept, and so does rho"),
        ({"rate": 0.1, "rule": "max_sum", "weights": "binary"}, "rate needs a rule that passes means"),
        ({"batch_size": 4, "rho": 1.0, "counts": 2.0}, "counts belongs to training that forgets"),
        ({"batch_size": 4, "freezing": (0.5,)}, "an epoch for each of the 0 hidden layers, got (10,)"),
    ],
)
def test_numbers_that_do_not_go_together(parameters, sentence, two_blobs):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        clone(NETWORK).set_params(**parameters).fit(*two_blobs)


def test_every_parameter_of_the_network_is_tried():
    untried = set(NETWORK.get_params()) - {name for name, _, _ in OUT_OF_RANGE}
    assert untried == {"validation_fraction"}  # matters with early stopping alone


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ties", "coin", "ties must be one of ('confidence', 'head_to_head'), got 'coin'"),
        ("vote", "loud", "vote must be one of ('hard', 'soft'), got 'loud'"),
        ("pairs_per_batch", 0, "pairs_per_batch must be a whole number of at least 1, got 0"),
    ],
)
def test_parameters_of_the_ensemble(name, value, sentence, two_blobs):
    ensemble = PairwiseVoteClassifier(NETWORK)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        clone(ensemble).set_params(**{name: value}).fit(*two_blobs)
    fitted = clone(ensemble).fit(*two_blobs).set_params(**{name: value})
    with pytest.raises(ValueError, match=re.escape(sentence)):
        fitted.predict(two_blobs[0])


def test_a_number_that_single_precision_cannot_hold_is_not_finite():
    with pytest.raises(ValueError, match="noise must be at least 0 and finite, got 1e"):
        Schedules(noise=1e39)
    with pytest.raises(ValueError, match=re.escape("damping must be in [0, 1), got 0.99999999999")):
        Schedules(damping=1.0 - 1e-12)


def test_arrays_are_values_a_layer():
    hyper = Schedules(damping=np.array([0.1, 0.2]), confidence=3.0).at(np.arange(2), num_layers=2)
    np.testing.assert_allclose(hyper.damping, [[0.1, 0.2]] * 2)
    with pytest.raises(ValueError, match="confidence must be at least 0, got nan"):
        Schedules(confidence=float("nan"))
    with pytest.raises(ValueError, match="confidence must be at least 0, got -1.0"):
        Schedules(confidence=-1.0)


def test_predicting_before_fitting(two_blobs):
    for classifier in (clone(NETWORK), PairwiseVoteClassifier(NETWORK)):
        with pytest.raises(ValueError, match="is not fitted yet"):
            classifier.predict(two_blobs[0])
