"""What is fuzzed: readers of this package and of others, the files that they read, what they promise.

``KINDS`` are the readers of this package, ``PEERS`` those of other packages, given the same files.
"""

import gzip
import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from experiments.trust import hostile

__all__ = ["KINDS", "PEERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """A reader, the files that are changed, the exceptions that it promises.

    Parameters
    ----------
    seeds : valid files by name; where ``folder`` is given, files of that folder.
    read : is given the file, or the folder.
    promised : exceptions of the refusal.
    repair : makes a digest right again.
    folder : all files of a valid folder by name, for readers of folders.
    hostile : files made by hand to do harm, given as they are and changed.
    traced : whether Python's own count of memory applies; threads of pyarrow that end beside it crash.
    multiple : memory allowed, in sizes of the file, beside a constant: the promise of SECURITY.md.
    changed_hostile : smaller ones of the kind, to be changed in place of ``hostile``, which are then given
        only as they are; empty: the same.
    """

    seeds: list[tuple[str, bytes]]
    read: Callable[[Path], object]
    promised: tuple[type[BaseException], ...]
    repair: Callable[[bytes], bytes] = lambda content: content
    folder: Mapping[str, bytes] = field(default_factory=dict)
    hostile: list[bytes] = field(default_factory=list)
    traced: bool = True
    multiple: int = 2048
    changed_hostile: list[bytes] = field(default_factory=list)


# Unpacked bytes of packed text that is changed: whole bombs take half a second each.
MOST_UNPACKED = 1 << 16
# Deflate packs up to 1,032 times, and numbers take up to 12 bytes a byte of text.
PACKED_TEXT = 12 * 1032


def named(name: str, contents: list[bytes]) -> list[tuple[str, bytes]]:
    """Files of one name."""
    return [(name, content) for content in contents]


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


def _old_models() -> list[tuple[str, bytes]]:
    paths = sorted(Path("tests/files_of_0_1").glob("*.safetensors"))
    models = [path.read_bytes() for path in paths if path.stem not in ("networks", "weights")]
    return named("file.safetensors", models)


def _model() -> Reader:
    from mpnn import load_model
    from mpnn.weight_files import CheckpointError

    return Reader(
        _old_models(),
        load_model,
        (CheckpointError,),
        _repaired_safetensors,
        hostile=hostile.safetensors_files(),
    )


def _weights() -> Reader:
    from mpnn.weight_files import CheckpointError, load_networks

    seeds = named("file.safetensors", [Path("tests/files_of_0_1/networks.safetensors").read_bytes()])
    return Reader(
        seeds, load_networks, (CheckpointError,), _repaired_safetensors, hostile=hostile.safetensors_files()
    )


def _packed() -> Reader:
    from mpnn.deploy.packed import PREFIX, PackedFileError, load_network, to_bytes
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
    return Reader(
        named("file.mpnn", seeds),
        load_network,
        (PackedFileError,),
        _repaired_packed,
        hostile=hostile.packed_networks(lambda body: PREFIX.pack(b"MPNNnet1", len(body), bytes(32)) + body),
    )


def _csv() -> Reader:
    from mpnn.data import DataError, read_table

    seeds = [
        b"age,colour,weight,label\n30,red,1.5,yes\n40,blue,,no\n50,red,2.5e3,yes\n",
        b"a;b;c\n1,5;2;x\n2,5;3;y\n",
        b'x,"a ""quoted"" name",y\n"1,0",2,"two\nlines"\n3,4,five\n',
        "größe\tname\n1\tä\n2\tö\n".encode("utf-16"),
    ]
    return Reader(named("file.csv", seeds), read_table, (DataError,), hostile=hostile.csv_files())


def _bytes_of(write: Callable[[Path], None], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"seed{suffix}"
        write(path)
        return path.read_bytes()


def _packed_again(content: bytes) -> bytes:
    """What can be unpacked of a damaged file, packed again: damaged text in packing that is whole."""
    text, unpack = b"", zlib.decompressobj(31)
    for start in range(0, len(content), 16):
        try:
            text += unpack.decompress(content[start : start + 16], MOST_UNPACKED)
        except zlib.error:
            break
        if len(text) >= MOST_UNPACKED:
            break
    return gzip.compress(text, mtime=0)


def _csv_gz() -> Reader:
    plain = _csv()
    packed = [gzip.compress(seed, mtime=0) for _, seed in plain.seeds[:3]]
    return Reader(
        named("file.csv.gz", packed),
        plain.read,
        plain.promised,
        _packed_again,
        hostile=hostile.packed_csv_files(),
        changed_hostile=hostile.packed_csv_files(MOST_UNPACKED // 4),
        multiple=PACKED_TEXT,
    )


def _npz() -> Reader:
    from mpnn.data import DataError, read_table

    x, y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 0, 1])
    names = np.array(["a", "b", "c"])
    seeds = [
        _bytes_of(lambda path: np.savez(path, x=x, y=y), ".npz"),
        _bytes_of(lambda path: np.savez_compressed(path, x_train=x, y_train=y, feature_names=names), ".npz"),
    ]
    return Reader(named("file.npz", seeds), read_table, (DataError,), hostile=hostile.npz_files())


def _npy() -> Reader:
    from mpnn.data import DataError, read_table

    seeds = [
        _bytes_of(lambda path: np.save(path, np.arange(12.0).reshape(4, 3)), ".npy"),
        _bytes_of(lambda path: np.save(path, np.zeros(3, [("a", "<f8"), ("b", "<i4")])), ".npy"),
    ]
    return Reader(named("file.npy", seeds), read_table, (DataError,), hostile=hostile.npy_files())


def _parquet() -> Reader:
    import pyarrow
    from pyarrow import parquet

    from mpnn.data import DataError, read_table

    table = pyarrow.table({"a": [1.5, 2.5, None], "b": ["x", "y", "x"], "c": [True, False, True]})
    seeds = [_bytes_of(lambda path: parquet.write_table(table, path), ".parquet")]
    return Reader(named("file.parquet", seeds), read_table, (DataError,), traced=False)


def _toml() -> Reader:
    from mpnn.compare.config_files import load_config
    from mpnn.runs.toml import ConfigError

    seeds = [path.read_bytes() for path in sorted(Path("configs/compare").glob("*.toml"))]
    return Reader(named("file.toml", seeds), load_config, (ConfigError,), hostile=hostile.toml_files())


def _rows() -> Reader:
    from mpnn.runs.rows import open_results, read_rows
    from mpnn.runs.toml import ConfigError

    def read(path: Path) -> object:
        rows = read_rows(path)
        with open_results(path, retry_errors=True) as results:
            return rows, results.rows

    seeds = [path.read_bytes()[:4000] for path in sorted(Path("results").glob("bemi_*/results.jsonl"))[:3]]
    return Reader(named("file.jsonl", seeds), read, (ConfigError,), hostile=hostile.json_lines())


def _report() -> Reader:
    from mpnn.compare.report.page import read_run
    from mpnn.runs.toml import ConfigError

    source = Path("results/bemi_networks_inputs")
    folder = {name: (source / name).read_bytes() for name in ("config.json", "results.jsonl")}
    return Reader(list(folder.items()), read_run, (ConfigError,), folder=folder, hostile=hostile.json_lines())


def _checkpoint() -> Reader:
    import logging

    import jax

    from mpnn.message_passing.checkpoints import CheckpointError, restore_state, save_state
    from mpnn.message_passing.hyper import Schedules
    from mpnn.message_passing.network import init
    from mpnn.message_passing.spec import NetworkSpec

    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax prints damaged metadata
    spec, key = NetworkSpec.dense((5, 3, 1)), jax.random.key(0)
    state = init(key, spec, Schedules().at_sweep(0, spec.num_layers))
    with tempfile.TemporaryDirectory() as root:
        save_state(root, state, epoch=1, key=key, spec=spec)
        paths = [path for path in Path(root).rglob("*") if path.is_file()]
        folder = {str(path.relative_to(root)): path.read_bytes() for path in paths}
    return Reader(
        list(folder.items()),
        lambda path: restore_state(path, spec, like=state),  # shapes found once: tracing takes half the time
        (CheckpointError,),
        folder=folder,
        hostile=hostile.json_lines(),
    )


def _description() -> Reader:
    """What this package reads of a checkpoint, as Orbax hands it over: the description and the arrays."""
    import jax

    from mpnn.message_passing import checkpoint_content, checkpoints
    from mpnn.message_passing.hyper import Schedules
    from mpnn.message_passing.network import init
    from mpnn.message_passing.spec import NetworkSpec

    spec, key = NetworkSpec.dense((5, 3, 1)), jax.random.key(0)
    state = init(key, spec, Schedules().at_sweep(0, spec.num_layers))
    whole = _checkpoint()
    (text,) = [content for name, content in whole.seeds if name.endswith("about/metadata")]
    arrays = [np.asarray(leaf).reshape(-1).view(np.uint8) for leaf in jax.tree.leaves(state)]

    def read(path: Path) -> object:
        try:
            given = json.loads(path.read_text())
        except (ValueError, RecursionError) as error:  # Orbax's own reading, whose errors restore_state names
            raise checkpoints.CheckpointError(str(error)) from error
        about = checkpoint_content.checked_description(path, 1, given)
        checkpoint_content.check_network(path, about, spec, state)
        return checkpoint_content.rebuilt(path, 1, about, np.concatenate(arrays), state)

    return Reader(
        named("file.json", [text]), read, (checkpoints.CheckpointError,), hostile=hostile.json_lines()
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
    "checkpoint": _checkpoint,
    "checkpoint description": _description,
}


def _peer(own: Callable[[], Reader], read: Callable[[Path], object], *promised: type[Exception]) -> Reader:
    """The reader of another package, given the files of one of this package."""
    return replace(own(), read=read, promised=promised)


def _safetensors() -> Reader:
    import safetensors
    import safetensors.numpy

    return _peer(_weights, safetensors.numpy.load_file, safetensors.SafetensorError)


def _numpy_arrays(path: Path) -> object:
    """All arrays of a file, as numpy.load reads them without pickles."""
    with path.open("rb") as stream:
        loaded = np.load(stream, allow_pickle=False)
        return {name: loaded[name] for name in loaded.files} if hasattr(loaded, "files") else loaded


def _numpy(own: Callable[[], Reader]) -> Reader:
    return _peer(own, _numpy_arrays, ValueError, OSError, EOFError, zipfile.BadZipFile)


def _pandas(own: Callable[[], Reader]) -> Reader:
    import pandas

    return _peer(own, pandas.read_csv, ValueError, OSError, EOFError)  # its ParserError is a ValueError


def _pyarrow() -> Reader:
    import pyarrow
    from pyarrow import parquet

    return _peer(_parquet, parquet.read_table, pyarrow.ArrowException, OSError)


# What others say of damaged files: NumPy ValueError, OSError, EOFError (its documentation) and BadZipFile.
PEERS: dict[str, Callable[[], Reader]] = {
    "safetensors of weights": _safetensors,
    "numpy of npz": lambda: _numpy(_npz),
    "numpy of npy": lambda: _numpy(_npy),
    "pandas of csv": lambda: _pandas(_csv),
    "pandas of csv.gz": lambda: _pandas(_csv_gz),
    "pyarrow of parquet": _pyarrow,
}
