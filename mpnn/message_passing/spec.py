"""The static description of a network."""

import dataclasses
from typing import Any

from mpnn.message_passing import channels
from mpnn.message_passing.exact.messages import FAN_IN_LIMIT
from mpnn.message_passing.rules import RuleEntry, find_rule
from mpnn.message_passing.weights import WeightFamily, weight_family

__all__ = ["NetworkSpec", "hinders_small_fan_in"]

ACTIVATIONS: dict[str, Any] = {
    "sign": channels.Sign(),
    "relu": channels.ReLU(),
    "identity": channels.Identity(),
}
OUTPUTS = ("binary_label", "argmax")


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """Everything static about a network: shapes and choices, hashable, no arrays.

    widths: inputs, hidden layers, outputs, e.g. ``(784, 101, 10)``.
    weights: ``"binary"``, ``"ternary"``, ``"gaussian"`` or an int P for the levels -P..P.
    rule: a name in :data:`mpnn.message_passing.rules.RULES`.
    activation: of the hidden units: ``"sign"``, ``"relu"`` or ``"identity"``.
    output: ``"binary_label"`` (independent labels -1 and +1, mostly of one output; 0: no label) or
        ``"argmax"`` (labels 0..C-1).
    bias: adds a constant input to every layer; its weight is the last row.
    density: share of the weights that exist, in (0, 1]; the others are fixed to 0 at random.
    sweeps_per_batch: inner iterations over a batch, >= 1.
    focusing: whether the layers are coupled to replicas (see :mod:`mpnn.message_passing.fields`).
    anchored: whether layers forget towards an anchor, so that samples count once (see
    :mod:`mpnn.message_passing.fields`).
    argmax_draws: quadrature points of the argmax output; 0 for the closed form.
    small_fan_in: exact messages above the first layer, trained by
    :mod:`mpnn.message_passing.exact.annealing` and averaged exactly
        in Bayesian prediction; see :func:`hinders_small_fan_in` for what it needs.
    """

    widths: tuple[int, ...]
    weights: str | int = "binary"
    rule: str = "bp_inspired"
    activation: str = "sign"
    output: str = "binary_label"
    bias: bool = False
    density: float = 1.0
    sweeps_per_batch: int = 1
    focusing: bool = False
    anchored: bool = False
    argmax_draws: int = 0
    small_fan_in: bool = False

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"widths need at least inputs and outputs, all >= 1, got {self.widths}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {self.activation!r}")
        if self.output not in OUTPUTS:
            raise ValueError(f"output must be one of {OUTPUTS}, got {self.output!r}")
        if self.output == "argmax" and self.widths[-1] == 1:
            raise ValueError("output 'argmax' needs at least two output units, got 1")
        if not 0.0 < self.density <= 1.0:
            raise ValueError(f"density must be in (0, 1], got {self.density}")
        if self.sweeps_per_batch < 1:
            raise ValueError(f"sweeps_per_batch must be at least 1, got {self.sweeps_per_batch}")
        weight_family(self.weights)
        if self.works_on_fields:
            self._check_works_on_fields()
        if self.small_fan_in and (hindrance := hinders_small_fan_in(self)):
            raise ValueError(f"small_fan_in needs {hindrance}")

    def _check_works_on_fields(self) -> None:
        """Max-sum knows signs alone; anything else would need max-marginals of its own."""
        only = {
            "weights": "binary",
            "activation": "sign",
            "output": "binary_label",
            "density": 1.0,
            "focusing": False,
            "anchored": False,
        }
        for name, value in only.items():
            if getattr(self, name) != value:
                raise ValueError(f"rule {self.rule!r} needs {name}={value!r}, got {getattr(self, name)!r}")

    @property
    def num_layers(self) -> int:
        """Number of weight layers."""
        return len(self.widths) - 1

    @property
    def family(self) -> WeightFamily:
        """The weight family."""
        return weight_family(self.weights)

    @property
    def hidden_channel(self) -> Any:
        """The channel of the hidden units."""
        return ACTIVATIONS[self.activation]

    @property
    def works_on_fields(self) -> bool:
        """Whether the rule passes fields instead of moments (see
        :class:`mpnn.message_passing.rules.RuleEntry`)."""
        return find_rule(self.rule, one_sweep=False).works_on_fields

    def fan_in(self, layer: int) -> int:
        """Inputs of a layer, the constant one included."""
        return self.widths[layer] + int(self.bias)

    def layer_rule(self, layer: int) -> RuleEntry:
        """The rule of a layer: the joint argmax output has no cavity and always uses mean field."""
        joint = self.output == "argmax" and layer == self.num_layers - 1
        return find_rule("mean_field" if joint else self.rule, self.sweeps_per_batch == 1)


def hinders_small_fan_in(spec: NetworkSpec) -> str | None:
    """Say what a network would need for exact messages above its first layer; None: nothing."""
    hidden = spec.widths[1:-1]
    if not hidden or max(hidden) > FAN_IN_LIMIT:
        return f"hidden layers of 1 to {FAN_IN_LIMIT} units, got {hidden}"
    needs = {
        "weights": ("ternary",),
        "rule": ("bp_inspired", "bp_inspired_second_order"),
        "activation": ("sign",),
        "output": ("binary_label",),
        "bias": (False,),
        "density": (1.0,),
        "focusing": (False,),
        "anchored": (False,),
    }
    for name, allowed in needs.items():
        if getattr(spec, name) not in allowed:
            return f"{name}={allowed[0]!r}, got {getattr(spec, name)!r}"
    return None if spec.widths[-1] == 1 else f"a single output, got {spec.widths[-1]}"
