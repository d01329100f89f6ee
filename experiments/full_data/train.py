"""Networks with several layers on whole data sets, all seeds of a model as one program.

    python -m experiments.full_data.train configs/full_data/full_data_digits.toml
    python -m experiments.full_data.train configs/full_data/full_data_digits.toml --data 2 --output
    runs/two_devices

A model is checkpointed as it trains and goes on from there when the command is given again; its row is
written when it is done. The same command runs on any number of devices and processes, see
docs/howto/devices.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
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

from experiments.common.devices import Devices
from experiments.common.networks import (
    ODD_OR_EVEN,
    Model,
    Samples,
    Trained,
    errors_of,
    hold_out,
    initial_states,
    percent,
    samples_of,
    schedules_of,
    side_by_side,
    spec_of,
)
from experiments.common.runs import follow_jobs, read_config, run_command, run_jobs
from mpnn import sharding as meshes
from mpnn.data import Dataset, load_dataset
from mpnn.message_passing import prediction
from mpnn.message_passing.checkpoints import restore_state, save_state
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info
from mpnn.message_passing.training import train_many
from mpnn.preprocessing.augmentation import Augment, ImageAugmentation
from mpnn.preprocessing.scaling import InputTransform
from mpnn.runs.rows import row_key
from mpnn.runs.toml import ConfigError, to_jsonable


@dataclass(frozen=True)
class Config:
    """Models on a data set.

    task: "classes", or "odd_even" for odd labels against even ones. evaluate_every: epochs between two
    measurements (and checkpoints); the first and the last epoch are always measured. held_out: see
    experiments.common.networks.hold_out. largest_shift, mirror: of training images, see
    mpnn.preprocessing.augmentation.
    input_scaling: see mpnn.preprocessing.scaling.fit_transform_of.
    """

    dataset: str
    seeds: list[int]
    num_epochs: int
    models: list[Model]
    batch_size: int = 128
    task: str = "classes"
    evaluate_every: int = 5
    held_out: int = 0
    largest_shift: int = 0
    mirror: bool = False
    input_scaling: str = "standard"


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
        data = hold_out(data, config.held_out) if config.held_out else data
        jobs = jobs_of(config)
        work = partial(_train_and_score, config, data, output)
        if jax.process_index() > 0:
            follow_jobs(jobs, work, output)
        else:
            run_jobs(jobs, work, output, config, f"full_data {options.config}")


def jobs_of(config: Config) -> list[dict[str, Any]]:
    """What decides the row of each model."""
    names = {each.name for each in fields(config)} - {"models", "evaluate_every"}
    shared = {name: getattr(config, name) for name in sorted(names)}
    return [{"model": asdict(model), **shared} for model in config.models]


def _augmentation(config: Config, data: Dataset, scaled: InputTransform) -> Augment | None:
    """Changes of training images as they were before something was subtracted from every pixel."""
    if not (config.largest_shift or config.mirror):
        return None
    height, width, *channels = data.x_train.shape[1:]
    change = ImageAugmentation((height, width, *(channels or [1])), config.largest_shift, config.mirror)
    return lambda key, inputs: change(key, inputs + scaled.offset) - scaled.offset


def _train_and_score(config: Config, data: Dataset, output: Path, job: Mapping[str, Any]) -> dict[str, Any]:
    """Train the seeds of one model side by side, going on from the last checkpoint."""
    model = Model(**job["model"])
    samples = samples_of(data, config.task, config.input_scaling)
    inputs, labels = samples.train
    spec = spec_of(model, inputs.shape[1], samples.num_outputs)
    schedules = schedules_of(model, config.num_epochs, len(labels), config.batch_size)
    keys = jax.vmap(jax.random.key)(jnp.asarray(config.seeds))
    state = initial_states(model, spec, schedules.at_sweep(0, spec.num_layers), keys)
    num_sweeps = config.num_epochs * (len(labels) // config.batch_size) * model.sweeps_per_batch
    last = schedules.at_sweep(num_sweeps - 1, spec.num_layers)
    watch = _Watch(config, model.name, spec, last, keys, samples.test, output / "checkpoints" / row_key(job))
    state, _ = train_many(
        jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, 1),
        spec,
        watch.restored(state),
        side_by_side(inputs, labels, len(keys)),
        schedules,
        num_epochs=config.num_epochs,
        batch_size=config.batch_size,
        augment=_augmentation(config, data, samples.scaled),
        first_epoch=watch.done,
        on_epoch=watch,
    )
    weights = _discrete_weights(spec, state, last)
    return {
        **watch.curve[-1],
        "curve": watch.curve,
        "links": _links(weights),
        # the same on every mesh that trains the same networks
        "weights_sha256": sha256(b"".join(layer.tobytes() for layer in weights)).hexdigest(),
    }


def trained_models(config: Config, output: Path) -> Iterator[tuple[Model, Trained, Samples]]:
    """The models of a finished run on classes, from its checkpoints."""
    if config.task != "classes":
        raise ConfigError(f"rounding is measured on tasks with classes, got task = {config.task!r}")
    data = load_dataset(config.dataset)
    data = hold_out(data, config.held_out) if config.held_out else data
    samples = samples_of(data, config.task, config.input_scaling)
    inputs, labels = samples.train
    keys = jax.vmap(jax.random.key)(jnp.asarray(config.seeds))
    for model, job in zip(config.models, jobs_of(config), strict=True):
        spec = spec_of(model, inputs.shape[1], samples.num_outputs)
        schedules = schedules_of(model, config.num_epochs, len(labels), config.batch_size)
        hyper = schedules.at_sweep(0, spec.num_layers)
        folder = output / "checkpoints" / row_key(to_jsonable(job))
        state = restore_state(folder, spec, like=initial_states(model, spec, hyper, keys)).state
        yield model, Trained(spec, state, hyper), samples


def _discrete_weights(spec: NetworkSpec, state: State, hyper: Hyper) -> list[np.ndarray]:
    """The discrete weights, int8 ``[P, N, K]`` a layer, on every process."""
    decode = jax.jit(jax.vmap(lambda own: prediction.decode(spec, own, hyper)))
    return meshes.to_host(decode(meshes.place_weights(state, meshes.NETWORKS)))


def _links(weights: list[np.ndarray]) -> list[float]:
    """Percentage of each network's weights ``[P]`` that are not 0."""
    links = sum(np.count_nonzero(layer, axis=(1, 2)) for layer in weights)
    return np.round(100.0 * links / sum(layer[0].size for layer in weights), 3).tolist()


class _Watch:
    """Measures, prints and checkpoints every few epochs, on all processes alike.

    curve : what was measured, a table a time; done : epochs that the last checkpoint holds.
    """

    def __init__(
        self,
        config: Config,
        name: str,
        spec: NetworkSpec,
        hyper: Hyper,
        keys: Array,
        test: tuple[Array, Array],
        folder: Path,
    ) -> None:
        self.config, self.name, self.spec, self.hyper, self.keys = config, name, spec, hyper, keys
        self.test, self.folder = meshes.place(test), folder
        self.curve: list[dict[str, Any]] = []
        self.began = perf_counter()

    @property
    def done(self) -> int:
        return self.curve[-1]["epoch"] if self.curve else 0

    def restored(self, state: State) -> State:
        """Return the last checkpoint's state; the one given, where there is none."""
        if not self.folder.is_dir():
            return state
        restored = restore_state(self.folder, self.spec, like=state)
        self.curve = restored.metadata["curve"]
        return restored.state

    def __call__(self, epoch: int, state: State, info: Info) -> None:
        epoch += 1  # epochs done
        if epoch % self.config.evaluate_every and epoch not in (1, self.config.num_epochs):
            return
        jax.block_until_ready(state)
        seconds = round((perf_counter() - self.began) / (epoch - self.done), 3)
        errors = {
            "train": jnp.mean(info.error, axis=(1, 2)),
            **errors_of(self.spec, state, self.hyper, *self.test),
        }
        self.curve.append({"epoch": epoch, "seconds_an_epoch": seconds, **percent(errors)})
        if jax.process_index() == 0:
            print(self.name, self.curve[-1], flush=True)
        about = {"curve": self.curve}
        save_state(self.folder, state, epoch=epoch, key=self.keys, spec=self.spec, metadata=about, keep=2)
        self.began = perf_counter()


if __name__ == "__main__":
    run_command(main, Options, __doc__)
