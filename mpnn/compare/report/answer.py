"""What a comparison found on a data set, in a sentence."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from mpnn.compare.report.series import (
    Series,
    is_few_bit,
    list_series,
    list_shots,
    listed,
    mean_over_shots,
    model_bytes,
    overall_differences,
    summarize,
)
from mpnn.runs.rows import Row

__all__ = ["Answer", "find_answer"]


class Answer(NamedTuple):
    """The sentence, and what it is about.

    Parameters
    ----------
    sentence : str
        The best methods, by how much they differ and how sure that is.
    basis : str
        What the numbers are means of.
    """

    sentence: str
    basis: str


def find_answer(rows: Sequence[Row], dataset: str) -> Answer | None:
    """Compare the best few-bit network with the best real-weight classifier; of one kind, the two best.

    Only lines that have every number of shots take part. None where there is none.

    Parameters
    ----------
    rows : sequence of Row
        Rows of the fitted models.
    dataset : str
        Name of the data set.
    """
    shots = list_shots(rows, dataset)
    means = {
        series.label: (fmean(found.values()), series)
        for series in list_series(rows, dataset)
        if (found := mean_over_shots(series, shots))
    }
    ordered = [series for _, series in sorted(means.values(), key=lambda pair: -pair[0])]
    if not ordered:
        return None

    def score(series: Series) -> str:
        return f"{100 * means[series.label][0]:.1f} %"

    few_bit = [series for series in ordered if is_few_bit(series)]
    real = [series for series in ordered if is_few_bit(series) is False]
    first, *others = ordered
    if few_bit and real:
        ours, theirs = few_bit[0], real[0]
        text = (
            f"the best few-bit network, {_sized(ours, shots)}, gets {score(ours)} of the test examples "
            f"right, the best classifier with real weights, {_sized(theirs, shots)}, {score(theirs)}: "
            f"{_verdict(ours, theirs)}{_fewer(ours, theirs, max(shots))}"
        )
    elif others:
        text = (
            f"{_sized(first, shots)} gets most of the test examples right, {score(first)}; next comes "
            f"{_sized(others[0], shots)} with {score(others[0])}: {_verdict(first, others[0])}"
        )
    else:
        text = f"{_sized(first, shots)} gets {score(first)} of the test examples right"
    draws = len(mean_over_shots(first, shots))
    of_them = "one random draw" if draws == 1 else f"{draws} random draws"
    basis = f"Means over {listed(shots)} training examples per class, {of_them} of them"
    return Answer(f"On {dataset}, {text}.", basis)


def _verdict(ours: Series, theirs: Series) -> str:
    """Say whether the first is ahead of the second, behind it, or neither as far as the draws tell."""
    difference = summarize(overall_differences(ours, theirs))
    assert difference is not None  # both have every number of shots
    mean, half = difference.mean, difference.half_width
    if half is None:
        return f"a difference of {_signed(mean)} points, of one draw"
    interval = f"{_signed(mean - half)} to {_signed(mean + half)}"
    if abs(mean) <= half:
        return f"no difference that the draws can tell ({_signed(mean)} points, 95 % interval {interval})"
    word = "ahead" if mean > 0 else "behind"
    return f"{abs(mean):.1f} points {word} (95 % interval {interval})"


def _fewer(ours: Series, theirs: Series, shots: int) -> str:
    """Say how the bytes compare, if they differ by half or more."""
    own, other = model_bytes(ours, shots), model_bytes(theirs, shots)
    if own is None or other is None:
        return ""
    ratio = max(own, other) / min(own, other)
    word = "fewer" if own < other else "more"
    times = f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"
    return f", with {times} times {word} bytes" if ratio >= 1.5 else ""


def _signed(value: float) -> str:
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def _sized(series: Series, shots: Sequence[int]) -> str:
    size = model_bytes(series, max(shots))
    return series.label if size is None else f"{series.label} in {size:,.0f} bytes"
