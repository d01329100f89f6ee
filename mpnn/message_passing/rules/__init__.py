"""The message-passing rules, one file each, and the table that names them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from mpnn.message_passing.rules import amp, belief_propagation, bp_inspired, max_sum, mean_field
from mpnn.message_passing.rules.base import GaussianMessages, Layer

__all__ = ["RULES", "RuleEntry", "find_rule"]


class RuleEntry(NamedTuple):
    """A rule's functions (see :class:`mpnn.message_passing.rules.base.Rule`) and the messages that it passes.

    ``messages`` turns pre-activations, labels and messages from above into what ``forward`` and
    ``backward`` take: at zero temperature, fields and :class:`~mpnn.message_passing.rules.base.Clamp`.

    Parameters
    ----------
    init : callable
        Makes what the rule keeps, before the first sweep.
    forward : callable
        The pre-activation.
    backward : callable
        The messages.
    refresh : callable or None, default=None
        Updates what is kept after the fields have moved; None: nothing to do.
    with_one_sweep : RuleEntry or None, default=None
        The cheaper rule, without memory, that is equal when a batch gets a single sweep.
    messages : type, default=GaussianMessages
        What passes between the layers: :class:`GaussianMessages` or :class:`FieldMessages`.
    """

    init: Callable[..., Any]
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    refresh: Callable[[Layer, Any], Any] | None = None
    with_one_sweep: "RuleEntry | None" = None
    messages: Any = GaussianMessages


def _no_memory(*_: Any) -> None:
    return


_BP_INSPIRED = RuleEntry(bp_inspired.init, bp_inspired.forward, bp_inspired.backward)

RULES: dict[str, RuleEntry] = {
    "mean_field": RuleEntry(mean_field.init, mean_field.forward, mean_field.backward),
    "amp": RuleEntry(
        amp.init,
        amp.forward,
        amp.backward,
        with_one_sweep=RuleEntry(_no_memory, amp.forward, amp.backward),
    ),
    "bp_inspired": _BP_INSPIRED,
    "bp_inspired_second_order": RuleEntry(
        bp_inspired.init, bp_inspired.forward, bp_inspired.backward_second_order
    ),
    "bp_inspired_interpolated": RuleEntry(
        bp_inspired.init, bp_inspired.forward, bp_inspired.backward_interpolated
    ),
    "belief_propagation": RuleEntry(
        belief_propagation.init,
        belief_propagation.forward,
        belief_propagation.backward,
        refresh=belief_propagation.update_cavities,
        with_one_sweep=_BP_INSPIRED,
    ),
    "max_sum": RuleEntry(
        max_sum.init,
        max_sum.forward,
        max_sum.backward,
        with_one_sweep=RuleEntry(
            _no_memory, max_sum.forward, max_sum.backward, messages=max_sum.FieldMessages
        ),
        messages=max_sum.FieldMessages,
    ),
}


def find_rule(name: str, one_sweep: bool) -> RuleEntry:
    """Return the rule called ``name``, in its cheaper form where a batch gets one sweep.

    Parameters
    ----------
    name : str
        A key of :data:`RULES`.
    one_sweep : bool
        Whether a batch gets a single sweep.
    """
    if not isinstance(name, str) or name not in RULES:
        raise ValueError(f"rule must be one of {sorted(RULES)}, got {name!r}")
    entry = RULES[name]
    return entry.with_one_sweep if one_sweep and entry.with_one_sweep is not None else entry
