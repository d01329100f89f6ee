"""Reading the discrete network of a fitted classifier, by its attributes alone.

Whatever trained it, a network is weights and cuts: a hidden unit is +1 where ``sum_f w_f T(x_f) >= cut``,
else -1, in units of the transformed inputs ``T``. Biases, centring, batch norm and thresholds are
in the cuts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.paths import windows_along
from mpnn.integer_networks.windows import Windows

__all__ = [
    "ReadNetwork",
    "Transform",
    "centred_at",
    "read_members",
    "read_network",
    "stack_cuts",
    "stack_members",
    "used_columns",
]

NORM_EPSILON = 1e-4
# A step unit of whole weights is on half a step below its threshold.
STEP_TOLERANCE = 0.5


@dataclass(frozen=True, eq=False)
class Transform:
    """``T(x) = sign(u) max(|u| - dead_zone, 0)^power`` with ``u = (x - centre) scale``.

    Rounded to whole numbers where ``rounded``. centre, scale: float64 ``[]`` or ``[F]``; offset ``[F]`` is
    subtracted from T by the cuts; inputs that are not ``live`` have no weights.
    """

    centre: NDArray
    scale: NDArray
    power: float
    offset: NDArray
    live: NDArray
    rounded: bool = False
    dead_zone: float = 0.0

    @property
    def is_one_factor(self) -> bool:
        """Whether all inputs are multiplied by one number, and that is all."""
        return self.power == 1.0 and self.dead_zone == 0.0 and self.scale.ndim == 0 and not self.rounded

    def measured_in(self, unit: Any) -> "Transform":
        """The transform of inputs as they are, if this one is of ``(x - unit.origin) / unit.unit``.

        Parameters
        ----------
        unit : InputUnit
            Of a transform whose own centre is 0.
        """
        origin, one = (_plain(np.asarray(part, np.float64)) for part in unit)
        return replace(self, centre=origin, scale=self.scale / one)

    def equals(self, other: "Transform") -> bool:
        """Whether two transforms are the same."""
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)
        )


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A discrete network.

    Parameters
    ----------
    transform : of the inputs.
    weights : int8 ``[inputs, units]`` a layer; rows of dead inputs are 0.
    cuts : float64 ``[units]`` a layer; of a first convolution, ``[Q, units]`` where positions differ.
    gains : float64 ``[outputs]``, what an output's sum less its cut is multiplied by.
    biases : of the last layer, float64 ``[outputs]``, beside ``T``; 0 without.
    link : of a pair's probability: ``"normal"`` (output over its spread) or ``"logistic"``.
    notes : what an export changes.
    windows : one a layer, None of a dense one; empty: all are dense.
    """

    transform: Transform
    weights: tuple[NDArray[np.int8], ...]
    cuts: tuple[NDArray[np.float64], ...]
    gains: NDArray[np.float64]
    biases: NDArray[np.float64]
    link: str = "normal"
    notes: tuple[str, ...] = ()
    windows: tuple[Windows | None, ...] = ()

    def windows_of(self, index: int) -> Windows | None:
        """Windows of a layer; None: it is dense."""
        return self.windows[index] if self.windows else None


def centred_at(network: ReadNetwork, centre: NDArray) -> ReadNetwork:
    """The same network with another centre of its linear transform: the cuts take up the difference.

    Parameters
    ----------
    network : ReadNetwork
        Whose transform is one factor.
    centre : float64 ndarray []
        Where the transform is to be 0.
    """
    transform, windows = network.transform, network.windows_of(0)
    difference = np.broadcast_to((transform.centre - centre) * transform.scale, transform.offset.shape)
    shift = _offset_cut(replace(transform, offset=difference), network.weights[0], windows)
    shift = shift * (1 if windows is None else windows.num_summed)
    moved = replace(transform, centre=centre, offset=transform.offset + difference)
    return replace(network, transform=moved, cuts=(network.cuts[0] + shift, *network.cuts[1:]))


def used_columns(members: Sequence[ReadNetwork]) -> NDArray[np.int64]:
    """Inputs that have a weight in any of the networks, increasing.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs.
    """
    if members[0].windows_of(0) is not None:
        return np.flatnonzero(np.any([member.transform.live for member in members], axis=0))
    return np.flatnonzero(np.any([np.any(member.weights[0] != 0, axis=1) for member in members], axis=0))


def stack_members(members: Sequence[ReadNetwork], columns: NDArray) -> list[NDArray[np.int8]]:
    """Weights ``[G, inputs, units]`` of each layer: first layers side by side, then a block a member.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs, of the same shape.
    columns : int ndarray [used]
        Inputs that the first layer keeps.
    """
    if members[0].windows_of(0) is not None:
        return [np.stack(layers) for layers in zip(*(member.weights for member in members), strict=True)]
    first = np.concatenate([member.weights[0][columns] for member in members], axis=1)[None]
    above = range(1, len(members[0].weights))
    return [first, *(np.stack([member.weights[index] for member in members]) for index in above)]


def stack_cuts(members: Sequence[ReadNetwork], index: int) -> NDArray[np.float64]:
    """Cuts of a layer, members side by side, in the order of the layer's thresholds.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs, of the same shape.
    index : int
        Of the layer.
    """
    cuts = [member.cuts[index] for member in members]
    shape = max((cut.shape for cut in cuts), key=len)
    return np.concatenate([np.broadcast_to(cut, shape).ravel() for cut in cuts])


def read_members(model: Any) -> list[ReadNetwork]:
    """The networks of a pairwise vote, in the order of its pairs, all with the same inputs and shape."""
    # the vote's template says how its members predict
    prediction = getattr(model.estimator, "prediction", None)
    members = [read_network(member, prediction) for member in model.estimators_]
    first = members[0]
    for member in members[1:]:
        if not member.transform.equals(first.transform):
            # members that are fitted one by one learn which inputs are live; their weights tell too
            own = replace(member.transform, live=first.transform.live)
            if not own.equals(first.transform) or member.windows_of(0) is not None:
                raise ValueError("members must share one input transform to be exported as one network")
        if member.windows != first.windows or [layer.shape for layer in member.weights] != [
            layer.shape for layer in first.weights
        ]:
            raise ValueError("members must have the same widths to be exported as one network")
    return members


def read_network(model: Any, prediction: str | None = None) -> ReadNetwork:
    """The discrete network of one fitted classifier.

    Raises
    ------
    ValueError
        If the classifier is not fitted, or is not a network of few-bit weights and sign units.
    """
    name = type(model).__name__
    if not hasattr(model, "weights_") or not hasattr(model, "input_transform_"):
        raise ValueError(f"{name} cannot be exported: it is not fitted, or not a network of few-bit weights")
    if any(np.asarray(layer).dtype.kind not in "iu" for layer in model.weights_):
        raise ValueError(f"{name} cannot be exported: its weights are real numbers, not few-bit")
    if any(np.asarray(layer).ndim != 2 for layer in model.weights_):
        raise ValueError(f"{name} cannot be exported: only dense layers can be")
    mode = str(prediction or getattr(model, "prediction", "mode"))
    if hasattr(model, "thresholds_"):
        return _read_steps(model)
    if hasattr(model.input_transform_, "unit"):
        return _read_solver(model)
    if hasattr(model, "method_"):
        return _read_gradient(model, name, mode)
    return _read_message_passing(model, name, mode)


def _check_mode(name: str, prediction: str) -> None:
    if prediction != "mode":
        raise ValueError(
            f"{name} cannot be exported with prediction={prediction!r}: set prediction='mode', "
            "which is the discrete network"
        )


def _check_signs(name: str, activation: str, num_layers: int) -> None:
    if num_layers > 1 and activation != "sign":
        raise ValueError(f"{name} cannot be exported: its hidden units are {activation!r}, not signs")


def _plain(numbers: NDArray) -> NDArray:
    """One number without an axis, which model files give it."""
    return numbers.reshape(()) if numbers.size == 1 else numbers


def _power_transform(transform: Any, num_inputs: int) -> Transform:
    return Transform(
        np.zeros(()),
        _plain(np.asarray(transform.scale, np.float64)),
        float(transform.power),
        np.broadcast_to(np.asarray(transform.offset, np.float64), (num_inputs,)),
        np.asarray(transform.live, bool),
        dead_zone=float(transform.dead_zone),
    )


def _of_features(transform: Any, layers: Any, num_inputs: int) -> tuple[Transform, Any]:
    """The transform and the layers; sums of features are folded into the weights of the features."""
    if getattr(transform, "sums", None) is None:
        return _power_transform(transform, num_inputs), layers
    first, num_features = transform.folded(layers[0]), len(transform.sums)
    if np.abs(first).max(initial=0) > np.iinfo(np.int8).max:
        raise ValueError(
            f"weights with sums of bits folded in are up to {np.abs(first).max()}, more than eight bits: "
            "train with weights of fewer levels"
        )
    plain = Transform(np.zeros(()), np.ones(()), 1.0, np.zeros(num_features), np.ones(num_features, bool))
    return plain, [first, *layers[1:]]


def _live_weights(layers: Any, live: NDArray, windows: Windows | None = None) -> tuple[NDArray[np.int8], ...]:
    first, *above = (np.asarray(layer).astype(np.int8) for layer in layers)
    if windows is not None:  # links of all positions: inputs that are not live are 0 themselves
        return (first, *above)
    return (np.where(live[:, None], first, 0).astype(np.int8), *above)


def _offset_cut(transform: Transform, first: NDArray, windows: Windows | None = None) -> NDArray[np.float64]:
    """What the offsets add to the cuts, ``[units]``, or ``[Q, units]`` where positions differ."""
    offset = np.where(transform.live, transform.offset, 0.0)
    if windows is None:
        return first.astype(np.float64).T @ offset
    # as means of squares, which become sums with the other parts of the cuts
    cuts = windows.patches(offset[None])[0] @ first.astype(np.float64) / windows.num_summed
    return cuts[0] if np.array_equal(cuts, np.broadcast_to(cuts[0], cuts.shape)) else cuts


def _biases(model: Any, weights: tuple[NDArray, ...]) -> list[NDArray[np.float64]]:
    biases = [None] * len(weights) if model.biases_ is None else model.biases_
    return [
        np.zeros(layer.shape[1]) if bias is None else np.asarray(bias, np.float64)
        for layer, bias in zip(weights, biases, strict=True)
    ]


def _read_message_passing(model: Any, name: str, prediction: str) -> ReadNetwork:
    _check_mode(name, prediction)
    spec = model.spec_
    windows = windows_along(name, spec.layers, spec.input_shape)
    for layer in spec.weighted[:-1]:
        _check_signs(name, layer.activation, len(model.weights_))
    transform, layers = _of_features(model.input_transform_, model.weights_, math.prod(spec.input_shape))
    weights = _live_weights(layers, transform.live, windows[0])
    biases = _biases(model, weights)
    cuts = [-bias for bias in biases]
    cuts[0] = cuts[0] + _offset_cut(transform, weights[0], windows[0])
    return _of_sums(ReadNetwork(transform, weights, tuple(cuts), np.ones(len(cuts[-1])), biases[-1]), windows)


def _of_sums(network: ReadNetwork, windows: tuple[Windows | None, ...]) -> ReadNetwork:
    """The same network with sums of squares in place of means."""
    counts = [1 if own is None else own.num_summed for own in windows]
    cuts = tuple(cut * count for cut, count in zip(network.cuts, counts, strict=True))
    gains, biases = network.gains / counts[-1], network.biases * counts[-1]
    return replace(network, cuts=cuts, gains=gains, biases=biases, windows=windows)


def _read_gradient(model: Any, name: str, prediction: str) -> ReadNetwork:
    """``norm(scale (W x + b))`` a layer; a unit with a negative gain has its weights and its cut negated."""
    spec, family = model.method_.network, model.method_.family
    if not family.deterministic:
        _check_mode(name, prediction)
    if not hasattr(spec, "steps") or getattr(spec, "real_output", False):
        raise ValueError(f"{name} cannot be exported: only networks whose weights are all few-bit can be")
    windows = windows_along(name, [getattr(step, "layer", step) for step in spec.steps], spec.widths[:1])
    _check_signs(name, spec.activation, len(model.weights_))
    transform = _power_transform(model.input_transform_, spec.widths[0])
    weights = list(_live_weights(model.weights_, transform.live, windows[0]))
    biases, cuts = _biases(model, tuple(weights)), []
    norms = _norms(model, spec)
    for index, (layer, bias) in enumerate(zip(weights, biases, strict=True)):
        scale = (len(layer) + bool(spec.bias)) ** -0.5 if spec.scaled else 1.0
        gain, shift = norms[index]
        constant, last = gain == 0.0, index == len(weights) - 1
        if last and layer.shape[1] > 1 and constant.any():
            raise ValueError(f"{name} cannot be exported: batch norm multiplies an output by 0")
        safe = np.where(constant, 1.0, gain)
        cut = -shift / (safe * scale) - bias
        if index == 0:
            cut = cut + _offset_cut(transform, layer, windows[0])
        # a unit that batch norm multiplies by 0 is the sign of its shift
        layer = np.where(constant, 0, layer)
        cut = np.where(constant, np.where(shift >= 0.0, 0.0, 1.0), cut)
        cuts.append(cut)
        gains = safe * scale
        if not last or layer.shape[1] == 1:
            sign = np.where(gain < 0.0, -1, 1)
            weights[index], cuts[index] = (layer * sign).astype(np.int8), cut * sign
            gains = np.abs(gains)
    read = ReadNetwork(transform, tuple(weights), tuple(cuts), gains, biases[-1], link="logistic")
    return _of_sums(read, windows)


def _norms(model: Any, spec: Any) -> list[tuple[NDArray, NDArray]]:
    """Gain and shift ``[units]`` of every layer's batch norm; 1 and 0 where there is none."""
    num_layers, statistics = len(model.weights_), [np.asarray(leaf, np.float64) for leaf in model.statistics_]
    identity = [(np.ones(layer.shape[1]), np.zeros(layer.shape[1])) for layer in model.weights_]
    if spec.norm is None:
        return identity
    count = num_layers if spec.norm_hidden else 1
    norms = []
    for place in range(count):
        mean, variance = statistics[2 * place : 2 * place + 2]
        gain, shift = 1.0 / np.sqrt(variance + NORM_EPSILON), np.zeros(len(mean))
        if spec.norm == "batch_affine":
            shift, scale = (np.asarray(leaf, np.float64) for leaf in model.real_[2 * place : 2 * place + 2])
            gain = gain * scale
        norms.append((gain, shift - mean * gain))
    return identity[: num_layers - count] + norms


def _whole_transform(transform: Any, num_inputs: int) -> Transform:
    return Transform(
        np.asarray(transform.offset, np.float64),
        np.asarray(transform.scale, np.float64),
        1.0,
        np.zeros(num_inputs),
        np.asarray(transform.live, bool),
        rounded=True,
    )


def _solver_notes(num_outputs: int) -> tuple[str, ...]:
    if num_outputs == 1:
        return ()
    return ("of equal outputs the first class wins; the classifier draws one",)


def _read_solver(model: Any) -> ReadNetwork:
    transform = _whole_transform(model.input_transform_, len(model.weights_[0]))
    weights = _live_weights(model.weights_, transform.live)
    biases = _biases(model, weights)
    biases[0] = biases[0] * model.input_transform_.unit
    ones, notes = np.ones(weights[-1].shape[1]), _solver_notes(weights[-1].shape[1])
    return ReadNetwork(transform, weights, tuple(-b for b in biases), ones, biases[-1], "logistic", notes)


def _read_steps(model: Any) -> ReadNetwork:
    """Step units are 0 and 1, ``(sign + 1) / 2``: above the first layer, sums double and cuts shift."""
    transform = _whole_transform(model.input_transform_, len(model.weights_[0]))
    weights = _live_weights(model.weights_, transform.live)
    cuts = [np.asarray(threshold, np.float64) - STEP_TOLERANCE for threshold in model.thresholds_]
    for index in range(1, len(weights)):
        cuts[index] = 2.0 * cuts[index] - weights[index].sum(axis=0, dtype=np.float64)
    zeros = np.zeros(len(cuts[-1]))
    gains = np.full(len(zeros), 0.5 if len(weights) > 1 else 1.0)
    notes = _solver_notes(len(zeros))
    return ReadNetwork(transform, weights, tuple(cuts), gains, zeros, "logistic", notes)
