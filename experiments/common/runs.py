"""What the experiment scripts share: a strict TOML file, and an output folder of JSON lines that a run
resumes.

The folder holds `config.json`, `results.jsonl` (a row as soon as it is known) and `environments.json`
(versions, device and commit of each start).
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import tyro

from mpnn.data import DataNotFoundError
from mpnn.runs.environment import describe_environment
from mpnn.runs.rows import lock_folder, open_results, read_json, row_key, write_json
from mpnn.runs.toml import ConfigError, read_config, to_jsonable

Config = TypeVar("Config")
# Of a row, what is not shown as it is written.
UNSEEN = ("key", "run", "curve")


def main(description: str, kind: type[Config], run: Callable[[Config, Path, str], None]) -> None:
    """Parse `CONFIG [--output FOLDER]` and run; the default folder is runs/NAME OF THE CONFIG."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("config", type=Path)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    output = given.output or Path("runs") / given.config.stem
    try:
        run(read_config(given.config, kind), output, f"{Path(sys.argv[0]).name} {given.config}")
    except (ConfigError, DataNotFoundError) as error:
        sys.exit(str(error))


def run_command(work: Callable[[Any], None], kind: type, description: str | None) -> None:
    """Parse the options of a dataclass, with tyro, and work; what is wrong with a config is a line."""
    try:
        work(tyro.cli(kind, description=description))
    except (ConfigError, DataNotFoundError) as error:
        sys.exit(str(error))


def run_jobs(
    jobs: Iterable[Mapping[str, Any]],
    work: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    output: Path,
    config: Any,
    command: str,
) -> list[dict[str, Any]]:
    """Do every job that has no row yet; a job is a table of plain values that decides its row."""
    with lock_folder(output), open_results(output / "results.jsonl") as results:
        write_json(output / "config.json", to_jsonable(config))
        starts = read_json(output / "environments.json", default=[])
        write_json(output / "environments.json", [*starts, {"command": command, **describe_environment()}])
        rows = []
        for job in jobs:
            key = row_key(to_jsonable(job))
            if key not in results.keys:
                start = perf_counter()
                found = work(job)
                seconds = round(perf_counter() - start, 1)
                # a work may report an error of its own
                row = {"key": key, "error": None, **job, **found, "seconds": seconds, "run": len(starts)}
                results.append(to_jsonable(row))
                seen = {
                    name: value for name, value in row.items() if name not in UNSEEN and value is not None
                }
                print(seen, flush=True)
            rows += [row for row in results.rows if row["key"] == key]
        return rows


def refuse_unknown(name: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a config whose field ``name`` holds what is not known."""
    known = tuple(known)
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(f"{name} must be from among {known}, got {unknown[0]!r}")


def mean_text(rows: Iterable[Mapping[str, Any]], key: str, digits: int = 1) -> str:
    """The mean of a field over the rows that have it; nothing where none has."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return f"{np.mean(values):.{digits}f}" if values else ""


def follow_jobs(
    jobs: Iterable[Mapping[str, Any]], work: Callable[[Mapping[str, Any]], Any], output: Path
) -> None:
    """Take part in the jobs that the first of several processes has no row for, without writing rows."""
    path = output / "results.jsonl"
    done = {json.loads(line)["key"] for line in path.read_text().splitlines()} if path.exists() else set()
    for job in jobs:
        if row_key(to_jsonable(job)) not in done:
            work(job)
