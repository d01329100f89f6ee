"""Permuted images one task after the other: the posterior as the next task's prior, or a prior that stays.

python -m experiments.continual.gradient configs/continual_gradient/continual_gradient.toml
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.networks import hold_out
from experiments.common.runs import main, run_jobs
from mpnn.data import Dataset, load_dataset
from mpnn.gradient import prediction as deciding
from mpnn.gradient import training
from mpnn.gradient.bayesbinn import BayesianRule
from mpnn.gradient.families import Bernoulli
from mpnn.gradient.method import Plan
from mpnn.gradient.optimizers import set_prior
from mpnn.gradient.perceptron import PerceptronSpec


@dataclass(frozen=True)
class Config:
    """BayesBiNN on permutations of one data set; batch norm is shared, no sample kept, no task named.

    largest_gradient: 0 for no bound. held_out: see experiments.common.networks.hold_out.
    """

    seeds: list[int]
    priors: list[str]
    dataset: str
    num_tasks: int
    hidden: list[int]
    num_epochs: int
    batch_size: int
    learning_rate: float
    temperature: float
    initial_field: float
    derivative_floor: float
    test_draws: int
    largest_gradient: float = 0.0
    held_out: int = 0


def learn_tasks(job: Mapping[str, Any], config: Config, data: Dataset) -> dict[str, Any]:
    """Accuracies on every task seen so far, after each task, of the mode and of the mean."""
    x_train, x_test = scaled(data)
    widths = (x_train.shape[1], *config.hidden, int(data.y_train.max()) + 1)
    plan = Plan(config.num_epochs, config.batch_size, len(x_train), len(x_train) % config.batch_size != 0)
    method = BayesianRule(
        network=PerceptronSpec(widths, activation="relu", norm="batch", scaled=False),
        family=Bernoulli(config.initial_field, two_valued=True),
        learning_rate=config.learning_rate,
        temperature=config.temperature,
        derivative_floor=config.derivative_floor,
        largest_gradient=config.largest_gradient or None,
    )
    init_key, *keys = jax.random.split(jax.random.key(job["seed"]), 1 + config.num_tasks)
    state = training.init(init_key, method, plan)
    targets, rows, mask = jnp.asarray(data.y_train), jnp.arange(len(x_train)), jnp.ones(len(x_train))
    orders = permutations(job["seed"], config.num_tasks, x_train.shape[1])
    found: dict[str, Any] = {"mode": [], "bayes": []}
    for task, key in enumerate(keys):
        inputs = jnp.asarray(x_train[:, orders[task]])
        state, _ = training.train(key, method, plan, state, training.Data(inputs, rows, targets, mask))
        for kind, accuracies in found.items():
            accuracies.append(
                [
                    accuracy(method, kind, state, x_test[:, order], data.y_test, config)
                    for order in orders[: task + 1]
                ]
            )
        state = next_task(state, method, plan, keep_prior=job["prior"] == "fixed")
    return {f"average_{kind}": [float(np.mean(row)) for row in rows] for kind, rows in found.items()} | found


def scaled(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Flat training and test inputs, standardized by one mean and deviation."""
    mean, deviation = data.x_train.mean(), data.x_train.std()
    return tuple(
        ((x.reshape(len(x), -1) - mean) / deviation).astype(np.float32) for x in (data.x_train, data.x_test)
    )


def permutations(seed: int, num_tasks: int, num_features: int) -> list[np.ndarray]:
    """Orders of the pixels, one a task."""
    generator = np.random.default_rng(seed)
    return [generator.permutation(num_features) for _ in range(num_tasks)]


def next_task(
    state: training.TrainState, method: BayesianRule, plan: Plan, *, keep_prior: bool
) -> training.TrainState:
    """Keep fields and batch norm; a new optimizer, whose prior is the posterior or stays uniform."""
    optimizer = method.optimizer(plan).init(state.parameters)
    if not keep_prior:
        # copied: training donates the state, which must not hold an array twice
        optimizer = set_prior(optimizer, jax.tree.map(jnp.copy, state.parameters.latents))
    return state._replace(optimizer=optimizer, step=jnp.zeros([], jnp.int32))


def accuracy(
    method: BayesianRule,
    kind: str,
    state: training.TrainState,
    inputs: np.ndarray,
    labels: np.ndarray,
    config: Config,
) -> float:
    """Percent right, of the mode or of the mean over drawn networks."""
    latents = state.parameters.latents
    weights = tuple(method.family.mode(latent) for latent in latents)
    model = deciding.Model(weights, latents, state.parameters.real, state.statistics, np.uint32(0))
    _, shares = deciding.decide(method, kind, config.test_draws, model, jnp.asarray(inputs))
    return 100 * float(np.mean(np.asarray(shares).argmax(axis=1) == labels))


def run(config: Config, output: Path, command: str) -> None:
    """Learn the tasks for every seed and prior."""
    settings = {name: value for name, value in asdict(config).items() if name not in ("seeds", "priors")}
    jobs = [{"prior": prior, "seed": seed, **settings} for seed in config.seeds for prior in config.priors]
    data = load_dataset(config.dataset)
    data = hold_out(data, config.held_out) if config.held_out else data
    rows = run_jobs(jobs, lambda job: learn_tasks(job, config, data), output, config, command)
    print("| prior | prediction | average after each task | seeds |\n|---|---|---|---|")
    for prior in config.priors:
        for kind in ("average_mode", "average_bayes"):
            values = np.array([row[kind] for row in rows if row["prior"] == prior])
            means = ", ".join(f"{value:.1f}" for value in values.mean(axis=0))
            print(f"| {prior} | {kind.removeprefix('average_')} | {means} | {len(values)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
