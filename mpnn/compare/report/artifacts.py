"""Confusion matrices, calibration and weights of a finished comparison, as the report shows them."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.report.series import Series
from mpnn.data.array_files import read_npz
from mpnn.data.errors import DataError
from mpnn.runs.rows import Row
from mpnn.runs.toml import ConfigError

__all__ = ["Confusion", "WeightPictures", "read_confusion", "read_reliability", "read_weights"]

# Positive and negative weights; both read on white and on black.
_POSITIVE, _NEGATIVE = (42, 143, 208), (226, 112, 42)


class Confusion(NamedTuple):
    """Shares in % of each true class [C rows], the last column unlabelled [C + 1 columns]."""

    label: str
    shots: int
    classes: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


class WeightPictures(NamedTuple):
    """One picture a network: (name of the pair, PNG as data URL)."""

    label: str
    shots: int
    width: int
    height: int
    pictures: tuple[tuple[str, str], ...]


def read_confusion(series: Series, folder: Path) -> Confusion | None:
    """Sum the confusion matrices over the draws at the largest number of shots."""
    shots = max(series.rows)
    loaded = [_load(row, folder) for row in series.rows[shots]]
    name = f"confusion_{series.prediction}"
    found = [arrays for arrays in loaded if name in arrays]
    if not found:
        return None
    counts = _sum([arrays[name] for arrays in found], folder)
    shares = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Confusion(
        series.label, shots, tuple(found[0]["classes"].tolist()), tuple(map(tuple, shares.tolist()))
    )


def read_reliability(series: Series, folder: Path) -> NDArray | None:
    """Sum the calibration bins [bins, 3] over the draws at the largest number of shots; None without any."""
    loaded = [_load(row, folder) for row in series.rows[max(series.rows)]]
    name = f"reliability_{series.prediction}"
    found = [arrays[name] for arrays in loaded if name in arrays]
    return _sum(found, folder) if found else None


def read_weights(series: Series, folder: Path) -> WeightPictures | None:
    """Return the first draw's weights at the largest number of shots; None for tables."""
    shots = max(series.rows)
    for row in series.rows[shots]:
        arrays = _load(row, folder)
        if "weights" in arrays and "image_shape" in arrays:
            height, width, *_ = shape = tuple(arrays["image_shape"].tolist())
            largest = float(np.abs(arrays["weights"]).max()) or 1.0
            pictures = tuple(
                (" or ".join(pair), _picture(weights.reshape(shape) / largest))
                for pair, weights in zip(arrays["pairs"].tolist(), arrays["weights"], strict=True)
            )
            return WeightPictures(series.name, shots, width, height, pictures)
    return None


def _load(row: Row, folder: Path) -> dict[str, NDArray]:
    path = folder / "artifacts" / f"{row['key']}.npz"
    if not path.exists():
        return {}
    try:
        arrays = read_npz(path)
        _check(arrays)
    except (DataError, KeyError, ValueError) as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it, and the report does without") from error
    return arrays


def _check(arrays: Mapping[str, NDArray]) -> None:
    """Refuse arrays that are no finite numbers, or whose shapes do not belong together."""
    num_classes = arrays["classes"].size
    expected: dict[str, tuple[int, ...]] = {}
    for name, array in arrays.items():
        if name.startswith("confusion_"):
            expected[name] = num_classes, num_classes + 1
        elif name.startswith("reliability_"):
            expected[name] = len(array), 3
    if "weights" in arrays and "image_shape" in arrays:
        expected["pairs"] = len(arrays["weights"]), 2
        expected["weights"] = len(arrays["weights"]), int(np.prod(arrays["image_shape"]))
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
        if name != "pairs" and not np.isfinite(arrays[name].astype(float)).all():
            raise ValueError(f"{name} holds what is no finite number")


def _sum(found: Sequence[NDArray], folder: Path) -> NDArray:
    """Sum what was found in each draw."""
    if len({array.shape for array in found}) > 1:
        raise ConfigError(f"{folder / 'artifacts'}: draws have other classes or bins than others")
    return np.sum(found, axis=0)


def _picture(weights: NDArray) -> str:
    """Return weights in [-1, 1] as a PNG data URL: hue is the sign, opacity the size."""
    from PIL import Image

    weights = weights.mean(axis=2) if weights.ndim == 3 else weights
    pixels = np.zeros((*weights.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.where((weights > 0)[..., None], _POSITIVE, _NEGATIVE)
    pixels[..., 3] = np.rint(255 * np.abs(weights))
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
