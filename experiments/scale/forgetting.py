"""A worker's evidence is taken out of the common network, beside training again without that worker.

    python -m experiments.scale.forgetting configs/forgetting/forgetting.toml

Errors in percent, of discrete weights and of beliefs, on the whole test set and on its samples of the classes
that the worker had: a worker that had them alone takes them with it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.common.networks import Model, Samples, samples_of
from experiments.common.runs import main, run_jobs
from experiments.scale.merging import Evidence, rows_of
from mpnn import functional as mp
from mpnn.data import load_dataset


@dataclass(frozen=True)
class Config:
    """One model, forgetting its last worker.

    repair_rounds: the last so many rounds are played once more by those that stay.
    """

    dataset: str
    seeds: list[int]
    splits: list[str]
    workers: int
    rounds: int
    repair_rounds: int
    num_epochs: int
    model: Model
    batch_size: int = 128
    caution: float = 1.0
    input_scaling: str | None = "standard"


def forget_worker(samples: Samples, job: Mapping[str, Any]) -> dict[str, Any]:
    """Errors of the network of all, without the last's evidence, repaired by the others, trained without."""
    labels = np.asarray(samples.train[1])
    rows, model = rows_of(labels, job["workers"], job["split"], job["seed"]), Model(**job["model"])
    theirs = np.isin(np.asarray(samples.test[1]), np.unique(labels[rows[-1]]))
    parts = {"all": samples, "theirs": samples._replace(test=tuple(half[theirs] for half in samples.test))}
    together, alone = (Evidence(model, samples, own, job) for own in (rows, rows[:-1]))
    for number in range(job["rounds"]):
        together.play(number)
        alone.play(number)
    found = {"together": errors(together, parts), "retrained": errors(alone, parts)}
    own = jax.tree.map(lambda leaf: leaf[-1], together.evidence)
    together.common = mp.forget(together.spec, together.common, own, together.hyper)
    found["forgotten"] = errors(together, parts)
    leave_out_last(together)
    for number in range(job["rounds"] - job["repair_rounds"], job["rounds"]):
        together.play(number)
    return found | {"repaired": errors(together, parts)}


def leave_out_last(network: Evidence) -> None:
    """The last worker takes no part from now on."""
    network.workers -= 1
    network.keys, network.data = (
        network.keys[:-1],
        network.data._replace(rows=network.data.rows[:-1], labels=network.data.labels[:-1]),
    )
    network.evidence = jax.tree.map(lambda leaf: leaf[:-1], network.evidence)


def errors(network: Evidence, parts: Mapping[str, Samples]) -> dict[str, dict[str, float]]:
    """On each part of the test set."""
    found = {}
    for name, samples in parts.items():
        network.samples = samples
        found[name] = network.errors()
    return found


def run(config: Config, output: Path, command: str) -> None:
    """Do every split and seed, then print a line of Markdown for each network."""
    samples = samples_of(load_dataset(config.dataset), "classes", config.input_scaling)
    same = {name: value for name, value in asdict(config).items() if name not in ("seeds", "splits")}
    jobs = [{"split": split, "seed": seed, **same} for split in config.splits for seed in config.seeds]
    rows = run_jobs(jobs, partial(forget_worker, samples), output, config, command)
    print("| split | network | test set | its classes | (Bayesian) | |\n" + "|---" * 6 + "|")
    for split in config.splits:
        own = [row for row in rows if row["split"] == split]
        for network in ("together", "forgotten", "repaired", "retrained"):
            means = [
                f"{np.mean([row[network][part][kind] for row in own]):.2f}"
                for kind in ("mode", "bayes")
                for part in ("all", "theirs")
            ]
            print(f"| {split} | {network} | {' | '.join(means)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
