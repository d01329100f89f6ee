import itertools

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, rankdata, wilcoxon

from mpnn.compare.report.significance import Ranking, critical_difference, holm, rank_methods, signed_rank_p


def make_rows(name, accuracies, *, shots=2, dataset="digits"):
    """One row a draw; None is a failed fit."""
    rows = []
    for draw, accuracy in enumerate(accuracies):
        row = {"name": name, "dataset": dataset, "shots": shots, "draw": draw, "error": None}
        score = {"scores": {"predict": {"accuracy": accuracy}}} if accuracy is not None else {"error": "no"}
        rows.append(row | score)
    return rows


@pytest.mark.parametrize("size", [2, 5, 12, 20])
def test_signed_ranks_are_those_of_scipy_without_ties(size):
    differences = np.random.default_rng(size).normal(0.5, 1.0, size)
    assert signed_rank_p(differences) == pytest.approx(wilcoxon(differences, method="exact").pvalue)


def test_signed_ranks_with_ties_are_counted():
    differences = [0.1, 0.1, -0.1, 0.3, 0.3, 0.4, 0.0, -0.2]
    moved = np.array([value for value in differences if value])
    ranks = rankdata(abs(moved))
    observed = min(ranks[moved > 0].sum(), ranks[moved < 0].sum())
    sums = [ranks[list(signs)].sum() for signs in itertools.product([False, True], repeat=len(moved))]
    assert signed_rank_p(differences) == pytest.approx(2 * np.mean(np.array(sums) <= observed))
    assert signed_rank_p([0.1 + 0.2, 0.3, -0.3]) == signed_rank_p([3.0, 3.0, -3.0])


def test_signed_ranks_at_the_ends():
    assert signed_rank_p([0.5]) is None
    assert signed_rank_p([0.0, 0.0]) == 1.0
    assert signed_rank_p([1.0] * 5) == 2 / 2**5
    assert signed_rank_p([1.0, -1.0]) == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2, 0.9]) == pytest.approx([0.4, 0.9])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


# Demsar (2006), table 5a: q of Nemenyi's test at 5%
@pytest.mark.parametrize(("count", "quantile"), [(2, 1.960), (3, 2.343), (4, 2.569), (10, 3.164)])
def test_critical_values_are_those_of_the_table(count, quantile):
    expected = quantile * np.sqrt(count * (count + 1) / (6 * 14))
    assert critical_difference(count, 14) == pytest.approx(expected, abs=1e-3)


def test_methods_are_ranked_in_each_block():
    accuracies = np.random.default_rng(0).normal([0.5, 0.9, 0.7], 0.05, (6, 3))
    rows = [row for name, column in zip("abc", accuracies.T, strict=True) for row in make_rows(name, column)]
    ranking = rank_methods(rows)
    assert ranking.labels == ("b", "c", "a")
    assert ranking.ranks == (1.0, 2.0, 3.0)
    assert ranking.num_blocks == 6
    assert ranking.p_value == pytest.approx(friedmanchisquare(*accuracies.T).pvalue)
    assert ranking.left_out == ()


def test_failed_fits_come_last_and_missing_rows_are_no_block():
    rows = make_rows("a", [0.9, None, 0.9]) + make_rows("b", [0.8, 0.8, 0.8]) + make_rows("c", [0.7, 0.7])
    ranking = rank_methods(rows)
    assert dict(zip(ranking.labels, ranking.ranks, strict=True)) == {"a": 2.0, "b": 1.5, "c": 2.5}
    assert ranking.num_blocks == 2


def test_methods_that_do_not_run_everywhere_are_left_out():
    rows = [row for name in "abc" for shots in (2, 4) for row in make_rows(name, [0.5, 0.6], shots=shots)]
    ranking = rank_methods(rows + make_rows("slow", [0.9, 0.9]))
    assert ranking.left_out == ("slow",)
    assert ranking.ranks == (2.0, 2.0, 2.0)
    assert ranking.num_blocks == 4
    assert ranking.p_value == 1.0


def test_methods_with_fewer_draws_cost_no_blocks():
    rows = [row for name in "abc" for row in make_rows(name, [0.5, 0.6, 0.7])] + make_rows("slow", [0.9])
    ranking = rank_methods(rows, {"slow"})
    assert ranking.left_out == ("slow",)
    assert ranking.num_blocks == 3


def test_too_little_is_not_ranked():
    assert rank_methods(make_rows("a", [0.5, 0.6]) + make_rows("b", [0.5, 0.6])) is None
    assert rank_methods([row for name in "abc" for row in make_rows(name, [0.5])]) is None
    assert rank_methods(make_rows("a", [None, None])) is None


def test_groups_are_the_longest_runs():
    def groups(*ranks):
        return Ranking(("",) * len(ranks), ("",) * len(ranks), ranks, 9, 0.0, 1.0, ()).groups

    assert groups(1.0, 1.5, 2.2, 4.0) == [(0, 1), (1, 2)]
    assert groups(1.0, 1.2, 1.4) == [(0, 2)]
    assert groups(1.0, 3.0) == []
