"""Two moons and a one-dimensional regression: distributions over binary weights beside a point estimate.

python -m experiments.uncertainty.bayesbinn_toys configs/toys/bayesbinn_toys.toml
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from jax import Array

from experiments.common.runs import main, run_jobs
from experiments.uncertainty.toys import MOONS_POINTS, curve, grid_of, problem
from mpnn.gradient import prediction as deciding
from mpnn.gradient import training
from mpnn.gradient.bayesbinn import BayesianRule
from mpnn.gradient.families import Bernoulli, LatentBinary
from mpnn.gradient.method import Leaves, Method, Plan, partitioned
from mpnn.gradient.optimizers import bayesbinn, keep_in_box, pull_to_prior, relaxed_sample
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.gradient.ste import StraightThrough
from mpnn.runs.toml import ConfigError

# What the released code adds to both sides of its ratio of derivatives.
RELEASED_FLOOR = 1e-10

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "cosine": optax.schedules.cosine_decay_schedule,
    "steps": lambda rate, updates: optax.schedules.piecewise_constant_schedule(
        rate, {updates // 2: 0.1, updates * 5 // 6: 0.1}
    ),
    "exponential": lambda rate, updates: optax.schedules.exponential_decay(rate, updates, 0.1),
}


@dataclass(frozen=True)
class Model:
    """One way to train a network in-64-64-1 with tanh units, binary weights and binary biases, full batch.

    rule: "straight_through", "bayesbinn" (the exact derivative of relaxed samples) or "released" (the
    derivative as the published code computes it in float32); scaled: pre-activations over the root of the
    fan-in.
    """

    name: str
    task: str
    rule: str
    num_updates: int
    learning_rate: float
    schedule: str
    initial_field: float = 1.0
    num_draws: int = 1
    momentum: float = 0.0
    prior_weight: float = 1.0
    scaled: bool = False


@dataclass(frozen=True)
class Config:
    """Models, trained once a seed."""

    seeds: list[int]
    hidden: list[int]
    test_draws: int
    models: list[Model]


@dataclass(frozen=True)
class ScheduledStraightThrough(StraightThrough):
    """Straight-through steps of Adam, as BayesBiNN's baseline takes them on these tasks."""

    schedule: str = "cosine"

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """Adam, latent weights in the box."""
        rate = SCHEDULES[self.schedule](self.learning_rate, plan.num_steps)
        return partitioned(optax.chain(optax.adam(rate), keep_in_box()), optax.identity())


@dataclass(frozen=True)
class ScheduledRule(BayesianRule):
    """The Bayesian learning rule with the published schedules."""

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """The rule, with the schedule of the config."""
        rate = SCHEDULES[self.schedule](self.learning_rate, plan.num_steps)
        rule = bayesbinn(rate, plan.num_samples, self.momentum, self.prior_weight)
        return partitioned(rule, optax.identity())


@dataclass(frozen=True)
class ReleasedRule(ScheduledRule):
    """The same with derivatives by the means as the released code has them."""

    def read(self, latents: Leaves, key: Array, step: Array, plan: Plan | None) -> Leaves:
        """Relaxed samples whose derivative by the field is the released one by the mean."""
        keys = jax.random.split(key, len(latents))
        return tuple(
            released_sample(own, latent, self.temperature) for own, latent in zip(keys, latents, strict=True)
        )

    def optimizer(self, plan: Plan) -> optax.GradientTransformation:
        """The rule without its division: the samples have it."""
        rate = SCHEDULES[self.schedule](self.learning_rate, plan.num_steps)
        rule = optax.chain(
            optax.scale(plan.num_samples),
            pull_to_prior(self.prior_weight),
            optax.ema(self.momentum, debias=True),
            optax.scale_by_learning_rate(rate),
        )
        return partitioned(rule, optax.identity())


def released_sample(key: Array, fields: Array, temperature: float) -> Array:
    """Relaxed weights whose derivative is ``(1 - w² + floor) / (temperature (1 - mean² + floor))``.

    In float32 ``1 - tanh² f`` is 0 for fields beyond 9. Only the floors are left of the ratio then: it is 1,
    as in straight-through training.
    """
    weights = jax.lax.stop_gradient(relaxed_sample(key, fields, temperature))
    fixed = jax.lax.stop_gradient(fields)
    above, below = (jnp.maximum(1.0 - jnp.square(x), RELEASED_FLOOR) for x in (weights, jnp.tanh(fixed)))
    return weights + above / (temperature * below) * (fields - fixed)


def method_of(model: Model, hidden: list[int]) -> Method:
    """The trainer's description of a model."""
    classify = model.task == "two_moons"
    common: dict[str, Any] = {
        "network": PerceptronSpec(
            (2 if classify else 1, *hidden, 1),
            activation="tanh",
            bias=True,
            scaled=model.scaled,
            # as published: nothing, and the outputs alone
            norm=None if classify else "batch",
            norm_hidden=False,
            norm_momentum=0.85,
        ),
        "loss": "cross_entropy" if classify else "squared_error",
        "learning_rate": model.learning_rate,
        "schedule": model.schedule,
    }
    if model.rule == "straight_through":
        return ScheduledStraightThrough(**common, family=LatentBinary())
    rule = ReleasedRule if model.rule == "released" else ScheduledRule
    return rule(
        **common,
        family=Bernoulli(model.initial_field, two_valued=True),
        num_draws=model.num_draws,
        momentum=model.momentum,
        prior_weight=model.prior_weight,
    )


def train_and_draw(model: Model, seed: int, config: Config, points: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs ``[draws, n]`` at each array of points: of drawn networks, or of the one network."""
    inputs, targets = problem(model.task, seed)
    method, plan = method_of(model, config.hidden), Plan(model.num_updates, len(inputs), len(inputs))
    data = training.Data(
        jnp.asarray(inputs), jnp.arange(len(inputs)), jnp.asarray(targets), jnp.ones(len(inputs))
    )
    state, _ = training.fit(training.BY_GRADIENTS, jax.random.key(seed), method, plan, data)
    latents = state.parameters.latents
    weights = tuple(map(method.family.mode, latents))
    fitted = deciding.Model(weights, latents, (), state.statistics, np.uint32(seed))
    num_draws = 1 if model.rule == "straight_through" else config.test_draws
    drawn = jax.jit(deciding.sampled_outputs, static_argnums=(0, 1))
    return [np.asarray(drawn(method, num_draws, fitted, own))[:, :, 0] for own in points]


def figures_of_merit(
    task: str, seed: int, points: np.ndarray, on_grid: np.ndarray, test: np.ndarray
) -> dict[str, float]:
    """Roughness of the mean, spread of the draws on and off the data, error on new samples.

    On two moons: of probabilities, and the error is the share of wrong labels; else of outputs, and the root
    of the mean squared distance to the truth.
    """
    inputs, (new_inputs, new_targets) = problem(task, seed)[0], problem(task, seed + 1000, len(test[0]))
    distance = np.min(np.linalg.norm(points[:, None] - inputs[None], axis=-1), axis=1)
    if task == "two_moons":
        on_grid, test = (1.0 / (1.0 + np.exp(-outputs)) for outputs in (on_grid, test))
        surface = on_grid.mean(axis=0).reshape(MOONS_POINTS, MOONS_POINTS)
        roughness = max(np.abs(np.diff(surface, axis=axis)).max() for axis in (0, 1))
        error = np.mean((test.mean(axis=0) > 0.5) != (new_targets > 0))
        off = distance > 1.5
    else:
        roughness = np.abs(np.diff(on_grid.mean(axis=0), n=2)).max()
        error = np.sqrt(np.mean((test.mean(axis=0) - curve(new_inputs[:, 0])) ** 2))
        off = distance > 0.25
    spread = on_grid.std(axis=0)
    found = {
        "roughness": roughness,
        "spread_on_data": spread[distance < 0.1].mean(),
        "spread_off_data": spread[off].mean(),
        "test_error": error,
    }
    if task == "regression":
        found["spread_in_gap"] = spread[np.abs(points[:, 0]) < 0.4].mean()
    return {name: float(value) for name, value in found.items()}


def run(config: Config, output: Path, command: str) -> None:
    """Train every model for every seed, then draw the first seed."""
    for model in config.models:
        if model.schedule not in SCHEDULES:
            raise ConfigError(f"schedule must be one of {tuple(SCHEDULES)}, got {model.schedule!r}")
    jobs = [{"seed": seed, "model": asdict(model)} for seed in config.seeds for model in config.models]

    def work(job: Mapping[str, Any]) -> dict[str, float]:
        model, seed = Model(**job["model"]), job["seed"]
        points = grid_of(model.task)
        new = problem(model.task, seed + 1000, 1000)[0]
        on_grid, test = train_and_draw(model, seed, config, [points, new])
        np.save(output / _file_name(model, seed), on_grid)
        return figures_of_merit(model.task, seed, points, on_grid, test)

    summarize(run_jobs(jobs, work, output, config, command))
    draw(config, output)


def _file_name(model: Model, seed: int) -> str:
    return f"{model.task}_{model.name}_{seed}.npy".replace(" ", "_").replace(",", "")


def summarize(rows: list[dict[str, Any]]) -> None:
    """A line of Markdown a model: means over seeds."""
    names = ("roughness", "spread_on_data", "spread_in_gap", "spread_off_data", "test_error")
    print(f"| task | model | {' | '.join(names)} | seeds |\n|{'---|' * (len(names) + 3)}")
    for task, name in dict.fromkeys((row["model"]["task"], row["model"]["name"]) for row in rows):
        own = [row for row in rows if (row["model"]["task"], row["model"]["name"]) == (task, name)]
        values = [f"{np.mean([row[key] for row in own]):.3f}" if key in own[0] else "" for key in names]
        print(f"| {task} | {name} | {' | '.join(values)} | {len(own)} |")


def draw(config: Config, output: Path) -> None:
    """One picture: tasks in rows, models in columns."""
    tasks = tuple(dict.fromkeys(model.task for model in config.models))
    columns = max(sum(model.task == task for model in config.models) for task in tasks)
    figure, axes = plt.subplots(
        len(tasks), columns, figsize=(3.2 * columns, 3.2 * len(tasks)), layout="constrained", squeeze=False
    )
    for row, task in zip(axes, tasks, strict=True):
        for axis, model in zip(row, (one for one in config.models if one.task == task), strict=False):
            axis.set_title(model.name, fontsize=9)
            outputs = np.load(output / _file_name(model, config.seeds[0]))
            (draw_moons if task == "two_moons" else draw_regression)(axis, outputs, config.seeds[0])
    figure.savefig(output / "toys.png", dpi=110)


def draw_moons(axis: plt.Axes, outputs: np.ndarray, seed: int) -> None:
    """Mean probability of the second moon."""
    inputs, targets = problem("two_moons", seed)
    mean = np.mean(1.0 / (1.0 + np.exp(-outputs)), axis=0).reshape(MOONS_POINTS, MOONS_POINTS)
    line = grid_of("two_moons")[:MOONS_POINTS, 0]
    axis.contourf(line, line, mean, levels=np.linspace(0, 1, 21), cmap="RdBu")
    axis.scatter(*inputs.T, c=targets, cmap="RdBu", edgecolors="black", linewidths=0.5, s=8)


def draw_regression(axis: plt.Axes, outputs: np.ndarray, seed: int) -> None:
    """Mean output and two standard deviations of the draws, the truth dotted."""
    (inputs, targets), line = problem("regression", seed), grid_of("regression")[:, 0]
    mean, spread = outputs.mean(axis=0), outputs.std(axis=0)
    axis.fill_between(line, mean - 2 * spread, mean + 2 * spread, alpha=0.3)
    axis.plot(line, mean)
    axis.plot(line, curve(line), "k:", linewidth=1)
    axis.scatter(inputs[:, 0], targets, color="black", s=4)
    axis.set_ylim(-4, 4)


if __name__ == "__main__":
    main(__doc__, Config, run)
