"""Two moons and a one-dimensional regression: a distribution over binary weights beside a point estimate.

python -m experiments.bayesbinn_toys configs/bayesbinn_toys.toml
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from sklearn.datasets import make_moons

from experiments.runs import main, run_jobs
from mpnn.gradient import deciding, training
from mpnn.gradient.bayesbinn import BayesianRule
from mpnn.gradient.families import Bernoulli, LatentBinary
from mpnn.gradient.methods import Method, Plan, cosine, partitioned
from mpnn.gradient.networks import NetworkSpec
from mpnn.gradient.optimizers import keep_in_box
from mpnn.gradient.ste import StraightThrough

TASKS = ("two_moons", "regression")
METHODS = ("bayesbinn", "straight_through")


@dataclass(frozen=True)
class Config:
    """Full-batch training of networks in-hidden-1 with tanh units, binary weights and binary biases."""

    seeds: list[int]
    hidden: list[int]
    num_samples: int
    num_updates: int
    learning_rate: float
    straight_through_rate: float
    temperature: float
    initial_field: float
    momentum: float
    train_draws: int
    test_draws: int
    noise: float


class AdamStraightThrough(StraightThrough):
    """Straight-through steps of Adam, as BayesBiNN's baseline takes them on these tasks."""

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, cosine, latent weights in the box."""
        steps = optax.chain(optax.adam(cosine(self.learning_rate, plan)), keep_in_box())
        return partitioned(steps, optax.identity())


def problem(task: str, seed: int, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Inputs ``[n, 1 or 2]`` and targets: -1 and +1, or real ones from two clusters with a gap."""
    if task == "two_moons":
        inputs, labels = make_moons(config.num_samples, noise=0.1, random_state=seed)
        return (2.0 * (inputs - [0.5, 0.25])).astype(np.float32), (2.0 * labels - 1.0).astype(np.float32)
    generator = np.random.default_rng(seed)
    sides = generator.choice([-1.0, 1.0], config.num_samples)
    inputs = sides * generator.uniform(0.7, 2.0, config.num_samples)
    targets = curve(inputs) + config.noise * generator.normal(size=config.num_samples)
    return inputs[:, None].astype(np.float32), targets.astype(np.float32)


def curve(x: np.ndarray) -> np.ndarray:
    """The regression's truth."""
    return np.sin(2.0 * x) + 0.3 * x


def method_of(name: str, task: str, config: Config) -> Method:
    """BayesBiNN, or straight-through on the same network."""
    num_inputs = 2 if task == "two_moons" else 1
    common: dict[str, Any] = {
        "network": NetworkSpec((num_inputs, *config.hidden, 1), activation="tanh", bias=True),
        "loss": "cross_entropy" if task == "two_moons" else "squared_error",
    }
    if name == "straight_through":
        return AdamStraightThrough(
            **common, family=LatentBinary(), learning_rate=config.straight_through_rate
        )
    return BayesianRule(
        **common,
        family=Bernoulli(config.initial_field, two_valued=True),
        num_draws=config.train_draws,
        learning_rate=config.learning_rate,
        temperature=config.temperature,
        momentum=config.momentum,
        # (y - f)² is the negative log likelihood times 2 noise²
        prior_weight=1.0 if task == "two_moons" else 2.0 * config.noise**2,
    )


def grid_of(task: str) -> np.ndarray:
    """Where predictions are shown: ``[61², 2]`` or ``[161, 1]``."""
    if task == "regression":
        return np.linspace(-4, 4, 161, dtype=np.float32)[:, None]
    line = np.linspace(-4, 4, 61, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def outputs_on_grid(name: str, task: str, seed: int, config: Config) -> np.ndarray:
    """Outputs ``[draws, points]``: of drawn networks, or of the one network."""
    inputs, targets = problem(task, seed, config)
    method, plan = method_of(name, task, config), Plan(config.num_updates, len(inputs), len(inputs))
    data = training.Data(
        jnp.asarray(inputs), jnp.arange(len(inputs)), jnp.asarray(targets), jnp.ones(len(inputs))
    )
    state, _ = training.fit(training.fit_problem, jax.random.key(seed), method, plan, data)
    latents = state.parameters.latents
    model = deciding.Model(tuple(map(method.family.mode, latents)), latents, (), (), np.uint32(seed))
    num_draws = config.test_draws if name == "bayesbinn" else 1
    return np.asarray(deciding.sampled_outputs(method, num_draws, model, grid_of(task)))[:, :, 0]


def figures_of_merit(task: str, outputs: np.ndarray, seed: int, config: Config) -> dict[str, float]:
    """Roughness of the mean, and how sure it is on and off the data."""
    points, (inputs, _) = grid_of(task), problem(task, seed, config)
    distance = np.min(np.linalg.norm(points[:, None] - inputs[None], axis=-1), axis=1)
    near, far = distance < 0.25, distance > 1.5
    if task == "two_moons":
        mean = np.mean(1.0 / (1.0 + np.exp(-outputs)), axis=0)
        steps = np.diff(mean.reshape(61, 61), axis=0), np.diff(mean.reshape(61, 61), axis=1)
        unsure = 1.0 - 2.0 * np.abs(mean - 0.5)
        roughness = max(np.abs(step).max() for step in steps)
    else:
        mean, unsure = outputs.mean(axis=0), outputs.std(axis=0)
        roughness = np.abs(np.diff(mean, n=2)).max()
    found = {"roughness": roughness, "unsure_near": unsure[near].mean(), "unsure_far": unsure[far].mean()}
    if task == "regression":
        found["rmse_near"] = np.sqrt(np.mean((mean - curve(points[:, 0]))[near] ** 2))
    return {name: float(value) for name, value in found.items()}


def run(config: Config, output: Path, command: str) -> None:
    """Train both methods on both tasks for every seed, then draw the first seed."""
    jobs = [
        {"task": task, "method": name, "seed": seed}
        for seed in config.seeds
        for task in TASKS
        for name in METHODS
    ]

    def work(job: Mapping[str, Any]) -> dict[str, float]:
        outputs = outputs_on_grid(job["method"], job["task"], job["seed"], config)
        np.save(output / f"{job['task']}_{job['method']}_{job['seed']}.npy", outputs)
        return figures_of_merit(job["task"], outputs, job["seed"], config)

    run_jobs(jobs, work, output, config, command)
    draw(config, output)


def draw(config: Config, output: Path) -> None:
    """One picture: tasks in rows, methods in columns."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    seed = config.seeds[0]
    for row, task in zip(axes, TASKS, strict=True):
        inputs, targets = problem(task, seed, config)
        points = grid_of(task)
        for axis, name in zip(row, METHODS, strict=True):
            outputs = np.load(output / f"{task}_{name}_{seed}.npy")
            axis.set_title(f"{task.replace('_', ' ')}: {name.replace('_', '-')}")
            if task == "two_moons":
                mean = np.mean(1.0 / (1.0 + np.exp(-outputs)), axis=0).reshape(61, 61)
                line = points[:61, 0]
                axis.contourf(line, line, mean, levels=np.linspace(0, 1, 21), cmap="RdBu")
                axis.scatter(*inputs.T, c=targets, cmap="RdBu", edgecolors="black", s=12)
                continue
            mean, spread = outputs.mean(axis=0), outputs.std(axis=0)
            axis.fill_between(points[:, 0], mean - 2 * spread, mean + 2 * spread, alpha=0.3)
            axis.plot(points[:, 0], mean)
            axis.plot(points[:, 0], curve(points[:, 0]), "k:", linewidth=1)
            axis.scatter(inputs[:, 0], targets, color="black", s=6)
            axis.set_ylim(-4, 4)
    figure.savefig(output / "toys.png", dpi=110)


if __name__ == "__main__":
    main(__doc__, Config, run)
