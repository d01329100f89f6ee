"""Multi-class scikit-learn classifiers as methods of a comparison."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mpnn.compare.methods.contract import Build, Evaluation, Method, Task, class_named, timed_prediction

__all__ = ["PairwiseLogisticRegression", "input_scaler", "sklearn_method"]


class PairwiseLogisticRegression(OneVsOneClassifier):
    """One logistic regression per pair of classes, and a vote.

    Parameters
    ----------
    C : float > 0, default=1.0
        Inverse strength of the L2 penalty.
    max_iter : int >= 1, default=2000
        Most steps of a pair.
    """

    def __init__(self, C: float = 1.0, max_iter: int = 2000) -> None:
        self.C, self.max_iter = C, max_iter
        super().__init__(LogisticRegression(C=C, max_iter=max_iter))

    @property
    def coef_(self) -> NDArray:
        """Weights [P, features], positive for the first class of a pair, as SVC has them."""
        return -np.concatenate([member.coef_ for member in self.estimators_])

    @property
    def intercept_(self) -> NDArray:
        """Offsets [P], positive for the first class of a pair."""
        return -np.concatenate([member.intercept_ for member in self.estimators_])


def sklearn_method(
    estimator: str | Build,
    summary: str,
    arrays: tuple[str, ...],
    *,
    probabilities: bool = False,
    **defaults: Any,
) -> Method:
    """Wrap a multi-class scikit-learn classifier behind input scaling.

    Parameters
    ----------
    estimator : str or callable
        The dotted name of the classifier, or its class.
    summary : str
        One line for people.
    arrays : tuple of str
        Fitted attributes that prediction needs; their bytes are the size of the model.
    probabilities : bool, default=False
        Whether `predict_proba` is worth scoring.
    defaults : mapping
        Parameters that differ from scikit-learn's own defaults.
    """

    make = class_named(estimator)

    def parameters() -> dict[str, Any]:
        return {**make().get_params(), **defaults}

    def build(params: Mapping[str, Any], task: Task) -> Pipeline:
        values = {**defaults, **params}
        if "random_state" in parameters():
            values["random_state"] = task.seed
        return make_pipeline(input_scaler(task), make(**values))

    def evaluate(model: Pipeline, task: Task) -> Evaluation:
        labels, seconds = timed_prediction(model.predict, task.x_test)
        scores = {
            "predict_seconds": seconds,
            "train_accuracy": float(np.mean(model.predict(task.x_train) == task.y_train)),
        }
        stored = [np.asarray(getattr(model[-1], name)) for name in arrays]
        facts = {
            "weight_bits": 8 * max(array.itemsize for array in stored),
            "model_bytes": sum(array.nbytes for array in stored),
        }
        found = {"predict": model.predict_proba(task.x_test)} if probabilities else {}
        return Evaluation({"predict": labels}, {"predict": scores}, facts, probabilities=found)

    return Method(summary, parameters, build, evaluate)


def input_scaler(task: Task) -> Any:
    """Return the scaler in front of scikit-learn's methods.

    Images go to [0, 1] by one factor for all pixels; the columns of a table are standardised.

    Parameters
    ----------
    task : Task
        The problem.
    """
    if task.image_shape is None:
        return StandardScaler()
    return FunctionTransformer(partial(np.multiply, 1.0 / task.input_scale))
