"""`mpnn plan`."""

import dataclasses
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from mpnn import planning
from mpnn.cli.activity import activity
from mpnn.cli.console import print_line
from mpnn.cli.options import Plan
from mpnn.cli.processes import join, start
from mpnn.planning import Machine, load_machine, measure_link, measure_machine, plan_training, save_machine
from mpnn.runs.toml import ConfigError

__all__ = ["run"]

# Set for the two processes that measure the link: where the first writes what it found.
LINK_FILE = "MPNN_LINK_FILE"


def run(command: Plan, arguments: list[str], console: Console) -> int:
    """Measure if asked to, and print the plan; return 0 or what failed."""
    if LINK_FILE in os.environ:
        return _link_of_processes(Path(os.environ[LINK_FILE]))
    if command.measure:
        with activity("measuring"):
            bandwidth, seconds = _measured_link()
            found = measure_machine()
            machine = dataclasses.replace(found, link_bandwidth=bandwidth, link_seconds=seconds)
        print_line(console, f"kept in {save_machine(machine)}")
    try:
        machine = load_machine(command.machine)
        fields = ("rows", "columns", "hidden", "classes", "bits", "epochs", "batch_size", "devices", "rule")
        given = {name: getattr(command, name) for name in fields}
        with activity("counting"):
            plan = plan_training(machine, **given)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for line in _lines(command, machine, plan):
        print_line(console, line)
    return 0


def _link_of_processes(path: Path) -> int:
    """In one of two processes: measure the link between them."""
    join(False)
    import jax

    found = measure_link()
    if jax.process_index() == 0:
        path.write_text(json.dumps(found))
    return 0


def _measured_link() -> tuple[float, float]:
    """Bytes a second and seconds of the link between two processes on this machine."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "link.json"
        status = start(["plan"], 2, {LINK_FILE: str(path)})
        if status:
            raise ConfigError(f"the two processes that measure the link failed with status {status}")
        bandwidth, seconds = json.loads(path.read_text())
        return bandwidth, seconds


def _lines(command: Plan, machine: Machine, plan: planning.Plan) -> list[str]:
    step = 1e3 * plan.step_seconds, 1e3 * plan.link_seconds
    sure = "measured" if machine.share == 1.0 else f"{machine.share:.0%} of the peak is assumed"
    lines = [
        f"{command.rows:.3g} rows of {command.columns} columns, {plan.num_inputs} inputs, "
        f"{plan.cost.num_weights} weights, {plan.num_steps:.3g} mini-batches of {command.batch_size}",
        f"machine     {machine.name}, {sure} ({machine.source})",
        f"operations  {plan.operations:.3g}, {plan.cost.flops:.3g} in a step of a device ({plan.share} rows)",
        f"memory      {plan.cost.state_bytes / 1e6:.1f} MB of beliefs on every device, "
        f"{plan.cost.bytes_moved / 1e6:.1f} MB moved in a step",
        f"rows        {plan.bytes_read:.3g} bytes in code, "
        f"{plan.bytes_read / plan.seconds / command.devices:.3g} a second and device to be read",
        f"step        {step[0]:.3g} ms",
    ]
    if command.devices > 1:
        sent = plan.link_bytes / 1e6
        lines.append(f"link        {sent:.3g} MB sent by a device in a step, {step[1]:.3g} ms")
    return [*lines, f"time        {_duration(plan.seconds)} on {command.devices} devices"]


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"
