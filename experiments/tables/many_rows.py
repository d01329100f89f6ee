"""Epochs, mini-batches and hidden layers of many rows: generated tables, held-out rows of the same world.

python -m experiments.tables.many_rows configs/many_rows/many_rows.toml
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification

from experiments.common.runs import main, run_jobs
from mpnn import MessagePassingClassifier

NUM_COLUMNS, NUM_TEST_ROWS = 20, 20_000


@dataclass(frozen=True)
class Training:
    """Rows, how often each is met, those of a mini-batch, and hidden units; 0 or none: by default."""

    num_rows: int
    num_epochs: int = 0
    batch_size: int = 0
    hidden: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Config:
    """Every training of every table, once."""

    tables: list[str]
    trainings: list[Training]


def friedman(num_rows: int) -> tuple[NDArray, NDArray]:
    """Whether Friedman's first function of five columns, with noise, is above its median."""
    rng = np.random.default_rng(0)
    X = rng.random((num_rows, NUM_COLUMNS))
    value = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
    return X, (value + 2 * rng.normal(size=num_rows) > 14.4).astype(int)


def clusters(num_rows: int) -> tuple[NDArray, NDArray]:
    """Three classes of three clusters each in eight columns, one label in twenty drawn at random."""
    return make_classification(
        num_rows,
        NUM_COLUMNS,
        n_informative=8,
        n_redundant=4,
        n_classes=3,
        n_clusters_per_class=3,
        flip_y=0.05,
        random_state=5,
    )


TABLES = {"friedman": friedman, "clusters": clusters}


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """Test accuracy in per cent, discrete and Bayesian, and the processor's seconds without compilation."""
    X, y = TABLES[job["table"]](job["num_rows"] + NUM_TEST_ROWS)
    (X, X_test), (y, y_test) = (np.split(each, [job["num_rows"]]) for each in (X, y))
    model = MessagePassingClassifier(
        hidden=job.get("hidden", "auto"),
        num_epochs=job["num_epochs"] or None,
        batch_size=job["batch_size"] or "auto",
        random_state=0,
    )
    model.fit(X, y)
    start = process_time()
    model.fit(X, y)
    seconds = process_time() - start
    accuracy = {
        kind: 100.0 * model.set_params(prediction=kind).score(X_test, y_test) for kind in ("mode", "bayes")
    }
    return {"steps": model.n_iter_, "accuracy": accuracy, "processor_seconds": seconds}


def _given(training: Training) -> dict[str, Any]:
    """Fields of a job; hidden units only where they are not the default."""
    job = asdict(training)
    return job if training.hidden else {name: job[name] for name in job if name != "hidden"}


def run(config: Config, output: Path, command: str) -> None:
    """Do what has no row yet, then print a table."""
    jobs = [{"table": name, **_given(each)} for name in config.tables for each in config.trainings]
    print("| table | rows | hidden | mini-batch | steps | discrete | Bayesian | s |\n" + "|---" * 8 + "|")
    for row in run_jobs(jobs, work, output, config, command):
        accuracy = row["accuracy"]
        print(
            f"| {row['table']} | {row['num_rows']:,} | {row.get('hidden', 'default')} | "
            f"{row['batch_size'] or 'default'} | {row['steps']:,} | {accuracy['mode']:.1f} | "
            f"{accuracy['bayes']:.1f} | {row['processor_seconds']:.1f} |"
        )


if __name__ == "__main__":
    main(__doc__, Config, run)
