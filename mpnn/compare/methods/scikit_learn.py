"""Multi-class scikit-learn classifiers as methods of a comparison."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mpnn.compare.methods.contract import Build, Evaluation, Method, Task, class_named, timed_prediction

__all__ = ["input_scaler", "sklearn_method"]


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
