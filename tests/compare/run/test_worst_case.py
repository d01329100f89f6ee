"""Bounds under the worst change against all changes of small boxes of whole pixels."""

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.compare.config import Robustness
from mpnn.compare.methods.contract import Task
from mpnn.compare.methods.scikit_learn import PairwiseLogisticRegression
from mpnn.compare.run.decisions import Decisions, Network, decisions_of
from mpnn.compare.run.robustness import move
from mpnn.compare.run.worst_case import worst_case
from mpnn.ensemble.votes import count_votes, resolve_ties
from tests.marks import mostly_slow


def all_right(predict, box, codes):
    """Share of samples that are right at every point of a grid over their box, corners included."""
    low, high = box
    grid = np.array(list(itertools.product(np.linspace(0, 1, 5), repeat=low.shape[1])))
    right = [np.all(predict(a + grid * (b - a)) == code) for a, b, code in zip(low, high, codes, strict=True)]
    return np.mean(right)


def problem(classes, seed=0, features=3):
    rng = np.random.default_rng(seed)
    codes = np.arange(40) % classes
    inputs = 4.0 * np.eye(features)[codes % features] + rng.uniform(0, 5, (40, features))
    return inputs, codes


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_decisions_are_exact(classes):
    inputs, codes = problem(classes)
    scaler = FunctionTransformer(lambda x: x / 9.0)
    model = make_pipeline(scaler, LogisticRegression()).fit(inputs, codes)
    box = inputs - 0.7, inputs + 0.7
    bounds = worst_case(decisions_of(model, classes), model.predict, inputs, codes, *box)
    assert bounds.certified == bounds.attacked == all_right(model.predict, box, codes)
    assert bounds.certified < model.score(inputs, codes)


@pytest.mark.parametrize("one_vs_one", [PairwiseLogisticRegression(), SVC(kernel="linear")])
def test_votes_of_real_weights_are_bounded_whatever_breaks_their_ties(one_vs_one):
    inputs, codes = problem(3, seed=4)
    model = make_pipeline(FunctionTransformer(lambda x: x / 9.0), one_vs_one).fit(inputs, codes)
    decisions = decisions_of(model, 3)
    assert not decisions.head_to_head
    assert len(decisions.networks) == 3
    box = inputs - 0.7, inputs + 0.7
    bounds = worst_case(decisions, model.predict, inputs, codes, *box)
    assert 0 < bounds.certified <= all_right(model.predict, box, codes) <= bounds.attacked
    assert bounds.attacked < model.score(inputs, codes)


def test_certified_votes_hold_for_every_change_of_whole_pixels():
    """Ties and samples without a label among them, against all 3^4 changes of four pixels."""
    rng = np.random.default_rng(0)
    pairs = list(itertools.combinations(range(4), 2))
    networks = [Network([rng.integers(-1, 2, (4, 1)).astype(float)], [np.zeros(1)], *pair) for pair in pairs]
    decisions = Decisions(lambda x: np.asarray(x, float), networks, None, head_to_head=True)

    def predict(rows):
        first = np.stack([rows @ network.layers[0][:, 0] >= 0 for network in networks], axis=1)
        labels = resolve_ties(count_votes(first, pairs, 4), first, pairs)
        return np.where(labels < 0, 4, labels)

    inputs = rng.integers(-6, 7, (300, 4)).astype(float)
    codes = np.minimum(predict(inputs), 3)
    assert (predict(inputs) == 4).any()
    bounds = worst_case(decisions, predict, inputs, codes, inputs - 1, inputs + 1)
    changes = np.array(list(itertools.product((-1, 0, 1), repeat=4)))
    right = [np.all(predict(row + changes) == code) for row, code in zip(inputs, codes, strict=True)]
    assert 0 < bounds.certified <= np.mean(right) <= bounds.attacked < 1
    for row in range(len(inputs)):  # each certificate, not only their number
        one = inputs[row : row + 1]
        if worst_case(decisions, predict, one, codes[row : row + 1], one - 1, one + 1).certified:
            assert right[row]


@pytest.mark.parametrize("scaling", ["max_abs", "root"])
@mostly_slow("classes", [2, 3])
def test_single_layers_and_their_vote(classes, scaling):
    inputs, codes = problem(classes, seed=1)
    member = MessagePassingClassifier((), input_scaling=scaling, random_state=0)
    model = PairwiseVoteClassifier(member, ties="head_to_head").fit(inputs, codes)
    box = np.maximum(inputs - 0.9, 0), inputs + 0.9
    bounds = worst_case(decisions_of(model, classes), model.predict, inputs, codes, *box)
    exact = all_right(model.predict, box, codes)
    assert bounds.certified <= exact <= bounds.attacked
    if classes == 2:
        assert bounds.certified == bounds.attacked
    assert bounds.attacked < model.score(inputs, codes)


def test_hidden_units_by_linear_programs():
    rng = np.random.default_rng(2)
    layers = [rng.choice([-1.0, 1.0], (3, 3)), np.array([[1.0], [1.0], [-1.0]])]
    network = Network(layers, [np.array([0.5, -0.3, 0.2]), np.array([0.5])], 1, 0)
    decisions = Decisions(lambda x: np.asarray(x, float), [network], None)

    def predict(rows):
        signs = np.where(rows @ layers[0] + network.biases[0] >= 0, 1.0, -1.0)
        return (signs @ layers[1] + 0.5 >= 0)[:, 0].astype(int)

    inputs = rng.uniform(-1, 1, (60, 3))
    codes = predict(inputs)
    for size in (0.05, 0.2):
        box = inputs - size, inputs + size
        bounds = worst_case(decisions, predict, inputs, codes, *box)
        assert bounds.certified == bounds.attacked <= all_right(predict, box, codes)
        assert 0 < bounds.certified < 1


def test_what_is_described_wrongly_has_no_bounds():
    network = Network([np.ones((2, 1))], [np.zeros(1)], 1, 0)
    decisions = Decisions(lambda x: x, [network], None)
    inputs = np.ones((5, 2))
    assert (
        worst_case(decisions, lambda x: np.zeros(len(x), int), inputs, np.zeros(5, int), inputs, inputs)
        is None
    )
    assert decisions_of(object(), 2) is None


def test_images_move_by_one_pixel():
    image = np.zeros((3, 3), np.uint8)
    image[1, 1] = 7
    task = Task(np.zeros((1, 9)), np.zeros(1), np.tile(image.ravel(), (400, 1)), np.zeros(400), (3, 3), 255.0)
    places = np.bincount(move(task, 1).argmax(axis=1), minlength=9)
    assert places[4] == 0
    assert (np.delete(places, 4) > 20).all()
    assert not move(task, 2).any()


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="at least one of noise, flips, moves, worst"):
        Robustness()
    with pytest.raises(ValueError, match="moves must be at least 1, got 0"):
        Robustness(moves=(0,))


def test_rows_without_new_disturbances_keep_their_keys():
    from mpnn.compare.config import MethodConfig
    from mpnn.compare.run.jobs import Job

    def key(**kinds):
        return Job(
            MethodConfig("a", "bemi"), "digits", 2, 0, 0, None, robustness=Robustness((0.1,), **kinds)
        ).key

    assert key() == "306860ddfa45fc8d"
    assert len({key(), key(moves=(1,)), key(worst=(1,))}) == 3
