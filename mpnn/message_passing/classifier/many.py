"""Training of many binary estimators at once, one a problem, as one compiled program."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from mpnn.callbacks.estimators import callbacks_of
from mpnn.classifiers.problems import BinaryProblems
from mpnn.classifiers.weights import class_weights
from mpnn.message_passing.classifier import fitting, noise
from mpnn.message_passing.classifier.learner import Learner
from mpnn.message_passing.classifier.settings import Settings
from mpnn.message_passing.classifier.watching import Watching

__all__ = ["ManyLearner"]


class ManyLearner(Learner):
    """Members of a vote: problems side by side, on the rows of one pool."""

    @classmethod
    def fit_many(
        cls,
        members: Sequence[Any],
        X: NDArray,
        problems: Sequence[tuple[NDArray, NDArray]],
        *,
        problems_at_once: int | None = None,
        sample_weights: Sequence[NDArray] | None = None,
    ) -> None:
        """Fit equally configured binary members, one a problem, in place and as one compiled program.

        Parameters
        ----------
        members : sequence of classifiers of this class
            Equal but for their random states; unfitted, or all with ``warm_start``.
        X : array [n, features]
            Pool of finite inputs; all problems share its input transform.
        problems : sequence of (int array, array)
            For each member, rows of ``X`` and their labels of two classes.
        problems_at_once : int or None, default=None
            Bounds the memory of networks with hidden layers; None trains all side by side.
        sample_weights : sequence of arrays or None, default=None
            For each member, how often its rows count, above 0; None: once.
        """
        cls._learn_many(members, X, problems, problems_at_once, sample_weights, in_portions=False)

    @classmethod
    def partial_fit_many(
        cls,
        members: Sequence[Any],
        X: NDArray,
        problems: Sequence[tuple[NDArray, NDArray]],
        *,
        problems_at_once: int | None = None,
        sample_weights: Sequence[NDArray] | None = None,
    ) -> None:
        """As :meth:`fit_many` for one portion of the samples, with the present beliefs as prior.

        Parameters
        ----------
        members : sequence of classifiers of this class
            With ``classes_``, and fitted from the second portion on.
        X : array [n, features]
            Pool of finite inputs; the first portion fixes the input transform.
        problems : sequence of (int array, array)
            For each member, rows of ``X`` and their labels.
        problems_at_once : int or None, default=None
            As of :meth:`fit_many`.
        sample_weights : sequence of arrays or None, default=None
            As of :meth:`fit_many`.
        """
        cls._learn_many(members, X, problems, problems_at_once, sample_weights, in_portions=True)

    @classmethod
    def _learn_many(
        cls,
        members: Sequence[Any],
        X: NDArray,
        problems: Sequence[tuple[NDArray, NDArray]],
        problems_at_once: int | None,
        sample_weights: Sequence[NDArray] | None,
        in_portions: bool,
    ) -> None:
        first = members[0]
        goes_on = hasattr(first, "state_") and (in_portions or first.warm_start)
        problems, sample_weights = first._balanced_problems(problems, sample_weights)
        counts = None
        if sample_weights is not None:
            rows_of = [rows for rows, _ in problems]
            counts = BinaryProblems(rows_of, [], sample_weights).pool_weight(X.shape[0])
        inputs = first._pool(X, counts, goes_on)
        num_features = inputs.shape[1] if first.encoder_ is None else first.encoder_.n_features_in_
        own = cls._binary_problems(members, num_features, problems, sample_weights)
        own = own.reweighted(partial(class_weights, first.class_weight, first.classes_))
        first._checked_prediction()
        given = first._parameters(in_portions)
        transform = first._transform_of(given, inputs, own.most_samples, counts, goes_on)
        seeds = [member._seed() for member in members]
        if first.early_stopping:
            raise ValueError("early_stopping belongs to a single network, not to many side by side")

        def judge(settings: Settings, inputs: NDArray) -> float:
            return noise.log_likelihood_many(seeds, inputs, own, problems_at_once, settings)

        known = given, transform, inputs, own.most_samples, counts, goes_on
        transform, transformed, settings = first._choose(judge, *known)
        priors = [member._prior(settings) for member in members] if goes_on else None
        watching = Watching(callbacks_of(first.callbacks, first.verbose))
        how = problems_at_once, first._columns_of_inputs(transform), priors, watching
        fits = fitting.fit_many(seeds, settings, transformed, own, *how)
        for member, seed, fit in zip(members, seeds, fits, strict=True):
            member.encoder_, member.image_shape_ = first.encoder_, first.image_shape_
            member.input_unit_ = first.input_unit_
            member._publish_fit(settings, transform, fit, seed)
