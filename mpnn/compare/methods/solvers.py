"""Solver methods in a comparison: scores of their networks, and records of their stages."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpnn.compare.methods.contract import Build, Evaluation, Method, Task, class_named, timed_prediction
from mpnn.compare.methods.pairwise import pairwise_method, weight_size

__all__ = ["bemi_classifier", "few_links_classifier", "solver_network", "solver_vote"]


def solver_vote(classifier: str | Build, summary: str) -> Method:
    """Return the pairwise vote of a solver's classifier; rows also hold what each stage did.

    Parameters
    ----------
    classifier : str or callable
        The dotted name of the member's class, or a function that makes one.
    summary : str
        One line for people.
    """
    vote = pairwise_method(classifier, summary)

    def evaluate(ensemble: Any, task: Task) -> Evaluation:
        evaluation = vote.evaluate(ensemble, task)
        stages = [getattr(member, "stages_", []) for member in ensemble.estimators_]
        if any(stages):
            evaluation.facts["stages"] = stage_summary(stages)
        return evaluation

    return Method(vote.summary, vote.parameters, vote.build, evaluate, vote.resolved)


def solver_network(classifier: str | Build, summary: str) -> Method:
    """Return the method that trains one multi-class network.

    Two predictions are scored: "argmax", and "all_good", where a sample is right only if its own output and
    no other is positive or 0.

    Parameters
    ----------
    classifier : str or callable
        The dotted name of the classifier's class, or a function that makes one.
    summary : str
        One line for people.
    """
    make = class_named(classifier)

    def parameters() -> dict[str, Any]:
        return {key: value for key, value in make().get_params().items() if key != "random_state"}

    def build(params: Mapping[str, Any], task: Task) -> Any:
        return make(**params, random_state=task.seed)

    def evaluate(model: Any, task: Task) -> Evaluation:
        labels, seconds = timed_prediction(model.predict, task.x_test)
        good = model.predict_all_good(task.x_test)
        # what no class is stands for a sample without a label
        strict = np.append(model.classes_, model.classes_.min() - 1)[good]
        train = float(np.mean(model.predict(task.x_train) == task.y_train))
        score = {"predict_seconds": seconds, "train_accuracy": train}
        zeros, links = (
            sum(int(count(layer)) for layer in model.weights_)
            for count in (lambda w: (w == 0).sum(), np.size)
        )
        facts = weight_size([model]) | {"links_removed": {"all": zeros / links}}
        return Evaluation({"argmax": labels, "all_good": strict}, {"argmax": score, "all_good": score}, facts)

    return Method(summary, parameters, build, evaluate)


def stage_summary(members: list[list[Any]]) -> dict[str, dict[str, Any]]:
    """Return, for each stage by name, shares of statuses and means over the networks."""
    names = list(dict.fromkeys(stage.name for stages in members for stage in stages))
    return {name: _summarise([s for stages in members for s in stages if s.name == name]) for name in names}


def _summarise(stages: list[Any]) -> dict[str, Any]:
    statuses = [stage.status for stage in stages]
    measured = ("objective", "bound", "gap", "seconds", "first_seconds", "start_objective", "kept", "nonzero")
    means = {}
    for name in measured:
        values = [value for stage in stages if (value := getattr(stage, name)) is not None]
        means[name] = float(np.mean(values)) if values else None
    return {"statuses": {status: statuses.count(status) for status in sorted(set(statuses))}, **means}


def bemi_classifier(**params: Any) -> Any:
    """Build BeMi's classifier; in a config the start "message_passing" trains the same network first.

    Parameters
    ----------
    **params : mapping
        Parameters of the method.
    """
    from mpnn.solvers import BeMiClassifier

    start = params.get("warm_start")
    if start == "none":
        params["warm_start"] = None
    elif start == "message_passing":
        params["warm_start"] = _same_network(params)
    return BeMiClassifier(**params)


def _same_network(params: Mapping[str, Any]) -> Any:
    """Return message passing on BeMi's network: its widths, levels and, up to one factor, its inputs."""
    from mpnn import MessagePassingClassifier
    from mpnn.solvers import BeMiClassifier

    known = BeMiClassifier().get_params() | dict(params)
    levels = known["levels"]
    return MessagePassingClassifier(
        hidden=known["hidden"],
        weights="ternary" if levels == 1 else levels,
        input_scaling="max_abs",
    )


def few_links_classifier(**params: Any) -> Any:
    """Build the neuron with few links; in a config `beliefs = "message_passing"` trains a single layer first.

    Parameters
    ----------
    **params : mapping
        Parameters of the method.
    """
    from mpnn import MessagePassingClassifier
    from mpnn.solvers import FewLinksClassifier

    if params.get("beliefs") == "message_passing":
        params["beliefs"] = MessagePassingClassifier((), input_scaling="max_abs")
    return FewLinksClassifier(**params)
