"""BeMi's stages against all networks of a toy, its starts, and its contract."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import check_estimator

from mpnn.solvers import BeMiClassifier, NoNetworkError, SingleNeuronClassifier, bemi
from mpnn.solvers.engines import Solution
from tests.marks import mostly_slow
from tests.oracles.enumeration import all_networks, pre_activations


def toy(seed, samples=5, features=2):
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 9, (samples, features))
    inputs[0] += 1  # every feature says something
    labels = np.arange(samples) % 2
    return inputs, labels


def enumerate_networks(inputs, labels, widths, levels):
    """(confidently right samples, margins of all neurons on given samples or None, weights used) of each."""
    signs = 2 * labels - 1
    least = levels * (widths[-2] + 1) / 4
    for layers, biases in all_networks(widths, levels):
        outputs = pre_activations(inputs, layers, biases)
        right = tuple(int(sign * row[0] >= least) for sign, row in zip(signs, outputs[-1], strict=True))
        nonzero = sum(int(np.count_nonzero(layer)) for layer in layers)
        yield right, outputs, nonzero


def margins_on(outputs, signs, kept):
    """Each neuron's margin over the kept samples; None where an output has the wrong sign."""
    margins = []
    for place, layer in enumerate(outputs):
        for neuron in range(len(layer[0])):
            values = [layer[sample][neuron] for sample in kept]
            if place == len(outputs) - 1:
                values = [v if signs[s] > 0 else -v - 1 for v, s in zip(values, kept, strict=True)]
            else:
                values = [v if v >= 0 else -v - 1 for v in values]
            margins.append(min(values))
    return None if margins[-1] < 0 else margins


@mostly_slow(
    ("seed", "widths", "levels"),
    [(0, (2, 2, 1), 1), (1, (2, 2, 1), 1), (2, (2, 1, 1), 3), (3, (2, 1, 2, 1), 1)],
    fast=2,
)
def test_each_stage_is_exact(engine, seed, widths, levels):
    inputs, labels = toy(seed)
    signs = 2 * labels - 1
    networks = list(enumerate_networks(inputs, labels, widths, levels))
    model = BeMiClassifier(
        widths[1:-1], time_limit=60, levels=levels, engine=engine, warm_start=None, random_state=0
    ).fit(inputs, labels)
    confident, widest, fewest = model.stages_
    assert [stage.status for stage in model.stages_] == ["optimal"] * 3
    assert confident.objective == max(sum(right) for right, _, _ in networks)
    only = BeMiClassifier(
        widths[1:-1], 60, levels=levels, engine=engine, warm_start=None, stages=["SM"], random_state=0
    ).fit(inputs, labels)
    least = levels * (widths[-2] + 1) / 4
    kept = [s for s in range(len(labels)) if signs[s] * only.decision_function(inputs)[s] >= least]
    assert len(kept) == confident.kept
    on_kept = [(margins_on(outputs, signs, kept), nonzero) for _, outputs, nonzero in networks]
    feasible = [(margins, nonzero) for margins, nonzero in on_kept if margins is not None]
    assert widest.objective == max(sum(margins) for margins, _ in feasible)
    reached = margins_on(pre_activations(inputs, model.weights_, [[0] * w for w in widths[1:]]), signs, kept)
    assert sum(reached) == widest.objective
    allowed = [
        nonzero for margins, nonzero in feasible if all(m >= r for m, r in zip(margins, reached, strict=True))
    ]
    assert fewest.objective == min(allowed) == sum(np.count_nonzero(layer) for layer in model.weights_)


@pytest.mark.slow
@pytest.mark.parametrize("big_m", ["implications", "point", "paper"])
@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_the_formulations_are_one_model(any_engine, big_m, eps):
    inputs, labels = toy(4, samples=6)
    objectives = [
        [
            stage.objective
            for stage in BeMiClassifier((2,), 60, big_m=big_m, eps=eps, engine=name, random_state=0)
            .fit(inputs, labels)
            .stages_[:2]
        ]
        for name in (any_engine, "highs")
    ]
    reference = BeMiClassifier((2,), 60, random_state=0).fit(inputs, labels)
    assert all(stage.status == "optimal" for stage in reference.stages_)
    assert objectives == [[stage.objective for stage in reference.stages_[:2]]] * 2


@pytest.mark.usefixtures("any_engine")
def test_constant_neurons_can_be_excluded():
    # all ones makes a constant neuron of margin 10; telling the classes apart has at most 6
    inputs = np.array([[9, 1], [8, 2], [9, 2], [1, 9], [2, 8], [2, 9]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    model = BeMiClassifier((3,), 60, constant_neurons=False, random_state=0).fit(inputs, labels)
    hidden = inputs @ model.weights_[0] >= 0
    assert np.all(hidden.any(axis=0) & ~hidden.all(axis=0))
    free = BeMiClassifier((3,), 60, random_state=0).fit(inputs, labels)
    assert free.stages_[1].objective > model.stages_[1].objective


def two_digits(shots, first=4, second=9):
    inputs, labels = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:shots] for digit in (first, second)])
    return inputs[rows], labels[rows]


@pytest.mark.usefixtures("any_engine")
@pytest.mark.slow
def test_the_lp_start_solves_sm_and_carries_time_over():
    inputs, labels = two_digits(3)
    model = BeMiClassifier((4, 4), 4, stages=["SM", "MM"], random_state=0).fit(inputs, labels)
    sm, mm = model.stages_
    assert sm.status == "optimal"
    assert sm.start_objective == sm.objective == sm.kept == 6
    assert sm.first_seconds < 1.0
    assert mm.time_limit == pytest.approx(2 + 2 - sm.seconds, abs=0.1)
    assert mm.objective >= mm.start_objective


@pytest.mark.parametrize("given", ["weights", "fitted", "unfitted"])
@pytest.mark.usefixtures("any_engine")
def test_other_methods_weights_are_a_complete_start(given):
    inputs, labels = two_digits(3)
    neuron = SingleNeuronClassifier("lp_rounding")
    source = {
        "weights": lambda: neuron.fit(inputs, labels).weights_,
        "fitted": lambda: neuron.fit(inputs, labels),
        "unfitted": lambda: neuron,
    }[given]()
    # one neuron's confidence is in units of pixels: 0.25 * (64 + 1)
    model = BeMiClassifier((), 5, warm_start=source, stages=["SM"], random_state=0).fit(inputs, labels)
    assert model.stages_[0].start_objective == model.stages_[0].objective == 6


@pytest.mark.usefixtures("any_engine")
def test_a_start_is_never_lost(monkeypatch):
    """Even an engine that finds nothing leaves the start."""
    inputs, labels = two_digits(3)
    started = BeMiClassifier((4,), 1e-3, stages=["SM"], random_state=0).fit(inputs, labels)
    assert started.stages_[0].objective == 6
    assert started.stages_[0].status in ("feasible", "optimal")


def test_none_found_is_said_clearly(monkeypatch):
    inputs, labels = two_digits(3)
    nothing = Solution("none_found", None, None, None, 0.5)
    monkeypatch.setattr(bemi, "solve", lambda *arguments, **options: nothing)
    with pytest.raises(NoNetworkError, match="cpsat found no network in 10 s; raise time_limit"):
        BeMiClassifier((4,), warm_start=None).fit(inputs, labels)


@pytest.mark.usefixtures("any_engine")
def test_an_interruption_keeps_the_network_and_skips_the_rest(monkeypatch):
    inputs, labels = two_digits(3)
    real = bemi.solve

    def interrupted(*arguments, **options):
        solution = real(*arguments, **options)
        return Solution(**{**vars(solution), "interrupted": True})

    monkeypatch.setattr(bemi, "solve", interrupted)
    model = BeMiClassifier((4,), 5, random_state=0).fit(inputs, labels)
    assert model.interrupted_
    assert len(model.stages_) == 1
    assert model.score(inputs, labels) == 1.0


@pytest.mark.slow
@pytest.mark.usefixtures("any_engine")
@pytest.mark.parametrize("warm_start", [None, pytest.param("lp_rounding", marks=pytest.mark.slow)])
def test_one_thread_finds_the_same_twice(warm_start):
    inputs, labels = two_digits(3)
    models = [
        BeMiClassifier((3,), 60, warm_start=warm_start, work_limit=0.1, random_state=5).fit(inputs, labels)
        for _ in range(2)
    ]
    for first, second in zip(models[0].weights_, models[1].weights_, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
@pytest.mark.usefixtures("any_engine")
def test_weights_are_int8_and_dead_inputs_have_none():
    inputs, labels = two_digits(5)
    model = BeMiClassifier((4, 2), 2, levels=3, random_state=0).fit(inputs, labels)
    assert [layer.shape for layer in model.weights_] == [(64, 4), (4, 2), (2, 1)]
    assert all(layer.dtype == np.int8 and np.abs(layer).max() <= 3 for layer in model.weights_)
    dead = ~inputs.any(axis=0)
    assert dead.any()
    assert not model.weights_[0][dead].any()
    # the decision is that of the weights alone, on pixels
    signal = inputs
    for layer in model.weights_[:-1]:
        signal = np.where(signal @ layer >= 0, 1, -1)
    np.testing.assert_array_equal(model.decision_function(inputs), (signal @ model.weights_[-1])[:, 0])


@pytest.mark.usefixtures("any_engine")
def test_members_of_the_vote():
    from mpnn import PairwiseVoteClassifier

    inputs, labels = load_digits(n_class=3, return_X_y=True)
    rows = np.concatenate([np.flatnonzero(labels == digit)[:4] for digit in range(3)])
    member = BeMiClassifier((2,), 1.5, stages=["SM"])
    ensemble = PairwiseVoteClassifier(member, ties="head_to_head", random_state=0).fit(
        inputs[rows], labels[rows]
    )
    assert ensemble.score(inputs, labels) > 0.8
    assert ensemble.training_errors_.sum() == 0
    assert set(ensemble.links_removed_) == {"all", "live"}
    assert 0 < ensemble.links_removed_["live"] < ensemble.links_removed_["all"] < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": ["MM", "SM"]}, "stages must be"),
        ({"stages": ["SM", "XX"]}, "stages must be"),
        ({"time_limit": [1, 2]}, "one number or one a stage"),
        ({"time_limit": 0.0, "warm_start": None}, "time_limit must be above 0"),
        ({"levels": 0}, "levels must be"),
        ({"levels": 200}, "levels must be"),
        ({"hidden": (0,)}, "every width in hidden must be a whole number of at least 1, got 0"),
        ({"search": "deep"}, "search must be one of"),
        ({"search": "neighbourhoods", "work_limit": 1.0}, "work_limit is for search='whole'"),
        ({"engine": "cplex"}, "engine must be one of"),
        ({"big_m": "huge"}, "big_m must be one of"),
        ({"eps": 0.0}, "eps must be"),
        ({"warm_start": "luck"}, "warm_start must be"),
        ({"warm_start": [np.ones((3, 1))]}, "warm_start must have layers of shapes"),
        ({"input_scaling": "log"}, "input_scaling must be one of"),
        ({"threads": 0}, "threads must be"),
    ],
)
def test_bad_input(options, message):
    inputs, labels = toy(0)
    with pytest.raises(ValueError, match=message):
        BeMiClassifier(**{"hidden": (2,), "time_limit": 1.0, **options}).fit(inputs, labels)


def test_more_than_two_classes_are_refused():
    with pytest.raises(ValueError, match="PairwiseVoteClassifier"):
        BeMiClassifier().fit(np.eye(3), [0, 1, 2])


@pytest.mark.usefixtures("any_engine")
@pytest.mark.slow
def test_scikit_learn_contract():
    check_estimator(
        BeMiClassifier((2,), time_limit=5.0, random_state=0),
        expected_failed_checks={
            "check_classifiers_train": "asks for a bias, which BeMi has not",
        },
        on_skip=None,
    )


@pytest.mark.slow
def test_progress_is_shown_when_asked_for(any_engine, capsys):
    inputs, labels = two_digits(2)
    BeMiClassifier((2,), 1, verbose=True, engine=any_engine, random_state=0).fit(inputs, labels)
    shown = capsys.readouterr().err
    assert all(name in shown for name in ("SM", "MM", "MW"))
    BeMiClassifier((2,), 1, engine=any_engine, random_state=0).fit(inputs, labels)
    assert capsys.readouterr().err == ""
