"""Published weights: one safetensors file of int8 arrays, with JSON metadata in its header.

The prefix of a name is the kind of the array: ``weights/...`` are int8 and make up the network;
``beliefs/...`` are floating point and describe how certain training was, so that nobody mistakes one for the
other; ``packed/...`` are bytes. A single network is ``weights/LAYER``, an ensemble ``weights/NETWORK/LAYER``.
Nothing is ever pickled.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mpnn.atomic_files import write_atomically
from mpnn.validation import path as path_of

__all__ = [
    "CheckpointError",
    "digest",
    "load_arrays",
    "load_networks",
    "load_weights",
    "save_arrays",
    "save_networks",
    "save_weights",
]

FORMAT = "mpnn-1"
Weights = list[np.ndarray]


class CheckpointError(ValueError):
    """A file or folder that is missing, damaged or of another network; the message names the repair."""


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and values, in the order of the names.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Arrays by name.
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def save_arrays(
    path: str | Path, arrays: Mapping[str, ArrayLike], metadata: Mapping[str, Any] | None = None
) -> None:
    """Write named arrays to one file, which appears complete or not at all.

    Parameters
    ----------
    path : str or path
        By custom ``*.safetensors``; an existing file is replaced.
    arrays : mapping of str to array-like
        ``weights/...`` int8, ``beliefs/...`` floating point, or ``packed/...`` uint8.
    metadata : dict or None, default=None
        Anything that JSON can hold. ``levels``, a list of the values that weights may take, is checked
        against the weights here and on loading.
    """
    import safetensors.numpy

    stored = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    about = dict(metadata or {})
    _check_arrays(stored, about)
    header = {"format": FORMAT, "metadata": json.dumps(about), "digest": digest(stored)}
    write_atomically(path_of("path", path), safetensors.numpy.save(stored, metadata=header))


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_arrays` wrote: arrays by name, and the metadata.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    CheckpointError
        Where the file is damaged, of another kind, or breaks what it declares.
    """
    from safetensors import SafetensorError, safe_open

    if not path_of("path", path).is_file():
        raise FileNotFoundError(f"no weights at {path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (SafetensorError, ValueError) as error:
        raise _damaged(path, "it is no safetensors file of mpnn") from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} was not written by this library: its format must be {FORMAT!r}, is "
            f"{header.get('format')!r}"
        )
    if header.get("digest") != digest(arrays):
        raise _damaged(path, "the arrays do not match their digest")
    try:
        metadata = json.loads(header.get("metadata", ""))
        _check_arrays(arrays, metadata)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    return arrays, metadata


def save_weights(
    path: str | Path, weights: Sequence[ArrayLike], metadata: Mapping[str, Any] | None = None
) -> None:
    """Write one network: int8 arrays ``[inputs, outputs]``, a layer each (with bias: one more row).

    Parameters
    ----------
    path : str or path
        The file.
    weights : sequence of int8 array-like [N, K]
        Weights, a layer each (with bias: one more row).
    metadata : mapping or None, default=None
        Anything that JSON can hold.
    """
    layers = {f"weights/{layer}": array for layer, array in enumerate(weights)}
    _stack_of_layers(path, {name: np.asarray(array) for name, array in layers.items()}, "weights/")
    save_arrays(path, layers, metadata)


def load_weights(path: str | Path) -> tuple[Weights, dict[str, Any]]:
    """Read one network: its int8 layers ``[inputs, outputs]``, and the metadata.

    Parameters
    ----------
    path : str or path
        The file.
    """
    arrays, metadata = load_arrays(path)
    return _stack_of_layers(path, arrays, "weights/"), metadata


def save_networks(
    path: str | Path,
    networks: Sequence[Sequence[ArrayLike]],
    metadata: Mapping[str, Any] | None = None,
    beliefs: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Write an ensemble, each member as :func:`save_weights` takes it; ``beliefs`` go under ``beliefs/``.

    Parameters
    ----------
    path : str or path
        The file.
    networks : sequence of sequences of array-like
        Members, each as :func:`save_weights` takes it.
    metadata : mapping or None, default=None
        Anything that JSON can hold.
    beliefs : mapping of str to array-like or None, default=None
        Floating-point arrays, which go under ``beliefs/``.
    """
    arrays = {
        f"weights/{member}/{layer}": np.asarray(array)
        for member, layers in enumerate(networks)
        for layer, array in enumerate(layers)
    }
    for member in range(len(networks)):
        _stack_of_layers(path, arrays, f"weights/{member}/")
    extra = {f"beliefs/{name}": np.asarray(array) for name, array in (beliefs or {}).items()}
    save_arrays(path, {**arrays, **extra}, metadata)


def load_networks(path: str | Path) -> tuple[list[Weights], dict[str, Any]]:
    """Read an ensemble: a list of layers for each member, and the metadata. Beliefs are left out.

    Parameters
    ----------
    path : str or path
        The file.
    """
    arrays, metadata = load_arrays(path)
    members = {name.split("/")[1] for name in arrays if name.count("/") == 2 and name.startswith("weights/")}
    if members != {str(member) for member in range(len(members))} or not members:
        raise CheckpointError(f"{path} does not hold an ensemble: its arrays are {sorted(arrays)[:5]} ...")
    return [_stack_of_layers(path, arrays, f"weights/{m}/") for m in range(len(members))], metadata


def _check_arrays(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> None:
    """Names, types, and the declared levels."""
    levels = metadata.get("levels")
    for name, array in arrays.items():
        if name.startswith("weights/"):
            if array.dtype != np.int8:
                raise ValueError(f"{name} must be int8, got {array.dtype}; beliefs go under 'beliefs/'")
            strangers = [] if levels is None else np.setdiff1d(array, levels).tolist()
            if strangers:
                raise ValueError(f"{name} holds {strangers[:5]}, which are not among the levels {levels}")
        elif name.startswith("packed/"):
            if array.dtype != np.uint8:
                raise ValueError(f"{name} must be uint8, got {array.dtype}")
        elif not name.startswith("beliefs/"):
            raise ValueError(f"arrays are named 'weights/...', 'beliefs/...' or 'packed/...', got {name!r}")
        elif not np.issubdtype(array.dtype, np.floating):
            raise ValueError(f"{name} must be floating point, got {array.dtype}")


def _stack_of_layers(path: str | Path, arrays: Mapping[str, np.ndarray], prefix: str) -> Weights:
    """The layers called ``prefix`` 0, 1, ..., whose shapes must follow on each other."""
    names = [name for name in arrays if name.startswith(prefix)]
    expected = [f"{prefix}{layer}" for layer in range(len(names))]
    if not names or set(names) != set(expected):
        raise CheckpointError(
            f"{path}: layers must be named {prefix}0, {prefix}1, ..., got {sorted(names)[:5]}"
        )
    layers = [arrays[name] for name in expected]
    shapes = [layer.shape for layer in layers]
    flat = any(len(shape) != 2 for shape in shapes)
    # a bias adds the constant input to every layer, the first one too, whose width no one declares
    extra = set() if flat else {below[0] - above[1] for above, below in zip(shapes, shapes[1:], strict=False)}
    if flat or extra - {0, 1} or len(extra) > 1:
        raise CheckpointError(f"{path}: layers [inputs, outputs] do not follow on each other: {shapes}")
    return layers


def _damaged(path: str | Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path} is damaged ({reason}): fetch or write it again")
