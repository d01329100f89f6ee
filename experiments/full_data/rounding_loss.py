"""Which layer's rounding costs what, in the networks of a finished run of experiments.full_data.train.

    python -m experiments.full_data.train configs/full_data/counting_once_fashion.toml
    python -m experiments.full_data.rounding_loss configs/full_data/counting_once_fashion.toml

Test errors of the Bayesian prediction, means over seeds, with one layer's weights rounded and the others as
believed; "unsure": the first layer's means as they are, with no variance. Then the errors of the discrete
network, every layer by its mode, and the first layer with error feedback (mpnn.message_passing.rounding).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import tyro
from jax import Array
from rich.console import Console
from rich.table import Table

from experiments.common.runs import read_config, run_command
from experiments.full_data.train import Config, trained_models
from mpnn.linear_maps.base import Moments
from mpnn.message_passing import prediction
from mpnn.message_passing.fields import damped_moments
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import State
from mpnn.message_passing.rounding import round_layers
from mpnn.message_passing.spec import NetworkSpec


@dataclass(frozen=True)
class Options:
    """A config whose models were trained."""

    config: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CONFIG")]
    output: Path | None = None
    """The folder of the run; None: runs/NAME OF THE CONFIG."""

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.output or Path("runs") / self.config.stem


def table_of(what: str, title: str, found: Mapping[str, Array]) -> Table:
    """Means over seeds, deviations, and the percentages ``[P]`` themselves, a line each."""
    table = Table(what, "error, %", "of each seed", title=title)
    for name, share in found.items():
        own = ", ".join(f"{each:.2f}" for each in share)
        spread = f" ± {jnp.std(share, ddof=1):.2f}" if len(share) > 1 else ""
        table.add_row(name, f"{jnp.mean(share):.2f}{spread}", own)
    return table


@partial(jax.jit, static_argnames="spec")
def errors(
    spec: NetworkSpec, state: State, hyper: Hyper, inputs: Array, labels: Array, seen: Array
) -> dict[str, Array]:
    """Percent wrong ``[P]``, by what is rounded; ``seen``: the training inputs."""

    def discrete(weights: list[Array]) -> Array:
        outputs = prediction.discrete_outputs(spec, weights, inputs)
        return 100.0 * jnp.mean(prediction.winner(outputs) != labels)

    def wrong(layers: list[Moments]) -> Array:
        outputs = prediction.moment_outputs(spec, layers, inputs, hyper.noise)
        return 100.0 * jnp.mean(prediction.winner(prediction.argmax_probabilities(*outputs)) != labels)

    def one(state: State) -> dict[str, Array]:
        believed = [damped_moments(layer) for layer in state.weighted]
        weights = [layer.astype(believed[0].mean.dtype) for layer in prediction.decode(spec, state, hyper)]
        rounded = [Moments(layer, jnp.zeros_like(layer)) for layer in weights]
        sure = Moments(believed[0].mean, jnp.zeros_like(believed[0].mean))
        found = {"nothing": wrong(believed), "all but the last": wrong([*rounded[:-1], believed[-1]])}
        found["unsure"] = wrong([sure, *believed[1:]])
        for layer in range(spec.num_layers):
            mixed = [*believed[:layer], rounded[layer], *believed[layer + 1 :]]
            found[f"layer {layer + 1}"] = wrong(mixed)
        modes = prediction.decode(spec, state, hyper)
        found["discrete, mode"] = discrete(modes)
        found["discrete, feedback"] = discrete(round_layers(spec, state, hyper, seen, modes))
        return found

    return jax.lax.map(one, state)


def main(options: Options) -> None:
    """Print a table a model."""
    for model, trained, samples in trained_models(read_config(options.config, Config), options.folder):
        found = errors(*trained, *samples.test, samples.train[0])
        Console().print(table_of("rounded", model.name, found))


if __name__ == "__main__":
    run_command(main, Options, __doc__)
