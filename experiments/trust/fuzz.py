"""Damaged and malicious files given to every reader: what it raises, how long it takes, what it allocates.

    python -m experiments.trust.fuzz --inputs 100000 --peers
    python -m experiments.trust.fuzz --kinds model csv --inputs 1000 --seed 3

Every input is a valid file, or one made by hand to do harm, with a few changes: bytes flipped, cut out,
doubled or taken from elsewhere in the file, numbers made huge, the end cut off. Where a digest protects a
file, it is made right again in half of the inputs, so that what lies behind it is reached. A fault is an
exception of another kind than the reader promises, the end of the process, an input that takes more than ten
seconds of the processor (an hour for a hundred), memory of more than the promised multiple of the file and a
constant, or another file in the folder.

Inputs are tried in pieces, in a process of limited memory beside this one; every piece is a row of
``runs/fuzz/results.jsonl``, and pieces that are there are not tried again. With ``--peers`` the readers of
other packages get the same files.
"""

import faulthandler
import os
import random
import re
import resource
import struct
import tempfile
import traceback
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import tyro

from experiments.trust.readers import KINDS, PEERS, Reader
from mpnn.runs.rows import open_results, row_key

SLOWEST_SECONDS = 10
# Seconds after which a call that no signal ends takes the process with it.
HANGING_SECONDS = 3600
# Arrays are counted for one input in so many (it is slow), the peak of the process for all.
MEMORY_EVERY = 19  # no multiple of HOSTILE_EVERY: files of both sorts are counted, and timed
# Beside a multiple of the file.
MEMORY_CONSTANT = 1 << 28
# More than a process has at the start; no input may take the machine's memory.
ADDRESS_SPACE = 2 << 30
# One input in so many is a file made by hand with changes.
HOSTILE_EVERY = 20
NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 10**9, 10**18)
DIGITS = re.compile(rb"[0-9]+")
# Files in memory where the system has them: elsewhere most of the time goes to opening one.
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True)
class Options:
    """What is tried.

    Parameters
    ----------
    inputs : number of inputs of each kind.
    kinds : kinds of files; empty: all.
    peers : whether readers of other packages are tried too.
    piece : number of inputs of a row.
    seed : of the changes.
    output : folder of the rows.
    """

    inputs: int = 100_000
    kinds: tuple[str, ...] = ()
    peers: bool = False
    piece: int = 25_000
    seed: int = 0
    output: Path = Path("runs/fuzz")


def _flip(rng: random.Random, content: bytearray) -> None:
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, content: bytearray) -> None:
    content[rng.randrange(len(content))] = rng.choice(b'\0\xff09-.,;"\n[{eE ')


def _cut(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content))
    del content[start : start + rng.randint(1, 40)]


def _truncate(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content)) :]


def _copy(rng: random.Random, content: bytearray) -> None:
    start, place = rng.randrange(len(content)), rng.randrange(len(content))
    content[place:place] = content[start : start + rng.randint(1, 60)]


def _number(rng: random.Random, content: bytearray) -> None:
    """Digits of the text become another number, or four or eight bytes do."""
    number, place = rng.choice(NUMBERS), rng.randrange(len(content))
    digits = DIGITS.search(content, place) or DIGITS.search(content)
    if digits and rng.random() < 0.7:
        content[digits.start() : digits.end()] = str(number).encode()
        return
    size = rng.choice((4, 8))
    content[place : place + size] = struct.pack("<q", number)[:size]


CHANGES = (_flip, _set, _cut, _truncate, _copy, _number)


def changed(rng: random.Random, content: bytes) -> bytes:
    """A file with one to four changes."""
    result = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if result:
            rng.choice(CHANGES)(rng, result)
    return bytes(result)


def inputs_of(reader: Reader, rng: random.Random, count: int, untouched: bool) -> Iterator[tuple[str, bytes]]:
    """Files to try: those made by hand as they are, for memory and for time, then changed ones."""
    small = [content for content in reader.changed_hostile or reader.hostile if len(content) < 1 << 16]
    name = reader.seeds[0][0]
    made = [content for content in reader.hostile for _ in range(2)][:count] if untouched else []
    yield from ((name, content) for content in made)
    for number in range(count - len(made)):
        if small and number % HOSTILE_EVERY == 0:
            yield name, changed(rng, rng.choice(small))
        else:
            name, content = rng.choice(reader.seeds)
            yield name, changed(rng, content)


class Watch:
    """Seconds and memory of one input after the other."""

    def __init__(self, multiple: int) -> None:
        self.multiple, self.slowest, self.largest = multiple, 0.0, 0.0

    @contextmanager
    def over(self, content: bytes, faults: list[str], counted: bool) -> Iterator[None]:
        """Add to ``faults`` what this input takes too much of."""
        if counted:
            tracemalloc.start()
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
        yield
        seconds = process_time() - begun  # of the processor, which others may keep busy
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        if counted:
            peak = max(peak, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        else:
            self.slowest = max(self.slowest, seconds)
        self.largest = max(self.largest, peak / 2**20)
        if peak > self.multiple * len(content) + MEMORY_CONSTANT:
            faults.append(f"memory {peak >> 20} MiB")
        if seconds > SLOWEST_SECONDS and not counted:
            faults.append(f"time {seconds:.0f} s")


def files_of(folder: Path) -> list[str]:
    """All entries below a folder."""
    return sorted(entry.name for entry in os.scandir(folder))


def try_kind(
    kind: str, inputs: int, seed: int, piece: int = 0, folder: str | None = None
) -> dict[str, object]:
    """Counts of one kind of file: inputs read, refused, and faults with the first input of each."""
    reader = {**KINDS, **PEERS}[kind]()
    rng = random.Random(f"{seed} {piece} {kind.split(' of ')[-1]}")  # a peer gets the files of the own reader
    counts: Counter[str] = Counter()
    faults: dict[str, str] = {}
    watch, begun = Watch(reader.multiple), perf_counter()
    with tempfile.TemporaryDirectory(dir=folder or FOLDER) as root, warnings.catch_warnings(action="ignore"):
        for name, content in [*reader.folder.items(), *([] if reader.folder else reader.seeds[:1])]:
            (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / name).write_bytes(content)
        if kind in KINDS:
            require_valid_seeds(reader, Path(root))
        expected = files_of(Path(root))
        for number, (name, content) in enumerate(inputs_of(reader, rng, inputs, piece == 0)):
            if number % 100 == 0:
                faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
            if rng.random() < 0.5:
                try:
                    content = reader.repair(content)
                except Exception:  # noqa: BLE001 - too damaged to repair: given as it is
                    counts["not repaired"] += 1
            (Path(root) / name).write_bytes(content)
            found: list[str] = []
            made = 2 * len(reader.hostile) if piece == 0 else 0
            counted = number % 2 == 0 if number < made else number % MEMORY_EVERY == 0
            with watch.over(content, found, counted and reader.traced):
                fault = fault_of(reader, Path(root) if reader.folder else Path(root) / name, counts)
            if files_of(Path(root)) != expected:
                found.append("wrote another file")
                expected = files_of(Path(root))
            found += [fault] if fault else []
            counts["faults"] += bool(found)
            for text in found:
                faults.setdefault(DIGITS.sub(b"#", text.encode()).decode(), content[:500].hex())
            if reader.folder:
                (Path(root) / name).write_bytes(reader.folder[name])
    faulthandler.cancel_dump_traceback_later()
    return {
        "counts": dict(counts),
        "slowest_seconds": round(watch.slowest, 3),
        "largest_mib": round(watch.largest, 1),
        "seconds": round(perf_counter() - begun, 1),
        "faults": faults,
    }


def require_valid_seeds(reader: Reader, root: Path) -> None:
    """Seeds must be read as they are, and with their digest made again."""
    for name, seed in reader.seeds:
        for content in (seed, reader.repair(seed)):
            (root / name).write_bytes(content)
            reader.read(root if reader.folder else root / name)


def fault_of(reader: Reader, path: Path, counts: Counter[str]) -> str | None:
    """What is wrong with how a reader takes a file; None where it reads it or refuses it as promised."""
    try:
        reader.read(path)
    except reader.promised as error:
        counts["refused"] += 1
        return None if str(error).strip() else "an error without a word"
    except Exception as error:  # noqa: BLE001 - every other exception is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.name}: {str(error)[:100]}"
    counts["read"] += 1
    return None


def limited(kind: str, inputs: int, seed: int, piece: int, folder: str) -> dict[str, object]:
    """A piece, in a process whose memory is limited; a folder of its own is where files may be written."""
    KINDS.get(kind, PEERS.get(kind))()  # what the reader itself needs comes before the limit
    status = Path("/proc/self/statm")
    if status.exists():
        own = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (own + ADDRESS_SPACE, resource.RLIM_INFINITY))
    try:
        return try_kind(kind, inputs, seed, piece, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def try_piece(kind: str, inputs: int, seed: int, piece: int) -> dict[str, object]:
    """A piece in a process beside this one, whose end is a fault."""
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        try:
            return pool.submit(limited, kind, inputs, seed, piece, folder).result()
        except BrokenProcessPool:
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            last = max(files, key=lambda path: path.stat().st_mtime_ns).read_bytes()
            return {"counts": {"faults": 1}, "faults": {"the process ended": last[:2000].hex()}}


def main(options: Options) -> None:
    """Try every kind; a row that is there is not computed again."""
    options.output.mkdir(parents=True, exist_ok=True)
    kinds = options.kinds or (*KINDS, *(PEERS if options.peers else ()))
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    with open_results(options.output / "results.jsonl") as results:
        for kind in kinds:
            for piece, start in enumerate(range(0, options.inputs, options.piece)):
                inputs = min(options.piece, options.inputs - start)
                identity = {"kind": kind, "inputs": inputs, "seed": options.seed, "piece": piece}
                key = row_key(identity)
                if key not in results.keys:
                    row = try_piece(kind, inputs, options.seed, piece)
                    results.append({"key": key, "error": None, **identity, **row})
                    print(kind, piece, row["counts"], f"{row.get('seconds')} s", *row["faults"], sep="\n  ")
                (row,) = [row for row in results.rows if row["key"] == key]
                totals[kind].update({"inputs": inputs, **row["counts"]})
    for kind, counts in totals.items():
        print(kind, dict(counts))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
