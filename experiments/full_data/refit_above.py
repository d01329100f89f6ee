"""Let the layers above hear what the rounded first layer says, in the networks of a finished run.

    python -m experiments.full_data.train configs/full_data/counting_once_fashion.toml
    python -m experiments.full_data.refit_above configs/full_data/counting_once_fashion.toml

Rounding the first layer changes what its units say, and the beliefs above were formed on what they said
before. Rounded (with error feedback) its units are known signs, so that the rest is a network with one layer
less: it trains on from what it believes, by a falling step of its own and on images as they are. Prints test
errors of the discrete network before and after, and of the Bayesian prediction of the layers above after it.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array
from rich.console import Console

from experiments.common.networks import (
    Model,
    Samples,
    Trained,
    errors_of,
    schedules_of,
    side_by_side,
    spec_of,
)
from experiments.common.runs import read_config, run_command
from experiments.full_data import rounding_loss
from experiments.full_data.train import Config, trained_models
from mpnn.message_passing import prediction
from mpnn.message_passing.network import State
from mpnn.message_passing.rounding import round_layers
from mpnn.message_passing.training import train_many


@dataclass(frozen=True)
class Options(rounding_loss.Options):
    """A config whose models were trained, and how the layers above train on."""

    num_epochs: int = 4
    rate: float = 2e-4
    """The first step, which falls to 0."""
    counts: float = 100.0
    """How often each sample counts."""


def refit(
    options: Options, config: Config, model: Model, trained: Trained, samples: Samples
) -> dict[str, float]:
    """Percent wrong of one network (``trained.state`` has a leading axis of one), before and after."""
    inputs, labels = samples.train
    weights, known, known_test = _round(trained, inputs, samples.test[0])
    before = prediction.discrete_outputs(trained.spec, weights, samples.test[0])
    above = replace(model, hidden=model.hidden[1:], rate=options.rate, counts=options.counts)
    spec = spec_of(above, known.shape[1], samples.num_outputs)
    schedules = schedules_of(above, options.num_epochs, len(labels), config.batch_size)
    state, _ = train_many(
        jax.random.key(0)[None],
        spec,
        State(jax.tree.map(jnp.copy, trained.state.layers[1:])),  # training gives its state away
        side_by_side(known, labels, 1),
        schedules,
        num_epochs=options.num_epochs,
        batch_size=config.batch_size,
    )
    after = errors_of(spec, state, schedules.at_sweep(0, spec.num_layers), known_test, samples.test[1])
    wrong = jnp.mean(prediction.winner(before) != samples.test[1])
    return {
        "discrete, feedback": 100.0 * float(wrong),
        "discrete, layers above refitted": 100.0 * float(after["mode"][0]),
        "Bayesian, layers above refitted": 100.0 * float(after["bayes"][0]),
    }


def _round(trained: Trained, inputs: Array, test: Array) -> tuple[list[Array], Array, Array]:
    """Discrete weights, the first layer's rounded with feedback, and its signs on both sets of inputs."""
    spec, state, hyper = trained

    @jax.jit
    def compute(state: State, inputs: Array, test: Array) -> tuple[list[Array], Array, Array]:
        own = jax.tree.map(lambda leaf: leaf[0], state)
        weights = round_layers(spec, own, hyper, inputs, prediction.decode(spec, own, hyper))
        first = weights[0].astype(inputs.dtype)
        signs = (spec.weighted[0].channel.decide(each @ first) for each in (inputs, test))
        return weights, *signs

    return compute(state, inputs, test)


def _one(state: State, index: int) -> State:
    """One of the networks, its leading axis kept."""
    return jax.tree.map(lambda leaf: leaf[index : index + 1], state)


def main(options: Options) -> None:
    """Print a table a model."""
    config = read_config(options.config, Config)
    for model, trained, samples in trained_models(config, options.folder):
        networks = [
            refit(options, config, model, trained._replace(state=_one(trained.state, index)), samples)
            for index in range(len(config.seeds))
        ]
        found = {name: jnp.asarray([own[name] for own in networks]) for name in networks[0]}
        Console().print(rounding_loss.table_of("test errors", model.name, found))


if __name__ == "__main__":
    run_command(main, Options, __doc__)
