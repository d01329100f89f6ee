"""From rows to numbers: means over draws, intervals, and the lines of tables and plots."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, median, stdev
from typing import NamedTuple

from mpnn.runs.rows import Row

__all__ = [
    "Series",
    "Summary",
    "is_few_bit",
    "list_series",
    "list_shots",
    "listed",
    "mean_over_shots",
    "model_bytes",
    "overall_differences",
    "paired_differences",
    "removed_share",
    "summarize",
    "with_intervals",
]

# Integer weights with more bits than this are no longer called few-bit.
MOST_BITS = 16

# A plain name is the prediction of the discrete weights.
_PREDICTION_WORDS = {"bayes": "Bayes", "all_good": "all good"}


class Summary(NamedTuple):
    """Mean and standard deviation over draws, with half the width of the 95% interval of the mean."""

    mean: float
    deviation: float | None
    half_width: float | None
    num_draws: int


def with_intervals(lines: Iterable["Series"], words: str) -> str:
    """Return these words about intervals, or that of a single draw there are none.

    Parameters
    ----------
    lines : iterable of Series
        What a table or a figure shows.
    words : str
        What it says of intervals where there are several draws.
    """
    several = any(len(rows) > 1 for series in lines for rows in series.rows.values())
    return words if several else "of a single draw, hence without intervals"


class Series(NamedTuple):
    """One line of tables and plots: a prediction of a method on a data set, its rows by shots."""

    label: str
    name: str
    prediction: str
    dataset: str
    rows: dict[int, list[Row]]

    def summary(self, shots: int, field: str = "accuracy") -> Summary | None:
        """Summarize a score over the draws; None where no row has it."""
        return summarize(self.values(shots, field))

    def values(self, shots: int, field: str = "accuracy") -> list[float]:
        """Return a score of each draw that has it."""
        values = [row["scores"][self.prediction].get(field) for row in self.rows.get(shots, [])]
        return [value for value in values if value is not None]

    def train_seconds(self, shots: int, field: str = "train_seconds") -> float | None:
        """Return the median training time of warm fits; of the cold ones if there are no others.

        The field "train_cpu_seconds" is the processor's time; rows of older versions have none.
        """
        rows = [row for row in self.rows.get(shots, []) if field in row]
        warm = [row[field] for row in rows if not row["cold"]]
        return median(warm or [row[field] for row in rows]) if rows else None

    def compile_seconds(self, shots: int) -> float | None:
        """Return how much longer cold fits took than warm ones, in the median; None without both."""
        rows = self.rows.get(shots, [])
        cold, warm = (
            [row["train_seconds"] for row in rows if row["cold"] == which] for which in (True, False)
        )
        return max(median(cold) - median(warm), 0.0) if cold and warm else None

    def most(self, shots: int, read: Callable[[Row], float | None]) -> float | None:
        """Return the largest of what `read` finds in the draws; None where it finds nothing."""
        return max(
            (value for row in self.rows.get(shots, []) if (value := read(row)) is not None), default=None
        )

    def median_fact(self, shots: int, read: Callable[[Row], float | None]) -> float | None:
        """Return the median over draws of what `read` finds in a row; None where it finds nothing."""
        values = [value for row in self.rows.get(shots, []) if (value := read(row)) is not None]
        return median(values) if values else None


def summarize(values: Sequence[float]) -> Summary | None:
    """Return mean, standard deviation (n - 1) and half of Student's 95% interval; None of no values."""
    if not values:
        return None
    if len(values) == 1:
        return Summary(values[0], None, None, 1)
    from scipy.stats import t

    deviation = stdev(values)
    quantile = float(t.ppf(0.975, len(values) - 1))
    return Summary(fmean(values), deviation, quantile * deviation / math.sqrt(len(values)), len(values))


def list_series(rows: Iterable[Row], dataset: str) -> list[Series]:
    """Group the rows of a data set by method and prediction, in their order."""
    found: dict[tuple[str, str], Series] = {}
    for row in rows:
        for prediction in row.get("scores", {}) if row["dataset"] == dataset else ():
            key = (row["name"], prediction)
            if key not in found:
                word = _PREDICTION_WORDS.get(prediction)
                label = f"{row['name']} ({word})" if word else row["name"]
                found[key] = Series(label, row["name"], prediction, dataset, {})
            found[key].rows.setdefault(row["shots"], []).append(row)
    return list(found.values())


def paired_differences(series: Series, reference: Series, shots: int) -> list[float]:
    """Return accuracy minus the reference's, in points, of each draw that both have."""
    ours, theirs = (
        {row["draw"]: row["scores"][line.prediction]["accuracy"] for row in line.rows.get(shots, [])}
        for line in (series, reference)
    )
    return [100 * (ours[draw] - theirs[draw]) for draw in sorted(ours.keys() & theirs.keys())]


def mean_over_shots(series: Series, shots: Iterable[int]) -> dict[int, float]:
    """Return the mean accuracy over these numbers of shots, of each draw that has them all."""
    found = [
        {row["draw"]: row["scores"][series.prediction]["accuracy"] for row in series.rows.get(count, [])}
        for count in shots
    ]
    draws = set.intersection(*map(set, found)) if found else set()
    return {draw: fmean(accuracies[draw] for accuracies in found) for draw in sorted(draws)}


def overall_differences(series: Series, reference: Series) -> list[float]:
    """Return accuracy minus the reference's, in points, averaged over the shots of both, of each draw."""
    shots = series.rows.keys() & reference.rows.keys()
    ours, theirs = mean_over_shots(series, shots), mean_over_shots(reference, shots)
    return [100 * (ours[draw] - theirs[draw]) for draw in ours if draw in theirs]


def removed_share(row: Row) -> float | None:
    """Return the weights of a row's model that are 0, in % of all; None if that is not known."""
    removed = row.get("links_removed") or {}
    return 100 * removed["all"] if "all" in removed else None


def is_few_bit(series: Series) -> bool | None:
    """Whether a prediction comes from few-bit weights; None where a row does not say, and of beliefs."""
    if series.prediction == "bayes":
        return None
    bits = series.median_fact(max(series.rows), lambda row: row.get("weight_bits"))
    return None if bits is None else bits <= MOST_BITS


def model_bytes(series: Series, shots: int) -> float | None:
    """Return the bytes of a model: of few-bit networks those of the packed file, if it was written.

    Of others, those of the numbers that prediction needs. None of beliefs, which no file of weights holds.
    """
    few_bit = is_few_bit(series)
    if few_bit is None:
        return None
    return series.median_fact(shots, lambda row: row.get("packed_bytes" if few_bit else "model_bytes"))


def listed(shots: Sequence[int]) -> str:
    """Return numbers as people write them: 2, 5 and 10."""
    *first, last = map(str, shots)
    return f"{', '.join(first)} and {last}" if first else last


def list_shots(rows: Iterable[Row], dataset: str) -> list[int]:
    """Return the numbers of shots that a data set has rows for."""
    return sorted({row["shots"] for row in rows if row["dataset"] == dataset})
