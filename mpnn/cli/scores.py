"""Accuracy with its interval, beside what needs no network: the majority class and logistic regression."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.cli.models import Decision
from mpnn.cli.sources import Examples
from mpnn.data.cells import counted
from mpnn.metrics import Scores, probability_scores

__all__ = [
    "Accuracy",
    "CrossValidation",
    "Judgement",
    "accuracy_of",
    "cross_validate",
    "judge",
    "logistic_regression",
    "majority_share",
    "same_labels",
]

PartListener = Callable[[int], None]
# Of the normal distribution, for intervals that cover 95 %.
QUANTILE = 1.959963984540054


class Accuracy(NamedTuple):
    """A number of right answers out of all."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """Right answers over all."""
        return self.right / self.total

    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval of the share (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
        z, n, share = QUANTILE, self.total, self.share
        centre = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return max(centre - half, 0.0), min(centre + half, 1.0)

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.share:.1%} (95 % interval {low:.1%} to {high:.1%}, {counted(self.total, 'example')})"


class Judgement(NamedTuple):
    """What a model scores on labelled examples.

    Parameters
    ----------
    accuracy
        Of all examples; those of unknown classes are wrong.
    majority
        Of always answering the class that is most frequent among these examples.
    balanced
        Mean over the classes of these examples of the share that is right.
    scores
        Of the probabilities, on examples of known classes; None where there is none.
    classes
        Of the model, as text.
    confusion
        [C, C + 1]: true class against predicted class; the last column counts examples without a label.
    unknown
        Labels [m] of examples whose class the model does not know.
    """

    accuracy: Accuracy
    majority: Accuracy
    balanced: float
    scores: Scores | None
    classes: list[str]
    confusion: NDArray
    unknown: NDArray


def judge(decision: Decision, classes: NDArray, labels: NDArray) -> Judgement:
    """Compare what a model decided with the true labels [n]; both as text, where only one is text.

    Parameters
    ----------
    decision
        Of the model.
    classes
        Of the model [C], sorted.
    labels
        True ones [n].
    """
    right = same_labels(decision.labels, labels)
    if (classes.dtype.kind in "biuf") != (labels.dtype.kind in "biuf"):
        classes, labels = classes.astype(str), labels.astype(str)
    place = {name: number for number, name in enumerate(classes.tolist())}
    positions = np.array([place.get(label, -1) for label in labels.tolist()])
    known = positions >= 0
    found = np.array(
        [place.get(label, len(place)) for label in decision.labels.astype(classes.dtype).tolist()]
    )
    confusion = np.zeros((len(place), len(place) + 1), dtype=np.int64)
    np.add.at(confusion, (positions[known], found[known]), 1)
    present, of_class = np.unique(labels, return_inverse=True)
    shares = np.bincount(of_class, right) / np.bincount(of_class)
    scores = probability_scores(decision.probabilities[known], positions[known]) if known.any() else None
    return Judgement(
        accuracy=Accuracy(int(right.sum()), len(labels)),
        majority=Accuracy(int(np.bincount(of_class).max()), len(labels)),
        balanced=float(shares.mean()),
        scores=scores,
        classes=[str(name) for name in place],
        confusion=confusion,
        unknown=labels[~known],
    )


class CrossValidation(NamedTuple):
    """Held-out accuracies of all parts together, of the model and of what needs no network."""

    model: Accuracy
    majority: Accuracy
    linear: Accuracy | None


def cross_validate(
    model: Any, examples: Examples, parts: int, seed: int, listener: PartListener
) -> CrossValidation:
    """Hold every example out once, in parts that have the classes in equal shares.

    Parameters
    ----------
    model
        Unfitted; it is cloned.
    examples
        With labels.
    parts
        Their number, at least 2.
    seed
        Of the random parts.
    listener
        Called with the number of each part before it is held out.
    """
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold

    labels = np.asarray(examples.y)
    totals: list[list[Accuracy | None]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer examples than parts
        folds = list(StratifiedKFold(parts, shuffle=True, random_state=seed).split(examples.x, labels))
    for number, (learned, held_out) in enumerate(folds, start=1):
        listener(number)
        train, test = (examples.rows(rows) for rows in (learned, held_out))
        fitted = clone(model).fit(train.x, train.y)
        accuracy = accuracy_of(fitted.predict(test.x), labels[held_out])
        majority = majority_share(labels[learned], labels[held_out])
        totals.append([accuracy, majority, logistic_regression(train, test)])
    return CrossValidation(*(_together(column) for column in zip(*totals, strict=True)))  # type: ignore[arg-type]


def _together(parts: Sequence[Accuracy | None]) -> Accuracy | None:
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    return Accuracy(sum(part.right for part in found), sum(part.total for part in found))


def same_labels(first: NDArray, second: NDArray) -> NDArray[np.bool_]:
    """Compare labels [n]; where only one side is text, as text."""
    if (first.dtype.kind in "biuf") != (second.dtype.kind in "biuf"):
        first, second = first.astype(str), second.astype(str)
    return np.asarray(first == second)


def accuracy_of(predicted: NDArray, labels: NDArray) -> Accuracy:
    """Count the right labels [n]."""
    return Accuracy(int(same_labels(predicted, labels).sum()), len(labels))


def majority_share(train: NDArray, test: NDArray) -> Accuracy:
    """Return the accuracy [n] of always answering the most frequent training label."""
    classes, counts = np.unique(train, return_counts=True)
    return accuracy_of(np.full(len(test), classes[counts.argmax()]), test)


def logistic_regression(train: Examples, test: Examples) -> Accuracy | None:
    """Return the test accuracy of logistic regression on coded columns, None if it fails."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model = _pipeline(train, LogisticRegression(max_iter=300)).fit(train.x, train.y)
            return accuracy_of(model.predict(test.x), np.asarray(test.y))
        except ValueError:
            return None


def _pipeline(train: Examples, model: Any) -> Any:
    """Return the model behind imputed, standardized numbers and one bit a category."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    kinds = [] if train.table is None else list(train.table.kinds.values())
    words = [place for place, kind in enumerate(kinds) if kind == "category"]
    numbers = [place for place in range(train.x.shape[1]) if place not in set(words)]
    parts: list[Any] = []
    if numbers:
        as_float = FunctionTransformer(_as_float)
        imputer = SimpleImputer(keep_empty_features=True)
        parts.append(("numbers", make_pipeline(as_float, imputer, StandardScaler()), numbers))
    if words:
        one_hot = OneHotEncoder(handle_unknown="ignore", max_categories=50)
        parts.append(("words", make_pipeline(FunctionTransformer(_as_text), one_hot), words))
    return make_pipeline(ColumnTransformer(parts), model)


def _as_float(x: NDArray) -> NDArray:
    return np.asarray(x, dtype=np.float64)


def _as_text(x: NDArray) -> NDArray:
    texts = ["" if value is None else str(value) for value in x.ravel()]
    return np.array(texts, dtype=object).reshape(x.shape)
