"""Where the time of a mini-batch step goes, by instruction, and how far each part is from its floor.

    taskset -c 0 python -m experiments.benchmarks.profile

JAX's profiler says how long every compiled instruction ran. Instructions are put together by what they make:
matrix products (an instruction with a product inside), beliefs (anything else of the shape of a layer's
weights: fields, magnetizations, variances, copies of them), and units (all the rest: tails, derivatives,
outputs, batches). Floors: the products' operations at the rate that the first layer's product reaches alone,
and one pass that reads and writes the state. For a CPU; threads add up, so hold it to one core.
"""

import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import tyro
from jax import Array
from jax.profiler import ProfileData
from rich.console import Console
from rich.table import Table

from experiments.benchmarks.step import (
    PRODUCTS,
    Step,
    circumstances,
    made_up_epoch,
    matmul_rate,
    message_passing,
    products_floor,
    straight_through,
)

PARTS = ("products", "beliefs", "units")
INSTRUCTION = re.compile(
    r"^\s*(?:ROOT )?%(?P<name>\S+) = (?:\w+\[(?P<shape>[\d,]*)\])?\S* ?(?P<kind>\w[\w-]*)\("
)
CALLED = re.compile(r"calls=%([\w.-]+)")
# Instructions that only hold others.
CONTAINERS = (
    "while",
    "call",
    "conditional",
    "tuple",
    "parameter",
    "get-tuple-element",
    "bitcast",
    "constant",
)


def parts_of(program: str, shapes: set[tuple[int, ...]]) -> dict[str, str]:
    """The part that every instruction of a compiled program's text belongs to, by its name."""
    with_products = {
        block.split()[0].lstrip("%") for block in program.split("\n\n") if re.search(r" dot\(", block)
    }
    parts = {}
    for line in program.splitlines():
        found = INSTRUCTION.match(line)
        if found is None or found["kind"] in CONTAINERS:
            continue
        called = CALLED.search(line)
        shape = tuple(int(size) for size in (found["shape"] or "").split(",") if size)
        if found["kind"] == "dot" or (called is not None and called[1] in with_products):
            parts[found["name"]] = "products"
        else:
            parts[found["name"]] = "beliefs" if shape in shapes else "units"
    return parts


def milliseconds(run: Callable[[], Any], parts: dict[str, str]) -> Counter[str]:
    """Time of each part while something runs."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        (trace,) = Path(folder).rglob("*.xplane.pb")
        profile = ProfileData.from_file(str(trace))
    total: Counter[str] = Counter()
    for plane in profile.planes:
        for line in plane.lines:
            for event in line.events:
                if event.name in parts:
                    total[parts[event.name]] += event.duration_ns / 1e6
    return total


def one_pass(state: Any, count: int) -> float:
    """Milliseconds to read and write every number of a state once."""

    def body(state: Any, factor: Array) -> tuple[Any, None]:
        return jax.tree.map(lambda leaf: leaf * factor, state), None

    passes = jax.jit(lambda state, factors: jax.lax.scan(body, state, factors)[0], donate_argnums=0)
    factors = jnp.ones(count)
    state = jax.block_until_ready(passes(jax.tree.map(jnp.copy, state), factors))
    start = time.perf_counter()
    jax.block_until_ready(passes(state, factors))
    return 1e3 * (time.perf_counter() - start) / count


class Measured(NamedTuple):
    """Milliseconds a step: by the clock, in each part, and of one pass over the state."""

    step: float
    parts: dict[str, float]
    one_pass: float


def measure(epoch: Callable[[Any], Any], state: Any, options: Step) -> Measured:
    """Time some epochs, then look into one."""
    compiled = jax.jit(epoch, donate_argnums=0).lower(state).compile()
    state, _ = jax.block_until_ready(compiled(state))
    passing = one_pass(state, options.num_batches)
    taken = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(compiled(state))
        taken.append(1e3 * (time.perf_counter() - start) / options.num_batches)
    parts = parts_of(compiled.as_text(), set(pairwise(options.widths)))
    found = milliseconds(lambda: jax.block_until_ready(compiled(state)), parts)
    return Measured(median(taken), {part: found[part] / options.num_batches for part in PARTS}, passing)


def main(options: Step) -> None:
    """Profile straight-through training and every rule; print a table."""
    data, order = made_up_epoch(options)
    makers = {"straight-through": straight_through}
    makers |= {rule: partial(message_passing, rule) for rule in options.rules}
    rate = matmul_rate(options)
    table = Table(
        "rule",
        "step",
        "products",
        "floor",
        "beliefs",
        "floor",
        "units",
        "between",
        title=f"Milliseconds: {circumstances(options, rate)}",
    )
    for name, make in makers.items():
        found = measure(*make(options, data, order), options)
        floor = "-"
        if name in PRODUCTS:
            floor = f"{1e3 * products_floor(PRODUCTS[name], options, rate) / options.num_batches:.1f}"
        table.add_row(
            name,
            f"{found.step:.1f}",
            f"{found.parts['products']:.1f}",
            floor,
            f"{found.parts['beliefs']:.1f}",
            f"{found.one_pass:.1f}",
            f"{found.parts['units']:.1f}",
            f"{found.step - sum(found.parts.values()):.1f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main(tyro.cli(Step))
