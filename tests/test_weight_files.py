"""Published weights: int8 alone, atomic, and refused when damaged."""

import json

import numpy as np
import pytest
import safetensors.numpy

from mpnn import weight_files as published
from mpnn.message_passing.checkpoints import (
    CheckpointError,
    load_arrays,
    load_networks,
    load_weights,
    save_arrays,
    save_networks,
    save_weights,
)


def layers(seed=0, widths=(5, 3, 1), bias=0):
    rng = np.random.default_rng(seed)
    return [
        rng.integers(-1, 2, size=(inputs + bias, outputs), dtype=np.int8)
        for inputs, outputs in zip(widths, widths[1:], strict=False)
    ]


@pytest.mark.parametrize("bias", [0, 1])
def test_weights_come_back_with_their_metadata(tmp_path, bias):
    path, weights = tmp_path / "new" / "network.safetensors", layers(bias=bias)
    about = {"rule": "bp_inspired", "levels": [-1, 0, 1], "classes": [3, 5], "scale": 0.5}
    save_weights(path, weights, about)
    again, metadata = load_weights(path)
    assert metadata == about
    for one, other in zip(weights, again, strict=True):
        assert other.dtype == np.int8
        np.testing.assert_array_equal(one, other)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_networks_and_beliefs_stay_apart(tmp_path):
    path = tmp_path / "ensemble.safetensors"
    networks = [layers(seed) for seed in range(12)]
    save_networks(path, networks, {"pairs": [[0, 1]]}, beliefs={"0/mean": np.zeros((5, 3), np.float32)})
    again, metadata = load_networks(path)
    assert metadata == {"pairs": [[0, 1]]}
    assert len(again) == 12
    for one, other in zip(networks, again, strict=True):
        np.testing.assert_array_equal(
            np.concatenate([a.ravel() for a in one]), np.concatenate([a.ravel() for a in other])
        )
    arrays, _ = load_arrays(path)
    assert arrays["beliefs/0/mean"].dtype == np.float32
    assert all(array.dtype == np.int8 for name, array in arrays.items() if name.startswith("weights/"))
    with pytest.raises(CheckpointError, match="layers must be named weights/0"):
        load_weights(path)


@pytest.mark.parametrize(
    ("arrays", "about", "sentence"),
    [
        ({"weights/0": np.zeros((2, 1))}, {}, "must be int8, got float64; beliefs go under"),
        (
            {"weights/0": np.full((2, 1), 3, np.int8)},
            {"levels": [-1, 1]},
            r"holds \[3\], which are not among",
        ),
        ({"beliefs/mean": np.zeros(2, np.int8)}, {}, "must be floating point, got int8"),
        ({"mean": np.zeros(2)}, {}, "'beliefs/...' or 'packed/...', got 'mean'"),
    ],
)
def test_arrays_that_are_not_what_they_say(tmp_path, arrays, about, sentence):
    with pytest.raises(ValueError, match=sentence):
        save_arrays(tmp_path / "a.safetensors", arrays, about)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shapes", [[(5, 3), (4, 2), (2, 1)], [(5, 3), (6, 1)], [(5,)], []])
def test_layers_that_do_not_follow_on_each_other(tmp_path, shapes):
    with pytest.raises(CheckpointError, match="do not follow|must be named"):
        save_weights(tmp_path / "a.safetensors", [np.ones(shape, np.int8) for shape in shapes])


def test_every_kind_of_damage_is_reported(tmp_path):
    path = tmp_path / "network.safetensors"
    save_weights(path, layers())
    whole = path.read_bytes()
    for damaged in (b"", whole[:4], whole[:40], whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(
            CheckpointError, match=r"network\.safetensors is damaged .*: fetch or write it again"
        ):
            load_weights(path)


def test_foreign_and_missing_files(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"weights/0": np.ones((2, 1), np.int8)}, path)
    with pytest.raises(CheckpointError, match="not written by this library"):
        load_weights(path)
    with pytest.raises(FileNotFoundError, match="no weights at"):
        load_weights(tmp_path / "nothing.safetensors")


def test_declared_levels_are_checked_on_loading(tmp_path):
    path, arrays = tmp_path / "network.safetensors", {"weights/0": np.full((2, 1), 7, np.int8)}
    header = {
        "format": published.FORMAT,
        "metadata": json.dumps({"levels": [-1, 1]}),
        "digest": published.digest(arrays),
    }
    safetensors.numpy.save_file(arrays, path, metadata=header)
    with pytest.raises(CheckpointError, match=r"holds \[7\]"):
        load_weights(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "network.safetensors"
    save_weights(path, layers(0))
    before = path.read_bytes()

    def no_space(source, target):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(OSError, match="No space"):
        save_weights(path, layers(1))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
