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
from jax import Array, lax
from jax.sharding import PartitionSpec

from mpnn import sharding as meshes
from mpnn.message_passing.channels.hidden import Sign
from mpnn.planning.machines import Machine

__all__ = ["measure_link", "measure_machine"]

REPEATS = 5
# Rows and inputs of products, and their outputs: wide, and so narrow that the rate suffers.
SIDE, WIDE, NARROW = 1024, 1024, 32
# Elements of the arrays that are moved, more than a core's own cache holds; of units in a mini-batch.
MOVED, UNITS = 1 << 22, 1 << 19
# Bodies of a loop; of one that does next to nothing.
LOOP, EMPTY_LOOP = 16, 1 << 12
FIXED_POINT = 20
# Bytes that two devices add up: next to nothing, and a layer's messages.
SMALL, LARGE = 1 << 8, 1 << 22


def _seconds(body: Callable[[Any], Any], carried: Any, loop: int = LOOP) -> float:
    """Of a body in a loop: the median of several runs, after one that compiles."""
    run = partial(_loop, body, carried, loop)
    jax.block_until_ready(run())
    found = []
    for _ in range(REPEATS):
        begun = perf_counter()
        jax.block_until_ready(run())
        found.append(perf_counter() - begun)
    return median(found) / loop


@partial(jax.jit, static_argnums=0)
def _loop(body: Callable[[Any], Any], carried: Any, loop: Any) -> Any:
    """Bodies one after the other; their number is traced, so that the compiler cannot unroll them."""
    return lax.fori_loop(0, loop, lambda _, now: body(now), carried)


def _flops(width: int) -> float:
    """Operations a second of a layer's three products, up, down and to the weights, ``width`` wide."""
    inputs, weights = jnp.ones((SIDE, SIDE)), jnp.full((SIDE, width), 1e-3)

    def products(now: tuple[Array, Array]) -> tuple[Array, Array]:
        inputs, weights = now
        outputs = inputs @ weights
        return (outputs @ weights.T) * 1e-3, (inputs.T @ outputs) * 1e-6

    return 6.0 * SIDE * SIDE * width / _seconds(products, (inputs, weights))


def _functions() -> float:
    """Functions a second where sign units take their derivatives, as the compiler counts functions."""

    def derivatives(now: Array) -> Array:
        return sum(Sign().derivatives(now, None, now, 1.0 + jnp.square(now)), jnp.zeros_like(now))

    units = jnp.full(UNITS, 0.5)
    counted: Any = jax.jit(derivatives).lower(units).compile().cost_analysis()
    counted = counted[0] if isinstance(counted, list) else counted
    return float(counted["transcendentals"]) / _seconds(derivatives, units)


def measure_machine() -> Machine:
    """Measure the first device; takes some seconds. The link is unknown: see :func:`measure_link`.

    Where several processes share a machine, all of them at the same time.
    """
    wide, narrow = _flops(WIDE), _flops(NARROW)
    device = jax.devices()[0]
    # of w / (w + h) at both widths, h by a few steps of a fixed point
    flops = wide
    for _ in range(FIXED_POINT):
        flops = wide * (1.0 + NARROW * max(0.0, flops / narrow - 1.0) / WIDE)
    return Machine(
        name=f"{platform.node()}: {device.device_kind}",
        flops=flops,
        half_width=max(0.0, NARROW * (flops / narrow - 1.0)),
        bandwidth=2.0 * 4.0 * MOVED / _seconds(lambda now: now * 0.999, jnp.ones(MOVED)),
        functions=_functions(),
        step_seconds=_seconds(lambda now: now + 1.0, jnp.zeros(8), EMPTY_LOOP),
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
            found.append(_seconds(add, rows))
    ring, hops = 2.0 * (count - 1) / count, max(1, math.ceil(math.log2(count)))
    return ring * (LARGE - SMALL) / max(found[1] - found[0], 1e-9), found[0] / hops


def _summed(own: Any) -> Any:
    return lax.psum(own, meshes.DATA) / jax.device_count()
