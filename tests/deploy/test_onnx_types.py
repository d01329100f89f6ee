"""QONNX's types in exported ONNX models: every annotated value is one of its type."""

import re

import numpy as np
import pytest

from mpnn.deploy.onnx_graph import whole_type_of
from tests.deploy.test_back_ends import lower_any
from tests.integer_networks.random_images import draw_image_classifier
from tests.integer_networks.random_networks import draw_network

onnx = pytest.importorskip("onnx", reason="install mpnn[onnx] to test the ONNX model")


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [
        (0, 0, "UINT1"),
        (0, 255, "UINT8"),
        (-1, 1, "TERNARY"),
        (-2, 1, "INT2"),
        (-3, 3, "INT3"),
        (-128, 127, "INT8"),
    ],
)
def test_smallest_type(low, high, name):
    assert whole_type_of(low, high) == name


def values_of(name):
    """Smallest and largest value of a type, and whether 0 is one."""
    if name in ("BIPOLAR", "TERNARY"):
        return -1, 1, name == "TERNARY"
    sign, bits = re.fullmatch(r"(U?)INT(\d+)", name).groups()
    return (
        (0, 2 ** int(bits) - 1, True) if sign else (-(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1) - 1, True)
    )


def draw(seed):
    if seed % 3:
        return draw_network(seed)
    model, X = draw_image_classifier(seed)
    return lower_any(model, X), X


@pytest.mark.parametrize("seed", range(6))
def test_every_annotated_value_is_one_of_its_type(seed):
    onnxruntime = pytest.importorskip("onnxruntime", reason="install mpnn[onnx] to test the ONNX model")
    from mpnn.deploy.onnx_model import onnx_inputs, onnx_model

    network, X = draw(seed)
    model = onnx_model(network)
    types = {
        annotation.tensor_name: annotation.quant_parameter_tensor_names[0].value
        for annotation in model.graph.quantization_annotation
    }
    assert len(types) > 2 * len(network.layers)
    stored = {each.name for each in model.graph.initializer}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in types if name not in stored)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [each.name for each in session.get_outputs()]
    values = dict(zip(names, session.run(None, {"x": onnx_inputs(network, X)}), strict=True))
    values |= {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    for name, whole_type in types.items():
        low, high, zero = values_of(whole_type)
        value = values[name]
        assert np.all(value == np.round(value)), name
        assert value.min(initial=low) >= low, (name, whole_type)
        assert value.max(initial=high) <= high, (name, whole_type)
        assert zero or np.all(value != 0), (name, whole_type)


def test_qonnx_reads_and_runs_it():
    modelwrapper = pytest.importorskip(
        "qonnx.core.modelwrapper", reason="install mpnn[qonnx] to test its types"
    )
    from qonnx.core.datatype import DataType
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    from mpnn.deploy.onnx_model import onnx_inputs, onnx_model

    network, X = draw_network(1)
    exported = onnx_model(network)
    for each in (*exported.graph.input, *exported.graph.output):  # its executor knows no open number of rows
        each.type.tensor_type.shape.dim[0].dim_value = len(X)
    model = modelwrapper.ModelWrapper(exported).transform(InferShapes())
    signs = [node.output[0] for node in model.graph.node if node.op_type == "Where"]
    assert model.get_tensor_datatype(signs[0]) == DataType["BIPOLAR"]
    # the executor refuses or rounds values that are not of their type
    outputs = execute_onnx(model, {"x": onnx_inputs(network, X)})
    np.testing.assert_array_equal(outputs["label"], network.predict(X))
