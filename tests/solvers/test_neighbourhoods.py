"""Neighbourhood search against whole solves; restricted programs against the same with variables fixed."""

import copy

import numpy as np
import pytest

from mpnn.solvers.bemi_models import Problem, least_margins, margin_program, satisfiability_program
from mpnn.solvers.bemi_pruning import pruned, sparse_neurons
from mpnn.solvers.bemi_starts import one_neuron_decides
from mpnn.solvers.engines import Limits, solve
from mpnn.solvers.engines.restriction import Restrictable
from mpnn.solvers.formulation import Weights, forward
from mpnn.solvers.linear_start import copied_neuron, rounded_neuron
from mpnn.solvers.neighbourhoods import Moments, search_neighbourhoods
from mpnn.solvers.thorbjarnarson_models import Loss, LossProgram


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    inputs = rng.integers(0, 9, (6, 3))
    signs = np.where(inputs[:, 0] + inputs[:, 1] > 2 * inputs[:, 2], 1, -1)
    return Problem(inputs, signs, (3, 2, 2, 1), 1, 1.0, "implications", True, 3)


@pytest.fixture(scope="module")
def start(problem):
    return copied_neuron(rounded_neuron(problem.inputs, problem.signs, 1), problem.widths, 1)


def test_a_restricted_program_is_the_whole_one_with_variables_fixed(engine, problem, start):
    program = margin_program(problem)
    values = program.complete(start)
    assert program.model.accepts(values)
    rng = np.random.default_rng(0)
    arrays = Restrictable(program.model)
    for share in (0.3, 0.6):
        free = rng.random(len(values)) < share
        small = arrays.restrict(values, free)
        fixed = copy.deepcopy(program.model)
        fixed.fix(np.flatnonzero(~free), values[~free])
        expected = solve(fixed, Limits(60), engine=engine)
        found = solve(small.model, Limits(60), engine=engine)
        whole = small.into(values, found.values)
        assert program.model.accepts(whole)
        assert program.model.value(whole) == expected.objective


@pytest.mark.parametrize("beliefs", [True, False])
def test_the_search_ends_at_the_optimum(any_engine, problem, start, beliefs):
    doubts = [Moments(layer * 0.5, np.full(layer.shape, 0.2)) for layer in start.layers]
    program = margin_program(problem)
    optimum = solve(program.model, Limits(60), engine=any_engine)
    found = search_neighbourhoods(
        program.model,
        program.network,
        program.complete(start),
        Limits(60),
        beliefs=doubts if beliefs else None,
        engine=any_engine,
    )
    assert found.status == "optimal"
    assert found.objective == optimum.objective == found.bound
    assert program.model.accepts(found.values)
    objectives = [incumbent.objective for incumbent in found.incumbents]
    assert objectives == sorted(set(objectives))


@pytest.mark.usefixtures("any_engine")
def test_another_program_with_biases():
    inputs, codes = np.array([[4, 0], [5, 1], [0, 4], [1, 6], [6, 1]]), np.array([0, 0, 1, 1, 1])
    program = LossProgram(Loss("sat_margin", 1, 0.0), inputs, codes, (2, 1, 2), 1)
    best = solve(program.model, Limits(60))
    nothing = Weights((np.zeros((2, 1), int), np.zeros((1, 2), int)), (np.zeros(1, int), np.zeros(2, int)), 1)
    first = program.complete(nothing)
    found = search_neighbourhoods(program.model, program.network, first, Limits(60))
    assert program.model.value(first) > best.objective
    assert (found.status, found.objective) == ("optimal", best.objective)


@pytest.mark.usefixtures("any_engine")
def test_what_no_bound_allows_to_improve_is_not_searched(problem, start):
    program = satisfiability_program(problem)
    found = search_neighbourhoods(program.model, program.network, program.complete(start), Limits(60))
    assert found.status == "optimal"
    assert found.objective == len(problem.signs)
    assert len(found.incumbents) == 1


def test_a_start_must_be_a_solution(problem):
    program = margin_program(problem)
    with pytest.raises(ValueError, match="start must be a solution"):
        search_neighbourhoods(
            program.model, program.network, np.zeros(program.model.num_variables) - 2.0, Limits(1)
        )


@pytest.mark.parametrize("widened", [True, False])
def test_pruning_keeps_labels_and_margins_and_no_weight_too_many(widened):
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 9, (6, 12))
    weights = Weights(tuple(rng.integers(-1, 2, shape) for shape in ((12, 3), (3, 2), (2, 1))))
    signs = np.where(forward(inputs, weights)[-1][:, 0] >= 0, 1, -1)
    problem = Problem(inputs, signs, (12, 3, 2, 1), 1, 1.0, "implications", True, 12)
    margins = least_margins(problem, weights)
    if not widened:
        margins = [np.zeros_like(layer) for layer in margins]
    program = margin_program(problem, margins)
    left = pruned(problem, weights, margins)
    assert program.model.accepts(program.complete(left))
    fewest = program.model.value(program.complete(left))
    assert fewest < sum(np.count_nonzero(layer) for layer in weights.layers)
    again = pruned(problem, left, margins)
    assert program.model.value(program.complete(again)) == fewest


@pytest.mark.usefixtures("any_engine")
def test_one_sparse_neuron_is_the_fewest_weights_of_a_toy(problem):
    margins = [np.zeros(width) for width in problem.widths[1:]]
    program = margin_program(problem, margins)
    optimum = solve(program.model, Limits(60))
    found = [program.complete(net) for net in sparse_neurons(problem, Limits(20), "cpsat")]
    assert all(program.model.accepts(values) for values in found)
    assert min(program.model.value(values) for values in found) == optimum.objective


def test_one_neuron_decides(problem, start):
    neurons = [net for net in one_neuron_decides(start, problem.widths, 1)]
    assert len(neurons) == 1  # all neurons of the start are the same
    alone = np.where(problem.inputs @ start.layers[0][:, 0] >= 0, 1, -1)
    np.testing.assert_array_equal(np.sign(forward(problem.inputs, neurons[0])[-1][:, 0]), alone)
    program = margin_program(problem)
    assert program.model.accepts(program.complete(neurons[0]))


@pytest.mark.usefixtures("any_engine")
def test_beliefs_come_with_the_warm_start():
    """The moments of live inputs; a classifier without beliefs leaves all weights as doubtful."""
    from mpnn import MessagePassingClassifier
    from mpnn.solvers.warm_starts import given_moments

    rng = np.random.default_rng(0)
    inputs, labels = rng.integers(0, 9, (12, 5)), np.arange(12) % 2
    source = MessagePassingClassifier((), bias=True, input_scaling="max_abs", random_state=0)
    source.fit(inputs, labels)
    live = np.array([True, False, True, True, True])
    (moments,) = given_moments(source, live)
    assert moments.mean.shape == moments.variance.shape == (4, 1)
    np.testing.assert_array_equal(moments.mean, np.asarray(source.state_.layers[0].mean)[:5][live])
    assert given_moments([np.ones((5, 1))], live) is None


@pytest.mark.usefixtures("any_engine")
@pytest.mark.parametrize("hidden", [(), (2,)])
def test_bemi_reaches_by_neighbourhoods_what_whole_programs_prove(hidden):
    from mpnn.solvers import BeMiClassifier

    rng = np.random.default_rng(5)
    labels = np.arange(6) % 2
    # separable, so that SM keeps the same samples: all
    inputs = rng.integers(0, 5, (6, 4)) + np.outer(labels, [8, 8, 0, 0]) + np.outer(1 - labels, [0, 0, 8, 8])
    whole, parts = (
        BeMiClassifier(hidden, 30, stages=["SM", "MM"], search=search, random_state=0).fit(inputs, labels)
        for search in ("whole", "neighbourhoods")
    )
    assert [stage.status for stage in whole.stages_] == ["optimal"] * 2
    assert [stage.objective for stage in parts.stages_] == [stage.objective for stage in whole.stages_]
