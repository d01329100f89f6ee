"""A plan: what a training on so many rows takes, on so many devices."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mpnn.message_passing.spec import NetworkSpec
from mpnn.planning.machines import Machine
from mpnn.planning.steps import StepCost, bytes_sent, cost_of_step, seconds_of

__all__ = ["Plan", "plan_training"]


class Plan(NamedTuple):
    """What a training takes.

    Parameters
    ----------
    num_inputs : int
        Inputs of the network: bits of the table in code.
    num_steps : float
        Mini-batches of all epochs.
    share : int
        Samples of a mini-batch on one device.
    cost : StepCost
        Of one device's share of a mini-batch.
    operations, bytes_read : float
        Of the whole training on all devices; what is read are the rows in code, one byte an input.
    step_seconds, link_seconds : float
        Of a mini-batch: computing, and adding up messages.
    link_bytes : float
        That a device sends in a mini-batch.
    seconds : float
        Of the whole training.
    """

    num_inputs: int
    num_steps: float
    share: int
    cost: StepCost
    operations: float
    bytes_read: float
    step_seconds: float
    link_seconds: float
    link_bytes: float
    seconds: float


def plan_training(
    machine: Machine,
    *,
    rows: float,
    columns: int,
    hidden: Sequence[int],
    classes: int = 2,
    bits: int = 16,
    epochs: int = 1,
    batch_size: int = 1024,
    devices: int = 1,
    rule: str = "bp_inspired_second_order",
) -> Plan:
    """Plan a training on a table in code.

    Parameters
    ----------
    machine : Machine
        Rates of one device.
    rows : float >= 1
        Samples.
    columns : int >= 1
        Of the table.
    hidden : sequence of int >= 1
        Widths of the hidden layers.
    classes : int >= 2, default=2
        Of the labels.
    bits : int >= 1, default=16
        Bits that a column becomes; 1 for inputs that stay numbers.
    epochs : int >= 1, default=1
        Passes over the rows.
    batch_size : int >= 1, default=1024
        Samples of a mini-batch, over all devices; a multiple of these.
    devices : int >= 1, default=1
        Devices that share out every mini-batch.
    rule : str, default="bp_inspired_second_order"
        Of the messages.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    least = {"rows": rows, "columns": columns, "bits": bits, "epochs": epochs, "devices": devices}
    for name, value in [*least.items(), *(("a width in hidden", width) for width in hidden)]:
        if not 1 <= value < math.inf:
            raise ValueError(f"{name} must be at least 1, got {value:g}")
    if batch_size < devices or batch_size % devices:
        raise ValueError(f"batch_size must be a multiple of the {devices} devices, got {batch_size}")
    if classes < 2:
        raise ValueError(f"classes must be at least 2, got {classes}")
    widths = (columns * bits, *hidden, 1 if classes == 2 else classes)
    output = "binary_label" if classes == 2 else "argmax"
    spec = NetworkSpec.dense(widths, weights="ternary", rule=rule, output=output, anchored=True)
    share = batch_size // devices
    cost = cost_of_step(spec, share)
    computing, linking = seconds_of(cost, machine, devices)
    num_steps = epochs * rows / batch_size
    return Plan(
        num_inputs=widths[0],
        num_steps=num_steps,
        share=share,
        cost=cost,
        operations=num_steps * devices * cost.flops,
        bytes_read=epochs * rows * widths[0],
        step_seconds=computing,
        link_seconds=linking,
        link_bytes=bytes_sent(cost, devices),
        seconds=num_steps * (computing + linking),
    )
