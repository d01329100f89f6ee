"""`load_dataset` as its callers see it: names, folders, downloads, errors."""

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mpnn.data import DataError, DataNotFoundError, dataset_status, list_datasets, load_dataset
from mpnn.data.local import data_folder

BUNDLED = ("digits", "breast_cancer", "iris", "wine")
KEYS = ("x_train", "y_train", "x_test", "y_test")


def fake_openml(**contents):
    def fetch(**arguments):
        assert arguments["as_frame"] is False
        return SimpleNamespace(**contents)

    return fetch


def images_as_openml(arrays):
    data = np.concatenate([arrays["x_train"], arrays["x_test"]])
    target = np.concatenate([arrays["y_train"], arrays["y_test"]])
    return {"data": data.reshape(len(data), -1).astype(float), "target": target.astype(str).astype(object)}


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_always_load(name, no_network, tmp_path):
    info = next(row for row in list_datasets() if row.name == name)
    data = load_dataset(name, folder=tmp_path)
    assert data.x_train.shape == info.train_shape
    assert data.x_test.shape == info.test_shape
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert set(data.y_train) == set(data.y_test) == set(range(len(info.class_names)))
    assert data.note == ""
    again = load_dataset(name)
    assert np.array_equal(data.x_train, again.x_train)


def test_bundled_split_shares_no_row_and_is_stratified():
    data = load_dataset("digits")
    assert data.x_train.dtype == np.uint8
    assert data.x_train.max() == 16
    counts = np.bincount(data.y_train) / np.bincount(data.y_test)
    assert np.allclose(counts, 7 / 3, rtol=0.05)
    both = np.concatenate([data.x_train, data.x_test]).reshape(-1, 64)
    assert len(np.unique(both, axis=0)) == len(both)


@pytest.mark.parametrize(
    "name",
    ["mnist", "fashion_mnist", pytest.param("cifar10", marks=pytest.mark.slow), "heart", "adult"],
)
def test_real_files_on_this_machine(name):
    row = next(row for row in dataset_status() if row.name == name)
    if row.found == "not on this machine":
        pytest.skip(f"{name} is not in {data_folder()}; MPNN_DATA names the folder with the data files")
    data = load_dataset(name, download=False)
    assert data.x_train.shape == row.train_shape
    assert data.x_test.shape == row.test_shape
    assert data.y_train.dtype == np.int64
    assert data.source == row.found
    if data.image_shape:
        assert data.x_train.dtype == np.uint8
        assert data.x_train.max() == 255


def test_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(ValueError, match=r"known: mnist, fashion_mnist, .* Did you mean 'fashion_mnist'\?"):
        load_dataset("Fashion-MNIST")
    with pytest.raises(ValueError, match=r"known: .*wine\.$"):
        load_dataset("zzzz")


@pytest.mark.parametrize("name", ["mnist", "cifar10", "heart", "adult"])
def test_offline_says_what_to_put_where(name, no_network, tmp_path):
    with pytest.raises(DataNotFoundError) as caught:
        load_dataset(name, folder=tmp_path)
    message = str(caught.value)
    assert f"{name} is not in {tmp_path} and could not be downloaded (URLError" in message
    assert f"Put {name}.npz" in message
    assert "MPNN_DATA" in message
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, DataError)
    assert list(tmp_path.iterdir()) == []


def test_without_download_the_network_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "mpnn.data.datasets.download_dataset", lambda info: pytest.fail("went to the network")
    )
    with pytest.raises(DataNotFoundError, match="was not to be downloaded"):
        load_dataset("mnist", folder=tmp_path, download=False)


def test_a_download_is_kept_and_read_from_then_on(monkeypatch, tmp_path, tiny_mnist):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fake_openml(**images_as_openml(tiny_mnist)))
    first = load_dataset("mnist", folder=tmp_path / "new")
    assert first.source == "downloaded from https://www.openml.org/d/554"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mnist.npz"]
    second = load_dataset("mnist", folder=tmp_path / "new", download=False)
    for key in KEYS:
        assert np.array_equal(getattr(first, key), tiny_mnist[key])
        assert np.array_equal(getattr(second, key), tiny_mnist[key])


def test_a_download_in_another_order_is_refused(monkeypatch, tmp_path, tiny_mnist):
    reversed_images = {key: array[::-1] for key, array in tiny_mnist.items()}
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fake_openml(**images_as_openml(reversed_images)))
    with pytest.raises(DataNotFoundError, match=r"has MD5 [0-9a-f]{32}, published is [0-9a-f]{32}"):
        load_dataset("mnist", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_cannot_be_kept_is_returned_with_a_warning(monkeypatch, tmp_path, tiny_mnist):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fake_openml(**images_as_openml(tiny_mnist)))
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="mnist.npz could not be written"):
        data = load_dataset("mnist", folder=tmp_path / "file")
    assert np.array_equal(data.x_train, tiny_mnist["x_train"])


def test_cifar_download_is_refused_on_a_wrong_checksum(monkeypatch, tmp_path):
    import io

    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(b"something else"))
    found = hashlib.md5(b"something else").hexdigest()
    published = "c32a1d4ab5d03f1284b67883e8d87530"
    with pytest.raises(DataNotFoundError, match=f"MD5 sum is {found}, the published one is {published}"):
        load_dataset("cifar10", folder=tmp_path)


def test_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MPNN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder("here") == Path("here")
    assert data_folder() == tmp_path / "data"
    monkeypatch.setenv("MPNN_DATA", "")
    assert data_folder() == tmp_path / "cache" / "mpnn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    if os.name == "posix":
        assert tmp_path in data_folder().parents


def test_status_has_a_row_for_every_set(tmp_path, tiny_images):
    np.savez(tmp_path / "mnist.npz", **tiny_images)
    found = {row.name: row.found for row in dataset_status(tmp_path)}
    assert list(found) == [info.name for info in list_datasets()]
    assert found["mnist"] == str(tmp_path / "mnist.npz")
    assert found["adult"] == "not on this machine"
    assert found["digits"] == "bundled"


def test_a_part_of_a_set_loads_with_a_note(tmp_path, tiny_images):
    np.savez(tmp_path / "mnist.npz", **tiny_images)
    data = load_dataset("mnist", folder=tmp_path)
    assert data.note == "20 + 10 samples, where the published set has 60000 + 10000"


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("x_train", lambda x: x.reshape(20, 784), r"x_train has shape \(20, 784\), expected \(n, 28, 28\)"),
        (
            "x_test",
            lambda x: x[:0],
            r"x_test has shape \(0, 28, 28\), expected \(n, 28, 28\) with n at least 1",
        ),
        ("x_test", lambda x: x / 255, "x_test has type float64, expected uint8 pixels"),
        ("y_train", lambda y: y[:-1], r"y_train has shape \(19,\), expected \(20,\)"),
        ("y_train", lambda y: y + 1, "y_train must hold whole numbers from 0 to 9"),
        ("y_test", lambda y: y + 0.5, "y_test must hold whole numbers from 0 to 9"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, tiny_images, key, change, message):
    np.savez(tmp_path / "mnist.npz", **(tiny_images | {key: change(tiny_images[key])}))
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("mnist", folder=tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "mnist.npz"))
    assert "Replace the file, or delete it" in str(caught.value)


def test_table_with_missing_numbers_is_refused(tmp_path):
    x = np.full((4, 3), np.nan)
    np.savez(tmp_path / "heart.npz", x_train=x, y_train=[0, 1, 0, 1], x_test=x, y_test=[0, 1, 0, 1])
    with pytest.raises(DataError, match="x_train must hold finite numbers"):
        load_dataset("heart", folder=tmp_path)
