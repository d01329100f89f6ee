"""Rare classes: balanced few-bit networks beside balanced logistic regression, where that is the true model.

    python -m experiments.tables.rare_classes configs/rare_classes/rare_classes.toml

Two Gaussian classes of 20 columns, of which five differ; one sample in `ratio` is of the second class. Test
samples are of both classes alike, so that accuracy is balanced accuracy. The method "network on files" is the
network trained on files that are read a block at a time, with a sample of 4,096 rows.
"""

import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from experiments.common.runs import main, mean_text, refuse_unknown, run_jobs
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.data import Shards

NUM_COLUMNS, NUM_DIFFERENT, DIFFERENCE = 20, 5, 0.75
NUM_TEST_SAMPLES = 8000
NUM_FILES, SAMPLE_ROWS, ROWS_AT_ONCE = 10, 4096, 1 << 14
ON_FILES = "network on files"
METHODS = {
    "logistic regression": lambda seed: LogisticRegression(class_weight="balanced", max_iter=1000),
    "network": lambda seed: MessagePassingClassifier(class_weight="balanced", random_state=seed),
    ON_FILES: lambda seed: MessagePassingClassifier(class_weight="balanced", random_state=seed),
    "vote": lambda seed: PairwiseVoteClassifier(class_weight="balanced", random_state=seed),
}


@dataclass(frozen=True)
class Problem:
    """Training samples, and how many of them there are for one of the rare class."""

    num_samples: int
    ratio: int


@dataclass(frozen=True)
class Config:
    """Every method on every draw of every problem."""

    problems: list[Problem]
    methods: list[str]
    num_draws: int

    def __post_init__(self) -> None:
        refuse_unknown("methods", self.methods, METHODS)


def draw_samples(seed: int, num_samples: int, num_rare: int) -> tuple[NDArray, NDArray]:
    """Inputs ``[n, 20]`` and classes ``[n]``, of which the second has ``num_rare``."""
    y = (np.arange(num_samples) < num_rare).astype(int)
    X = np.random.default_rng(seed).normal(size=(num_samples, NUM_COLUMNS))
    X[:, :NUM_DIFFERENT] += DIFFERENCE * y[:, None]
    return X, y


def fit_on_files(model: MessagePassingClassifier, X: NDArray, y: NDArray) -> None:
    """Train on files that hold the samples in random order."""
    order = np.random.default_rng(0).permutation(len(y))
    with tempfile.TemporaryDirectory() as folder:
        for number, rows in enumerate(np.array_split(order, NUM_FILES)):
            np.savez(Path(folder) / f"{number}.npz", x=X[rows], y=y[rows])
        model.fit_shards(Shards(folder), sample_rows=SAMPLE_ROWS, rows_at_once=ROWS_AT_ONCE)


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Balanced accuracy in per cent of the discrete prediction and, of networks, the Bayesian."""
    X, y = draw_samples(job["draw"], job["num_samples"], job["num_samples"] // job["ratio"])
    X_test, y_test = draw_samples(1000 + job["draw"], NUM_TEST_SAMPLES, NUM_TEST_SAMPLES // 2)
    model = METHODS[job["method"]](job["draw"])
    if job["method"] == ON_FILES:
        fit_on_files(model, X, y)
    else:
        model.fit(X, y)
    found = {"balanced_accuracy": 100.0 * model.score(X_test, y_test)}
    if isinstance(model, MessagePassingClassifier):
        found["bayes_balanced_accuracy"] = 100.0 * model.set_params(prediction="bayes").score(X_test, y_test)
    return found


def jobs_of(config: Config) -> list[dict[str, Any]]:
    """One job a problem, method and draw."""
    return [
        {"num_samples": problem.num_samples, "ratio": problem.ratio, "method": method, "draw": draw}
        for problem, method, draw in itertools.product(
            config.problems, config.methods, range(config.num_draws)
        )
    ]


def run(config: Config, output: Path, command: str) -> None:
    """Do all jobs and print a table."""
    rows = run_jobs(jobs_of(config), work, output, config, command)
    print("| samples, one in | method | balanced accuracy | Bayesian |")
    print("|---|---|---|---|")
    for problem, method in itertools.product(config.problems, config.methods):
        own = [
            row
            for row in rows
            if (row["num_samples"], row["ratio"], row["method"])
            == (problem.num_samples, problem.ratio, method)
        ]
        cells = [mean_text(own, key) for key in ("balanced_accuracy", "bayes_balanced_accuracy")]
        print(f"| {problem.num_samples:,}, {problem.ratio:,} | {method} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(__doc__ or "", Config, run)
