"""Networks trained apart on shares of the data, then merged: evidence added up, or weights averaged.

    python -m experiments.scale.merging configs/merging/merging.toml

In every round each worker trains on its own samples from the common network; all rounds together have
`num_epochs` epochs. Message passing keeps the evidence of every worker and starts it from the belief without
its own (partitioned variational inference); BayesBiNN's fields add up in the same way; straight-through
weights are averaged (federated averaging).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from experiments.common.networks import (
    Model,
    Samples,
    errors_of,
    hold_out,
    initial_states,
    percent,
    samples_of,
    schedules_of,
    spec_of,
)
from experiments.common.runs import main, run_jobs
from mpnn import functional as mp
from mpnn.data import Dataset, load_dataset
from mpnn.encoders import TableEncoder
from mpnn.gradient import prediction as deciding
from mpnn.gradient import training as gradient
from mpnn.gradient.bayesbinn import BayesianRule
from mpnn.gradient.families import Bernoulli, LatentBinary
from mpnn.gradient.method import Method, Parameters, Plan
from mpnn.gradient.optimizers import set_prior
from mpnn.gradient.perceptron import PerceptronSpec
from mpnn.gradient.ste import StraightThrough
from mpnn.message_passing.fields import LayerState
from mpnn.message_passing.training import Problems, train_many

SPLITS = ("even", "by_class")


@dataclass(frozen=True)
class GradientModel:
    """A network trained by gradients.

    kind: "straight_through", whose weights are averaged, or "bayesbinn", whose fields add up.
    """

    name: str
    kind: str
    hidden: list[int]
    learning_rate: float
    temperature: float = 1e-2


@dataclass(frozen=True)
class Config:
    """Every model with every split, number of workers and number of rounds.

    caution: in a round a worker's evidence moves to what it has just learned by `workers ** -caution` of the
    way: 1 by its share, which keeps many workers from answering to the same surprise at once; 0 wholly.
    held_out: see experiments.common.networks.hold_out.
    coded: tables become bits by thresholds (mpnn.encoders.TableEncoder), and a constant input is added.
    """

    dataset: str
    seeds: list[int]
    splits: list[str]
    workers: list[int]
    rounds: list[int]
    num_epochs: int
    models: list[Model]
    gradient_models: list[GradientModel] = field(default_factory=list)
    batch_size: int = 128
    caution: float = 1.0
    held_out: int = 0
    input_scaling: str | None = "standard"
    coded: bool = False


class Federation(Protocol):
    """A common network, what the workers hold, and a round of both."""

    def play(self, round_number: int) -> None:
        """Train every worker from the common network, and merge."""

    def errors(self) -> dict[str, float]:
        """Test errors of the common network in percent."""


def rows_of(labels: np.ndarray, workers: int, split: str, seed: int) -> np.ndarray:
    """Samples of each worker ``[P, n / P]``: at random, or sorted by class, so that a worker knows few."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    order = np.random.default_rng(seed).permutation(len(labels))
    if split == "by_class":
        order = order[np.argsort(labels[order], kind="stable")]
    size = len(labels) // workers
    return order[: workers * size].reshape(workers, size)


def tiled(tree: Any, copies: int) -> Any:
    """The same leaves for every worker."""
    return jax.tree.map(lambda leaf: jnp.repeat(leaf[None], copies, axis=0), tree)


def total(tree: Any) -> Any:
    """Sum over workers."""
    return jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), tree)


def moved(old: Any, new: Any, share: float) -> Any:
    """A step of ``share`` from the old evidence to the new."""
    return jax.tree.map(lambda before, after: before + share * (after - before), old, new)


class Evidence:
    """Message passing: the evidence of every worker is kept, and the common belief is their sum."""

    def __init__(self, model: Model, samples: Samples, rows: np.ndarray, job: Mapping[str, Any]) -> None:
        inputs, labels = samples.train
        self.samples, self.workers = samples, len(rows)
        self.job, self.model = job, model
        self.spec = spec_of(model, inputs.shape[1], samples.num_outputs)
        self.batch_size = min(job["batch_size"], rows.shape[1])
        # the output holds the evidence of one batch, whoever has its samples
        model = replace(model, numbers={**model.numbers, "output_batches": 1.0 / self.workers})
        self.schedules = schedules_of(model, job["num_epochs"], rows.shape[1], self.batch_size)
        self.hyper = self.schedules.at_sweep(0, self.spec.num_layers)
        key = jax.random.key(job["seed"])
        self.keys = jax.random.split(jax.random.fold_in(key, 1), self.workers)
        self.common = initial_states(model, self.spec, self.hyper, key[None])
        self.common = jax.tree.map(lambda leaf: leaf[0], self.common)
        beliefs = tuple(layer.anchor for layer in self.common.weighted)
        self.evidence = tiled(jax.tree.map(jnp.zeros_like, mp.Learned(beliefs)), self.workers)
        self.data = Problems(inputs, jnp.asarray(rows, jnp.int32), labels[rows])

    def play(self, round_number: int) -> None:
        """Train every worker from the belief without its own evidence; replace its evidence; add up."""
        prior = mp.Learned(tuple(layer.anchor for layer in self.common.weighted))
        anchors = jax.tree.map(
            lambda first, all_, own: first + all_ - own, prior, total(self.evidence), self.evidence
        )
        starts = anchored(tiled(self.common, self.workers), anchors)
        epochs = self.job["num_epochs"] // self.job["rounds"]
        posteriors, _ = train_many(
            self.keys,
            self.spec,
            starts,
            self.data,
            self.schedules,
            batch_size=self.batch_size,
            first_epoch=round_number * epochs,
            num_epochs=(round_number + 1) * epochs,
        )
        beliefs = mp.Learned(tuple(layer.posterior for layer in posteriors.weighted))
        fresh = jax.tree.map(jnp.subtract, beliefs, anchors)
        self.evidence = moved(self.evidence, fresh, self.workers ** -self.job["caution"])
        blank = anchored(self.common, prior, posterior=True)
        self.common = mp.add_evidence(self.spec, blank, total(self.evidence), self.hyper)

    def errors(self) -> dict[str, float]:
        """Of the common network's mode and beliefs."""
        found = errors_of(self.spec, tiled(self.common, 1), self.hyper, *self.samples.test)
        return {name: values[0] for name, values in percent(found).items()}


def anchored(state: mp.State, beliefs: mp.Learned, *, posterior: bool = False) -> mp.State:
    """A state whose layers are anchored at these beliefs, or hold them."""
    own = iter(beliefs.layers)
    name = "posterior" if posterior else "anchor"
    return jax.tree.map(
        lambda layer: layer._replace(**{name: next(own)}),
        state,
        is_leaf=lambda node: isinstance(node, LayerState),
    )


class Gradients:
    """Gradient methods: fields that add up (BayesBiNN), or weights that are averaged."""

    def __init__(
        self, model: GradientModel, samples: Samples, rows: np.ndarray, job: Mapping[str, Any]
    ) -> None:
        inputs, labels = samples.train
        self.samples, self.workers, self.job = samples, len(rows), job
        widths = (inputs.shape[1], *model.hidden, samples.num_outputs)
        self.adds_up = model.kind == "bayesbinn"
        self.method = gradient_method(model, widths)
        batch_size = min(job["batch_size"], rows.shape[1])
        uneven = rows.shape[1] % batch_size != 0
        self.plan = Plan(job["num_epochs"] // job["rounds"], batch_size, rows.shape[1], uneven)
        self.key = jax.random.key(job["seed"])
        self.common = gradient.init(jax.random.fold_in(self.key, 0), self.method, self.plan)
        self.prior = jax.tree.map(jnp.zeros_like, self.common.parameters.latents)
        self.evidence = tiled(self.prior, self.workers)
        shared = jnp.asarray(rows, jnp.int32)
        self.data = gradient.Data(inputs, shared, labels[shared], jnp.ones(rows.shape, inputs.dtype))

    def play(self, round_number: int) -> None:
        """Train every worker from the common latent arrays; add up fields, or average weights."""
        starts = tiled(self.common, self.workers)
        cavities = jax.tree.map(lambda all_, own: all_ - own, total(self.evidence), self.evidence)
        if self.adds_up:
            starts = starts._replace(optimizer=set_prior(starts.optimizer, cavities))
        keys = jax.random.split(jax.random.fold_in(self.key, 1 + round_number), self.workers)
        ends = train_workers(self.method, self.plan, keys, starts, self.data)
        latents = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), ends.parameters.latents)
        if self.adds_up:
            fresh = jax.tree.map(jnp.subtract, ends.parameters.latents, cavities)
            self.evidence = moved(self.evidence, fresh, self.workers ** -self.job["caution"])
            latents = total(self.evidence)
        real, statistics = (
            jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), tree)
            for tree in (ends.parameters.real, ends.statistics)
        )
        parameters = Parameters(latents, real)
        optimizer = self.method.optimizer(self.plan).init(parameters)
        self.common = gradient.TrainState(parameters, statistics, optimizer, jnp.zeros([], jnp.int32))

    def errors(self) -> dict[str, float]:
        """Of the common network's mode and, where it has beliefs, of a draw from them."""
        parameters, (inputs, labels) = self.common.parameters, self.samples.test
        weights = tuple(self.method.family.mode(latent) for latent in parameters.latents)
        model = deciding.Model(
            weights, parameters.latents, parameters.real, self.common.statistics, np.uint32(0)
        )
        found = {}
        for kind in ("mode", "bayes"):
            _, shares = deciding.decide(self.method, kind, 1, model, inputs)
            wrong = np.asarray(shares).argmax(axis=1) != np.asarray(labels)
            found[kind] = round(100.0 * float(wrong.mean()), 3)
        return found


@partial(jax.jit, static_argnums=(0, 1))
def train_workers(
    method: Method, plan: Plan, keys: Array, states: gradient.TrainState, data: gradient.Data
) -> gradient.TrainState:
    """All workers, one after the other in one program; the inputs are shared."""

    def one(own: Any) -> gradient.TrainState:
        key, state, *samples = own
        return gradient.train(key, method, plan, state, gradient.Data(data.inputs, *samples))[0]

    return jax.lax.map(one, (keys, states, data.rows, data.targets, data.mask))


def gradient_method(model: GradientModel, widths: tuple[int, ...]) -> Method:
    """Binary weights and sign units, as those of message passing."""
    network = PerceptronSpec(widths, activation="sign")
    if model.kind == "straight_through":
        return StraightThrough(network=network, family=LatentBinary(), learning_rate=model.learning_rate)
    if model.kind == "bayesbinn":
        return BayesianRule(
            network=network,
            family=Bernoulli(0.1, two_valued=True),
            learning_rate=model.learning_rate,
            temperature=model.temperature,
        )
    raise ValueError(f"kind must be 'straight_through' or 'bayesbinn', got {model.kind!r}")


def in_code(data: Dataset) -> Dataset:
    """The columns as bits of -1 and +1, and a constant of 1; the code is learned from training rows."""
    encoder = TableEncoder().fit(data.x_train)
    halves = (
        np.pad(encoder.transform(x), ((0, 0), (0, 1)), constant_values=1) for x in (data.x_train, data.x_test)
    )
    x_train, x_test = halves
    return replace(data, x_train=x_train, x_test=x_test)


def federate(config: Config, samples: Samples, job: Mapping[str, Any]) -> dict[str, Any]:
    """Play all rounds; test errors after every one."""
    rows = rows_of(np.asarray(samples.train[1]), job["workers"], job["split"], job["seed"])
    table = job["model"]
    made: Federation
    if "kind" in table:
        made = Gradients(GradientModel(**table), samples, rows, job)
    else:
        made = Evidence(Model(**table), samples, rows, job)
    curve = []
    for number in range(job["rounds"]):
        made.play(number)
        curve.append(made.errors())
    return {**curve[-1], "curve": curve}


def run(config: Config, output: Path, command: str) -> None:
    """Do every combination, then print a line of Markdown for each."""
    data = load_dataset(config.dataset)
    data = hold_out(data, config.held_out) if config.held_out else data
    data = in_code(data) if config.coded else data
    samples = samples_of(data, "classes", None if config.coded else config.input_scaling)
    lengths = {
        name: getattr(config, name)
        for name in (
            "dataset",
            "num_epochs",
            "batch_size",
            "caution",
            "held_out",
            *(["coded"] if config.coded else []),
        )
    }
    jobs = [
        {
            "model": asdict(model),
            "split": split,
            "workers": workers,
            "rounds": rounds,
            "seed": seed,
            **lengths,
        }
        for seed in config.seeds
        for model in (*config.models, *config.gradient_models)
        for split in config.splits
        for workers in config.workers
        for rounds in config.rounds
        if not (workers == 1 and (rounds > 1 or split != config.splits[0]))
    ]
    found = run_jobs(jobs, partial(federate, config, samples), output, config, command)
    print("| model | split | workers | rounds | error, discrete | Bayesian | seeds |\n" + "|---" * 7 + "|")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in found:
        name = row["model"]["name"]
        groups.setdefault((name, row["split"], row["workers"], row["rounds"]), []).append(row)
    for group, rows in groups.items():
        means = " | ".join(f"{np.mean([row[kind] for row in rows]):.2f}" for kind in ("mode", "bayes"))
        print(f"| {' | '.join(map(str, group))} | {means} | {len(rows)} |")


if __name__ == "__main__":
    main(__doc__, Config, run)
