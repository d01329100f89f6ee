"""Toro Icarte's objectives against all networks of a toy; its strategies; its measure of accuracy."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mpnn.solvers import NoNetworkError, ToroIcarteClassifier
from mpnn.solvers.toro_icarte import STRATEGIES
from tests.marks import mostly_slow
from tests.oracles.enumeration import all_networks, pre_activations

TOYS = {
    # no hidden layer: two inputs, three classes
    "single": (np.array([[4, 0], [5, 1], [0, 4], [1, 6], [3, 3]]), np.array([0, 0, 1, 1, 2]), (2, 3)),
    # one hidden neuron, two classes, both outputs
    "hidden": (np.array([[4, 0], [5, 1], [0, 4], [1, 6]]), np.array([0, 0, 1, 1]), (2, 1, 2)),
}


def fitting_networks(inputs, labels, widths):
    """(sum of |w|, sum of margins) of every network that gets all outputs of all samples right."""
    targets = [[1 if label == column else -1 for column in range(widths[-1])] for label in labels]
    for layers, biases in all_networks(widths, bias=True):
        outputs = pre_activations(inputs, layers, biases)
        right = [
            (a >= 0) == (t > 0)
            for row, wanted in zip(outputs[-1], targets, strict=True)
            for a, t in zip(row, wanted, strict=True)
        ]
        if all(right):
            magnitude = sum(int(np.abs(array).sum()) for array in (*layers, *biases))
            margins = sum(
                min(a if a >= 0 else -a - 1 for a in column)
                for layer in outputs
                for column in zip(*layer, strict=True)
            )
            yield magnitude, margins


@pytest.mark.parametrize("toy", ["hidden"])
@pytest.mark.parametrize("objective", ["min_weight", "max_margin"])
@mostly_slow("start", ["lp_rounding", None])
def test_the_program_is_exact(engine, toy, objective, start):
    inputs, labels, widths = TOYS[toy]
    networks = list(fitting_networks(inputs, labels, widths))
    best = min(n[0] for n in networks) if objective == "min_weight" else max(n[1] for n in networks)
    model = ToroIcarteClassifier(
        widths[1:-1], 60, objective=objective, strategy="mip", engine=engine, warm_start=start, random_state=0
    ).fit(inputs, labels)
    assert model.solutions_["mip"].status == "optimal"
    assert model.objective_ == model.solutions_["mip"].objective == best
    np.testing.assert_array_equal(model.predict_all_good(inputs), labels)


@pytest.mark.slow
def test_no_single_layer_fits_the_toy():
    """Class 2 lies between the others: with biases of at most 1 no line cuts it out."""
    assert not list(fitting_networks(*TOYS["single"]))


def test_every_engine_knows_that_none_fits(engine):
    inputs, labels, _ = TOYS["single"]
    with pytest.raises(NoNetworkError, match="no network of widths"):
        ToroIcarteClassifier((), 60, strategy="mip", engine=engine, random_state=0).fit(inputs, labels)


@pytest.mark.slow
@pytest.mark.usefixtures("any_engine")
@pytest.mark.parametrize(
    "strategy",
    [pytest.param(own, marks=pytest.mark.slow if own in ("mip", "hw") else ()) for own in STRATEGIES],
)
@pytest.mark.parametrize("objective", ["min_weight", pytest.param("max_margin", marks=pytest.mark.slow)])
def test_strategies_fit_every_output(strategy, objective):
    inputs, labels = load_digits(n_class=3, return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:2] for digit in range(3)])
    model = ToroIcarteClassifier((3,), 3, strategy=strategy, objective=objective, random_state=0)
    model.fit(inputs[rows], labels[rows])
    np.testing.assert_array_equal(model.predict_all_good(inputs[rows]), labels[rows])
    np.testing.assert_array_equal(model.predict(inputs[rows]), labels[rows])
    assert model.objective_ > 0
    # an all-good prediction is also the argmax
    good = model.predict_all_good(inputs)
    np.testing.assert_array_equal(model.predict(inputs)[good >= 0], good[good >= 0])


@pytest.mark.usefixtures("any_engine")
def test_neurons_optimized_alone_add_up():
    inputs, labels = load_digits(n_class=3, return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:2] for digit in range(3)])
    model = ToroIcarteClassifier((3,), 10, strategy="ha", random_state=0).fit(inputs[rows], labels[rows])
    neurons = [name for name in model.solutions_ if name.startswith("layer")]
    assert len(neurons) == 6
    assert model.objective_ == sum(model.solutions_[name].objective for name in neurons)


@pytest.mark.slow
@pytest.mark.usefixtures("any_engine")
def test_too_little_time_is_said_clearly():
    inputs, labels = load_digits(return_X_y=True)
    with pytest.raises(NoNetworkError, match=r"found no network .* in 0.05 s; raise time_limit"):
        ToroIcarteClassifier((16,), 0.05, warm_start=None, random_state=0).fit(inputs[:40], labels[:40])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "min_error"}, "objective must be one of"),
        ({"strategy": "gd"}, "strategy must be one of"),
        ({"warm_start": [np.ones((2, 2))]}, "warm_start must have layers of shapes"),
        ({"warm_start": "luck"}, "warm_start must be"),
        ({"time_limit": 0.0}, "time_limit must be above 0"),
        ({"levels": 0}, "levels must be"),
    ],
)
def test_bad_input(options, message):
    inputs, labels, _ = TOYS["hidden"]
    with pytest.raises(ValueError, match=message):
        ToroIcarteClassifier(**{"hidden": (2,), "time_limit": 5.0, **options}).fit(inputs, labels)
