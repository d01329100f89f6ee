"""Nodes and constants of an ONNX graph while it is built."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Graph"]


class Graph:
    """Nodes and constants, each result with a name of its own."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

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

    def cast(self, value: str, kind: Any, name: str | None = None) -> str:
        """A value in another type."""
        number = int(self._helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
        return self("Cast", value, name=name, to=number)

    def reshape(self, value: str, *shape: int) -> str:
        """A value of another shape; -1: what is left."""
        return self("Reshape", value, self.constant(np.array(shape)))
