"""How far from optimal is what message passing found? Bounds, and the exact optimum where a solver proves it.

    MPNN_DATA=FOLDER python -m experiments.few_shot.certificates configs/certificates/certificates.toml
    python -m experiments.few_shot.certificates --table runs/certificates

One ternary neuron for two classes on few samples, its inputs whole numbers. `margin`: the least sum, times
the sign, over the samples, against the largest that any ternary weights have. `links`: the non-zero weights
against the fewest with at least that margin, or 1. `sum of margins`: of all neurons of [., 4, 4, 1], BeMi's
second objective. `network links`: of that network, the fewest that keep all labels, BeMi's third objective
without the second, by neighbourhood search; the bound is counted. The solver starts from message passing's
weights and stops after `seconds`; what it proves by then is the bound.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common.runs import main, run_jobs
from mpnn import MessagePassingClassifier
from mpnn.data import load_dataset, sample_few_shot
from mpnn.runs.rows import read_rows
from mpnn.runs.toml import ConfigError
from mpnn.solvers.bemi_models import Problem, margin_program
from mpnn.solvers.bemi_pruning import sparse_neurons
from mpnn.solvers.engines import Expression, Limits, Model, Solution, solve
from mpnn.solvers.formulation import Weights, add_nonzeros
from mpnn.solvers.integer_inputs import integer_inputs

QUESTIONS = ("margin", "links", "sum of margins", "network links")
# The toy: random inputs of this size, labelled by a ternary teacher.
TOY_FEATURES = 21
# BeMi's network.
HIDDEN = (4, 4)


@dataclass(frozen=True)
class Task:
    """Two classes of a data set, or of the toy (`dataset = "teacher"`), some samples of each."""

    dataset: str
    shots: int
    classes: tuple[int, int] = (0, 1)


@dataclass(frozen=True)
class Config:
    """Every question for every draw of every task."""

    tasks: list[Task]
    draws: int
    seconds: float
    questions: list[str]
    engine: str = "highs"

    def __post_init__(self) -> None:
        unknown = sorted(set(self.questions) - set(QUESTIONS))
        if unknown:
            raise ConfigError(f"questions must be among {QUESTIONS}, got {unknown[0]!r}")


def _samples(job: Mapping[str, Any]) -> tuple[NDArray, NDArray]:
    """Draw whole inputs [n, N] and signs [n]."""
    if job["dataset"] == "teacher":
        rng = np.random.default_rng(job["draw"])
        inputs = rng.integers(0, 10, (2 * job["shots"], TOY_FEATURES))
        sums = inputs @ rng.integers(-1, 2, TOY_FEATURES)
        return inputs, np.where(sums >= np.median(sums), 1, -1)
    inputs, labels = _training(job["dataset"])
    first, second = job["classes"]
    kept = np.isin(labels, (first, second))
    inputs, labels = sample_few_shot(inputs[kept], labels[kept], job["shots"], seed=job["draw"])
    return integer_inputs(inputs)(inputs), np.where(labels == second, 1, -1)


@lru_cache(maxsize=1)
def _training(name: str) -> tuple[NDArray, NDArray]:
    dataset = load_dataset(name)
    return dataset.x_train.reshape(len(dataset.x_train), -1), dataset.y_train


def _trained(inputs: NDArray, signs: NDArray, hidden: tuple[int, ...], seed: int) -> list[NDArray]:
    """Train message passing on the inputs up to one factor, so that its margins are those of the program.

    Returns layers [in, out] for the live inputs.
    """
    model = MessagePassingClassifier(hidden, input_scaling="max_abs", random_state=seed)
    first, *above = (layer.astype(np.int64) for layer in model.fit(inputs, signs).weights_)
    return [first[inputs.any(axis=0)], *above]


def _widest_margin(inputs: NDArray, signs: NDArray, start: NDArray, limits: Limits, engine: str) -> Solution:
    model, margin = Model(), int((signs * (inputs @ start)).min())
    weights = model.add_variables(inputs.shape[1], -1, 1)
    reach = int(np.abs(inputs).sum(axis=1).max())
    least = model.add_variables(1, -reach, reach)
    for row in signs[:, None] * inputs:
        model.add_row(Expression(weights, row.astype(float)).plus(least, -1.0), lower=0.0)
    model.maximise(least)
    return solve(model, limits, engine=engine, start=np.append(start, margin).astype(float))


def _fewest_links(inputs: NDArray, signs: NDArray, start: NDArray, limits: Limits, engine: str) -> Solution:
    model, margin = Model(), max(1, int((signs * (inputs @ start)).min()))
    weights = model.add_variables(inputs.shape[1], -1, 1)
    for row in signs[:, None] * inputs:
        model.add_row(Expression(weights, row.astype(float)), lower=margin)
    model.minimise(add_nonzeros(model, weights, 1))
    return solve(model, limits, engine=engine, start=np.append(start, start != 0).astype(float))


def _sum_of_margins(
    inputs: NDArray, signs: NDArray, layers: list[NDArray], limits: Limits, engine: str
) -> tuple[float | None, Solution]:
    """Solve MM from message passing on BeMi's network; its own sum is None where it has training errors."""
    widths = (inputs.shape[1], *HIDDEN, 1)
    problem = Problem(inputs, signs, widths, 1, 1.0, "implications", True, inputs.shape[1])
    program = margin_program(problem)
    start = program.complete(Weights(tuple(layers)))
    own = program.model.value(start) if program.model.accepts(start) else None
    return own, solve(program.model, limits, engine=engine, start=start)


def _network_links(
    inputs: NDArray, signs: NDArray, layers: list[NDArray], limits: Limits, engine: str
) -> tuple[float | None, Solution]:
    """Search MW of SM+MW, where every label of message passing's network is right; its links are its own."""
    widths = (inputs.shape[1], *HIDDEN, 1)
    problem = Problem(inputs, signs, widths, 1, 1.0, "implications", True, inputs.shape[1])
    program = margin_program(problem, [np.zeros(width) for width in widths[1:]])
    trained = program.complete(Weights(tuple(layers)))
    own = program.model.value(trained) if program.model.accepts(trained) else None
    began = perf_counter()
    found = [program.complete(network) for network in sparse_neurons(problem, limits, engine)]
    best = min(program.model.value(values) for values in found)
    bound = float(_fewest_conceivable(inputs, signs))
    status = "optimal" if best == bound else "feasible"
    return own, Solution(status, found[0], best, bound, perf_counter() - began)


def _fewest_conceivable(inputs: NDArray, signs: NDArray) -> int:
    """Return a bound of the links that a network with these labels needs.

    Every layer needs one, or the output is constant. With one more than that the output still is the sign of
    one neuron with at most two links, times 1 or -1: all of these are tried.
    """
    layers, features = len(HIDDEN) + 1, np.arange(inputs.shape[1])
    for first in features:
        if _some_neuron_decides(inputs[:, [first]], signs):
            return layers
    for first in features[:-1]:
        others = inputs[:, first + 1 :]
        if any(_some_neuron_decides(inputs[:, [first]] + sign * others, signs) for sign in (1, -1)):
            return layers + 1
    return layers + 2


def _some_neuron_decides(sums: NDArray, signs: NDArray) -> bool:
    """Whether one of the sums [n, neurons], or its negative, has the sign of all labels, or the other one."""
    sides = np.where(np.stack([sums, -sums]) >= 0, 1, -1)
    return bool((np.abs(np.einsum("n,snk->sk", signs, sides)) == len(signs)).any())


def _work(job: Mapping[str, Any]) -> dict[str, Any]:
    whole, signs = _samples(job)
    ask_network = {"sum of margins": _sum_of_margins, "network links": _network_links}.get(job["question"])
    inputs = whole[:, whole.any(axis=0)]
    limits, engine = Limits(job["limit"]), job["engine"]
    layers = _trained(whole, signs, HIDDEN if ask_network else (), job["draw"])
    if ask_network:
        own, solution = ask_network(inputs, signs, layers, limits, engine)
    else:
        start = layers[0][:, 0]
        ask = _widest_margin if job["question"] == "margin" else _fewest_links
        solution = ask(inputs, signs, start, limits, engine)
        margin = float((signs * (inputs @ start)).min())
        own = margin if job["question"] == "margin" else float(np.count_nonzero(start))
    return {
        "features": inputs.shape[1],
        "message_passing": own,
        "best": solution.objective,
        "bound": solution.bound,
        "status": solution.status,
        "solver_seconds": round(solution.seconds, 2),
    }


def run(config: Config, output: Path, command: str) -> None:
    """Ask every question about every draw."""
    jobs = [
        {
            "dataset": task.dataset,
            "classes": list(task.classes),
            "shots": task.shots,
            "draw": draw,
            "question": question,
            "limit": config.seconds,
            "engine": "cpsat" if question in ("sum of margins", "network links") else config.engine,
        }
        for task in config.tasks
        for draw in range(config.draws)
        for question in config.questions
    ]
    run_jobs(jobs, _work, output, config, command)


def table(folder: Path) -> str:
    """Return the means of each task and question as a table of Markdown; gaps in % of the bound."""
    groups: dict[tuple[str, str, int, str], list[dict[str, Any]]] = {}
    for row in read_rows(folder / "results.jsonl"):
        classes = "" if row["dataset"] == "teacher" else " {} vs {}".format(*row["classes"])
        groups.setdefault((row["dataset"], classes, row["shots"], row["question"]), []).append(row)
    lines = [
        "| task | a class | question | message passing | best found | bound | from optimal, % | proved |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (dataset, classes, shots, question), rows in groups.items():
        own = [row["message_passing"] for row in rows if row["message_passing"] is not None]
        means = [np.mean(own) if own else np.nan, *(np.mean([r[k] for r in rows]) for k in ("best", "bound"))]
        gaps = [
            100 * abs(row["message_passing"] - row["bound"]) / abs(row["bound"])
            for row in rows
            if row["message_passing"] is not None
        ]
        proved = sum(row["status"] == "optimal" for row in rows)
        cells = [f"{mean:.0f}" if np.isfinite(mean) else "–" for mean in means]
        gap = f"{np.mean(gaps):.0f}" if gaps else "–"
        named = f"| {dataset}{classes} | {shots} | {question} |"
        lines.append(f"{named} {' | '.join(cells)} | {gap} | {proved} of {len(rows)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        print(table(Path(sys.argv[2])))
    else:
        main(__doc__ or "", Config, run)
