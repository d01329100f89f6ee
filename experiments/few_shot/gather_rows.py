"""Start a comparison from rows that other comparisons have already measured.

    python -m experiments.few_shot.gather_rows configs/compare/headline.toml runs/headline results/*

A row is taken over where its key is one that the config asks for, that is where method, parameters, data set,
shots, draw, seed and test set are the same, and where it was measured with today's defaults; `mpnn compare`
with that folder then fits what is missing. Sources are output folders, or files of JSON lines; of those
without environments.json the report knows no more than their name.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpnn.compare.config_files import load_config
from mpnn.compare.run.jobs import list_jobs
from mpnn.runs.rows import lock_folder, open_results, read_json, read_rows, write_json
from mpnn.runs.toml import to_jsonable


def gather_rows(config_path: Path, output: Path, sources: Sequence[Path]) -> int:
    """Append the rows that the config asks for and the folder does not hold; return how many."""
    config = load_config(config_path)
    asked = {job.key: job.defaults for job in list_jobs(config)}
    with lock_folder(output), open_results(output / "results.jsonl") as results:
        before = len(results.rows)
        starts = read_json(output / "environments.json", default=[])
        for source in sources:
            rows, environments = _read_source(source)
            new = [row for row in rows if row["key"] not in results.keys and not row["error"]]
            taken = [row for row in new if row.get("defaults") == asked.get(row["key"], "not asked for")]
            used = sorted({row.get("run", 0) for row in taken})
            place = {start: len(starts) + number for number, start in enumerate(used)}
            for row in taken:
                _copy_arrays(source, output, row["key"])
                results.append(row | {"run": place[row.get("run", 0)]})
            starts += [environments[start] for start in used]
        write_json(output / "config.json", to_jsonable(config))
        write_json(output / "environments.json", starts)
        return len(results.rows) - before


def _read_source(source: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return rows and the starts that they point to; of rows without a record, all that is known is where."""
    folder, file = (source, source / "results.jsonl") if source.is_dir() else (source.parent, source)
    rows = read_rows(file)
    starts = read_json(folder / "environments.json", default=[])
    if not starts:
        rows, starts = [row | {"run": 0} for row in rows], [{"command": f"rows of {source}"}]
    return rows, starts


def _copy_arrays(source: Path, output: Path, key: str) -> None:
    """Take over a row's confusion matrix and weights, if the source has kept them."""
    arrays = source / "artifacts" / f"{key}.npz"
    if arrays.exists():
        (output / "artifacts").mkdir(exist_ok=True)
        shutil.copy(arrays, output / "artifacts")


def main() -> None:
    """Parse `CONFIG FOLDER SOURCE ...` and say how many rows were taken over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("sources", type=Path, nargs="+")
    given = parser.parse_args()
    print(f"{gather_rows(given.config, given.output, given.sources)} rows in {given.output}")


if __name__ == "__main__":
    main()
