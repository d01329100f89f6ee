"""Counts of words in documents of several classes: few-bit networks beside logistic regression.

    python -m experiments.tables.words configs/words/words.toml

Every class has a distribution over the words, half of it common to all; a document has thirty words. Most
counts are 0, so that the bits of most columns are nearly always the same.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from experiments.common.runs import main, mean_text, refuse_unknown, run_jobs
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier

NUM_TEST_DOCUMENTS, LENGTH, CONCENTRATION = 2000, 30, 0.1
METHODS = {
    "logistic regression": lambda seed: LogisticRegression(max_iter=1000),
    "network": lambda seed: MessagePassingClassifier(random_state=seed),
    "vote": lambda seed: PairwiseVoteClassifier(random_state=seed),
}


@dataclass(frozen=True)
class Problem:
    """Training documents, words that there are, and classes."""

    num_documents: int
    num_words: int
    num_classes: int


@dataclass(frozen=True)
class Config:
    """Every method on every draw of every problem."""

    problems: list[Problem]
    methods: list[str]
    num_draws: int

    def __post_init__(self) -> None:
        refuse_unknown("methods", self.methods, METHODS)


def draw_documents(
    seed: int, num_documents: int, num_words: int, num_classes: int
) -> tuple[NDArray, NDArray]:
    """Counts ``[n, words]`` and classes ``[n]``."""
    rng, labels = np.random.default_rng(seed), np.arange(num_documents) % num_classes
    own = rng.dirichlet(np.full(num_words, CONCENTRATION), size=num_classes)
    shares = 0.5 * own + 0.5 / num_words
    return np.stack([rng.multinomial(LENGTH, shares[label]) for label in labels]), labels


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy in per cent of the discrete prediction and, of one network, the Bayesian."""
    size, count = job["num_words"], job["num_documents"]
    X, y = draw_documents(job["draw"], count + NUM_TEST_DOCUMENTS, size, job["num_classes"])
    model = METHODS[job["method"]](job["draw"]).fit(X[:count], y[:count])
    found = {"accuracy": 100.0 * model.score(X[count:], y[count:])}
    if isinstance(model, MessagePassingClassifier):
        model.set_params(prediction="bayes")
        found["bayes_accuracy"] = 100.0 * model.score(X[count:], y[count:])
    return found


def jobs_of(config: Config) -> list[dict[str, Any]]:
    """One job a problem, method and draw."""
    return [
        {**vars(problem), "method": method, "draw": draw}
        for problem, method, draw in itertools.product(
            config.problems, config.methods, range(config.num_draws)
        )
    ]


def run(config: Config, output: Path, command: str) -> None:
    """Do all jobs and print a table."""
    rows = run_jobs(jobs_of(config), work, output, config, command)
    print("| documents, words, classes | method | accuracy | Bayesian |")
    print("|---|---|---|---|")
    for problem, method in itertools.product(config.problems, config.methods):
        asked = {**vars(problem), "method": method}
        own = [row for row in rows if asked.items() <= {k: row[k] for k in asked}.items()]
        sizes = f"{problem.num_documents:,}, {problem.num_words}, {problem.num_classes}"
        print(f"| {sizes} | {method} | {mean_text(own, 'accuracy')} | {mean_text(own, 'bayes_accuracy')} |")


if __name__ == "__main__":
    main(__doc__ or "", Config, run)
