"""From a fitted classifier to the integer network.

Inputs become whole codes: pixels stay what they are where the transform is linear, else a table of 256 codes
stands for power and scale, and cuts become thresholds in units of the codes, rounded up. Only codes of a
power or of real inputs are rounded; then ``exact`` is False.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.integer_networks.coding import (
    Coding,
    code_inputs,
    kind_of_inputs,
    linked_thresholds,
    needs_fractions,
    rounded_up,
    with_whole_codes,
)
from mpnn.integer_networks.decisions import SCORE_BITS, Argmax, Confidence, Sign, Vote
from mpnn.integer_networks.inputs import Column, RealInputs, Thermometer, as_rows
from mpnn.integer_networks.links import Link
from mpnn.integer_networks.network import IntegerNetwork, Layer
from mpnn.integer_networks.read_networks import (
    ReadNetwork,
    stack_cuts,
    stack_members,
    stack_reach,
    used_columns,
)
from mpnn.integer_networks.reading import read_members, read_network
from mpnn.integer_networks.scalers import before_scalers, is_scaler, unit_of_scaler

__all__ = ["lower"]

INPUTS = ("auto", "uint8", "whole", "real")
MULTIPLIER_BITS = 15
ROOT_BITS, ROOT_SHIFT, LARGEST_POWER = 15, 20, 2**52
CERTAIN = 1e-6
# Step of the table of reciprocals as a power of two of score steps, and its reach.
LINKS: dict[str, tuple[int, float, Callable[[float], float]]] = {
    "normal": (6, 5.0, lambda z: 0.5 * math.erfc(-z / math.sqrt(2.0))),
    "logistic": (7, 14.0, lambda z: 1.0 / (1.0 + math.exp(-z))),
}


def lower(
    model: Any,
    *,
    inputs: str = "auto",
    bits: int = 15,
    examples: ArrayLike | None = None,
    encoder: Any = None,
) -> IntegerNetwork:
    """Build the integer network of a fitted classifier.

    Parameters
    ----------
    model : classifier
        Fitted ``MessagePassingClassifier`` with ``prediction="mode"``, gradient classifier with sign units,
        solver classifier of whole weights, or ``PairwiseVoteClassifier`` of these with ``vote="hard"``; or a
        pipeline of scalers of scikit-learn, an encoder with ``columns_`` and one of these.
    inputs : str, default="auto"
        ``"uint8"``: whole numbers 0..255; ``"whole"``: any whole numbers, for linear transforms; ``"real"``;
        ``"auto"``: what ``examples`` are, else by the transform's scale.
    bits : int from 2 to 15, default=15
        Bits of the largest code of a table.
    examples : array-like or None, default=None
        Inputs ``[n, F]`` that show their range.
    encoder : transformer or None, default=None
        Fitted encoder of tables, with ``columns_`` of kind, thresholds, categories and off.

    Raises
    ------
    ValueError
        If the classifier cannot be a network of whole numbers; the message names the reason.
    """
    if not isinstance(inputs, str) or inputs not in INPUTS:
        raise ValueError(f"inputs must be one of {INPUTS}, got {inputs!r}")
    if not isinstance(bits, int | np.integer) or not 2 <= bits <= 15:
        raise ValueError(f"bits must be a whole number from 2 to 15, got {bits!r}")
    scalers: list[Any] = []
    if hasattr(model, "steps"):
        model, encoder, scalers = _pipeline_parts(model)
    if encoder is None:
        encoder = _own_encoder(model)
    table = None if encoder is None else before_scalers(_thermometer(encoder), scalers)
    is_vote = hasattr(model, "estimators_") and hasattr(model, "pairs_")
    members = _vote_members(model) if is_vote else [read_network(model)]
    unit = _unit_of(model.estimators_ if is_vote else [model])
    units = [] if table is not None else [*map(unit_of_scaler, scalers), *([] if unit is None else [unit])]
    for each in reversed(units):
        members = [replace(member, transform=member.transform.measured_in(each)) for member in members]
    ties = model.ties if is_vote else None
    columns = used_columns(members)
    rows = None if examples is None else as_rows(examples)
    if rows is not None and table is None:
        rows = _numbers(rows)
    if table is not None:
        inputs, rows = "whole" if inputs == "auto" else inputs, None
    kind = kind_of_inputs(members, columns, rows) if inputs == "auto" else inputs
    members = [with_whole_codes(member, kind) for member in members]
    coding = code_inputs(members, columns, kind, bits, rows, needs_fractions(members, ties))
    if table is not None and isinstance(coding.inputs, RealInputs) and coding.inputs.is_identity:
        bits_only = RealInputs(np.zeros(1), np.ones(1), 1.0, 1, table.num_bits)
        coding = Coding(bits_only, coding.unit, coding.exact)
    layers = stack_members(members, columns)
    network_layers, decision = _integers(members, layers, columns, coding, ties, len(model.classes_))
    return IntegerNetwork(
        coding.inputs,
        columns,
        network_layers,
        decision,
        tuple(np.asarray(model.classes_).tolist()),
        _unlabelled(model) if ties == "head_to_head" else None,
        table,
        coding.exact,
        {"model": type(model).__name__}
        | ({"notes": "; ".join(notes)} if (notes := members[0].notes) else {}),
    )


def _unit_of(members: Sequence[Any]) -> Any:
    """The origin and the unit that inputs are measured in before their transform; None: as they are."""
    first, *others = (getattr(member, "input_unit_", None) for member in members)
    for other in others:
        if (first is None) != (other is None) or not all(map(np.array_equal, first or (), other or ())):
            raise ValueError("members must measure inputs in one unit to be exported as one network")
    return first


def _numbers(rows: NDArray) -> NDArray:
    """Examples as numbers."""
    try:
        numbers = rows if rows.dtype.kind in "biuf" else rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"examples must be numbers, got an array of {rows.dtype}: {error}") from error
    if numbers.dtype.kind == "f" and not np.all(np.isfinite(numbers)):
        raise ValueError("examples must be finite, got NaN or infinity: leave these rows out")
    return numbers


def _pipeline_parts(model: Any) -> tuple[Any, Any, list[Any]]:
    """The classifier of a pipeline, its encoder or None, and the scalers before."""
    *parts, classifier = [step for _, step in model.steps if not isinstance(step, str | None)]
    encoder = parts.pop() if parts and hasattr(parts[-1], "columns_") else None
    for step in parts:
        if not is_scaler(step):
            raise ValueError(
                f"a pipeline with {type(step).__name__} cannot be exported: before the classifier may stand "
                "StandardScaler, RobustScaler, MinMaxScaler or MaxAbsScaler without clip, and one encoder "
                "with columns_"
            )
    return classifier, encoder, parts


def _own_encoder(model: Any) -> Any:
    """The code of tables that a classifier, or the members of a vote, learned themselves; or None."""
    members = getattr(model, "estimators_", None)
    return getattr(members[0] if members else model, "encoder_", None)


def _thermometer(encoder: Any) -> Thermometer:
    if not hasattr(encoder, "columns_"):
        raise ValueError(f"{type(encoder).__name__} cannot be exported: it has no columns_")
    return Thermometer(
        tuple(
            Column(code.kind, tuple(code.thresholds), tuple(code.categories), int(getattr(code, "off", 0)))
            for code in encoder.columns_
        )
    )


def _vote_members(model: Any) -> list[ReadNetwork]:
    if model.vote != "hard":
        raise ValueError(
            f"vote must be 'hard' to be exported, got {model.vote!r}: probabilities are not whole"
        )
    return read_members(model)


def _unlabelled(model: Any) -> Any:
    label = model._unlabelled_label()
    return label.item() if hasattr(label, "item") else label


def _integers(
    members: Sequence[ReadNetwork],
    layers: list[NDArray[np.int8]],
    columns: NDArray,
    coding: Coding,
    ties: str | None,
    num_classes: int,
) -> tuple[tuple[Layer, ...], Sign | Argmax | Vote]:
    units = [coding.unit, *(1.0 for _ in layers[1:])]
    cuts = [stack_cuts(members, index) * unit for index, unit in enumerate(units)]
    argmax = ties is None and len(members[0].gains) > 1
    built = []
    for index, (weights, cut) in enumerate(zip(layers, cuts, strict=True)):
        largest = coding.inputs.largest[columns] if index == 0 else None
        layer = Layer(weights, np.zeros(len(cut), np.int64), members[0].windows_of(index))
        bounds = layer.largest_sums(largest)
        if len(cut) != len(bounds):  # of every position
            bounds = np.repeat(bounds.reshape(len(weights), 1, -1), layer.positions, axis=1).ravel()
        link, reach = None, stack_reach(members, index)
        if argmax and index == len(layers) - 1:
            thresholds, decision = _argmax(cut, members[0].gains, bounds)
        elif reach is not None:
            thresholds, jumps = linked_thresholds(cut, reach[1], bounds)
            link = Link(reach[0], jumps)
        else:
            raised = rounded_up(cut)
            if ties != "confidence" or index < len(layers) - 1:
                # a cut out of reach decides alike wherever it is
                raised = np.clip(raised, -bounds, bounds + 1)
            thresholds = raised.astype(np.int64)
        built.append(replace(layer, thresholds=thresholds, link=link))
    if argmax:
        return tuple(built), decision
    if ties is None:
        return tuple(built), Sign()
    confidence = None
    if ties == "confidence":
        confidence = _confidence(members, built, columns, coding)
    return tuple(built), Vote(num_classes, ties, confidence)


def _argmax(
    cut: NDArray[np.float64], gains: NDArray[np.float64], bounds: NDArray
) -> tuple[NDArray[np.int64], Argmax]:
    """Thresholds of outputs, and multipliers where batch norm scales them differently."""
    if np.all(gains == gains[0]) and gains[0] > 0.0:
        return np.round(cut).astype(np.int64), Argmax(len(cut))
    largest = float(np.abs(gains).max()) or 1.0
    multipliers = np.round(gains / largest * 2.0**MULTIPLIER_BITS)
    offsets = np.round(gains / largest * 2.0**MULTIPLIER_BITS * cut)
    zeros = np.zeros(len(cut), np.int64)
    return zeros, Argmax(len(cut), multipliers.astype(np.int64), offsets.astype(np.int64))


def _confidence(
    members: Sequence[ReadNetwork], layers: Sequence[Layer], columns: NDArray, coding: Coding
) -> Confidence:
    link, last = members[0].link, layers[-1]
    sums = last.windows is not None and (len(layers) == 1 or last.windows.num_summed > 1)
    if link == "normal" and sums:
        raise ValueError(
            "ties='confidence' above means of squares is not exported, its spread differs from row to row: "
            "use ties='head_to_head'"
        )
    step_bits, reach, probability = LINKS[link]
    step = 2.0 ** (step_bits - SCORE_BITS)
    scores = np.arange(round(reach / step) + 1) * step
    shares = np.array([[probability(-score), probability(score)] for score in scores.tolist()])
    losing, winning = np.round(4096.0 / np.clip(shares, CERTAIN, 1.0 - CERTAIN)).astype(np.uint32).T
    biases = np.concatenate([member.biases for member in members])
    shift = SCORE_BITS + ROOT_SHIFT
    if link == "logistic":
        unit = coding.unit if len(layers) == 1 else 1.0
        roots = unit / np.concatenate([member.gains for member in members])
    elif len(layers) > 1:
        roots = np.sqrt(np.square(last.weights.astype(np.int64)).sum(axis=1).ravel() + np.square(biases))
    else:
        offsets = np.round(members[0].transform.offset[columns] * coding.unit).astype(np.int64)
        extra = np.round(np.square(biases * coding.unit)).astype(np.int64)
        largest = np.square(coding.inputs.largest[columns] + np.abs(offsets))
        power = (np.square(last.weights[0].astype(np.int64)) * largest[:, None]).sum(axis=0) + extra
        spare = (LARGEST_POWER // max(int(power.max(initial=1)), 1)).bit_length() - 1
        bits = max(0, min(spare // 2, ROOT_BITS))
        return Confidence(losing, winning, step_bits, SCORE_BITS + bits, None, offsets, extra, bits)
    whole = np.maximum(np.round(roots * 2.0**ROOT_SHIFT), 1.0).astype(np.int64)
    return Confidence(losing, winning, step_bits, shift, whole)
