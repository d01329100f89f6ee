"""One small binary classifier per pair of classes, and a majority vote."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.classifiers.base import check_several, known_class_numbers, read_table_and_labels
from mpnn.classifiers.images import as_rows, checked_shape
from mpnn.classifiers.labels import plain_labels
from mpnn.classifiers.linear_view import LinearView, importances_of
from mpnn.classifiers.weights import only_present, read_weights
from mpnn.ensemble import votes as voting
from mpnn.ensemble.members import (
    Problem,
    balanced_problems,
    fit_members,
    pair_problems,
    pair_weights,
    partial_fit_members,
)
from mpnn.ensemble.prediction import PairwisePrediction
from mpnn.message_passing.classifier.defaults import FULL_BATCH_LIMIT
from mpnn.message_passing.classifier.estimator import MessagePassingClassifier
from mpnn.preprocessing.precision import with_known_floats
from mpnn.programs.forks import in_fresh_process
from mpnn.validation import random_source, require_different_names

__all__ = ["PairwiseVoteClassifier"]

# 19,900 pairs. In memory a member of 100 classes took 25 kB; a link has two moments, a field and a message.
MOST_CLASSES, BYTES_OF_A_MEMBER, BYTES_OF_A_LINK = 200, 25_000, 16


def _members_have(name: str) -> Callable[["PairwiseVoteClassifier"], bool]:
    """Whether the member has a method."""
    return lambda vote: hasattr(vote._template(), name)


class PairwiseVoteClassifier(PairwisePrediction):
    """Majority vote of one binary classifier per pair of classes.

    Any binary classifier can be the member; members that can fit many problems at once (such as
    :class:`MessagePassingClassifier`) are trained as one compiled program. In the pair (i, j), i < j in
    sorted order, a member's positive class is i, so that a sign network's ``sign(0) = +1`` votes for i.

    Parameters
    ----------
    estimator : classifier or None, default=None
        The member; None for ``MessagePassingClassifier()``. Its ``prediction``, where it has one, may be
        changed after fitting: ``set_params(estimator__prediction="bayes")``.
    ties : str, default="confidence"
        ``"confidence"``: among the classes with most votes, the largest coupled probability wins; every
        sample gets a label. ``"head_to_head"``: a tie of two goes to that pair's member, and samples with
        three or more tied classes stay unlabelled (BeMi's rule).
    vote : str, default="hard"
        ``"hard"`` counts decisions, ``"soft"`` couples pair probabilities to class probabilities. May be
        changed after fitting.
    pairs_per_batch : int >= 1 or None, default=None
        Most pairs that are trained side by side, which bounds the memory; None: all.
    unlabelled : label or None, default=None
        Label of samples that the head-to-head rule leaves unlabelled; must not be a class. None: -1 with
        numeric classes (or one less than the smallest, if that is negative), else ``"unlabelled"``.
    class_weight : ``"balanced"``, dict or None, default=None
        How often the samples of a class count, with members that take weights: a dict from labels to numbers
        above 0, or ``"balanced"``: the two classes of each pair count as much as the rarer one (of more
        than 2,000 samples, as for :class:`MessagePassingClassifier`).
    warm_start : bool, default=False
        Whether another ``fit`` goes on from the present members, which need this parameter, too; the classes
        must be the same.
    random_state : int, RandomState or None, default=None
        Seeds the members that take a random state; None: NumPy's global state.

    Attributes
    ----------
    classes_ : ndarray [C]
        Labels, sorted.
    pairs_ : list of pairs of int
        Class numbers (i, j) in the order of ``estimators_``.
    estimators_ : list of classifier
        Fitted members; their classes are False (j) and True (i).
    image_shape_ : triple of int or None
        Height, width and channels of the training images; None: inputs were rows.
    training_errors_ : int ndarray [P]
        Training samples of its pair (of the last call) that each member classifies wrongly.

    Examples
    --------
    >>> from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
    >>> from mpnn.data import load_dataset, sample_few_shot
    >>> digits = load_dataset("digits")
    >>> X, y = sample_few_shot(digits.x_train, digits.y_train, per_class=10, seed=0)
    >>> ensemble = PairwiseVoteClassifier(MessagePassingClassifier(random_state=0)).fit(X, y)
    >>> len(ensemble.estimators_), ensemble.estimators_[0].weights_[0].dtype
    (45, dtype('int8'))
    >>> bool(ensemble.score(digits.x_test.reshape(-1, 64), digits.y_test) > 0.85)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        ties: str = "confidence",
        *,
        vote: str = "hard",
        pairs_per_batch: int | None = None,
        unlabelled: Any = None,
        class_weight: str | Mapping[Any, float] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.ties = ties
        self.vote = vote
        self.pairs_per_batch = pairs_per_batch
        self.unlabelled = unlabelled
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state

    @in_fresh_process
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> "PairwiseVoteClassifier":
        """Train a member for every pair of the labels in ``y``.

        Parameters
        ----------
        X : array-like [n, features], table, or images
            Inputs; a table may hold text and missing values. Images ``[n, height, width]`` or ``[n, height,
            width, channels]`` become rows where no layer reads them; later ones must have their shape.
        y : array-like [n]
            Labels of any type.
        sample_weight : array-like [n] or None, default=None
            How often each sample counts, at least 0, with members that take weights; None: once.
        """
        goes_on = self.warm_start and hasattr(self, "estimators_")
        inputs, labels, weights = self._training_inputs(X, y, sample_weight, reset=not goes_on)
        check_classification_targets(labels)
        if goes_on:
            codes = known_class_numbers(labels, self.classes_)
        else:
            self.classes_, codes = np.unique(labels, return_inverse=True)
        problems, counts = self._begin(codes, weights, goes_on)
        fit_members(self.estimators_, inputs, problems, counts, self.pairs_per_batch)
        return self._with_training_errors(inputs, problems)

    @available_if(_members_have("partial_fit"))
    @in_fresh_process
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> "PairwiseVoteClassifier":
        """Train on one portion of the samples, from what members have learned before; they need it, too.

        Parameters
        ----------
        X : array-like [n, features] or table
            Inputs of the portion.
        y : array-like [n]
            Their labels; classes may be missing.
        classes : array-like [C], default=None
            All labels that any portion will have; needed in the first call.
        sample_weight : array-like [n] or None, default=None
            As in :meth:`fit`.
        """
        goes_on = hasattr(self, "estimators_")
        _check_partial_fit_first_call(self, classes)
        check_several(self.classes_)
        inputs, labels, weights = self._training_inputs(X, y, sample_weight, reset=not goes_on)
        check_classification_targets(labels)
        codes = known_class_numbers(labels, self.classes_)
        problems, counts = self._begin(codes, weights, goes_on)
        partial_fit_members(self.estimators_, inputs, problems, counts, self.pairs_per_batch)
        return self._with_training_errors(inputs, problems)

    def _begin(
        self, codes: NDArray, weights: NDArray | None, goes_on: bool
    ) -> tuple[list[Problem], list[NDArray] | None]:
        """Check the parameters, make pairs and members, or keep them; each pair's problem, how rows count."""
        self._check_options()
        if len(self.classes_) < 2:
            raise ValueError(
                f"PairwiseVoteClassifier needs at least two classes, got one class: {self.classes_.item(0)!r}"
            )
        self._refuse_too_many()
        self._unlabelled_label()
        self.pairs_ = voting.all_pairs(len(self.classes_))
        if not goes_on:
            self.estimators_ = self._unfitted_members(len(self.pairs_))
        problems = pair_problems(codes, self.pairs_)
        if self.class_weight == "balanced" and self._trains_in_one_batch:
            problems = balanced_problems(problems, weights, FULL_BATCH_LIMIT)
        return problems, pair_weights(problems, self.class_weight, self.classes_, codes, weights)

    def _refuse_too_many(self) -> None:
        """Pairs grow as the square of the classes: beyond some hundred, one network for all is better."""
        count = len(self.classes_)
        if count > MOST_CLASSES:
            pairs = count * (count - 1) // 2
            gibibytes = pairs * (BYTES_OF_A_MEMBER + self.n_features_in_ * BYTES_OF_A_LINK) / 2**30
            raise ValueError(
                f"{count} classes make {pairs:,} pairs, whose networks take some {gibibytes:.0f} GiB, and "
                f"{MOST_CLASSES} is the limit: take MessagePassingClassifier, one network for all classes"
            )

    def _with_training_errors(self, inputs: NDArray, problems: list[Problem]) -> "PairwiseVoteClassifier":
        first_wins = self._wins(self._validated(inputs) if self._reads_tables else inputs)
        self.training_errors_ = np.array(
            [np.sum(first_wins[rows, p] != is_first) for p, (rows, is_first) in enumerate(problems)]
        )
        return self

    @property
    def links_removed_(self) -> dict[str, float]:
        """Shares of zero weights: of ``all`` links, and of the ``live`` ones.

        A live link comes from a hidden unit, or from an input that was ever non-zero in its pair's training.
        """
        check_is_fitted(self)
        zeros = links = live_zeros = live_links = 0
        for member in self.estimators_:
            for index, layer in enumerate(member.weights_):
                live = layer[member.input_transform_.live] if index == 0 else layer
                zeros, links = zeros + int(np.sum(layer == 0)), links + layer.size
                live_zeros, live_links = live_zeros + int(np.sum(live == 0)), live_links + live.size
        return {"all": zeros / links, "live": live_zeros / live_links}

    @property
    def feature_importances_(self) -> NDArray:
        """Shares of the columns in the sum of ``|coef_|`` of all members ``[F]``, without hidden units."""
        check_is_fitted(self)
        if not isinstance(self.estimators_[0], LinearView):
            raise AttributeError(
                "feature_importances_ needs members of this library, got "
                f"{type(self.estimators_[0]).__name__}: see their own coefficients in estimators_"
            )
        return importances_of(self.estimators_)

    def _unfitted_members(self, count: int) -> list[Any]:
        template = self._template()
        blank = clone(template)
        members = [blank, *(copy.deepcopy(blank) for _ in range(count - 1))]  # cloning reads signatures anew
        parameters = template.get_params(deep=False)
        takes_seed = "random_state" in parameters
        if self.warm_start:
            if "warm_start" not in parameters:
                raise ValueError(f"warm_start=True needs members with it, got {type(template).__name__}")
            for member in members:
                member.warm_start = True
        if self.image_shape_ is not None and "image_shape" in parameters:
            self._tell_image_shape(members, parameters["image_shape"])
        given = self.random_state
        if given is None and takes_seed:
            given = template.random_state
        if takes_seed and given is not None:
            seeds = random_source("random_state", given).randint(np.iinfo(np.int32).max, size=count)
            for member, seed in zip(members, seeds, strict=True):
                member.random_state = int(seed)
        return members

    def _tell_image_shape(self, members: list[Any], given: Any) -> None:
        """Members are given images as rows: those that read images need their shape."""
        if given is None:
            for member in members:
                member.image_shape = self.image_shape_
        elif checked_shape(given) != self.image_shape_:
            raise ValueError(f"images must be of the shape {checked_shape(given)}, got {self.image_shape_}")

    def _training_inputs(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, reset: bool
    ) -> tuple[Any, NDArray, NDArray | None]:
        """Samples of weight above 0 as arrays; where members read tables, inputs as they are."""
        X, shape = as_rows(with_known_floats(X), None if reset else self.image_shape_)
        if reset:
            self.image_shape_ = shape
        if self._reads_tables:
            inputs, labels = read_table_and_labels(self, X, y, reset=reset)
        else:
            require_different_names(X)
            inputs, labels = validate_data(self, X, plain_labels(y), reset=reset)
        return only_present(inputs, labels, read_weights(sample_weight, labels))

    @property
    def _trains_in_one_batch(self) -> bool:
        """Whether the member trains on all samples at once where there are few."""
        member = self._template()
        return isinstance(member, MessagePassingClassifier) and member.batch_size == "auto"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self._reads_tables:
            tags.input_tags.allow_nan = tags.input_tags.string = True
            tags.input_tags.categorical = tags.input_tags.sparse = True
        return tags
