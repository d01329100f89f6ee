"""Tests over draws: Wilcoxon's on paired differences, Holm's correction, Friedman's on ranks.

After Demsar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7.
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.report.series import Series, list_series
from mpnn.runs.rows import Row

__all__ = ["LEVEL", "Ranking", "critical_difference", "holm", "p_text", "rank_methods", "signed_rank_p"]

LEVEL = 0.05


class Ranking(NamedTuple):
    """Average ranks of methods, best first, over blocks in which all of them ran (1 is the best rank).

    Parameters
    ----------
    names : tuple of str
        Keys of the methods, best first.
    labels : tuple of str
        What tables call them.
    ranks : tuple of float
        Average ranks; 1 is the best.
    num_blocks : int
        Blocks in which all of them ran.
    p_value : float in [0, 1]
        Of Friedman's test.
    critical_difference : float
        Least significant difference of ranks.
    left_out : tuple of str
        Methods that did not run in all blocks.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    ranks: tuple[float, ...]
    num_blocks: int
    p_value: float
    critical_difference: float
    left_out: tuple[str, ...]

    @property
    def groups(self) -> list[tuple[int, int]]:
        """The longest runs (first, last) of at least two methods that do not differ."""
        runs: list[tuple[int, int]] = []
        for first, rank in enumerate(self.ranks):
            last = max(
                place for place, other in enumerate(self.ranks) if other - rank < self.critical_difference
            )
            if last > first and (not runs or last > runs[-1][1]):
                runs.append((first, last))
        return runs


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """Return the exact two-sided p-value of Wilcoxon's signed-rank test; None of fewer than two draws.

    Differences of 0 are left out; 1 if nothing else is left. Accuracies are often tied, which
    no table of the statistic knows and the normal approximation needs many draws for; so the distribution is
    counted: under the null hypothesis each rank has either sign with probability 1/2.

    Parameters
    ----------
    differences : sequence of float
        Paired differences, one a draw.
    """
    if len(differences) < 2:
        return None
    from scipy.stats import rankdata

    # the last digits of accuracies' differences would break ties
    moved = np.round(differences, 9)
    moved = moved[moved != 0]
    halves = np.rint(2 * rankdata(np.abs(moved))).astype(int)  # tied ranks are whole halves
    chances = np.zeros(halves.sum() + 1)
    chances[0] = 1.0
    for rank in halves:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[:-rank]
        chances = (chances + shifted) / 2
    positive = halves[moved > 0].sum()
    smaller = min(positive, halves.sum() - positive)
    return float(min(2 * chances[: smaller + 1].sum(), 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in their order (Holm 1979, step-down).

    Parameters
    ----------
    p_values : sequence of float
        p-values.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def p_text(p_value: float) -> str:
    """Return a p-value for people.

    Parameters
    ----------
    p_value : float
        p-value.
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def critical_difference(num_methods: int, num_blocks: int) -> float:
    """Return the least difference of average ranks that Nemenyi's test calls significant at 5%.

    Parameters
    ----------
    num_methods : int >= 2
        Number of methods.
    num_blocks : int >= 2
        Number of blocks.
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - LEVEL, num_methods, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(num_methods * (num_methods + 1) / (6 * num_blocks))


def rank_methods(rows: Sequence[Row], fewer_draws: Collection[str] = ()) -> Ranking | None:
    """Rank every prediction of every method in each block of data set, shots and draw.

    Methods that the config keeps from some data sets or shots are left out, and those named in `fewer_draws`.
    A failed fit has the last rank. None with fewer than three methods or two blocks.

    Parameters
    ----------
    rows : sequence of Row
        Rows of the fitted models.
    fewer_draws : collection of str, default=()
        Names of methods with fewer draws.
    """
    scores, names, labels, left_out = _complete_scores(rows, fewer_draws)
    if scores.shape[0] < 2 or scores.shape[1] < 3:
        return None
    from scipy.stats import friedmanchisquare, rankdata

    ranks = rankdata(-scores, axis=1)
    means = ranks.mean(axis=0)
    all_tied = bool((ranks == ranks[0, 0]).all())  # where the statistic is 0 / 0
    order = np.argsort(means, kind="stable")
    return Ranking(
        tuple(names[place] for place in order),
        tuple(labels[place] for place in order),
        tuple(means[order].tolist()),
        len(scores),
        1.0 if all_tied else float(friedmanchisquare(*ranks.T).pvalue),
        critical_difference(len(labels), len(scores)),
        left_out,
    )


def _complete_scores(
    rows: Sequence[Row], fewer_draws: Collection[str]
) -> tuple[NDArray, list[str], list[str], tuple[str, ...]]:
    """Return accuracies [blocks, lines], -inf where a fit failed; names and labels; what is left out."""
    lines: dict[str, list[Series]] = {}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for series in list_series(rows, dataset):
            lines.setdefault(series.label, []).append(series)
    attempts = {label: _attempts(rows, group[0].name) for label, group in lines.items()}
    cells = {(row["dataset"], row["shots"]) for row in rows}
    labels = [
        label
        for label, group in lines.items()
        if {block[:2] for block in attempts[label]} == cells and group[0].name not in fewer_draws
    ]
    left_out = tuple(label for label in lines if label not in labels)
    if not labels:
        return np.empty((0, 0)), [], [], left_out
    blocks = sorted(set.intersection(*(attempts[label] for label in labels)))
    found = [_accuracies(lines[label]) for label in labels]
    scores = np.asarray([[one.get(block, -math.inf) for one in found] for block in blocks])
    return scores, [lines[label][0].name for label in labels], labels, left_out


def _attempts(rows: Sequence[Row], name: str) -> set[tuple[str, int, int]]:
    return {(row["dataset"], row["shots"], row["draw"]) for row in rows if row["name"] == name}


def _accuracies(lines: Sequence[Series]) -> dict[tuple[str, int, int], float]:
    return {
        (series.dataset, shots, row["draw"]): row["scores"][series.prediction]["accuracy"]
        for series in lines
        for shots, group in series.rows.items()
        for row in group
    }
