"""Few-bit networks and their rivals on the development tables, several stratified splits of each.

    MPNN_DATA=FOLDER python -m experiments.tables.compare_defaults configs/tables/tables_defaults.toml

A method is a name of METHODS with its parameters; `code` are the parameters of the encoder in front of it;
without it columns are standardized, or left as they are for trees and for the classifiers of this library.
`judge = "validation"` never looks at test rows: it splits every training part once more, and is what settings
are chosen with.
"""

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from experiments.common.runs import main, mean_text, run_jobs
from experiments.tables.development import TABLES, load_table, split_table
from experiments.tables.model_bytes import BYTES_OF_NODE, BYTES_OF_NUMBER, model_bytes
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.encoders import TableEncoder
from mpnn.gradient import STEClassifier
from mpnn.metrics import probability_scores
from mpnn.runs.toml import ConfigError

JUDGES = ("test", "validation")
# Methods that take columns as they are: trees, and the classifiers that code tables themselves.
AS_THEY_ARE = ("random_forest", "boosting", "tree", "message_passing", "pairwise")
NUM_BINS = 10
BYTES_OF_TERNARY_WEIGHT = 0.25


@dataclass(frozen=True)
class Entry:
    """One method: its name in rows, its kind, its parameters, and those of the encoder, if it has one."""

    name: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] | None = None


@dataclass(frozen=True)
class Config:
    """Every method on every split of every table; all of them where tables is None."""

    num_splits: int
    methods: list[Entry]
    tables: list[str] | None = None
    judge: str = "test"

    def __post_init__(self) -> None:
        unknown = sorted({entry.method for entry in self.methods} - set(METHODS))
        if unknown:
            raise ConfigError(f"method must be one of {tuple(METHODS)}, got {unknown[0]!r}")
        if self.judge not in JUDGES:
            raise ConfigError(f"judge must be one of {JUDGES}, got {self.judge!r}")


def _message_passing(seed: int, width: int, params: Mapping[str, Any]) -> Any:
    return MessagePassingClassifier(random_state=seed, **_with_tuples(params))


def _pairwise(seed: int, width: int, params: Mapping[str, Any]) -> Any:
    member = MessagePassingClassifier(**_with_tuples(params))
    return PairwiseVoteClassifier(member, vote="soft", random_state=seed)


def _straight_through(seed: int, width: int, params: Mapping[str, Any]) -> Any:
    return STEClassifier(random_state=seed, **_with_tuples(params))


def _tree(seed: int, width: int, params: Mapping[str, Any]) -> Any:
    """As many bytes as one layer of ternary weights with a threshold for each of its inputs."""
    num_nodes = int(width * (BYTES_OF_TERNARY_WEIGHT + BYTES_OF_NUMBER) / BYTES_OF_NODE)
    return DecisionTreeClassifier(max_leaf_nodes=max(2, num_nodes + 1), random_state=seed, **params)


METHODS = {
    "message_passing": _message_passing,
    "pairwise": _pairwise,
    "straight_through": _straight_through,
    "tree": _tree,
    "logistic_regression": lambda seed, width, params: LogisticRegression(max_iter=3000, **params),
    "rbf_svm": lambda seed, width, params: SVC(**params),
    "random_forest": lambda seed, width, params: RandomForestClassifier(200, random_state=seed, **params),
    "boosting": lambda seed, width, params: HistGradientBoostingClassifier(random_state=seed, **params),
    "perceptron": lambda seed, width, params: MLPClassifier(random_state=seed, **_with_tuples(params)),
}


def _with_tuples(params: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has lists and no None; networks want tuples of widths, and None is written "none"."""
    values = {name: None if value == "none" else value for name, value in params.items()}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit one method on one split and judge it; percentages."""
    split = split_table(_table(job["table"]), job["split"], job["judge"])
    encoder = TableEncoder(dtype=np.float32, **(job["code"] or {}))
    width = encoder.fit_transform(split.x_train).shape[1]
    classifier = METHODS[job["method"]](job["split"], width, job["params"])
    steps = (
        [encoder] if job["code"] is not None else [] if job["method"] in AS_THEY_ARE else [StandardScaler()]
    )
    model = make_pipeline(*steps, classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(split.x_train, split.y_train)
    found = {"inputs": width, "bytes": model_bytes(model, split.x_train)}
    found |= _judged(model, split.x_test, split.y_test)
    if job["method"] in ("message_passing", "pairwise"):
        own = classifier if job["method"] == "message_passing" else classifier.estimator
        own.set_params(prediction="bayes")
        found |= {f"bayes_{key}": value for key, value in _judged(model, split.x_test, split.y_test).items()}
    return found


def _judged(model: Any, x: NDArray, y: NDArray) -> dict[str, float]:
    """Accuracy, and what probabilities are worth where there are any."""
    found = {"accuracy": 100.0 * float(np.mean(model.predict(x) == y))}
    if hasattr(model, "predict_proba"):
        scores = probability_scores(model.predict_proba(x), y, NUM_BINS)
        found["negative_log_likelihood"] = scores.negative_log_likelihood
        found["calibration_error"] = 100.0 * scores.expected_calibration_error
    return found


_table = lru_cache(maxsize=None)(load_table)


def jobs_of(config: Config) -> list[dict[str, Any]]:
    """One job a method, table and split; methods of one split follow each other."""
    tables = config.tables or TABLES
    return [
        {
            "table": table,
            "split": split,
            "judge": config.judge,
            "name": entry.name,
            "method": entry.method,
            "params": entry.params,
            "code": entry.code,
        }
        for entry, table, split in itertools.product(config.methods, tables, range(config.num_splits))
    ]


def run(config: Config, output: Path, command: str) -> None:
    """Do all jobs and print the mean accuracy of every method."""
    jax.config.update("jax_compilation_cache_dir", str(output / "compilations"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    rows = run_jobs(jobs_of(config), work, output, config, command)
    for line in summary(rows, [entry.name for entry in config.methods]):
        print(line)


def summary(rows: list[dict[str, Any]], names: list[str]) -> list[str]:
    """A line of Markdown a method: mean over tables of accuracy, Bayesian accuracy, calibration error."""
    lines = ["| method | accuracy | Bayesian | ECE | Bayesian ECE |", "|---|---|---|---|---|"]
    keys = ("accuracy", "bayes_accuracy", "calibration_error", "bayes_calibration_error")
    for name in names:
        own = [row for row in rows if row["name"] == name]
        cells = [mean_text(own, key, 2) for key in keys]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines


if __name__ == "__main__":
    main(__doc__ or "", Config, run)
