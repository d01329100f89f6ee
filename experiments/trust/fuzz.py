"""Damaged and malicious files given to every reader: what it raises, how long it takes, what it allocates.

    python -m experiments.trust.fuzz --inputs 100000
    python -m experiments.trust.fuzz --kinds model csv --inputs 1000 --seed 3

Every input is a valid file with a few changes: bytes flipped, cut out, doubled or taken from elsewhere in the
file, numbers made huge, the end cut off. Where a digest protects a file, it is made right again in half of
the inputs, so that what lies behind it is reached. A fault is an exception of another kind than the reader
promises, an input that takes more than ten seconds, memory of more than the promised multiple of the file and
a constant, or another file in the folder. Counts go to ``runs/fuzz/results.jsonl``, a row a kind and seed.
"""

import hashlib
import json
import struct
import tempfile
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import tyro

from mpnn.runs.rows import open_results, row_key

SLOWEST_SECONDS = 10.0
# Memory is looked at for one input in so many: the look is slow.
MEMORY_EVERY = 20
# The promise of SECURITY.md.
MEMORY_MULTIPLE, MEMORY_CONSTANT = 2048, 1 << 28
NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 10**9, 10**18)


class Reader(NamedTuple):
    """A reader, valid files, the exceptions that it promises, and what makes a digest right again."""

    suffix: str
    seeds: list[bytes]
    read: Callable[[Path], object]
    promised: tuple[type[BaseException], ...]
    repair: Callable[[bytes], bytes] = lambda content: content
    beside: Mapping[str, bytes] = {}


@dataclass(frozen=True)
class Options:
    """What is tried.

    Parameters
    ----------
    inputs : number of inputs of each kind.
    kinds : kinds of files; empty: all.
    seed : of the changes.
    output : folder of the rows.
    """

    inputs: int = 100_000
    kinds: tuple[str, ...] = ()
    seed: int = 0
    output: Path = Path("runs/fuzz")


def _flip(rng: np.random.Generator, content: bytearray) -> None:
    for _ in range(int(rng.integers(1, 5))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def _set(rng: np.random.Generator, content: bytearray) -> None:
    content[int(rng.integers(len(content)))] = int(rng.choice(list(b'\0\xff09-.,;"\n[{eE ')))


def _cut(rng: np.random.Generator, content: bytearray) -> None:
    start = int(rng.integers(len(content)))
    del content[start : start + int(rng.integers(1, 40))]


def _truncate(rng: np.random.Generator, content: bytearray) -> None:
    del content[int(rng.integers(len(content))) :]


def _copy(rng: np.random.Generator, content: bytearray) -> None:
    start, place = rng.integers(len(content), size=2).tolist()
    content[place:place] = content[start : start + int(rng.integers(1, 60))]


def _number(rng: np.random.Generator, content: bytearray) -> None:
    """Digits of the text become another number, or four or eight bytes do."""
    number = int(rng.choice(np.array(NUMBERS, dtype=object)))
    digits = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
    if digits and rng.random() < 0.7:
        place = int(rng.choice(digits))
        end = place
        while end < len(content) and 48 <= content[end] <= 57:
            end += 1
        content[place:end] = str(number).encode()
        return
    place, size = int(rng.integers(len(content))), int(rng.choice([4, 8]))
    content[place : place + size] = struct.pack("<q", number)[:size]


CHANGES = (_flip, _set, _cut, _truncate, _copy, _number)


def changed(rng: np.random.Generator, content: bytes) -> bytes:
    """A file with one to four changes."""
    result = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if result:
            CHANGES[int(rng.integers(len(CHANGES)))](rng, result)
    return bytes(result)


def _repaired_safetensors(content: bytes) -> bytes:
    """The digest in the header made right, where the file can be opened."""
    import safetensors.numpy

    from mpnn.weight_files import digest

    arrays = safetensors.numpy.load(content)
    size = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + size])["__metadata__"]
    return safetensors.numpy.save(arrays, metadata={**about, "digest": digest(arrays)})


def _repaired_packed(content: bytes) -> bytes:
    from mpnn.deploy.packed import PREFIX

    magic, length, _ = PREFIX.unpack_from(content)
    body = content[PREFIX.size :]
    return PREFIX.pack(magic, length, hashlib.sha256(body).digest()) + body


def _old_models() -> list[bytes]:
    paths = sorted(Path("tests/files_of_0_1").glob("*.safetensors"))
    return [path.read_bytes() for path in paths if path.stem not in ("networks", "weights")]


def _model() -> Reader:
    from mpnn import load_model
    from mpnn.weight_files import CheckpointError

    return Reader(".safetensors", _old_models(), load_model, (CheckpointError,), _repaired_safetensors)


def _weights() -> Reader:
    from mpnn.weight_files import CheckpointError, load_networks

    seeds = [Path("tests/files_of_0_1/networks.safetensors").read_bytes()]
    return Reader(".safetensors", seeds, load_networks, (CheckpointError,), _repaired_safetensors)


def _packed() -> Reader:
    from mpnn.deploy.packed import PackedFileError, load_network, to_bytes
    from mpnn.integer_networks.decisions import Argmax, Sign
    from mpnn.integer_networks.inputs import PixelTable
    from mpnn.integer_networks.network import IntegerNetwork, Layer

    rng = np.random.default_rng(0)

    def network(units: int, decision: object, labels: tuple[object, ...]) -> bytes:
        weights = rng.integers(-1, 2, size=(1, 6, units)).astype(np.int8)
        layer = Layer(weights, np.zeros(units, np.int64))
        table = PixelTable(np.arange(256)[None], np.zeros(6, np.uint8))
        return to_bytes(IntegerNetwork(table, np.arange(6), (layer,), decision, labels))

    seeds = [network(1, Sign(), (0, 1)), network(3, Argmax(3), ("a", "b", "c"))]
    return Reader(".mpnn", seeds, load_network, (PackedFileError,), _repaired_packed)


def _csv() -> Reader:
    from mpnn.data import DataError, read_table

    seeds = [
        b"age,colour,weight,label\n30,red,1.5,yes\n40,blue,,no\n50,red,2.5e3,yes\n",
        b"a;b;c\n1,5;2;x\n2,5;3;y\n",
        b'x,"a ""quoted"" name",y\n"1,0",2,"two\nlines"\n3,4,five\n',
        "größe\tname\n1\tä\n2\tö\n".encode("utf-16"),
    ]
    return Reader(".csv", seeds, read_table, (DataError,))


def _bytes_of(write: Callable[[Path], None], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"seed{suffix}"
        write(path)
        return path.read_bytes()


def _csv_gz() -> Reader:
    import gzip

    plain = _csv()
    packed = [gzip.compress(seed, mtime=0) for seed in plain.seeds[:3]]
    return Reader(".csv.gz", packed, plain.read, plain.promised)


def _npz() -> Reader:
    from mpnn.data import DataError, read_table

    x, y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 0, 1])
    names = np.array(["a", "b", "c"])
    seeds = [
        _bytes_of(lambda path: np.savez(path, x=x, y=y), ".npz"),
        _bytes_of(lambda path: np.savez_compressed(path, x_train=x, y_train=y, feature_names=names), ".npz"),
    ]
    return Reader(".npz", seeds, read_table, (DataError,))


def _npy() -> Reader:
    from mpnn.data import DataError, read_table

    seeds = [
        _bytes_of(lambda path: np.save(path, np.arange(12.0).reshape(4, 3)), ".npy"),
        _bytes_of(lambda path: np.save(path, np.zeros(3, [("a", "<f8"), ("b", "<i4")])), ".npy"),
    ]
    return Reader(".npy", seeds, read_table, (DataError,))


def _parquet() -> Reader:
    import pyarrow
    from pyarrow import parquet

    from mpnn.data import DataError, read_table

    table = pyarrow.table({"a": [1.5, 2.5, None], "b": ["x", "y", "x"], "c": [True, False, True]})
    seeds = [_bytes_of(lambda path: parquet.write_table(table, path), ".parquet")]
    return Reader(".parquet", seeds, read_table, (DataError,))


def _toml() -> Reader:
    from mpnn.compare.config_files import load_config
    from mpnn.runs.toml import ConfigError

    seeds = [path.read_bytes() for path in sorted(Path("configs/compare").glob("*.toml"))]
    return Reader(".toml", seeds, load_config, (ConfigError,))


def _rows() -> Reader:
    from mpnn.runs.rows import open_results, read_rows
    from mpnn.runs.toml import ConfigError

    def read(path: Path) -> object:
        rows = read_rows(path)
        with open_results(path, retry_errors=True) as results:
            return rows, results.rows

    seeds = [path.read_bytes()[:4000] for path in sorted(Path("results").glob("bemi_*/results.jsonl"))[:3]]
    return Reader(".jsonl", seeds, read, (ConfigError,))


def _report() -> Reader:
    from mpnn.compare.report.page import read_run
    from mpnn.runs.toml import ConfigError

    folder = Path("results/bemi_networks_inputs")
    rows = (folder / "results.jsonl").read_bytes()
    seeds = [(folder / "config.json").read_bytes()]
    return Reader(
        ".json", seeds, lambda path: read_run(path.parent), (ConfigError,), beside={"results.jsonl": rows}
    )


KINDS: dict[str, Callable[[], Reader]] = {
    "model": _model,
    "weights": _weights,
    "packed": _packed,
    "csv": _csv,
    "csv.gz": _csv_gz,
    "npz": _npz,
    "npy": _npy,
    "parquet": _parquet,
    "toml": _toml,
    "rows": _rows,
    "report": _report,
}


def try_kind(kind: str, inputs: int, seed: int) -> dict[str, object]:
    """Counts of one kind of file: inputs read, refused, and faults with the first input of each."""
    reader = KINDS[kind]()
    rng = np.random.default_rng([seed, len(kind), *kind.encode()])
    counts: Counter[str] = Counter()
    faults: dict[str, str] = {}
    slowest, largest = 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        path = Path(folder) / ("config.json" if reader.beside else f"file{reader.suffix}")
        for name, content in reader.beside.items():
            (Path(folder) / name).write_bytes(content)
        expected = sorted([path.name, *reader.beside])
        _require_valid_seeds(reader, path)
        for number in range(inputs):
            content = changed(rng, reader.seeds[int(rng.integers(len(reader.seeds)))])
            if rng.random() < 0.5:
                try:
                    content = reader.repair(content)
                except Exception:  # noqa: BLE001 - too damaged to repair: given as it is
                    counts["not repaired"] += 1
            path.write_bytes(content)
            looked = number % MEMORY_EVERY == 0
            if looked:
                tracemalloc.start()
            begun = perf_counter()
            fault = _fault_of(reader, path, counts)
            seconds = perf_counter() - begun
            slowest = max(slowest, seconds)
            if looked:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                largest = max(largest, peak / 2**20)
                if peak > MEMORY_MULTIPLE * len(content) + MEMORY_CONSTANT:
                    fault = f"memory {peak >> 20} MiB"
            if seconds > SLOWEST_SECONDS:
                fault = f"time {seconds:.0f} s"
            if fault:
                counts["faults"] += 1
                faults.setdefault(fault, content[:2000].hex())
            if sorted(entry.name for entry in Path(folder).iterdir()) != expected:
                faults.setdefault("wrote another file", content[:2000].hex())
    return {
        "kind": kind,
        "inputs": inputs,
        "seed": seed,
        "counts": dict(counts),
        "slowest_seconds": round(slowest, 3),
        "largest_mib": round(largest, 1),
        "faults": faults,
    }


def _require_valid_seeds(reader: Reader, path: Path) -> None:
    """Seeds must be read as they are, and with their digest made again."""
    for seed in reader.seeds:
        for content in (seed, reader.repair(seed)):
            path.write_bytes(content)
            reader.read(path)


def _fault_of(reader: Reader, path: Path, counts: Counter[str]) -> str | None:
    """What is wrong with how a reader takes a file; None where it reads it or refuses it as promised."""
    try:
        reader.read(path)
    except reader.promised as error:
        counts["refused"] += 1
        return None if str(error).strip() else "an error without a word"
    except Exception as error:  # noqa: BLE001 - every other exception is what is looked for
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.name}: {str(error)[:100]}"
    counts["read"] += 1
    return None


def main(options: Options) -> None:
    """Try every kind; a row that is there is not computed again."""
    options.output.mkdir(parents=True, exist_ok=True)
    with open_results(options.output / "results.jsonl") as results:
        for kind in options.kinds or tuple(KINDS):
            key = row_key({"kind": kind, "inputs": options.inputs, "seed": options.seed})
            if key not in results.keys:
                row = try_kind(kind, options.inputs, options.seed)
                results.append({"key": key, "error": None, **row})
                print(kind, row["counts"], f"slowest {row['slowest_seconds']} s", *row["faults"], sep="\n  ")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
