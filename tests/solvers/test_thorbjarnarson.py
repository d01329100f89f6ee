"""The three losses against all networks of a toy; the stop rule; compression; the unit of biases."""

import itertools

import numpy as np
import pytest

from mpnn.solvers import IntegerNetworkClassifier, NoNetworkError
from tests.marks import mostly_slow
from tests.oracles.enumeration import all_networks, pre_activations

# Two features, one hidden neuron, two classes, of which no such network gets all right.
INPUTS = np.array([[4, 0], [5, 1], [0, 4], [1, 6], [6, 1]])
LABELS = np.array([0, 0, 1, 1, 1])
WIDTHS = (2, 1, 2)


def losses_by_hand(levels):
    """Of every network: errors (None unless one output a sample is on), missed margins, hinge loss."""
    reach = levels * (WIDTHS[-2] + 1)
    for layers, biases in all_networks(WIDTHS, levels, bias=True):
        outputs = pre_activations(INPUTS, layers, biases)[-1]
        on = [[a >= 0 for a in row] for row in outputs]
        errors = None
        if all(sum(row) == 1 for row in on):
            errors = sum(not row[label] for row, label in zip(on, LABELS, strict=True))
        normalised = [
            (2 * a / reach) * (1 if label == column else -1)
            for row, label in zip(outputs, LABELS, strict=True)
            for column, a in enumerate(row)
        ]
        missed = sum(value < 0.5 for value in normalised)
        hinge = sum(max(0.0, 0.5 - value) ** 2 for value in normalised)
        yield errors, missed, hinge


@pytest.mark.parametrize("loss", ["max_correct", "sat_margin", "min_hinge"])
@mostly_slow("start", ["lp_rounding", None])
def test_losses_are_exact(engine, loss, start):
    place = ("max_correct", "sat_margin", "min_hinge").index(loss)
    best = min(found[place] for found in losses_by_hand(1) if found[place] is not None)
    assert best > 0
    model = IntegerNetworkClassifier(
        (1,),
        60,
        loss=loss,
        stop_share=0.0,
        engine=engine,
        warm_start=start,
        input_scaling="raw",
        random_state=0,
    ).fit(INPUTS, LABELS)
    assert model.solution_.status == "optimal"
    assert model.loss_ == pytest.approx(best)


@pytest.mark.usefixtures("any_engine")
def test_more_levels_lose_no_more():
    losses = [
        IntegerNetworkClassifier(
            (1,), 60, loss="max_correct", levels=levels, stop_share=0.0, input_scaling="raw", random_state=0
        )
        .fit(INPUTS, LABELS)
        .loss_
        for levels in (1, 3)
    ]
    assert losses[1] <= losses[0]


@pytest.mark.usefixtures("any_engine")
def test_the_search_stops_where_it_is_good_enough():
    rng = np.random.default_rng(0)
    inputs = rng.random((30, 6))
    labels = (inputs[:, 0] + inputs[:, 1] > 1).astype(int)
    model = IntegerNetworkClassifier((4,), 60, loss="max_correct", stop_share=0.3, random_state=0)
    model.fit(inputs, labels)
    assert model.loss_ <= 9
    assert model.solution_.seconds < 50
    assert not model.solution_.interrupted


@pytest.mark.usefixtures("any_engine")
def test_compression_takes_neurons_away():
    inputs = np.array([[4, 0], [5, 1], [0, 4], [1, 6]])
    labels = np.array([0, 0, 1, 1])
    neurons = {}
    for cost in (0.0, 0.1):
        model = IntegerNetworkClassifier(
            (4,), 20, loss="max_correct", compression=cost, stop_share=0.0, random_state=0
        ).fit(inputs, labels)
        assert model.score(inputs, labels) == 1.0
        neurons[cost] = (model.weights_[0].any(axis=0) | model.weights_[1].any(axis=1)).sum()
        assert model.neurons_ <= neurons[cost]
    # as many neurons as outputs may keep weights, and these two classes need no more
    assert neurons[0.1] <= 2 < neurons[0.0]


@pytest.mark.usefixtures("any_engine")
def test_a_bias_is_an_input_of_one():
    """A threshold inside [0, 1], which weights alone, through the origin, cannot have."""
    inputs = np.array([[0.0, 0.9], [0.1, 1.0], [0.9, 0.9], [1.0, 1.0], [0.0, 0.0]])
    labels = np.array([0, 0, 1, 1, 0])
    model = IntegerNetworkClassifier((2,), 30, loss="max_correct", stop_share=0.0, random_state=0)
    model.fit(inputs, labels)
    assert model.loss_ == 0
    assert model.input_transform_.unit == 10_000
    signal = model.input_transform_(inputs) / 10_000
    for layer, bias in itertools.islice(zip(model.weights_, model.biases_, strict=True), 1):
        signal = np.where(signal @ layer + bias >= 0, 1, -1)
    outputs = signal @ model.weights_[1] + model.biases_[1]
    np.testing.assert_array_equal(outputs.argmax(axis=1), labels)
    assert model.biases_[0].any()


@pytest.mark.usefixtures("any_engine")
def test_ties_do_not_favour_a_class():
    model = IntegerNetworkClassifier((1,), 5, random_state=0).fit(INPUTS, LABELS)
    model.weights_ = [np.zeros_like(layer) for layer in model.weights_]
    model.biases_ = [np.zeros_like(bias) for bias in model.biases_]
    inputs = np.random.default_rng(0).random((400, 2))
    drawn = model.predict(inputs)
    assert 150 < drawn.sum() < 250
    np.testing.assert_array_equal(drawn[:7], model.predict(inputs[:7]))


@pytest.mark.slow
def test_too_little_time_is_said_clearly(any_engine):
    rng = np.random.default_rng(0)
    inputs, labels = rng.random((200, 30)), np.arange(200) % 2
    model = IntegerNetworkClassifier(
        (16,), 0.02, loss="max_correct", warm_start=None, engine=any_engine, random_state=0
    )
    with pytest.raises(NoNetworkError, match=r"found no network in 0.02 s \(none_found\)"):
        model.fit(inputs, labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "at least one layer"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"stop_share": 2.0}, "stop_share must be"),
        ({"compression": -1.0}, "compression must be"),
        ({"compression": 0.1, "loss": "min_hinge"}, "compression goes with"),
        ({"levels": 0}, "levels must be"),
        ({"time_limit": 0.0}, "time_limit must be above 0"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        IntegerNetworkClassifier(**{"hidden": (1,), **options}).fit(INPUTS, LABELS)
