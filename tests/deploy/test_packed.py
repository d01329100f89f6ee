"""The packed file: its size, what is refused, and that no bytes make the reader crash, hang or swell."""

import hashlib
import json
import resource
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from mpnn.deploy import bits, packed
from mpnn.deploy.packed import MEMORY_MULTIPLE, PackedFileError, from_bytes, to_bytes
from mpnn.deploy.runtime import Predictor, load
from mpnn.integer_networks.decisions import Sign
from mpnn.integer_networks.inputs import PixelTable
from mpnn.integer_networks.links import Link
from mpnn.integer_networks.network import IntegerNetwork, Layer
from tests.deploy.checks import lower_any
from tests.integer_networks.random_images import draw_image_classifier, draw_linked_layers
from tests.integer_networks.random_networks import draw_network, draw_weights

CONSTANT = 2**20


def sealed(header_and_sections, length):
    """A file with a right checksum, whatever it holds."""
    digest = hashlib.sha256(header_and_sections).digest()
    return packed.PREFIX.pack(packed.SIGNATURE + packed.VERSION, length, digest) + header_and_sections


def mutants(data, rng, count):
    """Damaged files, most of them with a right checksum, so that the reader behind it is reached."""
    _, length, _ = packed.PREFIX.unpack_from(data)
    body = np.frombuffer(data[packed.PREFIX.size :], np.uint8)
    digits = np.flatnonzero((body[:length] >= 48) & (body[:length] < 58))
    for number in range(count):
        changed, kind = body.copy(), number % 4
        if kind == 0:
            changed[rng.integers(0, len(body), rng.integers(1, 6))] = rng.integers(0, 256)
        elif kind == 1:
            changed[rng.choice(digits, rng.integers(1, 4))] = 48 + rng.integers(0, 10)
        elif kind == 2:
            changed = np.delete(changed, rng.integers(0, len(body), rng.integers(1, 9)))
        else:
            place = rng.integers(0, length)
            text = rng.choice([b"9999999999", b"null", b"[" * 2000, b"-1", b"1e999", b'"', b"{}", b"0"])
            changed = np.concatenate([body[:place], np.frombuffer(text, np.uint8), body[place:]])
        yield (
            sealed(changed.tobytes(), length)
            if number % 8
            else data[: packed.PREFIX.size] + changed.tobytes()
        )


def draw_linked_network(seed):
    """A network with residual links, and rows to predict."""
    model, X = draw_image_classifier(seed, draw_linked_layers)
    return lower_any(model, X), X


def check_mutants(seeds, count, draw=draw_network):
    refused = 0
    for seed in seeds:
        network, X = draw(seed)
        for mutant in mutants(to_bytes(network), np.random.default_rng(seed), count):
            try:
                again = Predictor(from_bytes(mutant))
            except PackedFileError as error:
                refused += bool(str(error))
                continue
            if again.network.num_inputs == X.shape[1]:
                assert len(again.predict(X[:2])) == 2
    assert refused > 0.5 * count * len(seeds)


def test_damaged_files_are_refused():
    check_mutants(range(12), 50)


def test_damaged_files_with_links_are_refused():
    check_mutants(range(3), 40, draw_linked_network)


@pytest.mark.slow
def test_many_damaged_files_are_refused():
    check_mutants(range(60), 250)
    check_mutants(range(20), 250, draw_linked_network)


def linked_file(change):
    """A packed file of 5 signs, 3 and again 5, the last with a link, whose description is changed."""
    weights = [np.ones((1, count, units), np.int8) for count, units in ((4, 5), (5, 3), (3, 5), (5, 1))]
    link = Link(1, np.full(5, 2))
    layers = [Layer(own, np.zeros(own.shape[2], int)) for own in weights]
    layers[2] = replace(layers[2], link=link)
    inputs = PixelTable(np.arange(256)[None], np.zeros(4, np.uint8))
    data = to_bytes(IntegerNetwork(inputs, np.arange(4), tuple(layers), Sign(), (0, 1)))
    _, length, _ = packed.PREFIX.unpack_from(data)
    body = data[packed.PREFIX.size :]
    header = json.loads(body[:length])
    change(header["layers"])
    text = json.dumps(header).encode()
    return data, sealed(text + body[length:], len(text))


def test_only_files_with_links_have_the_second_version():
    data, again = linked_file(lambda layers: None)
    assert data.startswith(b"MPNNnet2")
    X = np.random.default_rng(0).integers(0, 256, (9, 4))
    np.testing.assert_array_equal(from_bytes(again).predict(X), from_bytes(data).predict(X))
    for seed in range(12):
        assert to_bytes(draw_network(seed)[0]).startswith(b"MPNNnet1")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (0, "from 1 to"),
        (-1, "from 1 to"),
        (True, "whole"),
        ("1", "whole"),
        (3, "cannot begin"),
        (2**40, "from 1 to"),
        (2, "begins at 3 units and ends at 5"),
        ([1], "whole"),
    ],
)
def test_links_to_nowhere_are_refused(entry, reason):
    def change(layers):
        layers[2][-1] = entry

    with pytest.raises(PackedFileError, match=reason):
        from_bytes(linked_file(change)[1])


@pytest.mark.parametrize("jumps", [[-1] * 5, [8] * 5, [2] * 4])
def test_jumps_out_of_range_are_refused(jumps):
    with pytest.raises(ValueError, match="jumps of a link"):
        Layer(np.ones((1, 3, 5), np.int8), np.zeros(5, int), None, Link(1, np.array(jumps)))


def test_the_last_layer_ends_no_link():
    def change(layers):
        layers[3].append(layers[2].pop())

    with pytest.raises(PackedFileError, match="cannot be read"):
        from_bytes(linked_file(change)[1])


@pytest.mark.parametrize("data", [b"", b"MPNNnet", b"MPNNnet1" + bytes(40), b"x" * 100, bytes(1000)])
def test_other_files_are_refused_in_one_sentence(data):
    with pytest.raises(PackedFileError, match="packed network"):
        from_bytes(data)


def test_newer_version_is_named():
    data = to_bytes(draw_network(0)[0])
    with pytest.raises(PackedFileError, match="version '7'"):
        from_bytes(data[:7] + b"7" + data[8:])


def test_checksum_finds_a_flipped_bit():
    data = bytearray(to_bytes(draw_network(0)[0]))
    data[-1] ^= 1
    with pytest.raises(PackedFileError, match="checksum"):
        from_bytes(bytes(data))


@pytest.mark.parametrize("seed", range(8))
def test_reading_uses_bounded_memory(seed):
    data = to_bytes(draw_network(seed)[0])
    files = [data, *mutants(data, np.random.default_rng(seed), 24)]
    for each in files:
        tracemalloc.start()
        try:
            from_bytes(each)
        except PackedFileError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak <= MEMORY_MULTIPLE * len(each) + CONSTANT


def test_declared_sizes_do_not_allocate():
    """A header that declares a layer of 2^31 by 2^31 weights and holds none."""
    header = (
        b'{"inputs":{"kind":"pixels","inputs":8,"tables":0},"layers":[[1,2147483647,2147483647]],'
        b'"decision":{"kind":"sign"},"labels":[0,1],"unlabelled":null,"encoder":null,"exact":true,'
        b'"provenance":{},"sections":[["bits",1],["bits",0],["<i1",0]]}'
    )
    with pytest.raises(PackedFileError, match="must have"):
        from_bytes(sealed(header + b"\xff", len(header)))


@pytest.mark.parametrize(
    ("kind", "bits_each"), [("binary", 1.0), ("ternary", 1.6), (2, 3.0), (3, 3.0), (7, 4.0), (127, 8.0)]
)
def test_weights_take_their_bits(kind, bits_each):
    rng = np.random.default_rng(0)
    largest = 1 if isinstance(kind, str) else kind
    levels = [-1, 1] if kind == "binary" else np.arange(-largest, largest + 1)
    weights = rng.choice(levels, (3, 101, 17)).astype(np.int8)
    data, coding = bits.pack_weights(weights)
    assert len(data) <= weights.size * bits_each / 8 + 1
    np.testing.assert_array_equal(bits.unpack_weights(data, coding, weights.shape), weights)


def test_sparse_weights_take_less():
    weights = draw_weights(np.random.default_rng(0), "ternary", (500, 45))
    weights *= np.random.default_rng(1).random(weights.shape) < 0.2
    data, coding = bits.pack_weights(weights)
    assert len(data) < weights.size * 1.3 / 8
    np.testing.assert_array_equal(bits.unpack_weights(data, coding, weights.shape), weights)


def test_file_is_little_larger_than_its_bits():
    for seed in range(30):
        network, _ = draw_network(seed)
        held = sum(layer.weights.size for layer in network.layers) * 8 / 5
        if max(np.abs(layer.weights).max(initial=0) for layer in network.layers) > 1:
            continue
        numbers = sum(len(layer.thresholds) for layer in network.layers) * 32
        numbers += 256 * 32 * len(getattr(network.inputs, "codes", ()))
        numbers += 64 * 4 * network.inputs.num_inputs
        assert len(to_bytes(network)) <= 1.15 * (held + numbers) / 8 + 2048


PROGRAM = """
import sys, time
start = time.process_time()
from mpnn.deploy.runtime import load
network = load(sys.argv[1])
rows = __import__("numpy").load(sys.argv[2])
print(*network.predict(rows).tolist())
print(time.process_time() - start)
heavy = {"jax", "sklearn", "scipy", "flax", "onnx"} & set(sys.modules)
assert not heavy, heavy
"""
IMPORT_OF_NUMPY = """
import time
start = time.process_time()
import numpy
print(time.process_time() - start)
"""


@pytest.fixture
def saved(tmp_path):
    network, X = draw_network(7)
    packed.save_network(network, tmp_path / "network.mpnn")
    np.save(tmp_path / "rows.npy", X)
    return network, X, [str(tmp_path / "network.mpnn"), str(tmp_path / "rows.npy")]


def test_runtime_needs_numpy_alone(saved):
    network, X, arguments = saved
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    labels, _ = done.stdout.splitlines()
    assert labels.split(" ") == [str(label) for label in network.predict(X)]
    assert load(arguments[0]).predict(X).tolist() == network.predict(X).tolist()


@pytest.mark.slow
def test_first_prediction_is_quick(saved):
    """Of the processor, at most as much again as it takes to import NumPy, which is part of it."""
    seconds = {
        program: min(
            float(
                subprocess.run(
                    [sys.executable, "-c", program, *saved[2]], capture_output=True, text=True, check=True
                ).stdout.splitlines()[-1]
            )
            for _ in range(5)
        )
        for program in (PROGRAM, IMPORT_OF_NUMPY)
    }
    assert seconds[PROGRAM] <= 2.0 * seconds[IMPORT_OF_NUMPY]


def test_predictions_of_many_rows_stay_small():
    """Chunks bound the memory beside the rows and their labels."""
    network, X = draw_network(7)
    rows = np.repeat(X, 5000, axis=0)
    predictor = Predictor(network)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    labels = predictor.predict(rows)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 400
    np.testing.assert_array_equal(labels[::5000], network.predict(X))
