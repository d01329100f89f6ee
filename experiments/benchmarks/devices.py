"""Seconds an epoch on meshes of several devices, each mesh in a fresh process.

    python -m experiments.benchmarks.devices
    python -m experiments.benchmarks.devices --meshes 1x1x1 8x1x1 --no-forced

A mesh is NETWORKSxDATAxMODEL. Without accelerators the devices are forced on the host: they share its cores,
so the table then shows what sharing costs, not what it gains.
"""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import tyro
from rich.console import Console
from rich.table import Table

from mpnn import sharding as meshes
from mpnn.message_passing import network
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.training import Problems, train_many


@dataclass(frozen=True)
class Scaling:
    """What is timed. meshes: their shapes; forced: devices of the host. num_networks: side by side."""

    meshes: tuple[str, ...] = ("1x1x1", "4x1x1", "8x1x1", "1x8x1", "1x1x8", "2x2x2")
    widths: tuple[int, ...] = (784, 512, 512, 10)
    num_networks: int = 8
    batch_size: int = 128
    num_batches: int = 10
    epochs: int = 3
    forced: bool = True


@dataclass(frozen=True)
class Worker(Scaling):
    """One mesh, in a process that has its devices."""

    worker: str = ""


def _time_mesh(options: Scaling, shape: tuple[int, int, int]) -> dict[str, float]:
    """Seconds of the first epoch, which compiles, and of the fastest later one."""
    spec = NetworkSpec(widths=options.widths, rule="mean_field", output="argmax")
    schedules = Schedules(damping=0.8)
    hyper = schedules.at_sweep(0, spec.num_layers)
    keys = jax.random.split(jax.random.key(0), options.num_networks)
    count = options.batch_size * options.num_batches
    inputs = jax.random.normal(jax.random.key(1), (count, options.widths[0]))
    labels = jax.random.randint(jax.random.key(2), (options.num_networks, count), 0, options.widths[-1])
    rows = jnp.broadcast_to(jnp.arange(count), labels.shape)
    times = [time.perf_counter()]

    def on_epoch(epoch: int, state: network.State, info: network.Info) -> None:
        jax.block_until_ready(state)
        times.append(time.perf_counter())

    with jax.set_mesh(meshes.make_mesh(*shape)):
        state = jax.vmap(lambda key: network.init(key, spec, hyper))(keys)
        train_many(
            keys,
            spec,
            state,
            Problems(inputs, rows, labels),
            schedules,
            num_epochs=1 + options.epochs,
            batch_size=options.batch_size,
            on_epoch=on_epoch,
        )
    spans = [later - earlier for earlier, later in zip(times[:-1], times[1:], strict=True)]
    return {"first": spans[0], "epoch": min(spans[1:])}


def _sizes(mesh: str) -> tuple[int, int, int]:
    networks, data, model = (int(size) for size in mesh.split("x"))
    return networks, data, model


def main(options: Scaling) -> None:
    """Time every mesh, and print a table."""
    table = Table("networks x data x model", "devices", "first epoch s", "epoch s", "ratio")
    first = None
    for mesh in options.meshes:
        num_devices = math.prod(_sizes(mesh))
        environment = dict(os.environ)
        if options.forced:
            environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={num_devices}"
        command = [sys.executable, "-m", "experiments.benchmarks.devices", *sys.argv[1:], "--worker", mesh]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        first = found["epoch"] if first is None else first
        table.add_row(
            mesh,
            str(num_devices),
            f"{found['first']:.1f}",
            f"{found['epoch']:.2f}",
            f"{found['epoch'] / first:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        worker = tyro.cli(Worker)
        print(json.dumps(_time_mesh(worker, _sizes(worker.worker))))
    else:
        main(tyro.cli(Scaling))
