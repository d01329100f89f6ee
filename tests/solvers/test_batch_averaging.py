"""Batch training: how networks are averaged, how near the next ones stay, and which average is kept."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.utils.estimator_checks import check_estimator

from mpnn.solvers import BatchAveragingClassifier, IntegerNetworkClassifier, NoNetworkError
from mpnn.solvers.base import expected_accuracy, hold_out
from mpnn.solvers.batch_averaging import average
from mpnn.solvers.engines import Limits
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.thorbjarnarson_models import Loss, LossProgram

INPUTS = np.array([[4, 0], [5, 1], [0, 4], [1, 6], [6, 1]])
LABELS = np.array([0, 0, 1, 1, 1])


def network(first, second, bias):
    return Weights((np.array([[first], [0]]), np.array([[second, 1]])), (np.array([bias]), np.array([0, 2])))


def test_better_networks_count_more_and_the_worst_not_at_all():
    networks = [network(9, -9, 9), network(3, 2, 0), network(0, 5, 4)]
    mean = average(networks, [0.5, 0.9, 0.7])
    # weights 0, 1 and 1/2: (3 + 0) / 1.5 = 2, (2 + 2.5) / 1.5 = 3, (0 + 2) / 1.5 = 1.33
    np.testing.assert_array_equal(mean.layers[0], [[2], [0]])
    np.testing.assert_array_equal(mean.layers[1], [[3, 1]])
    np.testing.assert_array_equal(mean.biases[0], [1])
    np.testing.assert_array_equal(mean.biases[1], [0, 2])


def test_equal_networks_count_alike():
    mean = average([network(2, -4, 1), network(4, 3, 2)], [0.8, 0.8])
    np.testing.assert_array_equal(mean.layers[0], [[3], [0]])
    assert mean.layers[1][0, 0] in (-1, 0)  # a half rounds either way


@pytest.mark.parametrize("distance", [0, 1])
def test_a_program_stays_near_the_average(engine, distance):
    around = network(2, -1, -2)
    program = LossProgram(Loss("sat_margin", 2), INPUTS, LABELS, (2, 1, 2), 1)
    program.bound(around, distance)
    solution = program.solve(Limits(60), engine, lambda found: None, around)
    found = program.network.read(solution.values)
    pairs = [*zip(found.layers, around.layers, strict=True), *zip(found.biases, around.biases, strict=True)]
    values = [
        (one, other) for first, second in pairs for one, other in zip(first.flat, second.flat, strict=True)
    ]
    assert all(abs(one - other) <= distance and abs(one) <= 2 for one, other in values)
    assert solution.status == "optimal"
    centre = np.array([other for _, other in values])
    best = min(
        missed_margins(np.clip(centre + change, -2, 2))
        for change in itertools.product(range(-distance, distance + 1), repeat=len(centre))
    )
    assert program.loss_of(solution.values) == best


def missed_margins(flat):
    """Outputs below the margin P (1 + 1) / 4 = 1 of a network given as weights, then biases."""
    layers = (flat[:2].reshape(2, 1), flat[2:4].reshape(1, 2))
    outputs = forward(INPUTS, Weights(layers, (flat[4:5], flat[5:])))[-1]
    signs = np.where(LABELS[:, None] == np.arange(2), 1, -1)
    return int((signs * outputs < 1).sum())


@pytest.mark.usefixtures("any_engine")
def test_one_batch_is_the_whole_program():
    options = {
        "loss": "sat_margin",
        "levels": 1,
        "stop_share": 0.0,
        "input_scaling": "raw",
        "random_state": 0,
    }
    whole = IntegerNetworkClassifier((2,), 60, **options).fit(INPUTS, LABELS)
    batches = BatchAveragingClassifier((2,), 60, batch_size=5, validation_share=0.0, **options)
    batches.fit(INPUTS, LABELS)
    assert [epoch.statuses for epoch in batches.epochs_] == [("optimal",)]
    losses = [
        missed_margins_of(model, reach=3) for model in (whole, batches)
    ]  # B / 4 of three inputs, with the bias, is 3/4
    assert losses[0] == losses[1] == whole.loss_


def missed_margins_of(model, reach):
    signs = np.where(LABELS[:, None] == np.arange(2), 1, -1)
    return (4 * signs * model._outputs(INPUTS) < reach).sum()


@pytest.mark.slow
@pytest.mark.usefixtures("any_engine")
def test_the_best_average_is_kept():
    inputs, labels = load_breast_cancer(return_X_y=True)
    inputs, labels = inputs[:120], labels[:120]
    model = BatchAveragingClassifier((2,), 20, levels=2, batch_size=30, random_state=0).fit(inputs, labels)
    # 96 samples to train on, in four batches; two epochs with P = 2
    assert [len(epoch.statuses) for epoch in model.epochs_] == [4, 4]
    best = max(epoch.accuracy for epoch in model.epochs_)
    assert model.epochs_[model.best_epoch_].accuracy == best
    _, held = hold_out(labels, 0.2, model._seed())
    assert expected_accuracy(model._outputs(inputs[held]), labels[held]) == best
    assert model.score(inputs, labels) > 0.8
    assert all(layer.dtype == np.int8 for layer in (*model.weights_, *model.biases_))
    assert max(np.abs(layer).max() for layer in (*model.weights_, *model.biases_)) <= 2


def test_too_little_time_is_said_clearly(any_engine):
    rng = np.random.default_rng(0)
    # as one network of width 1 has no start for three classes, and the hard rows of max_correct no solution
    inputs, labels = rng.random((60, 5)), np.arange(60) % 3
    model = BatchAveragingClassifier((1,), 0.05, loss="max_correct", levels=1, engine=any_engine)
    with pytest.raises(NoNetworkError, match=r"no network for any batch in 0.05 s"):
        model.fit(inputs, labels)


@pytest.mark.slow
def test_scikit_learns_contract(any_engine):
    check_estimator(
        BatchAveragingClassifier(
            (4,), 2.0, levels=1, validation_share=0.0, engine=any_engine, random_state=0
        ),
        expected_failed_checks={
            "check_classifiers_classes": "outputs that tie are drawn",
            "check_classifiers_train": "asks a network that is good enough at once",
        },
        on_skip=None,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "at least one layer"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"stop_share": 2.0}, "stop_share must be"),
        ({"levels": 0}, "levels must be"),
        ({"time_limit": 0.0}, "time_limit must be above 0"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"num_epochs": 16}, "num_epochs must be None or from 1 to levels"),
        ({"validation_share": -0.1}, "validation_share must be in"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        BatchAveragingClassifier(**{"hidden": (1,), **options}).fit(INPUTS, LABELS)
