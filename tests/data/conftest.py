import dataclasses

import numpy as np
import pytest

from mpnn.data.formats import idx_checksum
from mpnn.data.registry import IDX_FILES, REGISTRY


@pytest.fixture
def no_network(monkeypatch):
    """Every way to the network fails as it does offline."""
    from urllib.error import URLError

    def offline(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", offline)
    monkeypatch.setattr("urllib.request.urlopen", offline)


@pytest.fixture
def tiny_images():
    """Four arrays in the shape of MNIST: 20 training and 10 test images."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, number in (("train", 20), ("test", 10)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(number, dtype=np.uint8) % 10
    return arrays


@pytest.fixture
def publish(monkeypatch):
    """Give a data set other checksums and sizes, so that small files pass for the published ones."""

    def change(name, **fields):
        monkeypatch.setitem(REGISTRY, name, dataclasses.replace(REGISTRY[name], **fields))

    return change


@pytest.fixture
def tiny_mnist(publish, tiny_images):
    """MNIST as if `tiny_images` had been published."""
    sums = tuple(
        (name, idx_checksum(array)) for name, array in zip(IDX_FILES, tiny_images.values(), strict=True)
    )
    publish("mnist", checksums=sums, train_shape=(20, 28, 28), test_shape=(10, 28, 28))
    return tiny_images
