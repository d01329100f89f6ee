"""Confusion matrices, calibration and weights of a finished comparison, as the report shows them."""

import base64
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.compare.report.series import Series
from mpnn.runs.rows import Row

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
    counts = np.sum([arrays[name] for arrays in found], axis=0)
    shares = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Confusion(
        series.label, shots, tuple(found[0]["classes"].tolist()), tuple(map(tuple, shares.tolist()))
    )


def read_reliability(series: Series, folder: Path) -> NDArray | None:
    """Sum the calibration bins [bins, 3] over the draws at the largest number of shots; None without any."""
    loaded = [_load(row, folder) for row in series.rows[max(series.rows)]]
    name = f"reliability_{series.prediction}"
    found = [arrays[name] for arrays in loaded if name in arrays]
    return np.sum(found, axis=0) if found else None


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
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


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
