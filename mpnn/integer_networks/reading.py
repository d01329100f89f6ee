"""Reading the discrete network of a fitted classifier, by its attributes alone: biases, centring, batch norm
and thresholds become cuts.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.paths import Path
from mpnn.integer_networks.read_networks import ReadLink, ReadNetwork, Transform, cut_of_offset, plain
from mpnn.integer_networks.windows import Windows

__all__ = ["read_members", "read_network"]

NORM_EPSILON = 1e-4
# What the blocks of BinaryConvClassifier hand on beside signs.
CARRIED = {
    "residual": ", and its shortcuts carry real numbers, not signs",
    "dense": ", and its blocks append real numbers, not signs",
}
# A step unit of whole weights is on half a step below its threshold.
STEP_TOLERANCE = 0.5


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
        if member.shapes != first.shapes:
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
    if hasattr(model, "stem"):
        raise ValueError(
            f"{name} cannot be exported: its first convolution and its outputs have real weights"
            f"{CARRIED.get(model.block, '')}; networks of Conv2D, MaxPool2D and Residual "
            "(mpnn.layers) can be, trained by MessagePassingClassifier, STEClassifier or BopClassifier"
        )
    if any(np.asarray(layer).ndim != 2 for layer in model.weights_):
        raise ValueError(f"{name} cannot be exported: its weights are no matrices [inputs, units]")
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


def _power_transform(transform: Any, num_inputs: int) -> Transform:
    return Transform(
        np.zeros(()),
        plain(np.asarray(transform.scale, np.float64)),
        float(transform.power),
        np.broadcast_to(np.asarray(transform.offset, np.float64), (num_inputs,)),
        np.asarray(transform.live, bool),
        dead_zone=float(transform.dead_zone),
    )


def _of_features(transform: Any, layers: Any, num_inputs: int) -> tuple[Transform, Any, Any]:
    """The transform, the layers, and what is subtracted from the first one's sums beside its offset.

    Sums of features are folded into the weights of the features.
    """
    if getattr(transform, "sums", None) is None:
        return _power_transform(transform, num_inputs), layers, 0.0
    first, num_features = transform.folded(layers[0]), len(transform.sums)
    of_offset = np.broadcast_to(transform.offset, (len(layers[0]),)).astype(np.float64) @ layers[0]
    if np.abs(first).max(initial=0) > np.iinfo(np.int8).max:
        raise ValueError(
            f"weights with sums of bits folded in are up to {np.abs(first).max()}, more than eight bits: "
            "train with weights of fewer levels"
        )
    plain = Transform(np.zeros(()), np.ones(()), 1.0, np.zeros(num_features), np.ones(num_features, bool))
    return plain, [first, *layers[1:]], of_offset


def _live_weights(layers: Any, live: NDArray, windows: Windows | None = None) -> tuple[NDArray[np.int8], ...]:
    first, *above = (np.asarray(layer).astype(np.int8) for layer in layers)
    if windows is not None:  # links of all positions: inputs that are not live are 0 themselves
        return (first, *above)
    return (np.where(live[:, None], first, 0).astype(np.int8), *above)


def _biases(model: Any, weights: tuple[NDArray, ...]) -> list[NDArray[np.float64]]:
    biases = [None] * len(weights) if model.biases_ is None else model.biases_
    return [
        np.zeros(layer.shape[1]) if bias is None else np.asarray(bias, np.float64)
        for layer, bias in zip(weights, biases, strict=True)
    ]


def _first_with_inputs(name: str, layers: Any, path: Path) -> Any:
    """The layers; a link around the first one alone is one more weight of 1 from every input to its unit."""
    links = [link for link in path.links if link == 0]
    if not links:
        return layers
    if path.links[0] is None or len(links) > 1:
        raise ValueError(
            f"{name} cannot be exported: a residual link around several layers that begins at the inputs "
            "carries numbers, not signs; put a layer of sign units before it"
        )
    first, windows = np.asarray(layers[0]).astype(np.int64), path.windows[0]
    place = 0 if windows is None else windows.margins[0] * windows.window[1] + windows.margins[1]
    units = np.arange(first.shape[1])
    first[place * len(units) + units, units] += 1
    if np.abs(first).max() > np.iinfo(np.int8).max:
        raise ValueError(
            f"{name} cannot be exported: weights of 127 and a link of 1 are more than eight bits"
        )
    return [first, *layers[1:]]


def _links(path: Path, reaches: Sequence[NDArray[np.float64]]) -> tuple[ReadLink | None, ...]:
    """Links between layers of signs, with the reach of each layer."""
    pairs = zip(path.links, reaches, strict=True)
    return tuple(ReadLink(below, reach) if below else None for below, reach in pairs)


def _read_message_passing(model: Any, name: str, prediction: str) -> ReadNetwork:
    _check_mode(name, prediction)
    spec = model.spec_
    path = Path(name, spec.layers, spec.input_shape)
    windows = tuple(path.windows)
    for layer in spec.weighted[:-1]:
        _check_signs(name, layer.activation, len(model.weights_))
    layers = _first_with_inputs(name, model.weights_, path)
    transform, layers, subtracted = _of_features(model.input_transform_, layers, math.prod(spec.input_shape))
    weights = _live_weights(layers, transform.live, windows[0])
    biases = _biases(model, weights)
    cuts = [-bias for bias in biases]
    cuts[0] = cuts[0] + subtracted + cut_of_offset(transform, weights[0], windows[0])
    links = _links(path, [np.ones(layer.shape[1]) for layer in weights])
    ones = np.ones(len(cuts[-1]))
    return _of_sums(ReadNetwork(transform, weights, tuple(cuts), ones, biases[-1], links=links), windows)


def _of_sums(network: ReadNetwork, windows: tuple[Windows | None, ...]) -> ReadNetwork:
    """The same network with sums of squares in place of means."""
    counts = [1 if own is None else own.num_summed for own in windows]
    cuts = tuple(cut * count for cut, count in zip(network.cuts, counts, strict=True))
    gains, biases = network.gains / counts[-1], network.biases * counts[-1]
    links = tuple(
        link and replace(link, reach=link.reach * count)
        for link, count in zip(network.links, counts, strict=True)
    )
    return replace(network, cuts=cuts, gains=gains, biases=biases, windows=windows, links=links)


def _read_gradient(model: Any, name: str, prediction: str) -> ReadNetwork:
    """``norm(scale (W x + b))`` a layer; a unit with a negative gain has its weights and its cut negated."""
    spec, family = model.method_.network, model.method_.family
    if not family.deterministic:
        _check_mode(name, prediction)
    if not hasattr(spec, "steps") or getattr(spec, "real_output", False):
        raise ValueError(f"{name} cannot be exported: only networks whose weights are all few-bit can be")
    path = Path(name, [getattr(step, "layer", step) for step in spec.steps], spec.widths[:1])
    windows = tuple(path.windows)
    _check_signs(name, spec.activation, len(model.weights_))
    transform = _power_transform(model.input_transform_, spec.widths[0])
    normed = spec.norm is not None and spec.norm_hidden
    if normed and path.links[0] is not None:
        raise ValueError(f"{name} cannot be exported: a residual link adds inputs to what batch norm scales")
    layers = _first_with_inputs(name, model.weights_, path)
    weights = list(_live_weights(layers, transform.live, windows[0]))
    biases, cuts, reaches = _biases(model, tuple(weights)), [], []
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
            cut = cut + cut_of_offset(transform, layer, windows[0])
        # a unit that batch norm multiplies by 0 is the sign of its shift, or of shift and link
        layer = np.where(constant, 0, layer)
        alone = -shift if path.links[index] else np.where(shift >= 0.0, 0.0, 1.0)
        cut = np.where(constant, alone, cut)
        cuts.append(cut)
        gains = safe * scale
        # a link is one more term of the sum, or beside the norm of all
        reaches.append(np.where(constant, 1.0, 1.0 / np.abs(gains)) if normed else np.ones(len(gains)))
        if not last or layer.shape[1] == 1:
            sign = np.where(gain < 0.0, -1, 1)
            weights[index], cuts[index] = (layer * sign).astype(np.int8), cut * sign
            gains = np.abs(gains)
    links = _links(path, reaches)
    read = ReadNetwork(
        transform, tuple(weights), tuple(cuts), gains, biases[-1], link="logistic", links=links
    )
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
