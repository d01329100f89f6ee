"""Solver methods in a comparison: which there are, and what their stages did."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mpnn.compare.methods.contract import Evaluation, Method, Task, timed_prediction
from mpnn.compare.methods.pairwise import pairwise_method, weight_size

__all__ = [
    "BATCH_AVERAGING",
    "BDNN",
    "BEMI",
    "DATA_SPLITTING",
    "DATA_SPLITTING_VOTE",
    "INTEGER_NETWORK",
    "LOCAL_SEARCH",
    "SINGLE_NEURON",
    "TORO_ICARTE",
    "solver_network",
    "solver_vote",
]


def solver_vote(classifier: Callable[..., Any], summary: str) -> Method:
    """Return the pairwise vote of a solver's classifier; rows also hold what each stage did."""
    vote = pairwise_method(classifier, summary)

    def evaluate(ensemble: Any, task: Task) -> Evaluation:
        evaluation = vote.evaluate(ensemble, task)
        stages = [getattr(member, "stages_", []) for member in ensemble.estimators_]
        if any(stages):
            evaluation.facts["stages"] = stage_summary(stages)
        return evaluation

    return Method(vote.summary, vote.parameters, vote.build, evaluate)


def solver_network(classifier: Callable[..., Any], summary: str) -> Method:
    """Return the method that trains one multi-class network.

    Two predictions are scored: "argmax", and "all_good", where a sample is right only if its own output and
    no other is positive or 0.
    """

    def parameters() -> dict[str, Any]:
        return {key: value for key, value in classifier().get_params().items() if key != "random_state"}

    def build(params: Mapping[str, Any], task: Task) -> Any:
        return classifier(**params, random_state=task.seed)

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


def _bemi(**params: Any) -> Any:
    """Build BeMi's classifier; in a config the start "message_passing" trains the same network first."""
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


def _named(name: str) -> Callable[..., Any]:
    """Return what builds a classifier of `mpnn.solvers`, which is imported on first use."""

    def build(**params: Any) -> Any:
        from mpnn import solvers

        return getattr(solvers, name)(**params)

    return build


BDNN = solver_vote(
    _named("BDNNClassifier"), "Bah and Kurtz: step networks with the fewest training errors, one per pair"
)
BEMI = solver_vote(_bemi, "BeMi: three integer programs per pair of classes (confidence, margins, weights)")
SINGLE_NEURON = solver_vote(
    _named("SingleNeuronClassifier"),
    "One ternary neuron per pair of classes by linear or integer programming",
)
LOCAL_SEARCH = solver_vote(
    _named("LocalSearchClassifier"), "Few-bit networks by iterated local search, one per pair of classes"
)
TORO_ICARTE = solver_network(
    _named("ToroIcarteClassifier"),
    "Toro Icarte et al.: one network, every output of every sample a constraint",
)
INTEGER_NETWORK = solver_network(
    _named("IntegerNetworkClassifier"),
    "Thorbjarnarson and Yorke-Smith: one network, errors or margins counted",
)
BATCH_AVERAGING = solver_network(
    _named("BatchAveragingClassifier"),
    "Thorbjarnarson and Yorke-Smith: one network, the average of programs on batches",
)
DATA_SPLITTING = solver_network(
    _named("DataSplittingClassifier"), "Kurtz and Bah: one step network on ever finer sets of the samples"
)
DATA_SPLITTING_VOTE = solver_vote(
    _named("DataSplittingClassifier"),
    "Kurtz and Bah: step networks on ever finer sets of the samples, one per pair of classes",
)
