"""Data splitting: the program against enumeration, sets that share activations, and which set is split."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import check_estimator

from mpnn.solvers import DataSplittingClassifier
from mpnn.solvers.base import expected_accuracy, hold_out
from mpnn.solvers.data_splitting import fewest_wrong, split_worst
from mpnn.solvers.engines import Limits, installed_engines
from mpnn.solvers.step_network import StepNeurons, StepProgram
from tests.marks import mostly_slow
from tests.oracles.enumeration import all_networks

INPUTS = np.array([[4, 0], [5, 1], [0, 4], [1, 6], [6, 2], [2, 2]])
LABELS = np.array([0, 0, 1, 1, 1, 0])
TARGETS = LABELS[:, None] == np.arange(2)
SETS = np.array([0, 0, 1, 1, 2, 0])


def step_signals(layers):
    """Activations of every layer without thresholds, by plain loops."""
    signal, found = INPUTS.tolist(), []
    for layer in layers:
        signal = [
            [int(sum(s * w for s, w in zip(row, column, strict=True)) >= 0) for column in layer.T.tolist()]
            for row in signal
        ]
        found.append(np.array(signal))
    return found


def fewest_errors(widths, sets):
    """Over all whole weights without thresholds in which the samples of a set share their activations."""
    best = np.inf
    for layers, _ in all_networks(widths):
        signals = step_signals(layers)
        pairs = [(a, b) for a, b in itertools.combinations(range(len(sets)), 2) if sets[a] == sets[b]]
        if all((signals[0][a] == signals[0][b]).all() for a, b in pairs):
            best = min(best, int((signals[-1] != TARGETS).sum()))
    return best


@mostly_slow("widths", [(2, 2), (2, 2, 2), (2, 1, 1, 2)])
@pytest.mark.parametrize("sets", [SETS, np.arange(6)], ids=["sets", "singletons"])
def test_programs_are_exact(engine, widths, sets):
    program = StepProgram(StepNeurons(whole=True, bias=False), widths, INPUTS, TARGETS, sets)
    solution = program.solve(Limits(60), engine, lambda found: None)
    assert solution.status == "optimal"
    assert solution.objective == fewest_errors(widths, sets)
    weights = program.read(solution.values)
    outputs = weights.forward(INPUTS, 0.5)[-1] >= 0
    assert (outputs != TARGETS).sum() == solution.objective
    assert program.model.accepts(program.complete(weights))


@pytest.mark.slow
@pytest.mark.parametrize("widths", [(2, 2, 2), pytest.param((2, 1, 1, 2), marks=pytest.mark.slow)])
def test_splitting_to_the_end_is_exact(engine, widths):
    model = DataSplittingClassifier(
        widths[1:-1],
        600,
        validation_share=0.0,
        integer_weights=True,
        bias=False,
        engine=engine,
        input_scaling="raw",
        random_state=0,
    ).fit(INPUTS, LABELS)
    assert all(split.status == "optimal" for split in model.splits_)
    assert model.splits_[-1].errors == fewest_errors(widths, np.arange(6))
    errors = [split.errors for split in model.splits_]
    assert errors == sorted(errors, reverse=True)
    if errors[-1]:
        assert [split.num_sets for split in model.splits_] == list(range(1, 7))
    assert all(layer.dtype == np.int8 for layer in model.weights_)


def test_engines_agree_on_real_weights():
    found = set()
    for engine in set(installed_engines()) - {"cpsat"}:
        program = StepProgram(StepNeurons(), (2, 2, 2), INPUTS / 6, TARGETS, SETS)
        solution = program.solve(Limits(60), engine, lambda found: None)
        assert solution.status == "optimal"
        weights = program.read(solution.values)
        hidden, outputs = (layer >= 0 for layer in weights.forward(INPUTS / 6, 5e-4))
        # every sample is as the first of its set is
        np.testing.assert_array_equal(hidden, hidden[[0, 0, 2, 2, 4, 0]])
        assert (outputs != TARGETS).sum() == solution.objective
        found.add(solution.objective)
    if not found:
        pytest.skip("no engine for real weights is installed")
    assert len(found) == 1


@pytest.fixture
def highs():
    if "highs" not in installed_engines():
        pytest.skip("the engine highs (highspy) is not installed")


@pytest.mark.slow
@pytest.mark.usefixtures("highs")
def test_three_classes_are_learned():
    inputs, labels = load_iris(return_X_y=True)
    model = DataSplittingClassifier((3,), 600, max_splits=2, random_state=0).fit(inputs, labels)
    # three of the finest sets cannot have fewer wrong outputs than labels that are rare in them
    assert model.splits_[-1].status == "optimal"
    assert model.splits_[-1].errors <= 40
    assert model.score(inputs, labels) > 0.85
    merits = [(split.accuracy, -split.errors) for split in model.splits_]
    assert (model.best_split_.accuracy, -model.best_split_.errors) == max(merits)


@pytest.mark.usefixtures("highs")
def test_the_samples_held_out_choose_the_network():
    inputs, labels = load_iris(return_X_y=True)
    model = DataSplittingClassifier((3,), 600, max_splits=2, validation_share=0.4, random_state=3)
    model.fit(inputs, labels)
    training, held = hold_out(labels, 0.4, model._seed())
    assert np.bincount(labels[held]).tolist() == [20, 20, 20]
    assert sorted([*training, *held]) == list(range(150))
    assert model.best_split_.accuracy == expected_accuracy(model._outputs(inputs[held]), labels[held])
    wrong = (model._outputs(inputs[training]) >= 0) != (labels[training, None] == np.arange(3))
    assert model.best_split_.errors == wrong.sum()


@pytest.mark.usefixtures("highs")
@pytest.mark.parametrize("hidden", [(1,), (1, 1)])
def test_robust_decisions_hold_in_the_whole_ball(hidden):
    rng = np.random.default_rng(0)
    inputs = np.concatenate([rng.uniform(0.0, 0.3, (8, 2)), rng.uniform(0.7, 1.0, (8, 2))])
    labels = np.repeat([0, 1], 8)
    model = DataSplittingClassifier(hidden, 600, radius=0.1, validation_share=0.0, random_state=0)
    model.fit(inputs, labels)
    assert model.splits_[-1].errors == 0
    spread = inputs.max(axis=0) - inputs.min(axis=0)
    for corner in itertools.product((-0.09, 0.09), repeat=2):
        np.testing.assert_array_equal(model.predict(inputs + np.array(corner) * spread), labels)


@pytest.mark.slow
@pytest.mark.usefixtures("highs")
def test_batches_keep_a_network_whatever_they_see():
    inputs, labels = load_iris(return_X_y=True)
    model = DataSplittingClassifier((3,), 20, max_splits=4, batch_size=30, random_state=0)
    model.fit(inputs, labels)
    assert len(model.splits_) == 5
    assert model.score(inputs, labels) > 0.6
    # errors of all 100 training samples, of which a program saw 30
    assert any(split.errors > split.objective for split in model.splits_)


def test_the_set_with_the_most_wrong_outputs_is_split():
    inputs = np.array([[0.0], [1.0], [5.0], [5.1], [9.0], [9.1], [7.0], [7.0]])
    sets = np.array([0, 0, 1, 1, 1, 1, 2, 2])
    wrong = np.array([1, 0, 0, 2, 1, 0, 4, 4])
    # the two equal samples cannot be parted
    finer = split_worst(sets, inputs, wrong, seed=0)
    assert finer[[0, 1, 6, 7]].tolist() == [0, 0, 2, 2]
    assert sorted(map(tuple, (finer[[2, 3]], finer[[4, 5]]))) == [(1, 1), (3, 3)]
    assert split_worst(np.array([0, 1, 2, 2]), inputs[[0, 1, 6, 7]], wrong[:4], seed=0) is None


def test_the_bound_counts_rare_targets():
    assert fewest_wrong(np.zeros(6, int), TARGETS) == 6
    assert fewest_wrong(SETS, TARGETS) == 0
    assert fewest_wrong(np.array([0, 0, 1, 1, 0, 0]), TARGETS) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("highs")
def test_scikit_learns_contract():
    check_estimator(
        DataSplittingClassifier((3,), 10, max_splits=1, validation_share=0.0, random_state=0),
        expected_failed_checks={
            "check_classifiers_classes": "outputs that tie are drawn",
            "check_classifiers_train": "asks two sets of samples for three classes",
        },
        on_skip=None,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": (0,)}, "every width in hidden must be a whole number of at least 1, got 0"),
        ({"time_limit": 0.0}, "time_limit must be above 0"),
        ({"max_splits": -1}, "max_splits must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"validation_share": 1.0}, "validation_share must be in"),
        ({"validation_share": 0.1}, "6 samples are too few to hold out a share of 0.1"),
        ({"radius": -1.0}, "radius must be"),
        ({"engine": "cpsat"}, "whole weights only"),
    ],
)
def test_bad_input(options, message):
    settings = {"hidden": (1,), "time_limit": 1.0, "validation_share": 0.0, **options}
    with pytest.raises(ValueError, match=message):
        DataSplittingClassifier(**settings).fit(INPUTS, LABELS)
