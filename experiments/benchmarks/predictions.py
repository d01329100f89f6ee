"""Milliseconds to predict 10,000 images, against a float32 matrix product of the same shape.

    python -m experiments.benchmarks.predictions
    python -m experiments.benchmarks.predictions --widths 784 2001 2001 10

The discrete network ("mode") and the mixture of all networks ("bayes"), as the estimator computes labels
(scores alone) and probabilities. The peer multiplies the images with every layer's shape once; all are
compiled, and run one after the other in every round.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import jax
import tyro
from rich.console import Console
from rich.table import Table

from mpnn.message_passing import network, prediction
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.spec import NetworkSpec


@dataclass(frozen=True)
class Predictions:
    """What is timed. widths: of all layers, classes last; rounds: timed calls of each, >= 1."""

    widths: tuple[int, ...] = (784, 501, 501, 10)
    num_images: int = 10_000
    rounds: int = 9


def _calls(options: Predictions) -> dict[str, Callable[[], Any]]:
    spec = NetworkSpec(widths=options.widths, output="argmax")
    hyper = Schedules().at_sweep(0, spec.num_layers)
    state = network.init(jax.random.key(0), spec, hyper)
    model = compiled.Model(prediction.decode(spec, state, hyper), state, hyper, 0)
    images = jax.random.normal(jax.random.key(1), (options.num_images, options.widths[0]))
    layers = [jax.random.normal(jax.random.key(2), shape) for shape in pairwise(options.widths)]

    @jax.jit
    def products(images: jax.Array, layers: list[jax.Array]) -> jax.Array:
        for layer in layers:
            images = images @ layer
        return images

    calls: dict[str, Callable[[], Any]] = {"matrix products": lambda: products(images, layers)}
    for how in ("mode", "bayes"):
        calls[f"{how}, labels"] = partial(compiled.score, spec, how, 1, model, images)
        calls[f"{how}, probabilities"] = partial(compiled.decide, spec, how, 1, model, images)
    return calls


def main(options: Predictions) -> None:
    """Compile, time, and print a table."""
    calls = _calls(options)
    compile_seconds, seconds = {}, {name: [] for name in calls}
    for name, call in calls.items():
        start = time.perf_counter()
        jax.block_until_ready(call())
        compile_seconds[name] = time.perf_counter() - start
    for _ in range(options.rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            seconds[name].append(time.perf_counter() - start)
    device = jax.devices()[0]
    table = Table(
        "prediction",
        "first call s",
        "ms",
        "ratio",
        title=f"{options.num_images} images, {'-'.join(map(str, options.widths))}, on {device.device_kind} "
        f"({device.platform}), JAX {jax.__version__}",
    )
    for name, taken in seconds.items():
        ratios = [own / peer for own, peer in zip(taken, seconds["matrix products"], strict=True)]
        table.add_row(
            name, f"{compile_seconds[name]:.1f}", f"{1000 * median(taken):.1f}", f"{median(ratios):.2f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Predictions))
