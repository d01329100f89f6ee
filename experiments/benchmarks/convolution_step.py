"""A step of two convolutions by message passing, over the straight-through step of the same network.

    taskset -c 0 python -m experiments.benchmarks.convolution_step

Both train on the same batches in one compiled scan, one after the other in every round; the ratio is the
median over the rounds, so that a busy machine slows both sides. JAX's profiler then says how the step of
either divides into matrix products, patches (cut out of images and summed back) and the rest. For a CPU.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import tyro
from jax import Array
from rich.console import Console
from rich.table import Table

from experiments.benchmarks.profile import CONTAINERS, INSTRUCTION, milliseconds
from experiments.benchmarks.step import seconds_of
from mpnn.gradient import STEClassifier, training
from mpnn.gradient.method import Plan
from mpnn.layers import Conv2D, Dense, Flatten, Unflatten
from mpnn.message_passing import network
from mpnn.message_passing.epochs import run_epoch
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec

SHAPE, CLASSES = (28, 28, 1), 10
PARTS = ("products", "patches", "rest")
OF_PATCHES = re.compile(r"op_name=\"[^\"]*(?:concatenate|slice|pad|stack)\"")

Epoch = Callable[[Any], Any]


@dataclass(frozen=True)
class Options:
    """What is timed.

    channels, sizes: of the convolutions, of stride 2. batch_size, num_batches: of an epoch. rounds: timed
    epochs of each method, >= 1.
    """

    channels: tuple[int, ...] = (32, 64)
    sizes: tuple[int, ...] = (5, 5)
    batch_size: int = 128
    num_batches: int = 20
    rounds: int = 7

    @property
    def hidden(self) -> tuple[Conv2D, ...]:
        """The layers of both networks."""
        pairs = zip(self.channels, self.sizes, strict=True)
        return tuple(Conv2D(channels, size, stride=2) for channels, size in pairs)


def message_passing(options: Options, inputs: Array, labels: Array) -> tuple[Epoch, Any]:
    """An epoch of mean field, and its first state."""
    layers = (Unflatten(SHAPE), *options.hidden, Flatten(), Dense(CLASSES))
    completed = (
        layer.complete(rule="mean_field") if hasattr(layer, "complete") else layer for layer in layers
    )
    spec = NetworkSpec((inputs.shape[1],), tuple(completed), output="argmax", anchored=True)
    schedules = Schedules(rho=0.99, damping=0.9, evidence=0.1)
    hyper = schedules.at(jnp.zeros(options.num_batches, jnp.int32), spec.num_layers)
    numbers = jax.tree.map(lambda leaf: leaf[:, None], hyper)
    state = network.init(jax.random.key(0), spec, schedules.at_sweep(0, spec.num_layers))
    order = jnp.arange(len(inputs)).reshape(options.num_batches, options.batch_size)
    key, data = jax.random.key(1), Batch(inputs, labels)
    return lambda state: run_epoch(key, spec, state, data, order, numbers), state


def straight_through(options: Options, inputs: Array, labels: Array) -> tuple[Epoch, Any]:
    """An epoch of STEClassifier's plain recipe, and its first state."""
    classifier = STEClassifier(options.hidden, image_shape=SHAPE)
    classifier.image_shape_ = SHAPE
    plan = Plan(1, options.batch_size, len(inputs))
    method = classifier._method((inputs.shape[1], *options.hidden, CLASSES), plan)
    state = training.init(jax.random.key(0), method, plan)
    data = training.Data(inputs, jnp.arange(len(inputs)), labels, jnp.ones(len(inputs)))
    key = jax.random.key(1)
    return lambda state: training.train(key, method, plan, state, data), state


def parts_of(program: str) -> dict[str, str]:
    """The part of every instruction of a compiled program's text, by its name."""
    parts = {}
    for line in program.splitlines():
        found = INSTRUCTION.match(line)
        if found is None or found["kind"] in CONTAINERS:
            continue
        if 'dot_general"' in line:
            parts[found["name"]] = "products"
        else:
            parts[found["name"]] = "patches" if OF_PATCHES.search(line) else "rest"
    return parts


def main(options: Options) -> None:
    """Compile, time in turns, profile, and print a table."""
    count = options.batch_size * options.num_batches
    inputs = jax.random.uniform(jax.random.key(2), (count, SHAPE[0] * SHAPE[1]))
    labels = jax.random.randint(jax.random.key(3), (count,), 0, CLASSES)
    made = {
        "straight-through": straight_through(options, inputs, labels),
        "message passing": message_passing(options, inputs, labels),
    }
    programs = {
        name: jax.jit(epoch, donate_argnums=0).lower(state).compile() for name, (epoch, state) in made.items()
    }
    states = {name: seconds_of(programs[name], state)[1] for name, (_, state) in made.items()}
    taken: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(options.rounds):
        for name, program in programs.items():
            seconds, states[name] = seconds_of(program, states[name])
            taken[name].append(1e3 * seconds / options.num_batches)
    title = (
        f"Milliseconds a step of {options.batch_size}: channels {options.channels}, windows {options.sizes}"
    )
    table = Table("method", "step", "ratio", *PARTS, title=title)
    for name, program in programs.items():
        run = partial(_finish, program, states[name])
        parts = milliseconds(run, parts_of(program.as_text()))
        ratio = median(own / peer for own, peer in zip(taken[name], taken["straight-through"], strict=True))
        shares = (f"{parts[part] / options.num_batches:.1f}" for part in PARTS)
        table.add_row(name, f"{median(taken[name]):.1f}", f"{ratio:.2f}", *shares)
    Console(width=110).print(table)


def _finish(program: Epoch, state: Any) -> None:
    jax.block_until_ready(program(state))


if __name__ == "__main__":
    main(tyro.cli(Options))
