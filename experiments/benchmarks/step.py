"""Seconds an epoch of mini-batch training by every rule, as ratios to straight-through training.

    python -m experiments.benchmarks.step
    python -m experiments.benchmarks.step --widths 784 101 101 10 --batch-size 1024

All run the same net on the same batches in one compiled scan, one after the other in every round; ratios are
medians over the rounds, so that a busy machine slows both sides. The floor counts matrix products alone, at
the rate that this device reaches on a product of the first layer's shape.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import optax
import tyro
from jax import Array
from rich.console import Console
from rich.table import Table

from mpnn.message_passing import network
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import run_epoch

# Matrix products of a layer that has a layer below, and of the first: forward, to weights, down.
PRODUCTS = {"straight-through": (3, 2), "mean_field": (4, 3), "amp": (6, 4)}
RULES = ("mean_field", "amp", "bp_inspired_second_order", "bp_inspired")


@dataclass(frozen=True)
class Step:
    """What is timed.

    widths: of all layers, at least 3; signs between, classes last. batch_size, num_batches: of an epoch.
    rounds: timed epochs of each method, >= 1. rules: names of the rules, see mpnn.message_passing.rules.
    """

    widths: tuple[int, ...] = (784, 501, 501, 10)
    batch_size: int = 128
    num_batches: int = 100
    rounds: int = 5
    rules: tuple[str, ...] = RULES
    weights: str = "binary"


@jax.custom_vjp
def _sign(x: Array) -> Array:
    """Sign whose gradient is that of the identity where |x| <= 1."""
    return jnp.where(x >= 0, 1.0, -1.0)


_sign.defvjp(lambda x: (_sign(x), x), lambda x, grad: (jnp.where(jnp.abs(x) <= 1.0, grad, 0.0),))


def straight_through(options: Step, data: Batch, order: Array) -> tuple[Callable[[Any], Any], Any]:
    """An epoch of SGD on latent weights, and its first state."""
    keys = jax.random.split(jax.random.key(0), len(options.widths) - 1)
    shapes = zip(keys, pairwise(options.widths), strict=True)
    latent = [0.1 * jax.random.normal(key, shape) for key, shape in shapes]

    def loss(latent: list[Array], inputs: Array, labels: Array) -> Array:
        for index, layer in enumerate(latent):
            inputs = inputs @ _sign(layer) / layer.shape[0] ** 0.5
            inputs = inputs if index == len(latent) - 1 else _sign(inputs)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(inputs, labels))

    def step(latent: list[Array], rows: Array) -> tuple[list[Array], Array]:
        value, grad = jax.value_and_grad(loss)(latent, data.inputs[rows], data.labels[rows])
        moved = jax.tree.map(lambda old, slope: jnp.clip(old - 0.1 * slope, -1.0, 1.0), latent, grad)
        return moved, value

    return lambda latent: jax.lax.scan(step, latent, order), latent


def message_passing(rule: str, options: Step, data: Batch, order: Array) -> tuple[Callable[[Any], Any], Any]:
    """An epoch of one rule, and its first state."""
    spec = NetworkSpec.dense(widths=options.widths, weights=options.weights, rule=rule, output="argmax")
    schedules = Schedules(rho=1.0, damping=0.5)
    steps = jnp.zeros(order.shape[0], jnp.int32)
    hyper = jax.tree.map(lambda leaf: leaf[:, None], schedules.at(steps, spec.num_layers))
    first = jax.tree.map(lambda leaf: leaf[0, 0], hyper)
    state = network.init(jax.random.key(0), spec, first)
    key = jax.random.key(1)
    return lambda state: run_epoch(key, spec, state, data, order, hyper), state


def made_up_epoch(options: Step) -> tuple[Batch, Array]:
    """Gaussian inputs with labels at random, and their mini-batches."""
    count = options.batch_size * options.num_batches
    inputs_key, labels_key = jax.random.split(jax.random.key(2))
    data = Batch(
        jax.random.normal(inputs_key, (count, options.widths[0])),
        jax.random.randint(labels_key, (count,), 0, options.widths[-1]),
    )
    return data, jax.random.permutation(jax.random.key(3), count).reshape(-1, options.batch_size)


def seconds_of(epoch: Callable[[Any], Any], state: Any) -> tuple[float, Any]:
    """Seconds of an epoch from a state, which may be donated, and the state after it."""
    start = time.perf_counter()
    state, _ = jax.block_until_ready(epoch(state))
    return time.perf_counter() - start, state


def matmul_rate(options: Step) -> float:
    """Floating-point operations a second of ``[B, N] @ [N, K]`` at the first layer's shape."""
    num_inputs, num_outputs = options.widths[:2]
    left = jax.random.normal(jax.random.key(0), (options.batch_size, num_inputs))
    right = jax.random.normal(jax.random.key(1), (num_inputs, num_outputs))

    @jax.jit
    def many(left: Array) -> Array:
        def step(carry: Array, _: None) -> tuple[Array, None]:
            product = carry @ right
            return carry.at[0, 0].add(product[0, 0] * 1e-9), None

        return jax.lax.scan(step, left, length=200)[0]

    jax.block_until_ready(many(left))
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(many(left))
        seconds.append(time.perf_counter() - start)
    return 2.0 * 200 * options.batch_size * num_inputs * num_outputs / min(seconds)


def products_floor(products: tuple[int, int], options: Step, rate: float) -> float:
    """Seconds an epoch of nothing but its matrix products."""
    sizes = [wide * narrow for wide, narrow in pairwise(options.widths)]
    upper, first = products
    operations = 2.0 * options.batch_size * (first * sizes[0] + upper * sum(sizes[1:]))
    return options.num_batches * operations / rate


def circumstances(options: Step, rate: float) -> str:
    """What was timed and where, for the title of a table."""
    device = jax.devices()[0]
    return (
        f"{'-'.join(map(str, options.widths))}, {options.weights}, batches of {options.batch_size}, on "
        f"{device.device_kind} ({device.platform}) at {rate / 1e9:.0f} GFLOP/s, JAX {jax.__version__}"
    )


def main(options: Step) -> None:
    """Compile, time, and print a table."""
    data, order = made_up_epoch(options)
    makers = {"straight-through": straight_through}
    makers |= {rule: partial(message_passing, rule) for rule in options.rules}
    epochs, states, compile_seconds = {}, {}, {}
    for name, make in makers.items():
        epoch, states[name] = make(options, data, order)
        start = time.perf_counter()
        epochs[name] = jax.jit(epoch, donate_argnums=0).lower(states[name]).compile()
        compile_seconds[name] = time.perf_counter() - start
        _, states[name] = seconds_of(epochs[name], states[name])
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(options.rounds):
        for name in makers:
            taken, states[name] = seconds_of(epochs[name], states[name])
            seconds[name].append(taken)

    rate = matmul_rate(options)
    table = Table(
        "rule",
        "compile s",
        "s an epoch",
        "ratio",
        "products alone",
        title=f"{options.num_batches} batches: {circumstances(options, rate)}",
    )
    for name, taken in seconds.items():
        ratios = [own / peer for own, peer in zip(taken, seconds["straight-through"], strict=True)]
        floor = f"{products_floor(PRODUCTS[name], options, rate):.2f} s" if name in PRODUCTS else "-"
        table.add_row(
            name, f"{compile_seconds[name]:.1f}", f"{median(taken):.2f}", f"{median(ratios):.2f}", floor
        )
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Step))
