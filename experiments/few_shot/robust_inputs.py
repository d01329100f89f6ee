"""What the few-shot vote and single networks lose to disturbed pixels, by the transform of their inputs.

    MPNN_DATA=FOLDER python -m experiments.few_shot.robust_inputs configs/robust_inputs/robust_inputs.toml
    MPNN_DATA=FOLDER python -m experiments.few_shot.robust_inputs configs/robust_inputs/robust_test.toml

Two questions of every transform (a power, and a dead zone below which magnitudes are 0): how often the vote
over all classes is right, clean and under noise of a tenth of the range; and how often the network of one
pair is right when every pixel moves by at most so many grey levels in the worst direction. For one layer and
an increasing transform that direction is known exactly. `judge = "validation"`: training images only.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from experiments.common.runs import main, run_jobs
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.data import load_dataset
from mpnn.preprocessing.scaling import ROOT_CENTRING, InputTransform, fit_transform_of
from mpnn.runs.toml import ConfigError

JUDGES = ("test", "validation")
FIRST_SEED = 100
MOST_JUDGED = 1000
LINEAR = "logistic regression"


@dataclass(frozen=True)
class Candidate:
    """A transform by name: the estimator's own `scaling`, or a power and a dead zone, shares of the range."""

    name: str
    scaling: str | None = None
    power: float = 1.0
    dead_zone: float = 0.0


@dataclass(frozen=True)
class Config:
    """Transforms, data sets, images a class, draws; the pair and the grey levels of the worst case."""

    transforms: list[Candidate]
    datasets: list[str]
    shots: list[int]
    draws: int
    noise: float = 0.1
    pair: tuple[int, int] = (4, 9)
    pair_shots: int = 10
    grey_levels: tuple[int, ...] = (0, 1, 4, 8, 16, 32)
    judge: str = "validation"

    def __post_init__(self) -> None:
        if self.judge not in JUDGES:
            raise ConfigError(f"judge must be one of {JUDGES}, got {self.judge!r}")


class Drawn(NamedTuple):
    """Few training images, flat, and the images that judge; values 0 .. `largest`."""

    x_train: NDArray
    y_train: NDArray
    x_test: NDArray
    y_test: NDArray
    largest: float


_images = lru_cache(maxsize=None)(load_dataset)


def draw(dataset: str, shots: int, seed: int, judge: str, classes: list[int] | None = None) -> Drawn:
    """Images of each class to train with, and at most 1,000 others of the same classes."""
    data, generator = _images(dataset), np.random.default_rng(FIRST_SEED + seed)
    x, y = data.x_train.reshape(len(data.x_train), -1), data.y_train
    own = np.unique(y) if classes is None else np.asarray(classes)
    train = np.concatenate([generator.choice(np.flatnonzero(y == c), shots, replace=False) for c in own])
    others, labels = (
        (x, y) if judge == "validation" else (data.x_test.reshape(len(data.x_test), -1), data.y_test)
    )
    rows = np.flatnonzero(np.isin(labels, own))
    if judge == "validation":
        rows = np.setdiff1d(rows, train)
    rows = generator.choice(rows, min(MOST_JUDGED, len(rows)), replace=False)
    as_float = np.float32
    return Drawn(
        x[train].astype(as_float), y[train], others[rows].astype(as_float), labels[rows], float(x.max())
    )


def transform_of(candidate: Mapping[str, Any], inputs: NDArray) -> InputTransform:
    """The transform learned on few training images."""
    if candidate["scaling"] is not None:
        return fit_transform_of(inputs, candidate["scaling"])
    plain = fit_transform_of(inputs, "max_abs")
    powered = plain._replace(power=candidate["power"], dead_zone=candidate["dead_zone"])
    return powered._replace(offset=np.float32(ROOT_CENTRING) * powered(inputs).mean(axis=0))


def work(job: Mapping[str, Any]) -> dict[str, Any]:
    """One draw of one question; percentages."""
    return (_worst_case if job["question"] == "worst case" else _vote)(job)


def _vote(job: Mapping[str, Any]) -> dict[str, float]:
    """The vote over all classes on clean and on noisy images."""
    drawn = draw(job["dataset"], job["shots"], job["draw"], job["judge"])
    signs = np.random.default_rng(job["draw"]).choice([-1.0, 1.0], drawn.x_test.shape)
    noisy = drawn.x_test + job["noise"] * drawn.largest * signs
    if job["transform"]["name"] == LINEAR:
        return _shares(_logistic_regression(drawn), drawn, noisy, "vote")
    transform = transform_of(job["transform"], drawn.x_train)
    model = PairwiseVoteClassifier(_network(job["draw"])).fit(transform(drawn.x_train), drawn.y_train)

    def predict(x: NDArray) -> NDArray:
        return model.predict(transform(x.astype(np.float32)))

    found = _shares(predict, drawn, noisy, "vote")
    model.set_params(vote="soft", estimator__prediction="bayes")
    return found | _shares(predict, drawn, noisy, "bayes")


def _network(seed: int) -> MessagePassingClassifier:
    return MessagePassingClassifier(input_scaling=None, encoding=None, random_state=seed)


def _logistic_regression(drawn: Drawn) -> Callable[[NDArray], NDArray]:
    model = LogisticRegression(max_iter=2000).fit(drawn.x_train / drawn.largest, drawn.y_train)
    return lambda x: model.predict(x / drawn.largest)


def _shares(
    predict: Callable[[NDArray], NDArray], drawn: Drawn, noisy: NDArray, name: str
) -> dict[str, float]:
    clean, disturbed = (100.0 * float(np.mean(predict(x) == drawn.y_test)) for x in (drawn.x_test, noisy))
    return {name: clean, f"{name}_noisy": disturbed}


def _worst_case(job: Mapping[str, Any]) -> dict[str, float]:
    """One pair's network: right whatever is done to the pixels within so many grey levels."""
    drawn = draw(job["dataset"], job["shots"], job["draw"], job["judge"], job["pair"])
    signs = np.where(drawn.y_test == max(job["pair"]), 1.0, -1.0)[:, None]
    if job["transform"]["name"] == LINEAR:
        model = LogisticRegression(max_iter=2000).fit(drawn.x_train / drawn.largest, drawn.y_train)
        weights, bias = model.coef_[0], float(model.intercept_[0])

        def transform(x: NDArray) -> NDArray:
            return x / drawn.largest
    else:
        transform = transform_of(job["transform"], drawn.x_train)
        network = _network(job["draw"]).fit(transform(drawn.x_train), drawn.y_train)
        weights, bias = network.weights_[0][:, 0].astype(float), 0.0
    found = {}
    for grey_levels in job["grey_levels"]:
        low, high = (
            transform(np.clip(drawn.x_test + step, 0.0, drawn.largest))
            for step in (-grey_levels, grey_levels)
        )
        outputs = np.sum(np.where(signs * weights > 0, low, high) * weights, axis=1) + bias
        found[f"levels_{grey_levels}"] = 100.0 * float(np.mean((outputs >= 0) == (signs[:, 0] > 0)))
    return found


def jobs_of(config: Config) -> list[dict[str, Any]]:
    """All draws of the vote, and of the worst case on MNIST where it is among the data sets."""
    jobs: list[dict[str, Any]] = []
    for candidate in config.transforms:
        named = {"transform": vars(candidate), "judge": config.judge}
        for dataset, shots, seed in itertools.product(config.datasets, config.shots, range(config.draws)):
            own = {
                "question": "vote",
                "dataset": dataset,
                "shots": shots,
                "draw": seed,
                "noise": config.noise,
            }
            jobs.append(own | named)
        if "mnist" in config.datasets:
            worst = {"question": "worst case", "dataset": "mnist", "shots": config.pair_shots}
            worst |= {"pair": list(config.pair), "grey_levels": list(config.grey_levels)}
            jobs += [worst | {"draw": seed} | named for seed in range(config.draws)]
    return jobs


def run(config: Config, output: Path, command: str) -> None:
    """Do all jobs and print two tables."""
    rows = run_jobs(jobs_of(config), work, output, config, command)
    print("\n".join(vote_table(rows, config)))
    if "mnist" in config.datasets:
        print("\n".join(["", *worst_case_table(rows, config)]))


def vote_table(rows: list[dict[str, Any]], config: Config) -> list[str]:
    """Lines of Markdown: vote and Bayesian prediction, and what noise costs each, by shots."""
    numbers = ", ".join(map(str, config.shots))
    lines = [
        f"| {numbers} a class | transform | vote | lost to noise | Bayesian | lost |",
        "|---|---|---|---|---|---|",
    ]
    for dataset, candidate in itertools.product(config.datasets, config.transforms):
        cells = {key: [] for key in ("vote", "vote_lost", "bayes", "bayes_lost")}
        for shots in config.shots:
            own = [
                row
                for row in rows
                if row["question"] == "vote"
                and (row["dataset"], row["shots"], row["transform"]["name"])
                == (dataset, shots, candidate.name)
            ]
            for name in ("vote", "bayes"):
                if own[0].get(name) is not None:
                    clean, noisy = (np.mean([row[key] for row in own]) for key in (name, f"{name}_noisy"))
                    cells[name].append(f"{clean:.1f}")
                    cells[f"{name}_lost"].append(f"{clean - noisy:.1f}")
        lines.append(" | ".join([f"| {dataset}", candidate.name, *map(", ".join, cells.values())]) + " |")
    return lines


def worst_case_table(rows: list[dict[str, Any]], config: Config) -> list[str]:
    """Lines of Markdown: percent right by grey levels."""
    lines = [
        "| grey levels | " + " | ".join(map(str, config.grey_levels)) + " |",
        "|---" * (len(config.grey_levels) + 1) + "|",
    ]
    for candidate in config.transforms:
        own = [
            row
            for row in rows
            if row["question"] == "worst case" and row["transform"]["name"] == candidate.name
        ]
        if own:
            means = [np.mean([row[f"levels_{level}"] for row in own]) for level in config.grey_levels]
            lines.append(f"| {candidate.name} | " + " | ".join(f"{mean:.1f}" for mean in means) + " |")
    return lines


if __name__ == "__main__":
    main(__doc__ or "", Config, run)
