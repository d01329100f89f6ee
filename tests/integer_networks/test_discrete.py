"""Prediction by discrete networks in NumPy gives the labels of the compiled networks, whatever the rows."""

import subprocess
import sys

import numpy as np
import pytest

from mpnn.classifiers import base
from mpnn.ensemble import prediction
from mpnn.integer_networks.cache import discrete_network
from mpnn.integer_networks.lowering import lower
from mpnn.layers import Residual
from mpnn.message_passing.spec import NetworkSpec
from tests.integer_networks.random_images import draw_image_classifier, draw_linked_layers
from tests.integer_networks.random_networks import draw_classifier
from tests.integer_networks.trained_networks import draw_like, trained_models


@pytest.fixture
def compiled(monkeypatch):
    """A function's result where an accelerator predicts."""

    def of(function, *arguments):
        with monkeypatch.context() as patched:
            patched.setattr(base, "network_on_processor", lambda model: None)
            patched.setattr(prediction, "network_on_processor", lambda model: None)
            return function(*arguments)

    return of


def exact_ties(model, X):
    """Rows with a first-layer sum at its threshold, which float32 rounds to either side."""
    scaled_apart = np.ndim(getattr(model, "estimators_", [model])[0].input_transform_.scale) > 0
    network = lower(model, inputs="real" if scaled_apart else "auto", examples=X)
    first, codes = network.layers[0], network.codes(X).astype(np.int64)
    sums = first.sums(codes if first.windows is None else network.everywhere(codes))
    return (sums == first.unit_thresholds).any(axis=1) if network.exact else np.zeros(len(X), bool)


def check_equal(model, X, compiled):
    assert discrete_network(model) is not None
    expected, labels = compiled(model.predict, X), model.predict(X)
    differ = expected != labels
    assert not np.any(differ & ~exact_ties(model, X)), np.flatnonzero(differ)
    np.testing.assert_array_equal(model.predict(X.astype(np.uint8)), labels)
    np.testing.assert_array_equal(
        np.concatenate([model.predict(X[row : row + 1]) for row in range(9)]), labels[:9]
    )
    scores = model.decision_function(X)
    sure = ~exact_ties(model, X)
    np.testing.assert_allclose(scores[sure], compiled(model.decision_function, X)[sure], atol=2e-6)
    first = scores >= 0 if scores.ndim == 1 else scores.argmax(axis=1)
    if getattr(model, "ties", "") != "head_to_head":
        np.testing.assert_array_equal(model.classes_[first.astype(int)], labels)


@pytest.mark.parametrize(
    "seed", [0, 1, 5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 60))]
)
def test_labels_are_those_of_the_compiled_network(seed, compiled):
    model, X = draw_classifier(seed)
    check_equal(model, X, compiled)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_residual_links(seed, compiled):
    model, X = draw_image_classifier(seed, draw_linked_layers)
    check_equal(model, X, compiled)


@pytest.mark.slow
def test_residual_links_of_gradient_networks(compiled):
    trained = [model for model in trained_models() if has_links(getattr(model, "hidden", ()))]
    assert len(trained) == 2
    for seed in range(40):
        model, X = draw_like(trained, seed)
        if seed % 3 == 0 and model.real_:
            model.real_[1][:2] = 0.0  # a scale of batch norm
        assert discrete_network(model) is not None
        differ = model.predict(X) != compiled(model.predict, X)
        assert not np.any(differ & ~exact_ties(model, X))


def has_links(hidden):
    return any(isinstance(layer, Residual) for layer in hidden)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 260))
def test_real_inputs(seed, compiled):
    """With no exact ties: labels are equal without exception."""
    model, X = draw_classifier(seed)
    rows = X * 1.37 + np.random.default_rng(seed).normal(0.0, 0.3, X.shape)
    np.testing.assert_array_equal(model.predict(rows), compiled(model.predict, rows))


def test_weights_edited_in_place_count():
    model, X = draw_classifier(1)
    before = model.predict(X)
    for member in model.estimators_:
        member.weights_[0] *= -1
    assert (model.predict(X) != before).mean() > 0.3


def test_other_predictions_are_not_discrete():
    model, _ = draw_classifier(1)
    assert discrete_network(model) is not None
    for member in model.estimators_:
        member.prediction = "bayes"
    model.estimator.prediction = "bayes"
    assert discrete_network(model) is None


def test_relu_networks_are_compiled():
    model, _ = draw_classifier(0)
    assert discrete_network(model) is not None
    widths = model.spec_.widths
    model.spec_ = NetworkSpec.dense(widths, weights="ternary", output="argmax", activation="relu")
    assert discrete_network(model) is None


PROGRAM = """
import sys
import numpy as np
from mpnn.message_passing.spec import NetworkSpec
from tests.integer_networks.random_networks import draw_classifier
model, X = draw_classifier(1)
import jax._src.compiler
def refuse(*arguments, **options):
    raise AssertionError("compiled")
jax._src.compiler.compile_or_get_cached = refuse
for rows in (1, 2, 7, 64, 90):
    model.predict(X[:rows])
"""


@pytest.mark.slow
def test_no_number_of_rows_is_compiled():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
