"""Requirements of exact messages above the first layer."""

from collections.abc import Sequence
from typing import Any, Protocol

from mpnn.message_passing.exact.messages import FAN_IN_LIMIT

__all__ = ["TERNARY", "Described", "unmet_requirement"]


# Levels of the weights.
TERNARY = (-1, 0, 1)


class Described(Protocol):
    """A network as :class:`mpnn.message_passing.spec.NetworkSpec` describes it."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, units of every weight layer."""

    @property
    def weighted(self) -> Sequence[Any]:
        """Layers with weights."""

    @property
    def layers(self) -> Sequence[Any]:
        """All layers."""

    @property
    def output(self) -> str:
        """Name of the output channel."""

    @property
    def focusing(self) -> bool:
        """Whether layers are coupled to replicas."""

    @property
    def anchored(self) -> bool:
        """Whether layers have anchors."""


def unmet_requirement(spec: Described) -> str | None:
    """Return what a network lacks for exact messages above its first layer; None: nothing.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    """
    if len(spec.layers) > len(spec.weighted) or any(hasattr(layer, "size") for layer in spec.weighted):
        return "dense layers alone"
    hidden = spec.widths[1:-1]
    if not hidden or max(hidden) > FAN_IN_LIMIT:
        return f"hidden layers of 1 to {FAN_IN_LIMIT} units, got {hidden}"
    of_layers = {
        "weights": ("ternary", 1),
        "rule": ("bp_inspired", "bp_inspired_second_order"),
        "activation": ("sign",),
        "bias": (False,),
        "density": (1.0,),
    }
    for name, allowed in of_layers.items():
        for layer in spec.weighted:
            if getattr(layer, name) not in allowed:
                return f"{name}={allowed[0]!r}, got {getattr(layer, name)!r}"
    of_networks = {"output": "binary_label", "focusing": False, "anchored": False}
    for name, value in of_networks.items():
        if getattr(spec, name) != value:
            return f"{name}={value!r}, got {getattr(spec, name)!r}"
    return None if spec.widths[-1] == 1 else f"a single output, got {spec.widths[-1]}"
