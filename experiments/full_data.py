"""Networks with several layers on whole data sets, all seeds of a model as one program.

    python -m experiments.full_data configs/full_data_digits.toml
    python -m experiments.full_data configs/full_data_digits.toml --data 2 --output runs/two_devices

A model is checkpointed as it trains and goes on from there when the command is given again; its row is
written when it is done. The same command runs on any number of devices and processes, see
docs/howto/devices.md.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import Array

from experiments.devices import Devices
from experiments.runs import follow_jobs, read_config, run_jobs
from mpnn import meshes, network, prediction
from mpnn.checkpoints import restore_state, save_state
from mpnn.compare.config import ConfigError
from mpnn.data import Dataset, load_dataset
from mpnn.fields import Hyper
from mpnn.inputs import fit_transform_of
from mpnn.network import Info, State
from mpnn.schedules import Schedules
from mpnn.spec import NetworkSpec
from mpnn.training import Problems, train_many
from mpnn.weights import Moments

ODD_OR_EVEN = "odd_even"


@dataclass(frozen=True)
class Model:
    """One network. rho, damping, ...: of mpnn.schedules.Schedules, a number or one a layer."""

    name: str
    hidden: list[int]
    rule: str
    weights: str = "binary"
    density: float = 1.0
    sweeps_per_batch: int = 1
    initial_field: float = 1.0
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """Models on a data set.

    task: "classes", or "odd_even" for odd labels against even ones. evaluate_every: epochs between two
    measurements (and checkpoints); the last epoch is always measured.
    """

    dataset: str
    seeds: list[int]
    num_epochs: int
    models: list[Model] = field(metadata={"item": Model})
    batch_size: int = 128
    task: str = "classes"
    evaluate_every: int = 5


@dataclass(frozen=True)
class Options:
    """Train every model of a config that has no row yet."""

    config: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CONFIG")]
    output: Path | None = None
    """The folder of results and checkpoints; None: runs/NAME OF THE CONFIG."""
    devices: tyro.conf.OmitArgPrefixes[Devices] = field(default_factory=Devices)


def main(options: Options) -> None:
    """Run the config on the devices."""
    output = options.output or Path("runs") / options.config.stem
    config = read_config(options.config, Config)
    if config.task not in ("classes", ODD_OR_EVEN):
        raise ConfigError(f"task must be 'classes' or {ODD_OR_EVEN!r}, got {config.task!r}")
    with options.devices.in_use():
        data = load_dataset(config.dataset)
        jobs = [{"model": asdict(model), **_shared_numbers(config)} for model in config.models]
        work = partial(_train_and_score, config, data, output)
        if jax.process_index() > 0:
            follow_jobs(jobs, work, output)
        else:
            run_jobs(jobs, work, output, config, f"full_data {options.config}")


def _shared_numbers(config: Config) -> dict[str, Any]:
    names = ("dataset", "task", "seeds", "num_epochs", "batch_size")
    return {name: getattr(config, name) for name in names}


def _train_and_score(config: Config, data: Dataset, output: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    """Train the seeds of one model side by side, going on from the last checkpoint."""
    model = Model(**job["model"])
    (x_train, y_train), (x_test, y_test), num_outputs = _samples(config, data)
    spec = NetworkSpec(
        widths=(x_train.shape[1], *model.hidden, num_outputs),
        weights=model.weights,
        rule=model.rule,
        density=model.density,
        sweeps_per_batch=model.sweeps_per_batch,
        output="binary_label" if num_outputs == 1 else "argmax",
    )
    schedules = Schedules(**model.numbers)
    hyper = jax.tree.map(lambda leaf: leaf[0], schedules.at(jnp.arange(1), spec.num_layers))
    keys = jax.vmap(jax.random.key)(jnp.asarray(config.seeds))
    init = jax.jit(jax.vmap(lambda key: network.init(key, spec, hyper, model.initial_field)))
    folder = output / "checkpoints" / sha256(repr(job).encode()).hexdigest()[:16]
    state, first_epoch, curve = init(keys), 0, []
    if folder.is_dir():
        restored = restore_state(folder, spec, like=state)
        state, first_epoch, curve = restored.state, restored.epoch, restored.metadata["curve"]
    score = partial(_errors, spec, hyper=hyper, inputs=meshes.place(x_test), labels=meshes.place(y_test))
    times = [perf_counter()]

    def on_epoch(epoch: int, state: State, info: Info) -> None:
        done = epoch + 1
        if done % config.evaluate_every and done != config.num_epochs:
            return
        jax.block_until_ready(state)
        times.append(perf_counter())
        errors = {"train": jnp.mean(info.error, axis=(1, 2)), **score(state)}
        epochs_since = done - (curve[-1]["epoch"] if curve else 0)
        seconds = round((times[-1] - times[-2]) / epochs_since, 3)
        curve.append({"epoch": done, "seconds_an_epoch": seconds, **_percent(errors)})
        times[-1] = perf_counter()
        if jax.process_index() == 0:
            print(model.name, curve[-1], flush=True)
        save_state(folder, state, epoch=done, key=keys, spec=spec, metadata={"curve": curve}, keep=2)

    labels = jnp.broadcast_to(y_train, (len(config.seeds), len(y_train)))
    rows = jnp.broadcast_to(jnp.arange(len(y_train), dtype=jnp.int32), labels.shape)
    state, _ = train_many(
        jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 1),
        spec,
        state,
        Problems(x_train, rows, labels),
        schedules,
        num_epochs=config.num_epochs,
        batch_size=config.batch_size,
        first_epoch=first_epoch,
        on_epoch=on_epoch,
    )
    decide = jax.jit(jax.vmap(lambda own: prediction.decode(spec, own, hyper)))
    weights = meshes.to_host(decide(meshes.place_weights(state, meshes.NETWORKS)))
    digest = sha256(b"".join(layer.tobytes() for layer in weights)).hexdigest()
    last = {name: value for name, value in curve[-1].items() if name != "epoch"}
    return {**last, "curve": curve, "weights_sha256": digest}


def _percent(shares: Mapping[str, Array]) -> dict[str, list[float]]:
    host = meshes.to_host(dict(shares))
    return {name: [round(100.0 * float(share), 3) for share in values] for name, values in host.items()}


def _samples(config: Config, data: Dataset) -> tuple[tuple[Array, Array], tuple[Array, Array], int]:
    """Standardized inputs and labels of both halves, and the number of outputs."""
    x_train, x_test = (np.asarray(x, np.float32).reshape(len(x), -1) for x in (data.x_train, data.x_test))
    standard = fit_transform_of(x_train, "standard")
    classes, codes = np.unique(data.y_train, return_inverse=True)
    test_codes = np.searchsorted(classes, data.y_test)
    num_outputs = len(classes)
    if config.task == ODD_OR_EVEN:
        codes, test_codes = (2.0 * (y % 2) - 1.0 for y in (codes, test_codes))
        num_outputs = 1
    halves = ((x_train, codes), (x_test, test_codes))
    train, test = ((jnp.asarray(standard(x)), jnp.asarray(y)) for x, y in halves)
    return train, test, num_outputs


@partial(jax.jit, static_argnames="spec")
def _errors(spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, labels: Array) -> dict[str, Array]:
    """Share of wrong answers ``[P]`` of the discrete networks ("mode") and of their beliefs ("bayes")."""

    def wrong(outputs: Array) -> Array:
        chosen = prediction.winner(outputs)
        return jnp.mean(chosen != (labels if spec.output == "argmax" else labels > 0))

    def one(state: State) -> dict[str, Array]:
        mode = prediction.discrete_outputs(spec, prediction.decode(spec, state, hyper), inputs)
        beliefs = [Moments(layer.mean, layer.variance) for layer in state.layers]
        mean, variance = prediction.moment_outputs(spec, beliefs, inputs, hyper.noise)
        if spec.output == "argmax":
            mean = prediction.argmax_probabilities(mean, variance)
        return {"mode": wrong(mode), "bayes": wrong(mean)}

    return jax.lax.map(one, state)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ConfigError as error:
        sys.exit(str(error))
