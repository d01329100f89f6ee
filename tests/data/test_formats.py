"""Readers of image files, on files written here: the right ones, and every kind of broken one."""

import gzip
import hashlib
import io
import struct
import sys
import tarfile

import numpy as np
import pytest

from mpnn.data import DataError, dataset_status, load_dataset
from mpnn.data.formats import KEYS, Arrays, read_npz, write_npz
from mpnn.data.registry import CIFAR_ARCHIVE, IDX_FILES


class Malicious:
    """Unpickling this is a test failure."""

    def __reduce__(self):
        return (pytest.fail, ("a file was unpickled",))


def idx_bytes(array):
    return b"\x00\x00\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


def write_idx_files(folder, arrays, suffix=".gz"):
    folder.mkdir(exist_ok=True)
    for name, array in zip(IDX_FILES, arrays.values(), strict=True):
        content = idx_bytes(array)
        (folder / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)


def cifar_parts():
    """Six batches of four records, and the images they stand for."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(24, dtype=np.uint8) % 10
    planes = images.transpose(0, 3, 1, 2).reshape(24, -1)
    records = np.concatenate([labels[:, None], planes], axis=1)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    return {name: records[4 * i : 4 * i + 4].tobytes() for i, name in enumerate(names)}, images, labels


def write_cifar(path, parts):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return ((CIFAR_ARCHIVE, hashlib.md5(path.read_bytes()).hexdigest()),)


def packed_jpeg(images):
    from PIL import Image

    files = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=95)
        files.append(buffer.getvalue())
    offset = np.cumsum([0, *map(len, files)])
    return np.frombuffer(b"".join(files), np.uint8), offset


def write_packed(path, **changes):
    smooth = np.linspace(0, 255, 32).astype(np.uint8)[None, :, None, None] * np.ones((3, 1, 32, 3), np.uint8)
    content, offset = packed_jpeg(smooth)
    members = {"y_train": [0, 1, 2], "y_test": [3, 4, 5]}
    for part in ("train", "test"):
        members |= {f"jpeg_{part}": content, f"offset_{part}": offset}
    np.savez(path, **(members | changes))
    return smooth


def test_npz_round_trip_keeps_feature_names(tmp_path):
    arrays = Arrays(np.eye(2), np.array([0, 1]), np.ones((1, 2)), np.array([1]), ("age", "chol"))
    write_npz(tmp_path / "heart.npz", arrays)
    again = read_npz(tmp_path / "heart.npz")
    assert again.feature_names == ("age", "chol")
    assert all(np.array_equal(getattr(arrays, key), getattr(again, key)) for key in KEYS)


@pytest.mark.parametrize("breaks", ["numpy.savez_compressed", "os.replace"])
def test_failed_write_leaves_nothing_behind(monkeypatch, tmp_path, breaks):
    arrays = Arrays(np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1]))

    def disk_full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(breaks, disk_full)
        with pytest.raises(OSError, match="No space left"):
            write_npz(tmp_path / "heart.npz", arrays)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_earlier_file(monkeypatch, tmp_path):
    path = tmp_path / "heart.npz"
    write_npz(path, Arrays(np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1])))
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("interrupted")))
    with pytest.raises(OSError, match="interrupted"):
        write_npz(path, Arrays(np.ones((2, 2)), np.array([0, 1]), np.eye(2), np.array([0, 1])))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["heart.npz"]


def whole_npz(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda arrays: b"", "cannot be read as npz"),
        (lambda arrays: b"not a zip file at all", "cannot be read as npz"),
        (lambda arrays: whole_npz(arrays)[:-200], "cannot be read as npz"),
        (lambda arrays: whole_npz(arrays)[:500] + b"\x00" * 400 + whole_npz(arrays)[900:], "as npz"),
        (lambda arrays: whole_npz({"x_train": arrays["x_train"]}), "no array y_train, x_test, y_test"),
        (lambda arrays: whole_npz(arrays | {"x_train": np.array([Malicious()])}), "Object arrays cannot"),
    ],
    ids=["empty", "noise", "truncated", "corrupt", "missing keys", "object array"],
)
def test_broken_npz_is_named_and_never_unpickled(tmp_path, tiny_images, content, message):
    path = tmp_path / "mnist.npz"
    path.write_bytes(content(tiny_images))
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("mnist", folder=tmp_path)
    assert str(path) in str(caught.value)


def test_a_single_array_is_not_an_archive(tmp_path):
    with (tmp_path / "mnist.npz").open("wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(DataError, match="a single array, not an npz archive"):
        load_dataset("mnist", folder=tmp_path)


@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize("subfolder", ["mnist", "."])
def test_idx_files(tmp_path, tiny_mnist, suffix, subfolder):
    write_idx_files(tmp_path / subfolder, tiny_mnist, suffix)
    data = load_dataset("mnist", folder=tmp_path, download=False)
    for key in KEYS:
        assert np.array_equal(getattr(data, key), tiny_mnist[key])
    assert data.x_train.flags.writeable


def test_idx_files_of_the_other_set_are_told_apart(tmp_path, tiny_mnist):
    write_idx_files(tmp_path, tiny_mnist)
    found = {row.name: row.found for row in dataset_status(tmp_path)}
    assert found["mnist"] == str(tmp_path)
    assert found["fashion_mnist"] == "not on this machine"


def test_idx_checksum_mismatch_names_both_sums(tmp_path, tiny_mnist):
    changed = tiny_mnist["x_train"].copy()
    changed[0, 0, 0] ^= 1
    write_idx_files(tmp_path, tiny_mnist | {"x_train": changed})
    found, published = (hashlib.md5(idx_bytes(x)).hexdigest() for x in (changed, tiny_mnist["x_train"]))
    with pytest.raises(DataError, match=f"MD5 sum is {found}, the published one is {published}") as caught:
        load_dataset("mnist", folder=tmp_path)
    assert "train-images-idx3-ubyte.gz" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: gzip.compress(good)[:-20], "cannot be read"),
        (lambda good: b"not gzip", "cannot be read"),
        (lambda good: gzip.compress(good[:-5]), "its header promises 15680 bytes of data, it holds 15675"),
        (lambda good: gzip.compress(good[:6]), "ends within its header"),
        (lambda good: gzip.compress(b"\x00\x00\x0d" + good[3:]), "not an IDX file of unsigned bytes"),
    ],
    ids=["truncated gzip", "not gzip", "short data", "short header", "floats"],
)
def test_broken_idx_files(tmp_path, tiny_mnist, content, message):
    write_idx_files(tmp_path, tiny_mnist)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content(idx_bytes(tiny_mnist["x_train"])))
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("mnist", folder=tmp_path)
    assert str(path) in str(caught.value)


def test_cifar_binary_archive(tmp_path, publish):
    parts, images, labels = cifar_parts()
    publish("cifar10", checksums=write_cifar(tmp_path / CIFAR_ARCHIVE, parts))
    data = load_dataset("cifar10", folder=tmp_path)
    assert np.array_equal(data.x_train, images[:20])
    assert np.array_equal(data.x_test, images[20:])
    assert np.array_equal(np.concatenate([data.y_train, data.y_test]), labels)


def test_cifar_download_is_kept(monkeypatch, tmp_path, publish):
    parts, images, _ = cifar_parts()
    publish("cifar10", checksums=write_cifar(tmp_path / "published.tar.gz", parts))
    content = (tmp_path / "published.tar.gz").read_bytes()
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(content))
    load_dataset("cifar10", folder=tmp_path)
    assert np.array_equal(np.load(tmp_path / "cifar10.npz")["x_train"], images[:20])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts | {"test_batch.bin": parts["test_batch.bin"][:-1]}, "whole number of 3073-byte"),
        (lambda parts: {"data_batch_1.bin": parts["data_batch_1.bin"]}, "has no member .*data_batch_2.bin"),
        (
            lambda parts: parts | {"test_batch.bin": b"\x0b" * 3073},
            "y_test must hold whole numbers from 0 to 9",
        ),
    ],
    ids=["short record", "missing member", "label 11"],
)
def test_broken_cifar_archive(tmp_path, publish, change, message):
    publish("cifar10", checksums=write_cifar(tmp_path / CIFAR_ARCHIVE, change(cifar_parts()[0])))
    with pytest.raises(DataError, match=message):
        load_dataset("cifar10", folder=tmp_path)


def test_truncated_cifar_archive(tmp_path, publish):
    path = tmp_path / CIFAR_ARCHIVE
    write_cifar(path, cifar_parts()[0])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="its MD5 sum is"):
        load_dataset("cifar10", folder=tmp_path)
    publish("cifar10", checksums=((CIFAR_ARCHIVE, hashlib.md5(path.read_bytes()).hexdigest()),))
    with pytest.raises(DataError, match="cannot be read as a tar.gz archive"):
        load_dataset("cifar10", folder=tmp_path)


def test_the_pickled_cifar_archive_is_never_read(tmp_path, no_network):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"whatever")
    with pytest.raises(DataError, match="it is a pickle, and is never read"):
        load_dataset("cifar10", folder=tmp_path)


def test_packed_jpeg_is_read_and_named_as_lossy(tmp_path):
    images = write_packed(tmp_path / "cifar10_jpeg.npz")
    data = load_dataset("cifar10", folder=tmp_path)
    assert np.abs(data.x_train.astype(int) - images).max() < 16
    assert data.note.startswith("lossy")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offset_train": np.array([0, 5, 3])}, "offsets do not divide"),
        (
            {"jpeg_test": np.zeros(10, np.uint8), "offset_test": np.array([0, 10])},
            "image 0 is not a readable",
        ),
        ({"y_test": np.array([1])}, "y_test has shape"),
    ],
)
def test_broken_packed_jpeg(tmp_path, changes, message):
    write_packed(tmp_path / "cifar10_jpeg.npz", **changes)
    with pytest.raises(DataError, match=message):
        load_dataset("cifar10", folder=tmp_path)


def test_packed_jpeg_of_another_size(tmp_path):
    content, offset = packed_jpeg(np.zeros((1, 8, 8, 3), np.uint8))
    write_packed(tmp_path / "cifar10_jpeg.npz", jpeg_train=content, offset_train=offset)
    with pytest.raises(DataError, match=r"image 0 has shape \(8, 8, 3\)"):
        load_dataset("cifar10", folder=tmp_path)


def test_packed_jpeg_without_pillow(tmp_path, monkeypatch):
    write_packed(tmp_path / "cifar10_jpeg.npz")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        load_dataset("cifar10", folder=tmp_path)
