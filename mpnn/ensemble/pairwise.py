"""One small binary classifier per pair of classes, and a majority vote."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.classifiers.base import (
    check_several,
    known_class_numbers,
    network_on_processor,
    read_table_and_labels,
)
from mpnn.classifiers.images import as_rows, checked_shape
from mpnn.classifiers.labels import plain_labels
from mpnn.classifiers.linear_view import LinearView, importances_of
from mpnn.classifiers.problems import FitsMany
from mpnn.classifiers.weights import only_present, read_weights
from mpnn.ensemble import votes as voting
from mpnn.ensemble.members import (
    Problem,
    balanced_problems,
    fit_members,
    pair_problems,
    pair_weights,
    partial_fit_members,
    probability,
)
from mpnn.integer_networks.decisions import tied_rows
from mpnn.integer_networks.discrete import DiscreteNetwork
from mpnn.message_passing.classifier.defaults import FULL_BATCH_LIMIT
from mpnn.message_passing.classifier.estimator import MessagePassingClassifier
from mpnn.preprocessing.precision import with_known_floats
from mpnn.programs.forks import in_fresh_process
from mpnn.validation import one_of, random_source, require_different_names, whole

__all__ = ["PairwiseVoteClassifier"]

# 19,900 pairs. In memory a member of 100 classes took 25 kB; a link has two moments, a field and a message.
MOST_CLASSES, BYTES_OF_A_MEMBER, BYTES_OF_A_LINK = 200, 25_000, 16
TIES = ("confidence", "head_to_head")
VOTES = ("hard", "soft")
# Coupled probabilities that agree in so many are equal: float32 knows no more.
DECIMALS = 6


def _members_have(name: str) -> Callable[["PairwiseVoteClassifier"], bool]:
    """Whether the member has a method."""
    return lambda vote: hasattr(vote._template(), name)


class PairwiseVoteClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
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

    classes_: NDArray
    estimators_: list[Any]
    image_shape_: tuple[int, ...] | None = None

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
        problems = self._begin(codes, goes_on)
        if self.class_weight == "balanced" and self._trains_in_one_batch:
            problems = balanced_problems(problems, weights, FULL_BATCH_LIMIT)
        counts = pair_weights(problems, self.class_weight, self.classes_, codes, weights)
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
        problems = self._begin(codes, goes_on)
        if self.class_weight == "balanced" and self._trains_in_one_batch:
            problems = balanced_problems(problems, weights, FULL_BATCH_LIMIT)
        counts = pair_weights(problems, self.class_weight, self.classes_, codes, weights)
        partial_fit_members(self.estimators_, inputs, problems, counts, self.pairs_per_batch)
        return self._with_training_errors(inputs, problems)

    def _begin(self, codes: NDArray, goes_on: bool) -> list[Problem]:
        """Check the parameters, make pairs and members, or keep them; the problem of each pair."""
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
        return pair_problems(codes, self.pairs_)

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

    @in_fresh_process
    def predict(self, X: ArrayLike) -> NDArray:
        """Labels ``[n]``.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        inputs = self._validated(X)
        if self.ties == "head_to_head" and self.vote == "hard":
            first_wins = self._wins(inputs)
            return self._labels(voting.resolve_ties(self._count(first_wins), first_wins, self.pairs_))
        self._members()
        network = network_on_processor(self)
        if self.vote == "soft" or network is None:
            return self.classes_[self._scores(*self._decide(inputs)).argmax(axis=1)]
        parts = [self._most_confident(network, rows) for rows in self._rows(inputs)]
        return self.classes_[np.concatenate(parts)]

    @in_fresh_process
    def decision_function(self, X: ArrayLike) -> NDArray:
        """Votes and, within equal votes, coupled probabilities: ``[n, C]``; ``[n]`` for two classes.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        scores = self._scores(*self._decide(self._validated(X)))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    @in_fresh_process
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Probabilities ``[n, C]``.

        ``vote="soft"``: pair probabilities, coupled. ``"hard"`` with more than two classes: each class's
        share of the votes, equal ones ordered by the coupled probabilities, so that the largest is the
        label, but for ties that ``ties="head_to_head"`` decides otherwise; it ranks, and is not calibrated.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        first_wins, probabilities = self._decide(self._validated(X))
        if self.vote == "soft" or len(self.classes_) == 2:
            return self._couple(probabilities)
        return self._scores(first_wins, probabilities) / (len(self.pairs_) + 1.0)

    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Logarithms of :meth:`predict_proba` ``[n, C]``.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        return np.log(self.predict_proba(X))

    @in_fresh_process
    def votes(self, X: ArrayLike) -> NDArray:
        """Votes of each class, int ``[n, C]``; they sum to the number of pairs.

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        """
        return self._count(self._wins(self._validated(X)))

    def label_status(self, X: ArrayLike, y: ArrayLike) -> dict[str, int]:
        """Count the seven label statuses of the head-to-head vote, by name (:data:`LABEL_STATUSES`).

        Parameters
        ----------
        X : array-like [n, features]
            Inputs, finite.
        y : array-like [n]
            True labels.
        """
        first_wins = self._wins(self._validated(X))
        counts = self._count(first_wins)
        labels = np.asarray(y)
        if labels.shape != counts.shape[:1]:
            raise ValueError(f"y must have one label a sample, {counts.shape[0]}, got shape {labels.shape}")
        codes = np.full(len(labels), -1)
        for code, label in enumerate(self.classes_):
            codes[labels == label] = code
        return voting.label_status(counts, voting.resolve_ties(counts, first_wins, self.pairs_), codes)

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

    def _template(self) -> Any:
        return MessagePassingClassifier() if self.estimator is None else self.estimator

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

    def _members(self) -> list[Any]:
        """The fitted members, with the prediction that is asked for now."""
        wanted = getattr(self.estimator, "prediction", None)
        if wanted is not None:
            for member in self.estimators_:
                member.prediction = wanted
        return self.estimators_

    def _wins(self, inputs: NDArray) -> NDArray:
        """Does the first class win, bool ``[n, P]``."""
        members = self._members()
        if (network := network_on_processor(self)) is not None:
            return np.concatenate([network.outputs(rows) for rows in self._rows(inputs)]) >= 0
        if isinstance(members[0], FitsMany):
            return members[0].decide_many(members, inputs)[0]
        return np.stack([np.asarray(member.predict(inputs)).astype(bool) for member in members], axis=1)

    def _decide(self, inputs: NDArray) -> tuple[NDArray, NDArray]:
        """Does the first class win, bool ``[n, P]``, and its probability ``[n, P]``."""
        members = self._members()
        if (network := network_on_processor(self)) is not None:
            found = [_decisions(network, rows) for rows in self._rows(inputs)]
            wins, shares = (np.concatenate(parts) for parts in zip(*found, strict=True))
            return wins, shares
        if isinstance(members[0], FitsMany):
            return members[0].decide_many(members, inputs)
        first_wins = self._wins(inputs)
        pairs = zip(members, first_wins.T, strict=True)
        return first_wins, np.stack([probability(member, inputs, wins) for member, wins in pairs], axis=1)

    def _rows(self, inputs: Any) -> Iterable[NDArray]:
        """Inputs as the members' transform takes them, some rows at a time."""
        rows_of = getattr(self.estimators_[0], "_rows", None)
        return [inputs] if rows_of is None else rows_of(inputs)

    def _most_confident(self, network: DiscreteNetwork, rows: NDArray) -> NDArray:
        """Class numbers ``[n]`` of most votes; where these tie, of the largest coupled probability."""
        votes = self._count(network.outputs(rows) >= 0)
        winners = votes.argmax(axis=1)
        tied = tied_rows(votes)
        if len(tied):
            winners[tied] = self._scores(*_decisions(network, rows[tied])).argmax(axis=1)
        return winners

    def _count(self, first_wins: NDArray) -> NDArray:
        return voting.count_votes(first_wins, self.pairs_, len(self.classes_))

    def _couple(self, probabilities: NDArray) -> NDArray:
        return voting.couple(probabilities, self.pairs_, len(self.classes_))

    def _scores(self, first_wins: NDArray, probabilities: NDArray) -> NDArray:
        """Coupled probabilities; added to the votes they only order equal ones, being below 1.

        They are rounded, so that of classes whose probabilities are equal the first wins, and not float32.
        """
        coupled = np.round(self._couple(probabilities), DECIMALS)
        coupled /= coupled.sum(axis=1, keepdims=True)
        return coupled if self.vote == "soft" else self._count(first_wins) + coupled

    def _validated(self, X: ArrayLike) -> Any:
        check_is_fitted(self)
        self._check_options()
        X = as_rows(with_known_floats(X), self.image_shape_)[0]
        if getattr(self.estimators_[0], "encoder_", None) is not None:
            return X  # the members' code of tables checks it
        return validate_data(self, X, accept_sparse=self._reads_tables, reset=False)

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

    @property
    def _reads_tables(self) -> bool:
        """Whether the member reads tables itself: text, categories, missing values, sparse matrices."""
        return bool(getattr(self._template(), "reads_tables", False))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self._reads_tables:
            tags.input_tags.allow_nan = tags.input_tags.string = True
            tags.input_tags.categorical = tags.input_tags.sparse = True
        return tags

    def _check_options(self) -> None:
        one_of("ties", self.ties, TIES)
        one_of("vote", self.vote, VOTES)
        if self.pairs_per_batch is not None:
            whole("pairs_per_batch", self.pairs_per_batch)

    def _unlabelled_label(self) -> Any:
        label = self.unlabelled
        if label is None:
            numeric = np.issubdtype(self.classes_.dtype, np.number)
            label = min(-1, self.classes_[0] - 1) if numeric else "unlabelled"
        if self.ties == "head_to_head" and label in self.classes_.tolist():
            raise ValueError(
                f"unlabelled must not be one of the classes, got {label!r}: choose another label"
            )
        return label

    def _labels(self, winners: NDArray) -> NDArray:
        if (winners >= 0).all():
            return self.classes_[winners]
        with_extra = np.append(self.classes_, self._unlabelled_label())
        return with_extra[winners]


def _decisions(network: DiscreteNetwork, rows: NDArray) -> tuple[NDArray, NDArray]:
    """Does the first class win, bool ``[n, P]``, and its probability ``[n, P]``, by discrete networks."""
    scores = network.scores(rows)
    return scores >= 0, (ndtr if network.link == "normal" else expit)(scores)
