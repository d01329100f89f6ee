"""Accuracy with its interval, beside what needs no network: the majority class and logistic regression."""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.cli.sources import Examples

__all__ = ["Accuracy", "accuracy_of", "logistic_regression", "majority_share", "same_labels"]

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
        return f"{self.share:.1%} (95 % interval {low:.1%} to {high:.1%}, {self.total} examples)"


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
