"""Rates of the machine at hand, each by a program that does one thing."""

import math
import platform
from collections.abc import Callable
from functools import partial
from statistics import median
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
# Rows and inputs of products, and their outputs: wide, and so narrow that the rate suffers.
SIDE, WIDE, NARROW = 1024, 512, 8
# Elements of the arrays that are moved: as many as the units of a wide layer have in a mini-batch.
MOVED = 1 << 20
LOOP = 16
FIXED_POINT = 20
# Bytes that two devices add up: next to nothing, and a layer's messages.
SMALL, LARGE = 1 << 8, 1 << 22


def _seconds(run: Callable[[], Any]) -> float:
    """Of one run: the median of several, after one that compiles."""
    jax.block_until_ready(run())
    found = []
    for _ in range(REPEATS):
        begun = perf_counter()
        jax.block_until_ready(run())
        found.append(perf_counter() - begun)
    return median(found)


@partial(jax.jit, static_argnums=0)
def _loop(body: Callable[[Any], Any], carried: Any) -> Any:
    return lax.fori_loop(0, LOOP, lambda _, now: body(now), carried)


def _flops(width: int) -> float:
    """Operations a second of products whose narrowest side is ``width``."""
    left, right = jnp.ones((SIDE, SIDE)), jnp.full((SIDE, width), 1e-3)

    def product(now: Any) -> Any:
        return lax.dot(lax.dot(now, right), right.T) * 1e-3

    return 4.0 * SIDE * SIDE * width * LOOP / _seconds(partial(_loop, product, left))


def measure_machine() -> Machine:
    """Measure the first device; takes some seconds. The link is unknown: see :func:`measure_link`."""
    wide, narrow = _flops(WIDE), _flops(NARROW)
    moved = jnp.ones(MOVED)
    scaling = _seconds(partial(_loop, lambda now: lax.optimization_barrier(now * 0.999), moved)) / LOOP
    curve = _seconds(partial(_loop, lambda now: jnp.exp(-now), moved)) / LOOP
    step = _seconds(partial(_loop, lambda now: now + 1.0, jnp.zeros(8))) / LOOP
    device = jax.devices()[0]
    # of w / (w + h) at both widths, h by a few steps of a fixed point
    flops = wide
    for _ in range(FIXED_POINT):
        flops = wide * (1.0 + NARROW * max(0.0, flops / narrow - 1.0) / WIDE)
    return Machine(
        name=f"{platform.node()}: {device.device_kind}",
        flops=flops,
        half_width=max(0.0, NARROW * (flops / narrow - 1.0)),
        bandwidth=2.0 * 4.0 * MOVED / scaling,
        functions=MOVED / max(curve - scaling, 0.1 * curve),
        step_seconds=step,
        link_bandwidth=float("inf"),
        link_seconds=0.0,
        source="measured",
    )


def measure_link() -> tuple[float, float]:
    """Bytes a second and seconds of a hop, of sums over the devices of all processes, which all call this."""
    count, found = jax.device_count(), []
    with meshes.all_processes():
        for size in (SMALL, LARGE):
            rows = meshes.place(jnp.ones((count, size // 4)), meshes.DATA)
            split = PartitionSpec(meshes.DATA)
            add = jax.shard_map(_summed, in_specs=split, out_specs=split)
            found.append(_seconds(partial(_loop, add, rows)) / LOOP)
    ring, hops = 2.0 * (count - 1) / count, max(1, math.ceil(math.log2(count)))
    return ring * (LARGE - SMALL) / max(found[1] - found[0], 1e-9), found[0] / hops


def _summed(own: Any) -> Any:
    return lax.psum(own, meshes.DATA) / jax.device_count()
