"""The front door of an export: lower, compare with the classifier, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.integer_networks.lowering import lower
from mpnn.integer_networks.network import IntegerNetwork
from mpnn.integer_networks.prediction import Predictor
from mpnn.validation import one_of
from mpnn.validation import path as path_of

__all__ = ["FORMATS", "Report", "count_changes", "export", "file_in"]

FORMATS = {"packed": ".mpnn", "c": ".c", "onnx": ".onnx"}
# Rows of the C test's vector.
TEST_ROWS = 8


@dataclass(frozen=True)
class Report:
    """Report of an export.

    Parameters
    ----------
    files : tuple of path
        The files written.
    num_bytes : int
        Bytes of the files together.
    exact : bool
        Whether input codes are exact (:class:`mpnn.integer_networks.network.IntegerNetwork`).
    labels_compared, labels_changed : int
        Rows of ``check``, and those whose label the export changes.
    operations : dict of int
        Most additions, XNORs of words of 32 bits, and multiplications of one prediction.
    """

    files: tuple[Path, ...]
    num_bytes: int
    exact: bool
    labels_compared: int
    labels_changed: int
    operations: dict[str, int]


def export(
    model: Any,
    path: str | Path,
    format: str = "packed",
    *,
    inputs: str = "auto",
    bits: int = 15,
    examples: ArrayLike | None = None,
    check: ArrayLike | None = None,
    encoder: Any = None,
    name: str | None = None,
    optimize: str = "size",
    column_names: Sequence[str] | None = None,
) -> Report:
    """Write a fitted classifier, or an integer network, as a file that needs no training library.

    Parameters
    ----------
    model : object
        See :func:`mpnn.integer_networks.lowering.lower`; an :class:`IntegerNetwork` is written as it is.
    path : str or path
        The file, or a folder that exists, for a file called ``name`` or network in it. With ``"c"``: ``path``
        with suffix ``.c``, and a header beside it.
    format : str, default="packed"
        ``"packed"`` (read by :mod:`mpnn.deploy.runtime`), ``"c"`` (C99) or ``"onnx"``.
    inputs : str, default="auto"
        See :func:`mpnn.integer_networks.lowering.lower`, and for the next three.
    bits : int from 2 to 15, default=15
        Of the largest code of a table.
    examples : array-like [n, F] or None, default=None
        Inputs that show their range.
    encoder : transformer or None, default=None
        Fitted encoder of tables.
    check : array-like or None, default=None
        Inputs ``[n, F]`` whose labels are compared with the classifier's; the first become the test vector of
        the C source. They also serve as ``examples`` where none are given.
    name : str or None, default=None
        Prefix of the names in C; None: the file's name.
    optimize : str, default="size"
        ``"size"`` or ``"speed"``, of the C source.
    column_names : sequence of str or None, default=None
        Of the F inputs, for the comments of the C header; None: those of the data frame that the classifier
        was fitted on, if any.

    Returns
    -------
    Report
        With the number of labels that the export changes.

    Raises
    ------
    ValueError
        If the format is unknown, or the classifier or its inputs cannot be exported so.
    ImportError
        If ``onnx`` is not installed.
    """
    one_of("format", format, FORMATS)
    destination = path_of("path", path)
    for text, value in (("name", name), ("optimize", optimize), ("inputs", inputs)):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{text} must be a text, got {value!r}")
    examples, rows = _as_inputs("examples", examples), _as_inputs("check", check)
    examples = rows if examples is None else examples
    given = isinstance(model, IntegerNetwork)
    network = model if given else lower(model, inputs=inputs, bits=bits, examples=examples, encoder=encoder)
    if column_names is not None and not _are_texts(column_names):
        raise ValueError(f"column_names must be a list of texts, one an input, got {column_names!r}")
    if column_names is None and not given:
        column_names = getattr(model, "feature_names_in_", None)
    target = file_in(destination, format, name or "network")
    files = _write(network, target, format, rows, name, optimize, column_names)
    compared = 0 if rows is None or given else len(rows)
    changed = count_changes(network, rows, model.predict(check)) if compared else 0
    size = sum(file.stat().st_size for file in files)
    return Report(files, size, network.exact, compared, changed, network.operations)


def _as_inputs(name: str, X: Any) -> Any:
    """Inputs as an array ``[n, ...]``; None as it is."""
    if X is None:
        return None
    rows = np.asarray(X)
    if rows.ndim < 2 or 0 in rows.shape:
        raise ValueError(
            f"{name} must be inputs [n, features], at least one, got the shape {list(rows.shape)}"
        )
    return rows


def _are_texts(names: Any) -> bool:
    given = isinstance(names, Sequence | np.ndarray) and not isinstance(names, str | bytes)
    return given and np.ndim(names) == 1 and all(isinstance(name, str) for name in names)


def file_in(path: Path, format: str, stem: str) -> Path:
    """The path itself, or where it is a folder that of a file in it, called ``stem``."""
    return path / f"{stem}{FORMATS[format]}" if path.is_dir() else path


def count_changes(network: IntegerNetwork, X: ArrayLike, labels: NDArray) -> int:
    """Number of rows of ``X`` whose label differs from the classifier's ``labels``."""
    return int(np.sum(Predictor(network).predict(X) != labels))


def _write(
    network: IntegerNetwork,
    path: Path,
    format: str,
    rows: Any,
    name: str | None,
    optimize: str,
    column_names: Sequence[str] | None,
) -> tuple[Path, ...]:
    if format == "packed":
        from mpnn.deploy.packed import save_network

        save_network(network, path)
        return (path,)
    if format == "c":
        from mpnn.deploy.c_source import save_c
        from mpnn.deploy.c_tables import row_type_of

        row_type = row_type_of(network.encoder, rows) if network.encoder is not None else "auto"
        first = rows if rows is None else rows[:TEST_ROWS]
        options: dict[str, Any] = {"row_type": row_type, "column_names": column_names}
        return save_c(network, path, first, name=name, optimize=optimize, **options)
    from mpnn.deploy.onnx_model import save_onnx

    save_onnx(network, path)
    return (path,)
