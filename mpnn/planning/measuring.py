"""Rates of the machine at hand, each by a program that does one thing."""

import platform
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from mpnn import sharding as meshes
from mpnn.planning.machines import Machine

__all__ = ["measure_link", "measure_machine"]

REPEATS = 5
# Rows, inputs and outputs of products: as in steps, since a rate depends on the shape.
PRODUCTS = ((128, 1024, 256), (1024, 512, 512))
# Elements of the arrays that are moved, as long as a layer's weights and a batch's units.
MOVED = 1 << 19
LOOP = 64
# Bytes that two devices add up: next to nothing, and a layer's messages.
SMALL, LARGE = 1 << 8, 1 << 22


def _seconds(run: Callable[[], Any]) -> float:
    """Of one run: the shortest of several, the first of which compiles."""
    jax.block_until_ready(run())
    found = []
    for _ in range(REPEATS):
        begun = perf_counter()
        jax.block_until_ready(run())
        found.append(perf_counter() - begun)
    return min(found)


@partial(jax.jit, static_argnums=0)
def _loop(body: Callable[[Any], Any], carried: Any) -> Any:
    return lax.fori_loop(0, LOOP, lambda _, now: body(now), carried)


def measure_machine() -> Machine:
    """Measure the first device; takes some seconds. The link is unknown: see :func:`measure_link`."""
    rates = []
    for rows, inputs, outputs in PRODUCTS:
        left, right = jnp.ones((rows, inputs)), jnp.full((inputs, outputs), 1e-3)

        def product(now: Any, right: Any = right) -> Any:
            return lax.dot(lax.dot(now, right), right.T) * 1e-3

        seconds = _seconds(partial(_loop, product, left)) / LOOP
        rates.append(4.0 * rows * inputs * outputs / seconds)
    moved = jnp.ones(MOVED)
    scaling = _seconds(partial(_loop, lambda now: lax.optimization_barrier(now * 0.999), moved)) / LOOP
    curve = _seconds(partial(_loop, lambda now: jnp.exp(-now), moved)) / LOOP
    step = _seconds(partial(_loop, lambda now: now + 1.0, jnp.zeros(8))) / LOOP
    device = jax.devices()[0]
    return Machine(
        name=f"{platform.node()}: {device.device_kind}",
        flops=len(rates) / sum(1.0 / rate for rate in rates),
        bandwidth=2.0 * 4.0 * MOVED / scaling,
        functions=MOVED / max(curve - scaling, 0.1 * curve),
        step_seconds=step,
        link_bandwidth=float("inf"),
        link_seconds=0.0,
        source="measured",
    )


def measure_link() -> tuple[float, float]:
    """Bytes a second and seconds of a sum over the devices of all processes, which all call this."""
    found = []
    with meshes.all_processes():
        for size in (SMALL, LARGE):
            rows = meshes.place(jnp.ones((jax.device_count(), size // 4)), meshes.DATA)
            split = PartitionSpec(meshes.DATA)
            add = jax.shard_map(_summed, in_specs=split, out_specs=split)
            found.append(_seconds(partial(_loop, add, rows)) / LOOP)
    ring = 2.0 * (jax.device_count() - 1) / jax.device_count()
    return ring * (LARGE - SMALL) / max(found[1] - found[0], 1e-9), found[0]


def _summed(own: Any) -> Any:
    return lax.psum(own, meshes.DATA) / jax.device_count()
