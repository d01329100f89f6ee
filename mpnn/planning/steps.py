"""What a step of training takes: operations, bytes and functions, as the compiler counts them."""

import math
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from mpnn.message_passing.epochs import run_batch
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import Batch, init
from mpnn.message_passing.spec import NetworkSpec
from mpnn.planning.machines import Machine

__all__ = ["StepCost", "bytes_sent", "cost_of_step", "seconds_of"]

# Arrays of a weight's size that devices add up in every layer and sweep, as the compiled second-order rule
# has them (the terms of its expansion, one by one), and the small ones beside them.
SUMMED, SMALL_SUMMED = 4, 3


class StepCost(NamedTuple):
    """Of one mini-batch on one device.

    Parameters
    ----------
    flops : float
        Operations.
    bytes_moved : float
        Read from memory and written to it.
    functions : float
        Exponentials, logarithms and the like.
    widths : tuple of (float, int)
        Of every layer, its share of the weights and the narrowest side of its products.
    num_weights : int
        Weights of all layers.
    num_sums : int
        Arrays that are added up over devices.
    state_bytes : int
        Of the beliefs.
    """

    flops: float
    bytes_moved: float
    functions: float
    widths: tuple[tuple[float, int], ...]
    num_weights: int
    num_sums: int
    state_bytes: int


def cost_of_step(spec: NetworkSpec, batch_size: int) -> StepCost:
    """Count what a mini-batch takes: it is compiled for the device at hand, and does not run.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    batch_size : int >= 1
        Samples on one device.
    """
    hyper = jax.eval_shape(lambda: Schedules().at(jnp.arange(spec.sweeps_per_batch), spec.num_layers))
    first = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), hyper)
    state = jax.eval_shape(lambda numbers: init(jax.random.key(0), spec, numbers), first)
    is_binary = spec.output == "binary_label"
    labels = jax.ShapeDtypeStruct((batch_size,), jnp.float32 if is_binary else jnp.int32)
    inputs = jax.ShapeDtypeStruct((batch_size, *spec.input_shape), jnp.float32)
    batch = Batch(*cast(Any, (inputs, labels)))

    def step(state: Any, batch: Batch, numbers: Any) -> Any:
        return run_batch(spec, state, batch, numbers)

    counted: Any = jax.jit(step, donate_argnums=0).lower(state, batch, hyper).compile().cost_analysis()
    counted = counted[0] if isinstance(counted, list) else counted
    shapes = [layer.mean.shape for layer in state.weighted]
    weights = sum(math.prod(shape) for shape in shapes)
    return StepCost(
        flops=float(counted["flops"]),
        bytes_moved=float(counted["bytes accessed"]),
        functions=float(counted.get("transcendentals", 0.0)),
        widths=tuple((math.prod(shape) / weights, min(batch_size, *shape)) for shape in shapes),
        num_weights=weights,
        num_sums=(SUMMED * len(shapes) + SMALL_SUMMED) * spec.sweeps_per_batch,
        state_bytes=sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)),
    )


def seconds_of(cost: StepCost, machine: Machine, devices: int = 1) -> tuple[float, float]:
    """Seconds that a step computes, and that devices take to add up their messages.

    Products, traffic and functions are parts of a step that follow one another, so their times add up.

    Parameters
    ----------
    cost : StepCost
        Of one device's share of the mini-batch.
    machine : Machine
        The rates.
    devices : int >= 1, default=1
        Devices along "data".
    """
    narrow = sum(part * (width + machine.half_width) / width for part, width in cost.widths)
    parts = (
        cost.flops / machine.flops * narrow,
        cost.bytes_moved / machine.bandwidth,
        cost.functions / machine.functions,
    )
    computing = sum(parts) / machine.share + machine.step_seconds
    if devices == 1:
        return computing, 0.0
    hops = math.ceil(math.log2(devices))  # of a tree, for small arrays; what was measured is one
    waiting = cost.num_sums * hops * machine.link_seconds
    return computing, waiting + bytes_sent(cost, devices) / machine.link_bandwidth


def bytes_sent(cost: StepCost, devices: int) -> float:
    """Bytes that a device sends in a mini-batch, to add up messages in a ring.

    Parameters
    ----------
    cost : StepCost
        Of one device's share.
    devices : int >= 1
        Devices along "data".
    """
    return 2.0 * (devices - 1) / devices * SUMMED * 4.0 * cost.num_weights
