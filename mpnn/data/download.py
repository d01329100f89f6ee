"""Downloads: OpenML through scikit-learn, and CIFAR-10 from its authors' page.

CIFAR-10 does not come from OpenML because nothing says that the copy there keeps the official order of
training and test images; the authors' binary archive has a published checksum.
"""

import shutil
import tempfile
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mpnn.data.errors import DataError
from mpnn.data.formats import Arrays, idx_checksum
from mpnn.data.local import read_cifar_archive
from mpnn.data.registry import CIFAR_ARCHIVE, IDX_FILES, DatasetInfo
from mpnn.data.tables import (
    ADULT_COLUMNS,
    ADULT_LABELS,
    ADULT_NOMINAL,
    HEART_COLUMNS,
    encode_adult,
    split_heart,
)

CIFAR_URL = f"https://www.cs.toronto.edu/~kriz/{CIFAR_ARCHIVE}"
_TIMEOUT = 60.0  # seconds without a byte

# The codes of heart.csv for the words of OpenML's copy; "?" is a missing value.
_HEART_CODES = {
    "sex": {"female": 0, "male": 1},
    "cp": {"asympt": 0, "atyp_angina": 1, "non_anginal": 2, "typ_angina": 3},
    "fbs": {"f": 0, "t": 1},
    "restecg": {"left_vent_hyper": 0, "normal": 1, "st_t_wave_abnormality": 2},
    "exang": {"no": 0, "yes": 1},
    "slope": {"down": 0, "flat": 1, "up": 2},
    "thal": {"?": 0, "fixed_defect": 1, "normal": 2, "reversable_defect": 3},
}
_HEART_MISSING_VESSELS = 4  # what heart.csv has where "ca" is missing

# OpenML's copy of Adult has the test file first; the column "fnlwgt" of these rows tells the order.
_ADULT_NUM_TEST = 16281
_ADULT_ANCHORS = {0: 226802, 16280: 182148, 16281: 77516, 48841: 287927}


def download_dataset(info: DatasetInfo) -> Arrays:
    """Download a data set and check that it is the published one.

    Raises
    ------
    DataError
        What came is not the published data.
    OSError, http.client.HTTPException, ValueError
        Nothing came.
    """
    return _DOWNLOADS[info.name](info)


def _fetch_openml(info: DatasetInfo) -> Any:
    """Return scikit-learn's bunch; it compares the file with the MD5 sum that OpenML states.

    The parser is the one that needs no pandas. The folder keeps it from downloading the file twice.
    """
    from sklearn.datasets import fetch_openml

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A network error occurred")  # the failure itself is reported
        return fetch_openml(data_id=info.openml_id, data_home=folder, as_frame=False, parser="liac-arff")


def _download_idx_twin(info: DatasetInfo) -> Arrays:
    """Fetch MNIST or Fashion-MNIST, and compare the arrays with the sums of the published IDX files."""
    bunch = _fetch_openml(info)
    num_train, *image_shape = info.train_shape
    x = bunch.data.reshape(-1, *image_shape).astype(np.uint8)
    y = bunch.target.astype(np.uint8)
    arrays = Arrays(x[:num_train], y[:num_train], x[num_train:], y[num_train:])
    for name, array in zip(IDX_FILES, arrays[:4], strict=True):
        found, published = idx_checksum(array), dict(info.checksums)[name]
        if found != published:
            raise DataError(
                f"OpenML data set {info.openml_id}: {name} has MD5 {found}, published is {published}"
            )
    return arrays


def _download_cifar(info: DatasetInfo) -> Arrays:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CIFAR_ARCHIVE
        with urllib.request.urlopen(CIFAR_URL, timeout=_TIMEOUT) as response, path.open("wb") as file:
            shutil.copyfileobj(response, file)
        return read_cifar_archive(info, path)


def _download_heart(info: DatasetInfo) -> Arrays:
    bunch = _fetch_openml(info)
    columns = []
    for name in HEART_COLUMNS:
        if codes := _HEART_CODES.get(name):
            words = _words(bunch, name).tolist()
            if unknown := set(words) - set(codes):
                raise DataError(f"OpenML data set {info.openml_id}: column {name} holds {sorted(unknown)}")
            columns.append(np.array([codes[word] for word in words], np.float64))
        else:
            values = _column(bunch, name)
            columns.append(np.nan_to_num(values, nan=_HEART_MISSING_VESSELS) if name == "ca" else values)
    no_disease = (bunch.target == "<50").astype(np.float64)
    return split_heart(np.stack([*columns, no_disease], axis=1))


def _download_adult(info: DatasetInfo) -> Arrays:
    bunch = _fetch_openml(info)
    weights = _column(bunch, "fnlwgt")
    in_order = len(weights) == max(_ADULT_ANCHORS) + 1
    if not in_order or any(weights[row] != weight for row, weight in _ADULT_ANCHORS.items()):
        raise DataError(f"OpenML data set {info.openml_id}: the rows are not in the expected order")
    columns = {}
    for name in ADULT_COLUMNS:
        values = _words(bunch, name) if name in ADULT_NOMINAL else _column(bunch, name)
        columns[name] = np.roll(values, -_ADULT_NUM_TEST)
    labels = np.roll((bunch.target == ADULT_LABELS[1]).astype(np.int64), -_ADULT_NUM_TEST)
    return encode_adult(columns, labels[:-_ADULT_NUM_TEST], labels[-_ADULT_NUM_TEST:])


def _column(bunch: Any, name: str) -> np.ndarray:
    """Return a column [n] as float64; NaN where missing."""
    return np.asarray(bunch.data[:, list(bunch.feature_names).index(name)], np.float64)


def _words(bunch: Any, name: str) -> np.ndarray:
    """Return a nominal column [n] as text; "?" where missing."""
    codes = _column(bunch, name)
    levels = np.array([*bunch.categories[name], "?"])
    return levels[np.where(np.isnan(codes), len(levels) - 1, codes).astype(np.int64)]


_DOWNLOADS: dict[str, Callable[[DatasetInfo], Arrays]] = {
    "mnist": _download_idx_twin,
    "fashion_mnist": _download_idx_twin,
    "cifar10": _download_cifar,
    "heart": _download_heart,
    "adult": _download_adult,
}
