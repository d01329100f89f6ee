"""What happens to inputs before a network sees them: learned on training inputs, the same at prediction."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["INPUT_SCALINGS", "InputTransform", "fit_transform_of"]

INPUT_SCALINGS = ("auto", "root", "max_abs", "standard", None)
# Chosen on validation draws of MNIST and Fashion-MNIST training images, 2 to 40 a class.
ROOT_POWER = 0.3
ROOT_CENTRING = 0.8
# Keeps constant inputs finite when they are divided by their standard deviation.
DEVIATION_FLOOR = 1e-5


class InputTransform(NamedTuple):
    """``(sign(x) |x scale|^power - offset) * live``, with ``scale`` one number for all inputs.

    offset: ``[features]`` or one number; live: which inputs were ever non-zero in training, bool
    ``[features]``. Inputs that never moved say nothing and are silenced.
    """

    scale: float
    power: float
    offset: NDArray
    live: NDArray

    def __call__(self, inputs: NDArray) -> NDArray:
        """Transform ``[n, features]``; float32."""
        scaled = inputs * np.float32(self.scale)
        if self.power != 1.0:
            scaled = np.sign(scaled) * np.abs(scaled) ** np.float32(self.power)
        return ((scaled - self.offset) * self.live).astype(np.float32, copy=False)


def fit_transform_of(inputs: NDArray, kind: str | None) -> InputTransform:
    """Learn the transform called ``kind`` from training inputs ``[n, features]``."""
    if kind not in INPUT_SCALINGS or kind == "auto":
        raise ValueError(f"input_scaling must be one of {INPUT_SCALINGS}, got {kind!r}")
    live = np.any(inputs != 0.0, axis=0)
    zero = np.zeros((), np.float32)
    if kind is None:
        return InputTransform(1.0, 1.0, zero, np.ones_like(live))
    if kind == "standard":
        scale = 1.0 / (float(inputs.std()) + DEVIATION_FLOOR)
        return InputTransform(scale, 1.0, np.asarray(inputs.mean() * scale, np.float32), np.ones_like(live))
    scale = 1.0 / (float(np.abs(inputs).max()) or 1.0)
    if kind == "max_abs":
        return InputTransform(scale, 1.0, zero, live)
    rooted = InputTransform(scale, ROOT_POWER, zero, live)
    return rooted._replace(offset=np.float32(ROOT_CENTRING) * rooted(inputs).mean(axis=0))
