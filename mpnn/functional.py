"""Pure functions over a state, to be transformed by ``jit``, ``vmap`` and ``grad``.

``init`` makes a :class:`State`, ``step`` passes messages over one batch, ``train`` over many epochs,
``decode`` reads the discrete weights, and ``predict`` uses them or the beliefs. What data said about the
weights adds up: ``learned`` finds it, ``merge`` adds that of networks trained apart, and ``forget`` takes it
out again. Nothing is printed, no state is taken away, and nothing but arrays goes from one call to the next.
"""

from mpnn.message_passing.functional import (
    Prediction,
    Status,
    Trained,
    decode,
    freeze,
    init,
    predict,
    step,
    train,
)
from mpnn.message_passing.hyper import Hyper, Schedules
from mpnn.message_passing.merging import Learned, add_evidence, forget, learned, merge
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.sweep import Info

__all__ = [
    "Batch",
    "Hyper",
    "Info",
    "Learned",
    "NetworkSpec",
    "Prediction",
    "Schedules",
    "State",
    "Status",
    "Trained",
    "add_evidence",
    "decode",
    "forget",
    "freeze",
    "init",
    "learned",
    "merge",
    "predict",
    "step",
    "train",
]
