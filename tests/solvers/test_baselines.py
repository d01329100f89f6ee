"""The single neuron against enumeration; local search; inputs as whole numbers."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mpnn.solvers import LocalSearchClassifier, SingleNeuronClassifier
from mpnn.solvers.integer_inputs import integer_inputs
from mpnn.solvers.linear_start import copied_neuron, one_against_rest, widest_margin


def two_digits(shots=8, first=4, second=9):
    inputs, labels = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:shots] for digit in (first, second)])
    return inputs[rows].astype(int), labels[rows]


def separable(seed):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 9, (6, 4))
    signs = np.where(inputs @ [1, -1, 1, 0] >= 2, 1, -1)
    return inputs, (signs > 0).astype(int)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_neuron_is_exact(engine, seed):
    inputs, labels = separable(seed)
    assert len(set(labels)) == 2
    signs = 2 * labels - 1
    every = [np.array(weights) for weights in itertools.product((-1, 0, 1), repeat=4)]
    margins = [int((signs * (inputs @ weights)).min()) for weights in every]
    widest = SingleNeuronClassifier("max_margin", 30, engine=engine).fit(inputs, labels)
    assert widest.margin_ == max(margins) == widest.solution_.objective
    rounded = SingleNeuronClassifier("lp_rounding").fit(inputs, labels).margin_
    wanted = np.ceil(rounded / 2) if rounded > 0 else rounded
    fewest = SingleNeuronClassifier("min_weight", 30, engine=engine).fit(inputs, labels)
    allowed = [np.count_nonzero(w) for w, margin in zip(every, margins, strict=True) if margin >= wanted]
    assert np.count_nonzero(fewest.weights_[0]) == min(allowed)


def test_real_weights_of_the_widest_margin():
    # w = (1, -1) has margins 2 for (2, 0) and 1 for -(0, 1); no weights have more than 1 for the second
    weights = widest_margin(np.array([[2, 0], [0, 1]]), np.array([1, -1]), 1)
    assert weights[1] == pytest.approx(-1.0)
    assert 2 * weights[0] >= 1.0 - 1e-9


def test_a_neuron_of_classes_that_overlap_is_not_zero():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    inputs = rng.integers(0, 5, (60, 6))
    inputs[:, 0] += 2 * labels
    inputs[:, 1] += 2 * (1 - labels)
    model = SingleNeuronClassifier("lp_rounding").fit(inputs, labels)
    assert model.margin_ < 0
    assert model.score(inputs, labels) > 0.7


@pytest.mark.parametrize("widths", [(64, 1), (64, 3, 1), (64, 4, 2, 1)])
def test_a_copied_neuron_decides_alike(widths):
    rng = np.random.default_rng(0)
    from mpnn.solvers.formulation import forward

    neuron = rng.integers(-3, 4, 64)
    inputs = rng.integers(0, 17, (50, 64))
    output = forward(inputs, copied_neuron(neuron, widths, 3))[-1][:, 0]
    np.testing.assert_array_equal(output >= 0, inputs @ neuron >= 0)


def test_one_neuron_a_class_is_handed_on():
    from mpnn.solvers.formulation import forward

    inputs, labels = load_digits(n_class=3, return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:5] for digit in range(3)])
    weights = one_against_rest(inputs[rows], labels[rows], (64, 5, 4, 3), 1)
    outputs = forward(inputs[rows].astype(int), weights)[-1]
    np.testing.assert_array_equal(outputs >= 0, labels[rows][:, None] == np.arange(3))
    assert one_against_rest(inputs[rows], labels[rows], (64, 2, 3), 1) is None


def test_local_search_learns_and_repeats_itself():
    inputs, labels = two_digits()
    models = [
        LocalSearchClassifier((4,), 60, max_restarts=3, random_state=1).fit(inputs, labels) for _ in range(2)
    ]
    assert models[0].score(inputs, labels) == 1.0
    assert models[0].restarts_ == 3
    for first, second in zip(models[0].weights_, models[1].weights_, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("hidden", [(), (3,), (3, 2)])
def test_local_search_ends_where_no_change_helps(hidden):
    inputs, labels = two_digits(4)
    model = LocalSearchClassifier(hidden, 60, max_restarts=1, random_state=0).fit(inputs, labels)
    signs = np.where(labels == 9, 1, -1)
    live = inputs.any(axis=0)
    scale = np.sqrt(hidden[-1]) if hidden else np.sqrt(live.sum()) * inputs.max()

    def loss():
        nonzero = sum(np.count_nonzero(layer) for layer in model.weights_)
        size = sum(layer.size for layer in (model.weights_[0][live], *model.weights_[1:]))
        outputs = model.decision_function(inputs)
        return np.logaddexp(0, -signs * outputs / scale).mean() + 1e-4 * nonzero / size

    best = loss()
    assert best == pytest.approx(model.loss_, abs=1e-9)
    for layer in model.weights_:
        for place in np.ndindex(layer.shape):
            if layer is model.weights_[0] and not live[place[0]]:
                continue
            kept = layer[place]
            for level in (-1, 0, 1):
                layer[place] = level
                assert loss() >= best - 1e-9
            layer[place] = kept


def test_whole_inputs_stay_and_others_are_rounded_in_steps():
    pixels = np.array([[0, 255, 3], [0, 7, 3]], np.uint8)
    transform = integer_inputs(pixels)
    np.testing.assert_array_equal(transform(pixels), [[0, 255, 3], [0, 7, 3]])
    assert transform.unit == 1
    np.testing.assert_array_equal(transform.live, [False, True, True])
    np.testing.assert_array_equal(integer_inputs(pixels, constants_live=False).live, [False, True, False])
    reals = np.array([[0.5, -0.25], [0.1, 0.0]])
    np.testing.assert_array_equal(integer_inputs(reals)(reals), [[10_000, -5_000], [2_000, 0]])
    unit = integer_inputs(np.array([[3.0, 5.0], [4.0, 9.0]]), "unit")
    np.testing.assert_array_equal(unit(np.array([[3.5, 9.0]])), [[5_000, 10_000]])


@pytest.mark.parametrize("scaling", ["raw", "unit"])
def test_live_inputs_alone_are_those_of_all(scaling):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 5)).astype(np.uint8)
    pixels[:10, 2] = 0
    transform = integer_inputs(pixels[:10], scaling)
    assert transform.live.sum() == 4
    for same in (pixels, pixels.astype(float)):
        whole = transform(same)
        assert whole.dtype == np.int64
        np.testing.assert_array_equal(transform.of_live(same), whole[:, transform.live])
    np.testing.assert_array_equal(transform(pixels), transform(pixels.astype(float)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SingleNeuronClassifier("best"), "objective must be one of"),
        (SingleNeuronClassifier(margin_share=2.0), "margin_share must be"),
        (LocalSearchClassifier(time_limit=0.0), "time_limit must be"),
        (LocalSearchClassifier(perturbed=0), "perturbed must be"),
        (LocalSearchClassifier(zeros=1.0), "zeros must be"),
    ],
)
def test_bad_input(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(*two_digits(2))
