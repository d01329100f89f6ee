"""Step networks: training errors against enumeration, local search, robustness."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mpnn.solvers import BDNNClassifier
from mpnn.solvers.engines import installed_engines

INPUTS = np.array([[4, 0], [5, 1], [0, 4], [1, 6], [6, 2], [2, 2]])
LABELS = np.array([0, 0, 1, 1, 1, 0])


def fewest_errors(width):
    """Over all whole weights without thresholds, with plain steps 1[a >= 0]."""
    best = len(LABELS)
    for flat in itertools.product((-1, 0, 1), repeat=3 * width):
        first, second = np.array(flat[: 2 * width]).reshape(2, width), np.array(flat[2 * width :])
        output = (INPUTS @ first >= 0).astype(int) @ second >= 0
        best = min(best, int((output != LABELS).sum()))
    return best


@pytest.mark.parametrize("width", [1, 2])
def test_whole_weights_are_exact(engine, width):
    model = BDNNClassifier(
        width, 60, integer_weights=True, bias=False, engine=engine, input_scaling="raw", random_state=0
    ).fit(INPUTS, LABELS)
    assert model.solution_.status == "optimal"
    errors = int((model.predict(INPUTS) != LABELS).sum())
    assert errors == model.solution_.objective == fewest_errors(width)
    assert all(layer.dtype == np.int8 for layer in model.weights_)


def test_engines_agree_on_real_weights():
    found = {}
    for name in installed_engines():
        if name == "cpsat":
            with pytest.raises(ValueError, match="whole weights only"):
                BDNNClassifier(2, 5, engine=name).fit(INPUTS, LABELS)
            continue
        model = BDNNClassifier(2, 60, engine=name, bias=False, random_state=0).fit(INPUTS, LABELS)
        assert model.solution_.status == "optimal"
        found[name] = model.solution_.objective
        assert (model.predict(INPUTS) != LABELS).sum() == model.solution_.objective
        assert np.abs(model.weights_[0]).max() <= 1.0 + 1e-6
    if not found:
        pytest.skip("no engine for real weights is installed")
    assert len(set(found.values())) == 1


def iris_pair():
    inputs, labels = load_iris(return_X_y=True)
    rows = np.concatenate([np.arange(50, 62), np.arange(100, 112)])
    return inputs[rows], labels[rows]


def need_highs():
    if "highs" not in installed_engines():
        pytest.skip("the engine highs (highspy) is not installed")


@pytest.mark.parametrize("integer_weights", [False, True])
def test_local_search_is_no_better_than_exact(integer_weights):
    need_highs()
    inputs, labels = iris_pair()
    exact, search = (
        BDNNClassifier(2, 20, method=method, integer_weights=integer_weights, random_state=0).fit(
            inputs, labels
        )
        for method in ("exact", "local_search")
    )
    errors = [(model.predict(inputs) != labels).sum() for model in (exact, search)]
    assert errors == [exact.solution_.objective, search.solution_.objective]
    assert exact.solution_.bound <= errors[1] + 1e-6
    assert errors[1] < 12


def test_robust_decisions_hold_in_the_whole_ball():
    need_highs()
    rng = np.random.default_rng(0)
    inputs = np.concatenate([rng.uniform(0.0, 0.3, (8, 2)), rng.uniform(0.7, 1.0, (8, 2))])
    labels = np.repeat([0, 1], 8)
    model = BDNNClassifier(1, 20, radius=0.1, random_state=0).fit(inputs, labels)
    assert model.solution_.objective == 0
    spread = inputs.max(axis=0) - inputs.min(axis=0)
    for corner in itertools.product((-0.09, 0.09), repeat=2):
        np.testing.assert_array_equal(model.predict(inputs + np.array(corner) * spread), labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "method must be one of"),
        ({"width": 0}, "width must be"),
        ({"time_limit": -1.0}, "time_limit must be above 0"),
        ({"radius": -1.0}, "radius must be"),
        ({"input_scaling": "raw"}, "real weights go with"),
        ({"engine": "cplex"}, "engine must be one of"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        BDNNClassifier(**{"width": 1, "time_limit": 1.0, **options}).fit(INPUTS, LABELS)


@pytest.mark.parametrize("method", ["exact", "local_search"])
def test_too_little_time_leaves_a_network(method):
    need_highs()
    inputs, labels = load_iris(return_X_y=True)
    inputs, labels = inputs[50:], labels[50:]
    model = BDNNClassifier(8, 0.01, method=method, random_state=0).fit(inputs, labels)
    assert model.solution_.status == "feasible"
    assert (model.predict(inputs) != labels).sum() == model.solution_.objective <= 50
