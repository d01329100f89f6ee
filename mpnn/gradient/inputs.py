"""What happens to inputs before a network sees them: learned on training inputs, the same at prediction."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["INPUT_SCALINGS", "InputTransform", "fit_input_transform"]

INPUT_SCALINGS = ("auto", "root", "features", "max_abs", "standard", None)
# Up to this many samples, "auto" treats intensities by "root" and tables by "features"; above, all by
# "standard".
FEW_SAMPLES = 2000
# The signed power and the share of the mean that message passing uses on few images, for the same inputs.
ROOT_POWER, ROOT_CENTRING = 0.3, 0.8
# Intensities (pixels, counts): never negative, and at least this share is 0.
COMMON_ZEROS = 0.1
DEVIATION_FLOOR = 1e-5


class InputTransform(NamedTuple):
    """``(sign(x) |x scale|^power - offset) * live``; live, bool ``[features]``, silences the other inputs."""

    scale: NDArray
    power: float
    offset: NDArray
    live: NDArray

    def __call__(self, inputs: NDArray) -> NDArray:
        """Transform ``[n, features]``; float32."""
        scaled = inputs * self.scale
        if self.power != 1.0:
            scaled = np.sign(scaled) * np.abs(scaled) ** np.float32(self.power)
        return ((scaled - self.offset) * self.live).astype(np.float32, copy=False)


def fit_input_transform(inputs: NDArray, kind: str | None) -> InputTransform:
    """Learn a transform from training inputs ``[n, features]``, float32.

    ``"standard"``: global mean and deviation. ``"features"``: each feature's own. ``"max_abs"``: divide by
    the largest magnitude. ``"root"``: then take the signed power 0.3 and subtract 0.8 of each feature's mean.
    None: nothing. ``"auto"``: root or features for few samples, standard for many.
    """
    if kind not in INPUT_SCALINGS:
        raise ValueError(f"input_scaling must be one of {INPUT_SCALINGS}, got {kind!r}")
    if kind == "auto":
        kind = _automatic(inputs)
    one, zero = np.ones((), np.float32), np.zeros((), np.float32)
    everything = np.ones(inputs.shape[1], bool)
    if kind is None:
        return InputTransform(one, 1.0, zero, everything)
    if kind == "standard":
        scale = np.asarray(1.0 / (inputs.std() + DEVIATION_FLOOR), np.float32)
        return InputTransform(scale, 1.0, np.asarray(inputs.mean() * scale), everything)
    if kind == "features":
        deviation = inputs.std(axis=0)
        scale = np.asarray(1.0 / np.where(deviation > 0.0, deviation, one), np.float32)
        return InputTransform(scale, 1.0, inputs.mean(axis=0) * scale, deviation > 0.0)
    live = np.any(inputs != 0.0, axis=0)
    scale = np.asarray(1.0 / (np.abs(inputs).max() or 1.0), np.float32)
    plain = InputTransform(scale, 1.0, zero, live)
    if kind == "max_abs":
        return plain
    rooted = plain._replace(power=ROOT_POWER)
    return rooted._replace(offset=np.float32(ROOT_CENTRING) * rooted(inputs).mean(axis=0))


def _automatic(inputs: NDArray) -> str:
    if len(inputs) > FEW_SAMPLES:
        return "standard"
    intensities = inputs.min() >= 0.0 and np.mean(inputs == 0.0) >= COMMON_ZEROS
    return "root" if intensities else "features"
