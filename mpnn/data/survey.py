"""One pass over rows that do not fit into memory: how many of each class there are, and a sample of them.

The sample holds the rows with the smallest of random numbers, one a row, which depend on the seed and on the
row's place alone. So a sample of all parts is that of the samples of some parts each, whoever read them and
in whichever order, and it is the table itself where that is no larger. A library's quantile sketch was not
taken: those of Apache DataSketches draw numbers of their own that no seed fixes, and a code of columns needs
more than quantiles (distinct values, categories, the scale of all columns together). With 32,768 rows no
quantile is off by more than 1.1 % of the rows, in 999 of 1,000 columns (Dvoretzky, Kiefer and Wolfowitz).
By the same numbers some rows of every class may be kept besides, of classes that are rare in the sample.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mpnn.data.errors import DataError
from mpnn.data.formats import UNREADABLE

__all__ = ["Survey", "merged", "survey_from_bytes", "surveyed"]

# Fields of a survey that are arrays as they are, and those that are whole numbers.
_ARRAYS = ("classes", "class_counts", "labels", "keys", "places")
_NUMBERS = ("sample_rows", "rows_of_class")


class Survey(NamedTuple):
    """What one pass found.

    Parameters
    ----------
    counts : dict from int to int
        Rows of every part.
    classes : ndarray [C]
        All labels, sorted.
    class_counts : int ndarray [C]
        Rows of every class.
    features : ndarray [k, F]
        The sample, and the rows of classes that are kept besides, in the order of the rows.
    labels : ndarray [k]
        Their labels.
    keys : float ndarray [k]
        The random numbers of the rows.
    places : int ndarray [k, 2]
        Part and row of each.
    sample_rows : int >= 1
        Rows that a sample has where there are more.
    rows_of_class : int >= 0, default=0
        Rows of every class that are kept, where there are as many.
    """

    counts: dict[int, int]
    classes: NDArray
    class_counts: NDArray
    features: NDArray
    labels: NDArray
    keys: NDArray
    places: NDArray
    sample_rows: int
    rows_of_class: int = 0

    @property
    def num_rows(self) -> int:
        """Rows of all parts."""
        return sum(self.counts.values())

    @property
    def sample(self) -> NDArray:
        """Which of the rows that are kept are the sample, sorted."""
        return _first(self.labels, self.keys, self.sample_rows, 0)

    def first_of_classes(self, count: int) -> NDArray:
        """Return which of the rows that are kept are the first of every class, at random, sorted.

        Parameters
        ----------
        count : int from 1 to rows_of_class
            Rows of each class; all of a class that has no more.
        """
        return _first(self.labels, self.keys, 0, count)

    def counts_without(self, rows: NDArray) -> dict[int, int]:
        """Return the rows of every part but for some of those that are kept.

        Parameters
        ----------
        rows : int ndarray
            Which of them.
        """
        parts, left_out = np.unique(self.places[rows, 0], return_counts=True)
        without = dict(zip(parts.tolist(), left_out.tolist(), strict=True))
        return {part: count - without.get(part, 0) for part, count in self.counts.items()}

    def to_bytes(self) -> bytes:
        """Return an npz file, which :func:`survey_from_bytes` reads; nothing is pickled."""
        arrays = {field: getattr(self, field) for field in _ARRAYS}
        arrays["counts"] = np.array(list(self.counts.items()))
        arrays |= {field: np.array(getattr(self, field)) for field in _NUMBERS}
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


def surveyed(
    parts: Iterable[tuple[int, _Rows]], sample_rows: int, seed: int, rows_of_class: int = 0
) -> Survey:
    """Survey parts.

    Parameters
    ----------
    parts : iterable of (int, Part)
        Number and rows of each.
    sample_rows : int >= 1
        Rows of the sample.
    seed : int >= 0
        Of the sample.
    rows_of_class : int >= 0, default=0
        Rows of every class that are kept besides, at most.
    """
    found: Survey | None = None
    waiting: list[Survey] = []
    kept = sample_rows, rows_of_class
    for index, part in parts:
        labels = part.labels
        keys = np.random.default_rng([seed, index]).random(len(labels))
        if found is None:
            chosen = _first(labels, keys, *kept)
        else:  # only rows that will stay become an array of features
            both = np.concatenate([found.labels, labels]), np.concatenate([found.keys, keys])
            chosen = _first(*both, *kept) - len(found.labels)
            chosen = chosen[chosen >= 0]
        places = np.stack([np.full(len(chosen), index), chosen], axis=1)
        sample = part.features(chosen), labels[chosen], keys[chosen], places
        classes = np.unique(labels, return_counts=True)
        waiting.append(Survey({index: len(labels)}, *classes, *sample, *kept))
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
    classes, numbers = np.unique(np.concatenate([survey.classes for survey in surveys]), return_inverse=True)
    class_counts = np.zeros(len(classes), int)
    np.add.at(class_counts, numbers, np.concatenate([survey.class_counts for survey in surveys]))
    features, labels, keys, places = (
        np.concatenate([getattr(survey, field) for survey in surveys])
        for field in ("features", "labels", "keys", "places")
    )
    kept = surveys[0].sample_rows, surveys[0].rows_of_class
    chosen = _first(labels, keys, *kept)
    chosen = chosen[np.lexsort(places[chosen].T[::-1])]
    sample = features[chosen], labels[chosen], keys[chosen], places[chosen]
    return Survey(dict(sorted(counts.items())), classes, class_counts, *sample, *kept)


def _first(labels: NDArray, keys: NDArray, sample_rows: int, rows_of_class: int) -> NDArray:
    """Rows with the smallest keys: so many of all, and so many of every class; sorted."""
    order = np.argsort(keys, kind="stable")
    chosen = [order[:sample_rows]]
    if rows_of_class:
        ordered = labels[order]
        chosen += [order[ordered == label][:rows_of_class] for label in np.unique(labels)]
    return np.unique(np.concatenate(chosen))


def survey_from_bytes(content: bytes) -> Survey:
    """Return what :meth:`Survey.to_bytes` wrote.

    Parameters
    ----------
    content : bytes
        The file's content.

    Raises
    ------
    DataError
        It is no whole survey.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return _survey_of(dict(stored))
    except (KeyError, IndexError, TypeError, *UNREADABLE) as error:
        raise DataError(f"this is no whole survey of rows: {error}") from error


def _survey_of(arrays: dict[str, NDArray]) -> Survey:
    """Of the arrays of a file."""
    if "features" not in arrays:
        features, is_text = arrays["numbers"].astype(object), arrays["is_text"]
        features[:, is_text.any(axis=0)] = None  # a missing word, in columns of words
        features[is_text] = arrays["texts"][is_text].tolist()
        arrays["features"] = features
    counts = {int(part): int(count) for part, count in arrays["counts"]}
    fields: dict[str, Any] = {name: arrays[name] for name in ("features", *_ARRAYS)}
    fields |= {name: int(arrays[name]) for name in _NUMBERS}
    return Survey(counts=counts, **fields)
