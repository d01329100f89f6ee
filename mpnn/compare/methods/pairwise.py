"""Evaluation of the pairwise majority-vote ensemble, whatever its binary classifier."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.methods.contract import Build, Evaluation, Method, Task, class_named, timed_prediction

__all__ = ["first_layer", "pairwise_method", "weight_size"]

# Which prediction is scored is the comparison's affair, not a method's parameter.
_DECIDED_HERE = ("prediction", "random_state")
_ENSEMBLE_PARAMS = ("pairs_per_batch",)


def pairwise_method(classifier: str | Build, summary: str) -> Method:
    """Return the method that trains one `classifier` per pair of classes and lets them vote.

    `classifier` is the dotted name of a binary classifier, or the class itself.

    Two predictions are scored: "vote", the hard head-to-head vote of the discrete weights, where an
    example with three or more tied classes stays unlabelled and counts as an error; and, if the
    classifier has a parameter `prediction`, "bayes", the largest class probability,
    coupled from the marginals' pair probabilities.

    Parameters
    ----------
    classifier : str or callable
        The dotted name of the member's class, or the class.
    summary : str
        One line for people.
    """
    make = class_named(classifier)

    def parameters() -> dict[str, Any]:
        known = {key: value for key, value in make().get_params().items() if key not in _DECIDED_HERE}
        return known | dict.fromkeys(_ENSEMBLE_PARAMS)

    def build(params: Mapping[str, Any], task: Task) -> Any:
        from mpnn import PairwiseVoteClassifier

        own = {key: params[key] for key in params if key not in _ENSEMBLE_PARAMS}
        ensemble = {key: params[key] for key in params if key in _ENSEMBLE_PARAMS}
        estimator = make(**own, random_state=task.seed)
        return PairwiseVoteClassifier(estimator, ties="head_to_head", vote="hard", **ensemble)

    def resolved() -> dict[str, Any]:
        return getattr(make(), "defaults_by_regime", dict)()

    return Method(summary, parameters, build, evaluate_votes, resolved)


def evaluate_votes(ensemble: Any, task: Task) -> Evaluation:
    """Score the vote of a fitted ensemble and, if it has marginals, its Bayesian prediction."""
    labels, seconds = timed_prediction(ensemble.predict, task.x_test)
    status = ensemble.label_status(task.x_test, task.y_test)
    predictions = {"vote": labels}
    scores: dict[str, dict[str, Any]] = {
        "vote": {
            "predict_seconds": seconds,
            "train_accuracy": float(np.mean(ensemble.predict(task.x_train) == task.y_train)),
            "label_status": {name: int(count) for name, count in status.items()},
        }
    }
    probabilities = {}
    if "estimator__prediction" in ensemble.get_params():
        probabilities["bayes"], scores["bayes"] = _bayes(ensemble, task)
        predictions["bayes"] = ensemble.classes_[probabilities["bayes"].argmax(axis=1)]
    removed = getattr(ensemble, "links_removed_", {})
    fitted = float(np.mean(ensemble.training_errors_ == 0))
    facts = weight_size(ensemble.estimators_) | {
        "links_removed": {name: float(share) for name, share in removed.items()},
        "networks_without_error": fitted,
    }
    arrays = first_layer(ensemble) if task.keep_weights else {}
    return Evaluation(predictions, scores, facts, arrays, probabilities)


def weight_size(estimators: list[Any]) -> dict[str, int]:
    """Return bits per weight and the bytes of all weights and biases packed so.

    Whole numbers count by the distinct values in use, real ones as they are stored.

    Parameters
    ----------
    estimators : sequence of classifier
        Fitted members.
    """
    weights = [np.asarray(layer) for estimator in estimators for layer in estimator.weights_]
    biases = (bias for one in estimators for bias in getattr(one, "biases_", None) or ())
    weights += [np.asarray(bias) for bias in biases if bias is not None]
    if any(layer.dtype.kind == "f" for layer in weights):
        bits = 8 * max(layer.itemsize for layer in weights)
    else:
        levels = set().union(*(np.unique(layer).tolist() for layer in weights))
        bits = max(1, (len(levels) - 1).bit_length())
    return {"weight_bits": bits, "model_bytes": -(-bits * sum(layer.size for layer in weights) // 8)}


def first_layer(ensemble: Any) -> dict[str, NDArray]:
    """Return the first unit of the first layer of each network [P, in], with the pairs [P, 2] as text.

    Parameters
    ----------
    ensemble : PairwiseVoteClassifier
        The fitted ensemble.
    """
    layers = [np.asarray(estimator.weights_[0])[:, 0] for estimator in ensemble.estimators_]
    pairs = np.asarray(ensemble.classes_)[np.asarray(ensemble.pairs_)]
    return {"weights": np.stack(layers), "pairs": pairs.astype(str)}


def _bayes(ensemble: Any, task: Task) -> tuple[NDArray, dict[str, Any]]:
    """Predict from the marginals, and leave the ensemble as it was."""
    discrete = {name: ensemble.get_params()[name] for name in ("vote", "ties", "estimator__prediction")}
    ensemble.set_params(vote="soft", ties="confidence", estimator__prediction="bayes")
    try:
        probabilities, seconds = timed_prediction(ensemble.predict_proba, task.x_test)
        train = ensemble.predict_proba(task.x_train)
    finally:
        ensemble.set_params(**discrete)
    correct = ensemble.classes_[train.argmax(axis=1)] == task.y_train
    return probabilities, {"predict_seconds": seconds, "train_accuracy": float(np.mean(correct))}
