"""Model files without beliefs: weights at their bits and the rest as compressed JSON.

The same arrays and metadata as a whole file's, but for what describes beliefs. Lengths in a file are checked
against its bytes before memory is taken.
"""

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.deploy.bits import pack_weights, unpack_weights

__all__ = ["compacted", "expanded", "is_compact"]

ABOUT = "packed/about"
INPUTS, LIVE = ("beliefs/inputs/scale", "beliefs/inputs/offset"), "beliefs/inputs/live"
# Bytes of metadata that are read at most.
MOST_METADATA = 2**24


def is_compact(arrays: dict[str, NDArray]) -> bool:
    """Whether these are the arrays of a file without beliefs."""
    return ABOUT in arrays


def compacted(arrays: dict[str, NDArray], metadata: dict[str, Any]) -> dict[str, NDArray]:
    """Arrays of a file without beliefs.

    Parameters
    ----------
    arrays : dict of ndarray
        ``weights/NETWORK/LAYER``, int8, and ``beliefs/...``, of which only the inputs' are kept.
    metadata : dict
        What JSON can hold.
    """
    count = 1 + max(int(name.split("/")[1]) for name in arrays if name.startswith("weights/"))
    kept = {name: arrays[name] for name in INPUTS}
    live = arrays[LIVE] != 0.0
    kept["packed/live"] = np.packbits(live)
    layers: list[Any] = []
    while f"weights/0/{len(layers)}" in arrays:
        index = len(layers)
        stack = np.stack([arrays[f"weights/{network}/{index}"] for network in range(count)])
        data, coding = pack_weights(stack)
        kept[f"packed/weights/{index}"] = np.frombuffer(data, np.uint8)
        layers.append([coding, stack.shape])
    about = {"layers": layers, "inputs": len(live), "metadata": metadata}
    text = json.dumps(about, separators=(",", ":")).encode()
    return kept | {ABOUT: np.frombuffer(zlib.compress(text, 9), np.uint8)}


def expanded(arrays: dict[str, NDArray]) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Arrays and metadata as :func:`compacted` took them, less the beliefs.

    Parameters
    ----------
    arrays : dict of ndarray
        What :func:`compacted` returned.

    Raises
    ------
    ValueError
        Where these do not hold what they declare.
    """
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(arrays[ABOUT].tobytes(), MOST_METADATA)
    except zlib.error as error:
        raise ValueError(f"its metadata cannot be decompressed: {error}") from error
    if not reader.eof:
        raise ValueError(f"its metadata must end, within {MOST_METADATA} bytes")
    about = json.loads(text)
    whole = {name: arrays[name] for name in INPUTS}
    whole[LIVE] = np.unpackbits(arrays["packed/live"], count=about["inputs"]).astype(np.float32)
    for index, (coding, shape) in enumerate(about["layers"]):
        stack = unpack_weights(arrays[f"packed/weights/{index}"].tobytes(), coding, shape)
        whole |= {f"weights/{network}/{index}": layer for network, layer in enumerate(stack)}
    return whole, about["metadata"]
