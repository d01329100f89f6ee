"""Nodes, constants and annotated types of an ONNX graph while it is built."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Graph", "whole_type_of"]


def whole_type_of(low: int, high: int) -> str:
    """QONNX's name of the smallest type of whole numbers from ``low`` to ``high``."""
    if low >= 0:
        return f"UINT{max(int(high).bit_length(), 1)}"
    if low == -1 and high <= 1:
        return "TERNARY"
    return f"INT{max(int(-low - 1).bit_length(), int(high).bit_length()) + 1}"


class Graph:
    """Nodes and constants, each result with a name of its own."""

    def __init__(self) -> None:
        import onnx

        self._onnx, self._helper, self._numpy = onnx, onnx.helper, onnx.numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.annotations: list[Any] = []

    def constant(self, array: ArrayLike) -> str:
        """A constant's name."""
        name = f"c{len(self.constants)}"
        self.constants.append(self._numpy.from_array(np.asarray(array), name))
        return name

    def __call__(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """The name of an operator's result."""
        result = name or f"r{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(operator, list(inputs), [result], **attributes))
        return result

    def annotate(self, value: str, whole_type: str) -> str:
        """Say which whole numbers a value holds, as QONNX does; returns the value's name.

        Parameters
        ----------
        value : str
            A name.
        whole_type : str
            ``"BIPOLAR"``, ``"TERNARY"``, ``"INT5"``, ``"UINT8"``: of QONNX's ``DataType``.
        """
        entry = self._onnx.StringStringEntryProto(key="finn_datatype", value=whole_type)
        annotation = self._onnx.TensorAnnotation(tensor_name=value, quant_parameter_tensor_names=[entry])
        self.annotations.append(annotation)
        return value

    def weights(self, array: NDArray[np.int8], kind: Any) -> str:
        """Few-bit weights, stored as int8 and cast once; both names are annotated."""
        ends = int(array.min(initial=-1)), int(array.max(initial=0))
        whole_type = "BIPOLAR" if np.all(np.abs(array) == 1) else whole_type_of(*ends)
        stored = self.annotate(self.constant(array), whole_type)
        return self.annotate(self.cast(stored, kind), whole_type)

    def cast(self, value: str, kind: Any, name: str | None = None) -> str:
        """A value in another type."""
        number = int(self._helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
        return self("Cast", value, name=name, to=number)

    def reshape(self, value: str, *shape: int) -> str:
        """A value of another shape; -1: what is left."""
        return self("Reshape", value, self.constant(np.array(shape)))
