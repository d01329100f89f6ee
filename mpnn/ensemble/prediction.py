"""What fitted pairs of classes say together: votes, labels, probabilities."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mpnn.classifiers.base import network_on_processor
from mpnn.classifiers.images import as_rows
from mpnn.classifiers.problems import FitsMany
from mpnn.ensemble import votes as voting
from mpnn.ensemble.members import probability
from mpnn.integer_networks.decisions import tied_rows
from mpnn.integer_networks.discrete import DiscreteNetwork
from mpnn.message_passing.classifier.estimator import MessagePassingClassifier
from mpnn.preprocessing.precision import with_known_floats
from mpnn.programs.forks import in_fresh_process
from mpnn.validation import one_of, whole

__all__ = ["PairwisePrediction"]

TIES = ("confidence", "head_to_head")
VOTES = ("hard", "soft")
# Coupled probabilities that agree in so many are equal: float32 knows no more.
DECIMALS = 6


class PairwisePrediction(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """The predicting half of :class:`mpnn.PairwiseVoteClassifier`, which holds the parameters."""

    estimator: Any
    ties: str
    vote: str
    pairs_per_batch: int | None
    unlabelled: Any
    classes_: NDArray
    pairs_: list[tuple[int, int]]
    estimators_: list[Any]
    image_shape_: tuple[int, ...] | None = None

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

    @property
    def _reads_tables(self) -> bool:
        """Whether the member reads tables itself: text, categories, missing values, sparse matrices."""
        return bool(getattr(self._template(), "reads_tables", False))

    def _template(self) -> Any:
        return MessagePassingClassifier() if self.estimator is None else self.estimator

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
