"""Few-shot draws: balanced, reproducible, and disjoint from what they must not overlap."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mpnn.validation import flag, whole


class ValidationDraw(NamedTuple):
    """A few-shot training draw and a validation set from the remaining images.

    Parameters
    ----------
    x_train : ndarray [classes * per_class, features]
        Training samples, in their own dtype.
    y_train : ndarray [classes * per_class]
        Their labels, sorted by class.
    x_validation : ndarray [num_validation, features]
        Validation samples, in the order drawn.
    y_validation : ndarray [num_validation]
        Their labels.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


def sample_few_shot(
    x: npt.ArrayLike, y: npt.ArrayLike, per_class: int, *, seed: int = 0, at_most: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `per_class` samples of every class at random, without replacement.

    Draws with the same seed are nested: each class of a smaller draw is the beginning of that class in a
    larger one.

    Parameters
    ----------
    x : array-like [n, ...]
        Samples; further axes are flattened.
    y : array-like [n]
        Labels; whole numbers or text.
    per_class : int >= 1
        Samples a class.
    seed : int >= 0, default=0
        Seed of the draw.
    at_most : bool, default=False
        Whether a class with fewer samples gives all that it has, instead of being refused.

    Returns
    -------
    X : ndarray [classes * per_class, features]
        Samples, in x's own dtype.
    y : ndarray [classes * per_class]
        Labels, sorted by class; within a class in the order drawn.

    Raises
    ------
    ValueError
        A class has too few samples, `per_class` is not a whole number from 1, the lengths of x and y
        differ, or a label is missing (NaN).

    Examples
    --------
    >>> from mpnn.data import load_dataset, sample_few_shot
    >>> digits = load_dataset("digits")
    >>> X, y = sample_few_shot(digits.x_train, digits.y_train, per_class=2, seed=0)
    >>> X.shape, y[:6].tolist()
    ((20, 64), [0, 0, 1, 1, 2, 2])
    """
    images, labels = _check_samples(x, y)
    return _take(images, labels, _draw(labels, per_class, seed, at_most))


def sample_consecutive(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    per_class: int,
    *,
    instance: int = 0,
    shots: Sequence[int] = (2, 6, 10),
    num_instances: int = 2,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the training samples of one BeMi instance: consecutive samples of each class, in the order of x.

    Of every class, the instance z of size t takes the samples a .. a + t - 1 of that class, where

        a = num_instances * (sum of the sizes in `shots` below t) + t * z,

    so that no sample is in two instances, of one size or of different sizes. The protocol of Bernardelli et
    al., "Multiobjective Linear Ensembles for Robust and Sparse Training of Few-Bit Neural Networks"
    (INFORMS J. Computing, code 2023.0281). Which samples an instance holds depends on `shots` and
    `num_instances`: keep both fixed within an experiment.

    Parameters
    ----------
    x : array-like [n, ...]
        Samples; further axes are flattened. For MNIST, in the official order.
    y : array-like [n]
        Labels; whole numbers or text.
    per_class : int
        The size t, one of `shots`.
    instance : int, default=0
        The instance z, from 0 to `num_instances` - 1.
    shots : sequence of int, default=(2, 6, 10)
        All sizes of the experiment, each at least 1, all different.
    num_instances : int >= 1, default=2
        Instances of each size.

    Returns
    -------
    X : ndarray [classes * per_class, features]
        Samples, in x's own dtype.
    y : ndarray [classes * per_class]
        Labels, sorted by class; within a class in the order of x.

    Raises
    ------
    ValueError
        As `sample_few_shot`; also where `per_class` is not in `shots` or `instance` is out of range.
    """
    images, labels = _check_samples(x, y)
    if not isinstance(shots, Sequence | np.ndarray) or np.ndim(shots) != 1:
        raise ValueError(f"shots must be a sequence of sizes such as (2, 6, 10), got {shots!r}")
    shots = [whole("each size in shots", size) for size in shots]
    num_instances, per_class = whole("num_instances", num_instances), whole("per_class", per_class)
    if len(set(shots)) != len(shots) or per_class not in shots:
        raise ValueError(f"per_class must be one of the sizes in shots, all different: {per_class}, {shots}")
    if not isinstance(instance, int | np.integer) or instance not in range(num_instances):
        raise ValueError(f"instance must be from 0 to {num_instances - 1}, got {instance}")
    start = num_instances * sum(size for size in shots if size < per_class) + per_class * instance
    chosen = []
    for label, members in _members(labels):
        _check_enough(label, members, start + per_class)
        chosen.append(members[start : start + per_class])
    return _take(images, labels, np.concatenate(chosen))


def validation_draw(
    x: npt.ArrayLike, y: npt.ArrayLike, per_class: int, num_validation: int, seed: int = 0
) -> ValidationDraw:
    """Draw training samples, and others of the same set to choose settings on.

    Settings chosen on these never see a test sample. The training part is `sample_few_shot` with the same
    seed; the validation part is drawn uniformly from all other samples, so its classes are about as
    frequent as in y.

    Parameters
    ----------
    x : array-like [n, ...]
        Samples; further axes are flattened.
    y : array-like [n]
        Labels; whole numbers or text.
    per_class : int >= 1
        Training samples a class.
    num_validation : int >= 1
        Validation samples in all.
    seed : int >= 0, default=0
        Seed of both draws.

    Returns
    -------
    ValidationDraw
        x_train [classes * per_class, features] and y_train, sorted by class; x_validation
        [num_validation, features] and y_validation, in the order drawn.

    Raises
    ------
    ValueError
        As `sample_few_shot`; also where fewer than `num_validation` samples remain.
    """
    images, labels = _check_samples(x, y)
    num_validation = whole("num_validation", num_validation)
    train = _draw(labels, per_class, seed)
    rest = np.setdiff1d(np.arange(len(labels)), train)
    if num_validation > len(rest):
        raise ValueError(
            f"{len(rest)} samples remain for validation, asked for {num_validation}; "
            "lower num_validation or per_class"
        )
    # A stream of its own: the training draw stays that of sample_few_shot.
    validation = np.random.default_rng([seed, 1]).permutation(rest)[:num_validation]
    return ValidationDraw(*_take(images, labels, train), *_take(images, labels, validation))


def _draw(labels: np.ndarray, per_class: int, seed: int, at_most: bool = False) -> np.ndarray:
    """Return the indices [classes * per_class] of a balanced random draw, sorted by class."""
    per_class = whole("per_class", per_class)
    flag("at_most", at_most)
    generator = np.random.default_rng(whole("seed", seed, at_least=0, at_most=None))
    chosen = []
    for label, members in _members(labels):
        if not at_most:
            _check_enough(label, members, per_class)
        chosen.append(generator.permutation(members)[:per_class])
    return np.concatenate(chosen)


def _members(labels: np.ndarray) -> list[tuple[object, np.ndarray]]:
    """Return each class with the indices of its samples, classes sorted, indices ascending."""
    return [(label, np.flatnonzero(labels == label)) for label in np.unique(labels)]


def _take(images: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return images[indices].reshape(len(indices), -1), labels[indices]


def _check_samples(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    for name, given in (("x", x), ("y", y)):
        if isinstance(given, np.ma.MaskedArray) and np.ma.getmaskarray(given).any():
            raise ValueError(f"{name} holds masked values: fill them in or leave these samples out")
    images, labels = np.asarray(x), np.asarray(y)
    if images.ndim < 2 or labels.ndim != 1:
        raise ValueError(f"x must be [n, ...] and y [n], got shapes {images.shape} and {labels.shape}")
    if len(images) != len(labels):
        raise ValueError(f"x has {len(images)} samples, y has {len(labels)} labels")
    if len(labels) == 0:
        raise ValueError("x and y must hold at least one sample, got none")
    missing = [label is None or type(label).__name__ == "NAType" for label in labels.ravel().tolist()]
    if any(missing) or np.any(labels != labels):  # only NaN differs from itself
        raise ValueError("y has missing labels (NaN or None): leave these samples out")
    if labels.dtype == object and len({isinstance(label, str) for label in labels.tolist()}) > 1:
        raise ValueError("y holds text and numbers: write all labels as text or all as numbers")
    return images, labels


def _check_enough(label: object, members: np.ndarray, needed: int) -> None:
    if len(members) < needed:
        raise ValueError(
            f"class {label} has {len(members)} samples, asked for {needed}; "
            "give more samples or ask for fewer a class"
        )
