"""Files made by hand to do harm: bombs, headers that promise too much, nesting, paths, code."""

import bz2
import gzip
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable

import numpy as np

MILLION = 1_000_000


class _Payload:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.mkdir, ("unpickled",)


def npy_header(text: str, version: int = 1) -> bytes:
    """An array file of this header and eight bytes."""
    size = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode() + b"\n" + bytes(8)


def npy_files() -> list[bytes]:
    """Array files: huge, negative, of objects, of code, of a billion columns."""
    objects = io.BytesIO()
    np.save(objects, np.array([_Payload()], dtype=object), allow_pickle=True)
    fields = ", ".join(f"('c{number}', '<f8')" for number in range(3000))
    about = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}"
    return [
        npy_header(about.format("'<f8'", "(1000000000, 1000000000)")),
        npy_header(about.format("'<f8'", "(0, 1000000000)")),
        npy_header(about.format("'<f8'", "(1, 1000000000)")),
        npy_header(about.format("'<f8'", "(-1, 3)")),
        npy_header(about.format("'<f8'", "(" + "1, " * 100 + ")")),
        npy_header(about.format("'|S1000000000'", "(4,)")),
        npy_header(about.format("'|V0'", "(1000000000,)")),
        npy_header(about.format("'|S0'", "(1000000000, 2)")),
        npy_header(about.format(f"[{fields}]", "(1000000000,)"), 2),
        npy_header(about.format("__import__('os').mkdir('evaluated')", "(1,)")),
        npy_header("{" * 5000, 2),
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1),
        pickle.dumps(_Payload()),
        objects.getvalue(),
    ]


def npz_files() -> list[bytes]:
    """Archives: bombs, names that leave the folder, names twice, members that are no arrays."""

    def archive(members: list[tuple[str, bytes]], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", packing) as file:
            for name, member in members:
                file.writestr(name, member)
        return content.getvalue()

    def array(values: np.ndarray) -> bytes:
        content = io.BytesIO()
        np.save(content, values, allow_pickle=True)
        return content.getvalue()

    x, y = array(np.zeros((4, 3))), array(np.array([0, 1, 0, 1]))
    bomb = array(np.zeros((10 * MILLION, 4), np.float64))
    return [
        archive([("x.npy", bomb), ("y.npy", y)]),
        archive([("x.npy", array(np.zeros((100, 2))))], zipfile.ZIP_BZIP2),
        archive([("../x.npy", x), ("/tmp/y.npy", y), ("x.npy", x), ("..\\y.npy", y)]),
        archive([("x.npy", x), ("y.npy", array(np.array([_Payload()] * 4, dtype=object)))]),
        archive([(f"member{number}.npy", b"") for number in range(3000)]),
        archive([("x.npy", x), ("feature_names.npy", array(np.array(["<script>", "../a", "\0"])))]),
        *(archive([("x.npy", content), ("y.npy", y)]) for content in npy_files()),
    ]


def csv_files() -> list[bytes]:
    """Text: five million columns, a quote without end, a long cell, long numbers, zeros, formulas."""
    return [
        b"," * (5 * MILLION),
        b"a," * MILLION + b"\n" + b"1," * MILLION,
        b'a,b\n"' + b"x" * MILLION,
        b"a,b\n" + b"9" * MILLION + b",1\n2,3\n",
        b"a,b\n1e999999999,-1e999999999\nnan,inf\n1,2\n",
        b"\0" * MILLION,
        b"\n" * MILLION,
        b'"\n' * (MILLION // 2),
        b"a,a,a\n=cmd|' /C calc'!A0,../../x,<script>\n1,2,3\n",
        b"\xff\xfe" * 1000,
        "a\u2028b\u2029c,d\n1,2\n".encode(),
    ]


def packed_csv_files(rows: int = MILLION) -> list[bytes]:
    """Text that unpacks to a thousand times its size, members without end, and other packings."""
    return [
        gzip.compress(b"1,2\n" * rows, mtime=0),
        gzip.compress(b"0" * (40 * rows), mtime=0),
        gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0),
        gzip.compress(b"a,b\n1,2\n", mtime=0) * 1000,
        bz2.compress(b"a,b\n1,2\n"),
    ]


def json_lines() -> list[bytes]:
    """JSON: nested deeply, numbers of a million digits, names that are paths or markup."""
    deep, digits = "[" * 100_000 + "]" * 100_000, "9" * 100_000
    return [
        f'{{"key": {deep}}}\n'.encode(),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        f'{{"key": "a", "accuracy": {digits}}}\n'.encode(),
        b'{"key": "a", "accuracy": 1e999}\n{"key": "a", "accuracy": NaN}\n',
        b'{"key": "../../a", "method": "<script>alert(1)</script>", "dataset": "/etc/passwd"}\n',
        b'{"key": "\\ud800", "method": "\\u0000"}\n',
        b"null\n" * 1000,
    ]


def toml_files() -> list[bytes]:
    """TOML: nested deeply, numbers of many digits, tables of many names, paths."""
    return [
        b"a = " + b"[" * 50_000 + b"]" * 50_000,
        b"a = " + b"{b=" * 20_000 + b"1" + b"}" * 20_000,
        b".".join([b"a"] * 3000) + b" = 1\n",
        b"[" + b".".join([b"a"] * 3000) + b"]\n",
        b"seed = " + b"9" * 100_000,
        b"seed = 1e999999\ndraws = nan\n",
        b'name = "../../../tmp/a"\ndatasets = ["../../etc/passwd"]\n',
        b"".join(b"a%d = 1\n" % number for number in range(20_000)),
        b'name = "' + b"x" * MILLION + b'"\n',
    ]


def safetensors_files() -> list[bytes]:
    """Weights: headers of any length, offsets that overlap or leave the file, nesting, many names."""

    def file(header: object | bytes, body: bytes = bytes(64), size: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text + body

    def array(start: int, end: int, shape: list[int], dtype: str = "I8") -> dict[str, object]:
        return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}

    return [
        *(file(b"{}", size=size) for size in (0, 2**63, 2**64 - 1, 10**8, 99_999_999)),
        file({"a": array(0, 64, [64]), "b": array(0, 64, [64])}),
        file({"a": array(0, 2**40, [2**40])}),
        file({"a": array(0, 64, [2**32, 2**32])}),
        file({"a": array(0, 0, [0, 10**9])}),
        file({"a": array(64, 0, [64])}),
        file({"../../a": array(0, 64, [64])}),
        file({"__metadata__": {"<script>": "x" * MILLION}}),
        file({f"a{number}": array(0, 0, [0]) for number in range(5000)}),
        file(b"[" * 100_000),
        file(b'{"a":' * 50_000),
        pickle.dumps(_Payload()),
    ]


def packed_networks(prefix: Callable[[bytes], bytes]) -> list[bytes]:
    """Packed networks whose digest is right and whose header is not; ``prefix`` adds the digest."""
    headers = [b"{" * 50_000, b"[" * 100_000, b"9" * 100_000, b'{"layers": 1000000000}', b"\0" * 1000]
    return [prefix(header) for header in headers]
