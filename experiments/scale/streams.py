"""Rows made on the fly, more than memory holds, trained on by processes of bounded memory, one killed.

    python -m experiments.scale.streams configs/streams/streams.toml --minutes 9

The processes train with `fit_shards` on synthetic clicks. Once half the blocks are done one process is
killed, and the training goes on from its last checkpoint. A run that reaches its minutes ends too, and the
same command goes on with it. The rate is that from the first block after the last start, which compiles, to
the end, and beside it that of the same program on a block that is in memory already.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from experiments.common.runs import run_command, run_jobs
from mpnn.cli.processes import COORDINATOR, PROCESS, PROCESSES, ending_at_once, free_address, join
from mpnn.runs.toml import ConfigError, read_config

GIBIBYTE = 1 << 30
TEST_ROWS = 1 << 16


@dataclass(frozen=True)
class Config:
    """Every number of rows with every number of processes.

    rho: 0 for a step that falls, else the posterior is the next prior, times rho.
    gibibytes: what a process may hold (RLIMIT_DATA). kill: whether a process is killed on the way.
    """

    num_rows: list[int]
    processes: list[int]
    hidden: list[int]
    batch_size: int
    rows_at_once: int
    part_rows: int
    rho: float = 0.0
    gibibytes: float = 2.0
    kill: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Options:
    """CONFIG [--output FOLDER] [--minutes MINUTES]"""

    config: tyro.conf.Positional[Path]
    output: Path | None = None
    minutes: float = 9.0
    worker: str | None = None
    """Used by the script itself: the job of one of its processes."""


def worker(folder: Path, job: Mapping[str, Any]) -> None:
    """One process: train, and write what it took."""
    limit = int(job["gibibytes"] * GIBIBYTE)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    join(False)
    import jax
    import numpy as np

    from experiments.scale.clicks import Clicks
    from mpnn import MessagePassingClassifier
    from mpnn.weight_files import digest

    clicks = Clicks(job["num_rows"], job["part_rows"], job["seed"])
    model = MessagePassingClassifier(
        hidden=job["hidden"],
        batch_size=job["batch_size"],
        rho=job["rho"] or None,
        num_epochs=1,
        random_state=job["seed"],
    )
    with ending_at_once():
        model.fit_shards(
            clicks, checkpoints=folder / "run", rows_at_once=job["rows_at_once"], readers=job["processes"]
        )
        seconds = model.history_["seconds"]
        in_memory = memory_rate(model, clicks, job)
    if jax.process_index() > 0:
        return
    test = Clicks(TEST_ROWS, TEST_ROWS, job["seed"], first=1 << 30)
    inputs, labels = test[0]
    found = {
        "blocks": len(seconds),
        "rows_per_second": round((len(seconds) - 1) * job["rows_at_once"] / (seconds[-1] - seconds[0])),
        "from_memory": round(in_memory),
        "test_error": round(100.0 * float(np.mean(model.predict(inputs) != labels)), 2),
        "smaller_class": round(100.0 * float(min(labels.mean(), 1.0 - labels.mean())), 2),
        "digest": digest({str(place): layer for place, layer in enumerate(model.weights_)}),
    }
    (folder / "found.json").write_text(json.dumps(found))


def memory_rate(model: Any, clicks: Any, job: Mapping[str, Any]) -> float:
    """Rows a second of the same program, on a block that is read and coded already."""
    import jax
    import numpy as np

    from mpnn import sharding as meshes
    from mpnn.message_passing.hyper import Schedules
    from mpnn.message_passing.streams import Block, train_blocks

    share, parts = job["rows_at_once"] // job["processes"], []
    for index in range(share // job["part_rows"]):
        inputs, labels = clicks[index]
        bits = model.input_transform_.of_bits(model.encoder_.transform(inputs))
        parts.append((bits, np.where(labels == 1, 1.0, -1.0).astype(np.float32)))
    lane = tuple(np.concatenate(leaves) for leaves in zip(*parts, strict=True))
    seconds: list[float] = []

    def blocks() -> Any:
        for number in range(6):
            seconds.append(time.perf_counter())
            yield Block(number, 0, share, [lane])

    with meshes.all_processes():
        state = train_blocks(
            jax.random.key(0),
            model.spec_,
            model.state_,
            blocks(),
            Schedules(damping=0.9),
            batch_size=job["batch_size"],
            num_lanes=job["processes"],
            most_rows=share,
        )
        jax.block_until_ready(state)
    seconds.append(time.perf_counter())
    return 5 * job["rows_at_once"] / (seconds[-1] - seconds[1])  # the first block compiles


def start(options: Options, folder: Path, job: Mapping[str, Any]) -> list[subprocess.Popen]:
    """The processes of a job."""
    command = [
        sys.executable,
        "-m",
        "experiments.scale.streams",
        str(options.config),
        "--output",
        str(folder),
    ]
    shared = dict(os.environ)
    if job["processes"] > 1:
        shared |= {COORDINATOR: free_address(), PROCESSES: str(job["processes"])}
    with (folder / "log.txt").open("a") as log:
        return [
            subprocess.Popen(
                [*command, "--worker", json.dumps(job)],
                env=shared | {PROCESS: str(rank)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            for rank in range(job["processes"])
        ]


def memory_of(process: subprocess.Popen) -> float:
    """The most memory that a process has held so far, in GiB; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / (1 << 20) for line in lines if line.startswith("VmHWM")), 0.0)


def attend(
    processes: list[subprocess.Popen], folder: Path, limit: float, kill_at: int | None
) -> dict[str, Any]:
    """Wait; kill one process after so many blocks, all at the limit; how it ended, and the most memory."""
    most, killed = 0.0, False
    try:
        while any(process.poll() is None for process in processes):
            most = max(most, *map(memory_of, processes))
            done = [int(own.name) for own in folder.glob("run/states/*") if own.name.isdigit()]
            if kill_at is not None and not killed and max(done, default=0) >= kill_at:
                processes[-1].send_signal(signal.SIGKILL)
                killed = True
            if time.monotonic() > limit or any(process.poll() for process in processes):
                break
            time.sleep(0.2)
        statuses = [process.poll() for process in processes]
        return {
            "killed": killed,
            "most_gibibytes": round(most, 2),
            "finished": statuses == [0] * len(statuses),
        }
    finally:
        for process in processes:
            process.kill()
            process.wait()


def train(options: Options, output: Path, limit: float, job: Mapping[str, Any]) -> dict[str, Any]:
    """One job, begun or gone on with."""
    folder = output / f"{job['num_rows']}_{job['processes']}_{'killed' if job['kill'] else 'whole'}"
    folder.mkdir(parents=True, exist_ok=True)
    starts_file = folder / "starts.json"
    starts = json.loads(starts_file.read_text()) if starts_file.exists() else []
    num_blocks = job["num_rows"] // job["rows_at_once"]
    while True:
        begun, done_before = time.perf_counter(), any(own["killed"] for own in starts)
        kill_at = num_blocks // 2 if job["kill"] and not done_before else None
        how = attend(start(options, folder, job), folder, limit, kill_at)
        starts.append({**how, "seconds": round(time.perf_counter() - begun, 1)})
        starts_file.write_text(json.dumps(starts))
        if how["finished"]:
            break
        if time.monotonic() > limit:
            sys.exit("time is up; the same command goes on")
        if not how["killed"]:
            sys.exit(f"a process failed; see {folder / 'log.txt'}")
    found = json.loads((folder / "found.json").read_text())
    most = max(own["most_gibibytes"] for own in starts)
    return {
        **found,
        "starts": len(starts),
        "killed": sum(own["killed"] for own in starts),
        "gibibytes_held": most,
    }


def work(options: Options) -> None:
    """Do every job."""
    config = read_config(options.config, Config)
    output = options.output or Path("runs") / options.config.stem
    if options.worker is not None:
        worker(output, json.loads(options.worker))
        return
    for rows in config.num_rows:
        if rows % config.rows_at_once or config.rows_at_once % config.part_rows:
            raise ConfigError("part_rows must divide rows_at_once, and these num_rows")
    shared = {name: value for name, value in asdict(config).items() if name not in ("num_rows", "processes")}
    jobs = [
        {"num_rows": rows, "processes": count, **shared}
        for rows in config.num_rows
        for count in config.processes
    ]
    limit = time.monotonic() + 60.0 * options.minutes
    run_jobs(jobs, partial(train, options, output, limit), output, config, f"streams {options.config}")


if __name__ == "__main__":
    run_command(work, Options, __doc__)
