"""Keep the rows of finished runs in the repository: one folder a run, under the name of its config.

    python -m experiments.common.keep runs/bemi_mnist runs/heart

Of a run results/NAME/{config.json, environments.json, results.jsonl} is kept, without tracebacks;
checkpoints, weights and reports are not.
"""

import argparse
import json
import shutil
from pathlib import Path

from mpnn.atomic_files import write_atomically
from mpnn.runs.rows import read_rows

RECORDS = ("config.json", "environments.json")


def keep(run: Path, results: Path) -> int:
    """Copy the records of a run to the folder of its name; return how many rows they hold."""
    rows = [{key: value for key, value in row.items() if key != "traceback"} for row in read_rows_of(run)]
    kept = results / run.name
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    write_atomically(kept / "results.jsonl", text.encode())
    for name in RECORDS:
        shutil.copyfile(run / name, kept / name)
    return len(rows)


def read_rows_of(run: Path) -> list[dict]:
    """Rows of a run that holds all three files; a sentence ends the command where one is missing."""
    for name in (*RECORDS, "results.jsonl"):
        if not (run / name).exists():
            raise SystemExit(f"{run} holds no {name}; give the output folder of a finished run")
    return read_rows(run / "results.jsonl")


def main() -> None:
    """Parse `RUN ... [--results FOLDER]`, copy, and say how many rows were kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args()
    for run in given.runs:
        print(f"{run.name}: {keep(run, given.results)} rows")


if __name__ == "__main__":
    main()
