"""Discrete networks of fitted classifiers: built at first use, and again when a classifier has changed."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.discrete import DiscreteNetwork
from mpnn.integer_networks.reading import read_members, read_network

__all__ = ["discrete_network"]

# Attributes of a classifier that its network depends on: objects, and lists of arrays.
OBJECTS = ("prediction", "input_transform_", "method_", "spec_")
LISTS = ("thresholds_", "real_", "statistics_")
# Of few-bit numbers, compared by value: they are what people edit in place.
WEIGHTS = ("weights_", "biases_")

# Of each classifier: what its network was built from, and the network; None: it has none.
_NETWORKS: WeakKeyDictionary[Any, tuple[list[Any], bytes, DiscreteNetwork | None]] = WeakKeyDictionary()


def discrete_network(model: Any) -> DiscreteNetwork | None:
    """The discrete network of a fitted classifier, or those of a vote's members side by side.

    None where the classifier predicts by something else, or by layers that are not read.

    Parameters
    ----------
    model : classifier
        Fitted; a vote has ``estimators_`` and ``pairs_``.
    """
    is_vote = hasattr(model, "pairs_")
    parts, content = _parts_of(model.estimators_ if is_vote else [model])
    known = _NETWORKS.get(model)
    if known is not None and known[1] == content and _same(known[0], parts):
        return known[2]
    try:
        network = DiscreteNetwork(read_members(model) if is_vote else [read_network(model)])
    except ValueError:  # the reason is the exporter's to tell; predictions have another way
        network = None
    _NETWORKS[model] = parts, content, network
    return network


def _same(old: list[Any], new: list[Any]) -> bool:
    return len(old) == len(new) and all(
        a is b or (type(a) in (str, tuple) and a == b) for a, b in zip(old, new, strict=True)
    )


def _parts_of(members: list[Any]) -> tuple[list[Any], bytes]:
    """What networks are built from: objects, compared by identity, and the bytes of weights."""
    parts: list[Any] = []
    arrays: list[NDArray] = []
    for member in members:
        own = member.__dict__
        parts += [own.get(name) for name in OBJECTS]
        for name in LISTS:
            parts += own.get(name) or ()
        for name in WEIGHTS:
            layers = own.get(name) or ()
            parts += [None if layer is None else layer.shape for layer in layers]
            arrays += [layer for layer in layers if layer is not None]
    return parts, b"".join(np.ascontiguousarray(array).data for array in arrays)
