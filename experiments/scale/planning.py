"""Seconds of a step as planned and as measured: three sizes, one to four processes on this machine.

    python -m experiments.scale.planning configs/planning/planning.toml

Processes share the cores that there are. Each measures its rates while the others measure theirs, before and
after its steps.
"""

import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

import tyro

from experiments.common.runs import run_command, run_jobs
from mpnn.cli.processes import COORDINATOR, PROCESS, PROCESSES, free_address, join
from mpnn.runs.toml import read_config

REPEATS = 5
# Products of weights and inputs that a block has at least, some tenths of a second.
PRODUCTS = 1 << 31


@dataclass(frozen=True)
class Config:
    """Networks by their widths, each with every size of the mini-batch and number of processes."""

    hidden: list[list[int]]
    batch_sizes: list[int]
    processes: list[int]
    columns: int = 39
    bits: int = 16


@dataclass(frozen=True)
class Options:
    """CONFIG [--output FOLDER]"""

    config: tyro.conf.Positional[Path]
    output: Path | None = None
    worker: str | None = None
    """Used by the script itself: the job of one of its processes."""


def worker(job: Mapping[str, Any]) -> dict[str, Any]:
    """One process: seconds of a step, and the rates before and after, while the others measure theirs."""
    join(False)
    before, seconds, after = rates(job), seconds_of_step(job), rates(job)
    return {"seconds": seconds, "rates": [before, after]}


def rates(job: Mapping[str, Any]) -> dict[str, Any]:
    """Of this process, as one of those that share the machine."""
    from mpnn.planning import measure_link, measure_machine

    link = {}
    if job["processes"] > 1:  # where all processes meet, and go on together
        link = dict(zip(("link_bandwidth", "link_seconds"), measure_link(), strict=True))
    return asdict(measure_machine()) | link


def seconds_of_step(job: Mapping[str, Any]) -> float:
    """Of a step of training on a block that is in memory: the median over blocks."""
    import jax
    import numpy as np

    from mpnn import sharding as meshes
    from mpnn.message_passing.hyper import Schedules
    from mpnn.message_passing.network import init
    from mpnn.message_passing.spec import NetworkSpec
    from mpnn.message_passing.streams import Block, train_blocks

    widths = (job["columns"] * job["bits"], *job["hidden"], 1)
    spec = NetworkSpec.dense(widths, weights="ternary", rule="bp_inspired_second_order", anchored=True)
    schedules = Schedules(damping=0.9, rho=0.99)
    share = job["batch_size"] // job["processes"]
    products = job["batch_size"] * sum(math.prod(pair) for pair in itertools.pairwise(widths))
    steps = max(4, PRODUCTS // products)
    rng = np.random.default_rng(jax.process_index())
    inputs = rng.choice(np.array([-1, 1], np.int8), (steps * share, widths[0]))
    lane = inputs, rng.choice(np.array([-1.0, 1.0], np.float32), len(inputs))
    seconds: list[float] = []

    def blocks() -> Any:
        for number in range(REPEATS + 1):
            seconds.append(time.perf_counter())
            yield Block(number, 0, len(inputs), [lane])

    with meshes.all_processes():
        state = init(jax.random.key(0), spec, schedules.at_sweep(0, spec.num_layers))
        train_blocks(
            jax.random.key(0),
            spec,
            state,
            blocks(),
            schedules,
            batch_size=job["batch_size"],
            num_lanes=job["processes"],
            most_rows=len(inputs),
        )
    seconds.append(time.perf_counter())
    return median(np.diff(seconds)[1:].tolist()) / steps


def run_processes(options: Options, job: Mapping[str, Any]) -> dict[str, Any]:
    """What the first of the job's processes found."""
    command = [sys.executable, "-m", "experiments.scale.planning", str(options.config)]
    with TemporaryDirectory() as folder:
        output = Path(folder) / "found.json"
        command += ["--output", str(output), "--worker", json.dumps(dict(job))]
        shared = dict(os.environ)
        if job["processes"] > 1:
            shared |= {COORDINATOR: free_address(), PROCESSES: str(job["processes"])}
        running = [
            subprocess.Popen(command, env=shared | {PROCESS: str(rank)}, stderr=subprocess.DEVNULL)
            for rank in range(job["processes"])
        ]
        if any(process.wait(timeout=600) for process in running):
            sys.exit(f"a process of {job} failed")
        return json.loads(output.read_text())


def compare(options: Options, job: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of a step as planned, by the mean of both measurements of the rates, and as measured."""
    from mpnn.planning import Machine, plan_training

    found = run_processes(options, job)
    given = {name: job[name] for name in ("columns", "hidden", "bits", "batch_size")}
    plans = [
        plan_training(Machine(**own), rows=1, devices=job["processes"], **given) for own in found["rates"]
    ]
    linked = fmean(plan.link_seconds for plan in plans)
    planned = linked + fmean(plan.step_seconds for plan in plans)
    return {
        "planned_ms": round(1e3 * planned, 3),
        "measured_ms": round(1e3 * found["seconds"], 3),
        "link_ms": round(1e3 * linked, 3),
        "off_percent": round(100.0 * (planned / found["seconds"] - 1.0), 1),
        "rates": found["rates"],
    }


def work(options: Options) -> None:
    """Plan and measure every job."""
    config = read_config(options.config, Config)
    output = options.output or Path("runs") / options.config.stem
    if options.worker is not None:
        found = worker(json.loads(options.worker))
        if os.environ[PROCESS] == "0":
            output.write_text(json.dumps(found))
        return
    shared = {"columns": config.columns, "bits": config.bits}
    jobs = [
        {"hidden": hidden, "batch_size": size, "processes": count, **shared}
        for count in config.processes
        for hidden in config.hidden
        for size in config.batch_sizes
    ]
    rows = run_jobs(jobs, partial(compare, options), output, config, "planning")
    print("| processes | hidden | batch | planned, ms | measured, ms | off |\n|---|---|---|---|---|---|")
    for row in rows:
        hidden = "-".join(map(str, row["hidden"]))
        cells = row["processes"], hidden, row["batch_size"], row["planned_ms"], row["measured_ms"]
        print(f"| {' | '.join(map(str, cells))} | {row['off_percent']:+.0f} % |")


if __name__ == "__main__":
    run_command(work, Options, __doc__)
