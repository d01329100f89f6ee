"""An integer network as an ONNX model of standard operators.

Opset 18. Codes, sums and outputs are float32 where no sum reaches 2^24, else float64: whole numbers that
floating point adds without rounding, in any order, so that labels are equal on every runtime. Weights are
int8 and cast once. Outputs: ``label`` ``[n]`` (int64, float32 or string) and ``scores`` ``[n, C]`` (votes, or
whole scores; ``[n, 1]`` for two classes), never a ZipMap.

Input ``x [n, F]``: uint8 pixels; float64 for real or whole inputs; int8 bits behind an encoder of tables.

Codes, weights, signs and sums are annotated with QONNX's types of whole numbers (``BIPOLAR``, ``TERNARY``,
``INT12``), which compilers to hardware read and other runtimes skip.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpnn.atomic_files import write_atomically
from mpnn.deploy.onnx_graph import Graph, whole_type_of
from mpnn.deploy.onnx_windows import largest_of_squares, window_sums
from mpnn.integer_networks.decisions import Argmax, Confidence, Sign, Vote, all_pairs
from mpnn.integer_networks.inputs import PixelTable, as_rows
from mpnn.integer_networks.network import IntegerNetwork, Layer

if TYPE_CHECKING:
    import onnx

__all__ = ["OPSET", "onnx_inputs", "onnx_model", "save_onnx"]

OPSET, IR_VERSION = 18, 9
EXACT_FLOAT32 = 2**24


def onnx_inputs(network: IntegerNetwork, X: ArrayLike) -> NDArray:
    """Rows as the model takes them."""
    rows = as_rows(X)
    if network.encoder is not None:
        return network.encoder.encode(rows)
    return rows.astype(np.uint8 if isinstance(network.inputs, PixelTable) else np.float64)


def onnx_model(network: IntegerNetwork) -> "onnx.ModelProto":
    """Build the model.

    Raises
    ------
    ImportError
        If ``onnx`` is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        raise ImportError("export to ONNX needs onnx: pip install 'mpnn[onnx]'") from error
    graph = Graph()
    kind = np.dtype(np.float32 if network.largest_sum < EXACT_FLOAT32 else np.float64)
    codes = graph.annotate(_codes(graph, network, kind), _code_type(network))
    outputs, signs = codes, [codes]
    for index, layer in enumerate(network.layers):
        own, first = kind if index == 0 else np.dtype(np.float32), index == 0
        if layer.windows is None:
            sums = _sums(graph, layer, outputs, own)
        else:
            below = _everywhere(graph, network, outputs) if first else outputs
            sums = window_sums(graph, layer, below, own, shared=first)
        largest = network.inputs.largest[network.columns] if first else None
        bound = int(layer.largest_sums(largest).max(initial=1))
        graph.annotate(sums, whole_type_of(-bound, bound))
        if layer.link is not None:
            begin = network.layers[layer.link.below]
            linked = largest_of_squares(graph, begin, signs[layer.link.below])
            sums = _with_jumps(graph, sums, linked, layer.of_units(layer.link.jumps))
            graph.annotate(sums, whole_type_of(-bound, bound + int(layer.link.jumps.max())))
        outputs = graph("Sub", sums, graph.constant(layer.unit_thresholds.astype(own)))
        if index < len(network.layers) - 1:
            outputs = _signs(graph, outputs)
            signs.append(outputs)
    winner = _decide(graph, network, codes, outputs, kind)
    labels = np.array(network.labels)
    table = labels if network.unlabelled is None else np.array([*network.labels, network.unlabelled])
    table = table.astype(
        object if table.dtype.kind == "U" else np.float32 if table.dtype.kind == "f" else np.int64
    )
    graph("Gather", graph.constant(table), winner, name="label")
    input_type = TensorProto.UINT8 if isinstance(network.inputs, PixelTable) else TensorProto.DOUBLE
    input_type = input_type if network.encoder is None else TensorProto.INT8
    label_type = helper.np_dtype_to_tensor_dtype(table.dtype) if table.dtype != object else TensorProto.STRING
    width = 1 if isinstance(network.decision, Sign) else network.decision.num_classes
    body = helper.make_graph(
        graph.nodes,
        "mpnn",
        [helper.make_tensor_value_info("x", input_type, ["n", network.inputs.num_inputs])],
        [
            helper.make_tensor_value_info("label", label_type, ["n"]),
            helper.make_tensor_value_info("scores", TensorProto.INT64, ["n", width]),
        ],
        graph.constants,
    )
    body.quantization_annotation.extend(graph.annotations)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="mpnn"
    )
    helper.set_model_props(model, dict(network.provenance))
    return model


def save_onnx(network: IntegerNetwork, path: str | Path) -> None:
    """Write the model, checked by ``onnx.checker``, atomically."""
    model = onnx_model(network)
    import onnx

    onnx.checker.check_model(model, full_check=True)
    write_atomically(path, model.SerializeToString())


def _codes(graph: Graph, network: IntegerNetwork, kind: np.dtype) -> str:
    inputs, columns = network.inputs, network.columns
    used = "x"
    if len(columns) < inputs.num_inputs:
        used = graph("Gather", "x", graph.constant(columns), axis=1)
    if isinstance(inputs, PixelTable):
        if inputs.is_identity:
            return graph.cast(used, kind)
        place = graph.cast(used, np.int32)
        if len(inputs.codes) > 1:
            kinds = 256 * inputs.kinds[columns].astype(np.int32)
            place = graph("Add", place, graph.constant(kinds))
        return graph("Gather", graph.constant(inputs.codes.ravel().astype(kind)), place)
    if network.encoder is not None and inputs.is_identity:
        return graph.cast(used, kind)
    values = graph.cast(used, np.float64) if network.encoder is not None else used
    own = [each if len(each) == 1 else each[columns] for each in (inputs.offset, inputs.multiplier)]
    values = graph("Sub", values, graph.constant(own[0]))
    values = graph("Mul", values, graph.constant(own[1]))
    if inputs.power != 1.0 or inputs.dead_zone > 0.0:
        beyond = graph("Sub", graph("Abs", values), graph.constant(np.float64(inputs.dead_zone)))
        beyond = graph("Max", beyond, graph.constant(np.float64(0.0)))
        power = graph("Pow", beyond, graph.constant(np.float64(inputs.power)))
        values = graph("Mul", graph("Sign", values), power)
    clip = [graph.constant(np.float64(sign * inputs.clip)) for sign in (-1, 1)]
    return graph.cast(graph("Clip", graph("Round", values), *clip), kind)


def _code_type(network: IntegerNetwork) -> str:
    """QONNX's type of the codes."""
    inputs = network.inputs
    if isinstance(inputs, PixelTable):
        return whole_type_of(int(inputs.codes.min()), int(inputs.codes.max()))
    return whole_type_of(-inputs.clip, inputs.clip)


def _everywhere(graph: Graph, network: IntegerNetwork, codes: str) -> str:
    """Codes ``[n, F]`` of all inputs, 0 of those that are not used."""
    count = network.inputs.num_inputs
    if len(network.columns) == count:
        return codes
    places = np.full(count, len(network.columns))
    places[network.columns] = np.arange(len(network.columns))
    pads = graph.constant(np.array([0, 0, 0, 1]))
    return graph("Gather", graph("Pad", codes, pads), graph.constant(places), axis=1)


def _sums(graph: Graph, layer: Layer, below: str, kind: np.dtype) -> str:
    """Sums ``[n, units]``; blocks go through a product with a leading axis."""
    blocks, inputs, units = layer.weights.shape
    if blocks == 1:
        return graph("MatMul", below, graph.weights(layer.weights[0], kind))
    apart = graph("Reshape", below, graph.constant(np.array([-1, blocks, inputs])))
    apart = graph("Transpose", apart, perm=[1, 0, 2])
    sums = graph("MatMul", apart, graph.weights(layer.weights, kind))
    sums = graph("Transpose", sums, perm=[1, 0, 2])
    return graph("Reshape", sums, graph.constant(np.array([-1, blocks * units])))


def _with_jumps(graph: Graph, sums: str, linked: str, jumps: NDArray[np.int64]) -> str:
    """Sums, and the jumps of a link where the linked units are +1."""
    on = graph("Relu", linked)  # 1 or 0
    return graph("Add", sums, graph("Mul", on, graph.constant(jumps.astype(np.float32))))


def _signs(graph: Graph, outputs: str) -> str:
    """+1 where an output is 0 or more, else -1; ``Sign`` would give 0 for 0."""
    on = graph("GreaterOrEqual", outputs, _zero_of(graph, outputs))
    signs = graph("Where", on, graph.constant(np.float32(1)), graph.constant(np.float32(-1)))
    return graph.annotate(signs, "BIPOLAR")


def _zero_of(graph: Graph, value: str) -> str:
    return graph("CastLike", graph.constant(np.float32(0)), value)


def _decide(graph: Graph, network: IntegerNetwork, codes: str, outputs: str, kind: np.dtype) -> str:
    """Class numbers ``[n]``, int64; names the scores."""
    decision = network.decision
    whole = graph.cast(outputs, np.int64)
    if isinstance(decision, Sign):
        graph("Identity", whole, name="scores")
        on = graph("GreaterOrEqual", whole, graph.constant(np.int64(0)))
        return graph("Squeeze", graph.cast(on, np.int64), graph.constant(np.array([1])))
    if isinstance(decision, Argmax):
        if decision.multipliers is not None and decision.offsets is not None:
            whole = graph("Mul", whole, graph.constant(decision.multipliers))
            whole = graph("Sub", whole, graph.constant(decision.offsets))
        graph("Identity", whole, name="scores")
        # int64 is not among the types of every runtime's ArgMax: the first that equals the maximum
        top = graph("Equal", whole, _maximum(graph, whole))
        return graph("ArgMax", graph.cast(top, np.int32), axis=1, keepdims=0)
    return _vote(graph, network, decision, codes, outputs)


def _maximum(graph: Graph, value: str) -> str:
    return graph("ReduceMax", value, graph.constant(np.array([1])), keepdims=1)


def _vote(graph: Graph, network: IntegerNetwork, decision: Vote, codes: str, outputs: str) -> str:
    count = decision.num_classes
    pairs = all_pairs(count)
    sides = np.zeros((2, len(pairs), count), np.float32)
    for place, (first, second) in enumerate(pairs):
        sides[0, place, first] = sides[1, place, second] = 1.0
    wins = graph("GreaterOrEqual", outputs, _zero_of(graph, outputs))
    won = graph.cast(wins, np.float32)
    lost = graph("Sub", graph.constant(np.float32(1)), won)
    won_votes, lost_votes = (
        graph("MatMul", own, graph.constant(side)) for own, side in ((won, sides[0]), (lost, sides[1]))
    )
    votes = graph("Add", won_votes, lost_votes)
    graph.cast(votes, np.int64, name="scores")
    top = graph("Equal", votes, _maximum(graph, votes))
    if decision.confidence is not None:
        roots = _roots(graph, network, decision.confidence, codes)
        totals = _totals(graph, decision.confidence, outputs, wins, roots, sides)
        rest = graph.constant(np.float64(2.0**62))
        # whole numbers below 2^53
        return graph("ArgMin", graph("Where", top, totals, rest), axis=1, keepdims=0)
    topped = graph.cast(top, np.int32)
    tied = graph("ReduceSum", topped, graph.constant(np.array([1])), keepdims=0)
    first = graph("ArgMax", topped, axis=1, keepdims=0)
    last = graph("ArgMax", topped, axis=1, keepdims=0, select_last_index=1)
    both = graph("Add", graph("Mul", first, graph.constant(np.int64(count))), last)
    pair_of = np.zeros(count * count, np.int64)
    pair_of[pairs[:, 0] * count + pairs[:, 1]] = np.arange(len(pairs))
    pair = graph("Gather", graph.constant(pair_of), both)
    column = graph("Unsqueeze", pair, graph.constant(np.array([1])))
    decides = graph("GatherElements", graph.cast(wins, np.int32), column, axis=1)
    decides = graph.cast(graph("Squeeze", decides, graph.constant(np.array([1]))), bool)
    two = graph("Equal", tied, graph.constant(np.int32(2)))
    last_wins = graph("And", two, graph("Not", decides))
    winner = graph("Where", last_wins, last, first)
    many = graph("Greater", tied, graph.constant(np.int32(2)))
    return graph("Where", many, graph.constant(np.int64(-1)), winner)


def _roots(graph: Graph, network: IntegerNetwork, table: Confidence, codes: str) -> str:
    """Spreads of the outputs, int64."""
    if table.roots is not None:
        return graph.constant(np.maximum(table.roots, 1)[None])
    assert table.offsets is not None
    assert table.extra is not None
    # whole numbers below 2^52, and a correctly rounded root: exact in float64
    apart = graph("Sub", graph.cast(codes, np.float64), graph.constant(table.offsets.astype(np.float64)))
    weights = graph.cast(graph.constant(network.layers[0].weights[0]), np.float64)
    power = graph("MatMul", graph("Mul", apart, apart), graph("Mul", weights, weights))
    power = graph("Add", power, graph.constant(table.extra.astype(np.float64)))
    power = graph("Mul", power, graph.constant(np.float64(4.0**table.root_bits)))
    root = graph.cast(graph("Floor", graph("Sqrt", power)), np.int64)
    return graph("Max", root, graph.constant(np.int64(1)))


def _totals(
    graph: Graph, table: Confidence, outputs: str, wins: str, roots: str, sides: NDArray[np.float32]
) -> str:
    """Sums of reciprocals ``[n, C]``, float64."""
    size = graph("Abs", graph.cast(outputs, np.int64))
    score = graph("Div", graph("Mul", size, graph.constant(np.int64(1 << table.shift))), roots)
    score = graph("Min", score, graph.constant(np.int64(table.end)))
    step = graph.constant(np.int64(1 << table.step_bits))
    place = graph("Div", score, step)
    part = graph.cast(graph("Sub", score, graph("Mul", place, step)), np.float64)
    values = []
    for numbers in (table.winning, table.losing):
        low = numbers.astype(np.float64)
        rise = np.append(np.diff(low), 0.0)
        scaled = graph("Gather", graph.constant(low * (1 << table.step_bits)), place)
        values.append(graph("Add", scaled, graph("Mul", graph("Gather", graph.constant(rise), place), part)))
    first = graph("Where", wins, *values)
    second = graph("Where", wins, *values[::-1])
    parts = [
        graph("MatMul", own, graph.constant(side.astype(np.float64)))
        for own, side in zip((first, second), sides, strict=True)
    ]
    return graph("Add", *parts)
