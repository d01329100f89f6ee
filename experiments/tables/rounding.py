"""What each way from beliefs to discrete weights keeps of the Bayesian prediction.

    MPNN_DATA=FOLDER python -m experiments.tables.rounding configs/rounding/rounding.toml

Ways: `mode` (every weight's most probable level), `feedback` (the first layer one weight at a time, each
repairing what earlier ones lost), `harden` (from there a descent over levels towards the beliefs'
probabilities, which is greedy flips), and each of them with restarts, of which the one that is right on most
training samples stays. Training parts and test parts are those of the experiments on tables, or images.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.runs import main, refuse_unknown, run_jobs
from experiments.few_shot.robust_inputs import draw
from experiments.tables.development import TABLES, Split, load_table, split_table
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.runs.toml import ConfigError

WAYS = ("mode", "feedback", "harden")


@dataclass(frozen=True)
class Problem:
    """A table, or `shots` images a class of a data set; parameters of the network; one network or a vote."""

    name: str
    data: str
    shots: int | None = None
    pairwise: bool = True
    params: dict[str, Any] = field(default_factory=dict)
    ways: tuple[str, ...] = WAYS

    def __post_init__(self) -> None:
        refuse_unknown("ways", self.ways, WAYS)
        if self.shots is None and self.data not in TABLES:
            raise ConfigError(f"data must be one of {TABLES}, or a data set with shots, got {self.data!r}")


@dataclass(frozen=True)
class Config:
    """Every way, with each number of restarts, on every split or draw of every problem."""

    problems: list[Problem]
    num_splits: int
    restarts: tuple[int, ...] = (1, 3)


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit, and keep the restart that is right on most training samples; percentages of the test part."""
    split, problem = _split(job), job["problem"]
    fits = [_fit(problem, job["way"], split, job["split"] + 1000 * start) for start in range(job["restarts"])]
    best = max(fits, key=lambda model: model.score(split.x_train, split.y_train))
    discrete = 100.0 * best.score(split.x_test, split.y_test)
    best.set_params(**{"estimator__prediction" if problem["pairwise"] else "prediction": "bayes"})
    return {"discrete": discrete, "bayes": 100.0 * best.score(split.x_test, split.y_test)}


def _split(job: Mapping[str, Any]) -> Split:
    problem = job["problem"]
    if problem["shots"] is None:
        return split_table(load_table(problem["data"]), job["split"], "test")
    return Split(*draw(problem["data"], problem["shots"], job["split"], "test")[:4])


def _fit(problem: Mapping[str, Any], way: str, split: Split, seed: int) -> Any:
    params = {
        name: tuple(value) if isinstance(value, list) else value for name, value in problem["params"].items()
    }
    network = MessagePassingClassifier(rounding=way, **params)
    if not problem["pairwise"]:
        return network.set_params(random_state=seed).fit(split.x_train, split.y_train)
    return PairwiseVoteClassifier(network, vote="soft", random_state=seed).fit(split.x_train, split.y_train)


def run(config: Config, output: Path, command: str) -> None:
    """Do all jobs and print a table."""
    jobs = [
        {"problem": vars(problem), "way": way, "restarts": restarts, "split": split}
        for problem in config.problems
        for restarts, way, split in itertools.product(config.restarts, problem.ways, range(config.num_splits))
    ]
    rows = run_jobs(jobs, work, output, config, command)
    print("\n".join(summary(rows, config)))


def summary(rows: list[dict[str, Any]], config: Config) -> list[str]:
    """Lines of Markdown: of every problem the Bayesian accuracy, and the discrete one of every way."""
    columns = [(way, restarts) for restarts in config.restarts for way in WAYS]
    names = [way if restarts == 1 else f"{way}, best of {restarts}" for way, restarts in columns]
    lines = ["| problem | Bayesian | " + " | ".join(names) + " |", "|---" * (len(columns) + 2) + "|"]
    for problem in config.problems:
        own = [row for row in rows if row["problem"]["name"] == problem.name]
        cells = [f"{np.mean([row['bayes'] for row in own if row['restarts'] == 1]):.1f}"]
        for way, restarts in columns:
            found = [row["discrete"] for row in own if (row["way"], row["restarts"]) == (way, restarts)]
            cells.append(f"{np.mean(found):.1f}" if found else "")
        lines.append(f"| {problem.name} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main(__doc__ or "", Config, run)
