"""How often training samples count: weights of samples and of classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "balanced_draw",
    "balanced_share",
    "check_class_weight",
    "class_weights",
    "count_little",
    "only_present",
    "read_weights",
    "weights_of_classes",
]


def read_weights(sample_weight: ArrayLike | None, labels: NDArray) -> NDArray | None:
    """Weights of samples as given to an estimator, float64 ``[n]``; None where every sample counts once.

    Parameters
    ----------
    sample_weight : array-like [n], number or None
        At least 0 and finite, one above 0.
    labels : ndarray [n]
        Labels of the samples.

    Raises
    ------
    ValueError
        For other weights.
    """
    if sample_weight is None:
        return None
    weights = _check_sample_weight(sample_weight, labels, dtype=np.float64, ensure_non_negative=True)
    if not np.any(weights > 0):
        raise ValueError("sample_weight is 0 for all samples: at least one must be above 0")
    return None if np.all(weights == 1.0) else weights


def only_present(X: Any, labels: NDArray, weights: NDArray | None) -> tuple[Any, NDArray, NDArray | None]:
    """Samples whose weight is above 0; a weight of 0 is absence.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix [n, features]
        Inputs.
    labels : ndarray [n]
        Labels.
    weights : ndarray [n] or None
        Weights; None: all 1.
    """
    if weights is None or np.all(weights > 0):
        return X, labels, weights
    present = np.flatnonzero(weights)
    return _safe_indexing(X, present), labels[present], weights[present]


def balanced_draw(codes: NDArray, weights: NDArray | None, most: int) -> NDArray:
    """Rows to train on where all classes are to count as much as a rare one: at most ``most``, sorted.

    All rows, unless there are more and the classes are to count less together. Then each of the frequent
    classes is represented by as many rows drawn at random: many rows that count little each say hardly more.

    Parameters
    ----------
    codes : int ndarray [n]
        Class numbers.
    weights : ndarray [n] or None
        How often rows count; None: once.
    most : int >= 1
        Rows that are trained on in one batch.

    Returns
    -------
    rows : int ndarray
        The same for the same labels and weights.
    """
    counts, totals = np.bincount(codes), np.bincount(codes, weights)
    if not count_little(counts, totals, most):
        return np.arange(len(codes))
    share = balanced_share(counts, most)
    order = np.random.default_rng(0).permutation(len(codes))
    present = np.flatnonzero(counts)
    return np.sort(np.concatenate([order[codes[order] == code][:share] for code in present]))


def count_little(counts: NDArray, totals: NDArray, most: int) -> bool:
    """Tell whether more rows than ``most`` count less than that, if all classes count as much as the rarest.

    Parameters
    ----------
    counts : int ndarray [C]
        Rows of the classes.
    totals : ndarray [C]
        How often they count together.
    most : int >= 1
        Rows that are trained on in one batch.
    """
    present = counts > 0
    return bool(counts.sum() > most and present.sum() * totals[present].min() <= most)


def balanced_share(counts: NDArray, most: int) -> int:
    """Rows of each class at most, so that all classes have no more than ``most``: at least 1.

    Parameters
    ----------
    counts : int ndarray [C]
        Rows of the classes.
    most : int >= 1
        Rows of all.
    """
    shares = np.arange(1, most + 1)
    allowed = np.minimum(counts[:, None], shares).sum(axis=0) <= most
    return int(shares[allowed].max(initial=1))


def class_weights(
    class_weight: str | Mapping[Any, float] | None,
    classes: NDArray,
    codes: NDArray,
    weights: NDArray | None,
) -> NDArray | None:
    """Weights of samples times those of their classes, float32 ``[n]``; None where every sample counts once.

    Parameters
    ----------
    class_weight : "balanced", dict from labels to numbers, or None
        As of :func:`weights_of_classes`.
    classes : ndarray [C]
        Labels, sorted.
    codes : int ndarray [n]
        Class numbers of the samples.
    weights : ndarray [n] or None
        Weights of the samples; None: all 1.
    """
    if class_weight is None:
        return None if weights is None else weights.astype(np.float32)
    weights = np.ones(len(codes)) if weights is None else weights
    own = weights_of_classes(class_weight, classes, np.bincount(codes, weights, len(classes)))
    return (weights * own[codes]).astype(np.float32)


def weights_of_classes(class_weight: str | Mapping[Any, float], classes: NDArray, totals: NDArray) -> NDArray:
    """How often a sample of each class counts, float64 ``[C]``.

    Parameters
    ----------
    class_weight : "balanced" or dict from labels to numbers
        ``"balanced"``: all classes count as much as the rarest, a sample ``n_rarest / n_c``: never more than
        once, which would make the beliefs about a few samples too certain. Of a dict, labels that it does not
        name have weight 1.
    classes : ndarray [C]
        Labels, sorted.
    totals : ndarray [C]
        How often their samples count together, without these weights; 0: the class is absent.

    Raises
    ------
    ValueError
        For another class_weight, weights that are not above 0, and labels that are none of the classes.
    """
    check_class_weight(class_weight)
    if isinstance(class_weight, Mapping):
        return _named(class_weight, classes)
    return totals[totals > 0].min() / np.where(totals > 0, totals, 1.0)


def check_class_weight(class_weight: object) -> None:
    """Refuse what is neither ``"balanced"``, nor a dict, nor None.

    Parameters
    ----------
    class_weight : object
        As given.
    """
    balanced = isinstance(class_weight, str) and class_weight == "balanced"
    if not (balanced or class_weight is None or isinstance(class_weight, Mapping)):
        raise ValueError(f"class_weight must be 'balanced', a dict or None, got {class_weight!r}")


def _named(class_weight: Mapping[Any, float], classes: NDArray) -> NDArray:
    """Weights ``[C]`` of a dict."""
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown:
        raise ValueError(f"class_weight names {unknown[0]!r}, which is none of the classes {labels}")
    own = np.array([class_weight.get(label, 1.0) for label in labels], np.float64)
    if not np.all((own > 0) & np.isfinite(own)):
        raise ValueError(f"class_weight must be above 0 and finite, got {dict(class_weight)}")
    return own
