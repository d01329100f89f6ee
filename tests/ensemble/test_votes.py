"""The vote against votes counted by hand: ties, the seven statuses, coupled probabilities."""

import numpy as np
import pytest

from mpnn.ensemble.votes import (
    LABEL_STATUSES,
    all_pairs,
    count_votes,
    couple,
    label_status,
    resolve_ties,
)

PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
# Winners of the pairs, written as class numbers, and what follows from them.
CASES = [
    # winners of 01 02 03 12 13 23, votes, label
    ([0, 0, 0, 1, 1, 2], [3, 2, 1, 0], 0),
    ([0, 0, 3, 1, 1, 3], [2, 2, 0, 2], -1),
    ([1, 0, 0, 1, 3, 2], [2, 2, 1, 1], 1),
    ([0, 2, 0, 1, 1, 2], [2, 2, 2, 0], -1),
    ([0, 2, 3, 2, 3, 3], [1, 0, 2, 3], 3),
    ([0, 0, 3, 1, 3, 2], [2, 1, 1, 2], 3),
]


def decisions():
    winners = np.array([case[0] for case in CASES])
    return winners == np.array([first for first, _ in PAIRS])


def test_pairs_are_in_lexicographic_order():
    assert all_pairs(4) == PAIRS
    assert all_pairs(2) == [(0, 1)]


def test_votes_are_counted():
    np.testing.assert_array_equal(count_votes(decisions(), PAIRS, 4), [case[1] for case in CASES])


def test_ties_of_two_go_to_their_own_pair_and_larger_ones_to_nobody():
    winners = resolve_ties(np.array([case[1] for case in CASES]), decisions(), PAIRS)
    np.testing.assert_array_equal(winners, [case[2] for case in CASES])


@pytest.mark.parametrize(
    ("case", "true_class", "status"),
    [
        (0, 0, "unique_right"),
        (2, 1, "two_way_right"),
        (2, 0, "two_way_wrong_other_right"),
        (1, 3, "many_way_with_right"),
        (1, 2, "many_way_without_right"),
        (2, 3, "two_way_both_wrong"),
        (0, 2, "unique_wrong"),
        (0, -1, "unique_wrong"),
        (1, -1, "many_way_without_right"),
        (2, -1, "two_way_both_wrong"),
    ],
)
def test_each_of_the_seven_statuses(case, true_class, status):
    _, votes, winner = CASES[case]
    counts = label_status(np.array([votes]), np.array([winner]), np.array([true_class]))
    assert tuple(counts) == LABEL_STATUSES
    assert counts == {name: int(name == status) for name in LABEL_STATUSES}


def test_two_classes_cannot_tie():
    votes = count_votes(np.array([[True], [False]]), [(0, 1)], 2)
    np.testing.assert_array_equal(votes, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(resolve_ties(votes, np.array([[True], [False]]), [(0, 1)]), [0, 1])


def test_consistent_pair_probabilities_give_their_classes_back():
    truth = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    pairs = np.stack([truth[:, i] / (truth[:, i] + truth[:, j]) for i, j in all_pairs(3)], axis=1)
    np.testing.assert_allclose(couple(pairs, all_pairs(3), 3), truth, atol=1e-12)


def test_coupling_of_three_classes_by_hand():
    """r01 = 0.8, r02 = 0.5, r12 = 0.25, which contradict each other: p_i ~ 1 / (1/r_ij + 1/r_ik - 1)."""
    by_hand = np.array([1 / (1.25 + 2 - 1), 1 / (5 + 4 - 1), 1 / (2 + 1 / 0.75 - 1)])
    found = couple(np.array([[0.8, 0.5, 0.25]]), all_pairs(3), 3)
    np.testing.assert_allclose(found[0], by_hand / by_hand.sum(), atol=1e-12)


def test_certain_pairs_stay_finite():
    found = couple(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), all_pairs(3), 3)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found[0].argmax() == 0
    assert found.min() > 0
