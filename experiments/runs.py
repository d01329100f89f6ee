"""What the experiment scripts share: a strict TOML file, and an output folder of JSON lines that a run
resumes.

The folder holds `config.json`, `results.jsonl` (a row as soon as it is known) and `environments.json`
(versions, device and commit of each start).
"""

import argparse
import dataclasses
import json
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import tyro

from mpnn.compare.config import ConfigError, to_jsonable
from mpnn.compare.config_files import check_keys, read_table
from mpnn.compare.environment import describe_environment
from mpnn.compare.results import lock_folder, open_results, read_json, row_key, write_json

Config = TypeVar("Config")
# Of a row, what is not shown as it is written.
UNSEEN = ("key", "run", "curve")


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read a TOML file into a dataclass; a list of tables may name its dataclass in the field's metadata."""
    return _build(kind, read_table(path), str(path))


def _build(kind: type[Config], table: Mapping[str, Any], where: str) -> Config:
    check_keys(kind, table, where)
    items = {field.name: field.metadata.get("item") for field in dataclasses.fields(kind)}
    types_of = get_type_hints(kind)
    values = {}
    for key, value in table.items():
        wanted = list[dict] if items[key] else types_of[key]
        if not _is_of(wanted, value):
            name = wanted.__name__ if isinstance(wanted, type) else wanted
            wanted = "a list of tables" if items[key] else f"of type {name}"
            raise ConfigError(f"{where}: {key} must be {wanted}, got {value!r}")
        values[key] = [_build(items[key], row, f"{where}: {key}") for row in value] if items[key] else value
    return kind(**values)


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value of a TOML file is of a type; nothing is converted, since values name a row."""
    own, args = get_origin(kind) or kind, get_args(kind)
    if own is Any:
        return True
    if own is types.UnionType:
        return any(_is_of(each, value) for each in args)
    if isinstance(value, bool):
        return own is bool
    if not isinstance(value, (int, float) if own is float else own):
        return False
    held = value.values() if own is dict else value if own is list else ()
    return all(_is_of(args[-1], each) for each in held) if args else True


def main(description: str, kind: type[Config], run: Callable[[Config, Path, str], None]) -> None:
    """Parse `CONFIG [--output FOLDER]` and run; the default folder is runs/NAME OF THE CONFIG."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("config", type=Path)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    output = given.output or Path("runs") / given.config.stem
    try:
        run(read_config(given.config, kind), output, f"{Path(sys.argv[0]).name} {given.config}")
    except ConfigError as error:
        sys.exit(str(error))


def run_command(work: Callable[[Any], None], kind: type, description: str | None) -> None:
    """Parse the options of a dataclass, with tyro, and work; what is wrong with a config is a line."""
    try:
        work(tyro.cli(kind, description=description))
    except ConfigError as error:
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


def follow_jobs(
    jobs: Iterable[Mapping[str, Any]], work: Callable[[Mapping[str, Any]], Any], output: Path
) -> None:
    """Take part in the jobs that the first of several processes has no row for, without writing rows."""
    path = output / "results.jsonl"
    done = {json.loads(line)["key"] for line in path.read_text().splitlines()} if path.exists() else set()
    for job in jobs:
        if row_key(to_jsonable(job)) not in done:
            work(job)
