"""One pass over rows that do not fit into memory: how many there are, their labels, and a sample of them.

The sample holds the rows with the smallest of random numbers, one a row, which depend on the seed and on the
row's place alone. So a sample of all parts is that of the samples of some parts each, whoever read them and
in whichever order, and it is the table itself where that is no larger. A library's quantile sketch was not
taken: those of Apache DataSketches draw numbers of their own that no seed fixes, and a code of columns needs
more than quantiles (distinct values, categories, the scale of all columns together). With 32,768 rows no
quantile is off by more than 1.1 % of the rows, in 999 of 1,000 columns (Dvoretzky, Kiefer and Wolfowitz).
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mpnn.data.errors import DataError

__all__ = ["Survey", "merged", "survey_from_bytes", "surveyed"]


class Survey(NamedTuple):
    """What one pass found.

    Parameters
    ----------
    counts : dict from int to int
        Rows of every part.
    classes : ndarray [C]
        All labels, sorted.
    features : ndarray [k, F]
        The sample, in the order of the rows.
    labels : ndarray [k]
        Its labels.
    keys : float ndarray [k]
        The random numbers of its rows.
    places : int ndarray [k, 2]
        Part and row of each.
    sample_rows : int >= 1
        Rows that a sample has where there are more.
    """

    counts: dict[int, int]
    classes: NDArray
    features: NDArray
    labels: NDArray
    keys: NDArray
    places: NDArray
    sample_rows: int

    @property
    def num_rows(self) -> int:
        """Rows of all parts."""
        return sum(self.counts.values())

    def to_bytes(self) -> bytes:
        """Return an npz file, which :func:`survey_from_bytes` reads; nothing is pickled."""
        arrays = {field: getattr(self, field) for field in ("classes", "labels", "keys", "places")}
        arrays["counts"] = np.array(list(self.counts.items()))
        arrays["sample_rows"] = np.array(self.sample_rows)
        if self.features.dtype == object:
            cells = self.features
            is_text = np.frompyfunc(lambda cell: isinstance(cell, str), 1, 1)(cells).astype(bool)
            arrays["is_text"] = is_text
            arrays["numbers"] = np.where(is_text, np.nan, cells).astype(np.float64)  # None, too, becomes NaN
            arrays["texts"] = np.where(is_text, cells, "").astype(str)
        else:
            arrays["features"] = self.features
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()


class _Rows(Protocol):
    """A part of the table."""

    @property
    def labels(self) -> NDArray: ...

    def features(self, rows: Any = ...) -> NDArray: ...


def surveyed(parts: Iterable[tuple[int, _Rows]], sample_rows: int, seed: int) -> Survey:
    """Survey parts.

    Parameters
    ----------
    parts : iterable of (int, Part)
        Number and rows of each.
    sample_rows : int >= 1
        Rows of the sample.
    seed : int >= 0
        Of the sample.
    """
    found: Survey | None = None
    waiting: list[Survey] = []
    for index, part in parts:
        labels = part.labels
        keys = np.random.default_rng([seed, index]).random(len(labels))
        chosen = np.sort(np.argsort(keys, kind="stable")[:sample_rows])
        if found is not None and len(found.keys) == sample_rows:  # no row above the largest will stay
            chosen = chosen[keys[chosen] < found.keys.max()]
        places = np.stack([np.full(len(chosen), index), chosen], axis=1)
        sample = part.features(chosen), labels[chosen], keys[chosen], places
        waiting.append(Survey({index: len(labels)}, np.unique(labels), *sample, sample_rows))
        if sum(len(own.keys) for own in waiting) >= sample_rows:
            found = merged([found, *waiting] if found is not None else waiting)
            waiting = []
    surveys = waiting if found is None else [found, *waiting]
    if not surveys:
        raise ValueError("a survey needs at least one part, got none")
    return merged(surveys)


def merged(surveys: Sequence[Survey]) -> Survey:
    """Return the survey of all parts from those of some each.

    Parameters
    ----------
    surveys : sequence of Survey
        Of different parts, with one size of the sample and one seed.
    """
    counts: dict[int, int] = {}
    for survey in surveys:
        counts |= survey.counts
    if len({survey.classes.dtype.kind in "US" for survey in surveys}) > 1:
        raise DataError("labels are text in some files and numbers in others; write them alike")
    classes = np.unique(np.concatenate([survey.classes for survey in surveys]))
    features, labels, keys, places = (
        np.concatenate([survey[field] for survey in surveys]) for field in range(2, 6)
    )
    chosen = np.argsort(keys, kind="stable")[: surveys[0].sample_rows]
    chosen = chosen[np.lexsort(places[chosen].T[::-1])]
    sample = features[chosen], labels[chosen], keys[chosen], places[chosen]
    return Survey(dict(sorted(counts.items())), classes, *sample, surveys[0].sample_rows)


def survey_from_bytes(content: bytes) -> Survey:
    """Return what :meth:`Survey.to_bytes` wrote.

    Parameters
    ----------
    content : bytes
        The file's content.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = dict(stored)
    if "features" not in arrays:
        features, is_text = arrays["numbers"].astype(object), arrays["is_text"]
        features[:, is_text.any(axis=0)] = None  # a missing word, in columns of words
        features[is_text] = arrays["texts"][is_text].tolist()
        arrays["features"] = features
    counts = {int(part): int(count) for part, count in arrays["counts"]}
    fields = {name: arrays[name] for name in ("classes", "features", "labels", "keys", "places")}
    return Survey(counts=counts, sample_rows=int(arrays["sample_rows"]), **fields)
