"""One pass over rows made on the fly: how often a row should count where epochs are few, and how to round.

    python -m experiments.scale.one_epoch configs/one_epoch/one_epoch.toml

A mini-batch weighs ten times `counts`, divided by the epochs. Errors are those on rows held out, in percent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common.runs import main, run_jobs
from experiments.scale.clicks import Clicks
from mpnn import MessagePassingClassifier

HELD_OUT_ROWS = 1 << 15


@dataclass(frozen=True)
class Config:
    """Every number of rows with all hidden layers, numbers of epochs, counts, roundings and seeds."""

    num_rows: list[int]
    hidden: list[list[int]]
    num_epochs: list[int]
    counts: list[float]
    roundings: list[str]
    seeds: list[int]
    batch_size: int = 256
    part_rows: int = 32_768


def errors(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train, and compare with the labels of rows that are held out."""
    clicks = Clicks(job["num_rows"], job["part_rows"], job["seed"])
    names = ("hidden", "num_epochs", "counts", "rounding", "batch_size")
    model = MessagePassingClassifier(random_state=job["seed"], **{name: job[name] for name in names})
    model.fit_shards(clicks)
    inputs, labels = Clicks(HELD_OUT_ROWS, HELD_OUT_ROWS, job["seed"], first=1 << 29)[0]
    found = {}
    for prediction in ("mode", "bayes"):
        wrong = model.set_params(prediction=prediction).predict(inputs) != labels
        found[prediction] = round(100.0 * float(np.mean(wrong)), 2)
    smaller = 100.0 * float(min(labels.mean(), 1.0 - labels.mean()))
    return {
        **found,
        "smaller_class": round(smaller, 2),
        "training_error": round(100.0 * float(model.history_["error"][-1]), 2),
        "polarization": np.round(model.history_["polarization"][-1], 3).tolist(),
    }


def run(config: Config, output: Path, command: str) -> None:
    """Do every combination, then print the means over seeds as Markdown."""
    jobs = [
        {
            "num_rows": num_rows,
            "hidden": hidden,
            "num_epochs": epochs,
            "counts": counts,
            "rounding": rounding,
            "seed": seed,
            "batch_size": config.batch_size,
            "part_rows": config.part_rows,
        }
        for seed in config.seeds
        for num_rows in config.num_rows
        for hidden in config.hidden
        for epochs in config.num_epochs
        for counts in config.counts
        for rounding in config.roundings
    ]
    rows = run_jobs(jobs, errors, output, config, command)
    print(
        "| rows | hidden | epochs | counts | rounding | discrete | Bayesian | smaller class |\n"
        + "|---" * 8
        + "|"
    )
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        hidden = "-".join(map(str, row["hidden"]))
        key = row["num_rows"], hidden, row["num_epochs"], row["counts"], row["rounding"]
        groups.setdefault(key, []).append(row)
    for key, own in groups.items():
        means = [np.mean([row[name] for row in own]) for name in ("mode", "bayes", "smaller_class")]
        print(f"| {' | '.join(map(str, key))} | {' | '.join(f'{mean:.1f}' for mean in means)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
