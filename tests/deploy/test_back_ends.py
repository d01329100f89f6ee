"""Every back-end gives the labels of the integer network, and that the labels of the classifier."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mpnn.deploy.c_source import c_inputs, save_c
from mpnn.deploy.runtime import Predictor
from mpnn.integer_networks.lowering import lower
from mpnn.layers import Dense, Flatten, Residual
from mpnn.preprocessing.scaling import fit_transform_of
from tests.deploy.checks import (
    STRICT,
    check_against_classifier,
    check_c,
    check_c_of_many,
    check_onnx,
    check_packed,
    lower_any,
    reference,
)
from tests.integer_networks.random_images import (
    draw_image_classifier,
    draw_images,
    draw_linked_layers,
    fitted_to_images,
)
from tests.integer_networks.random_networks import draw_classifier, draw_network, plain_encoder
from tests.integer_networks.trained_networks import draw_like, trained_models


def few_fast(number, fast=6):
    """So many seeds, the first few in the fast suite."""
    return [*range(fast), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(fast, number))]


@pytest.mark.parametrize("seed", few_fast(14))
def test_packed_network_equals_classifier(seed):
    model, X = draw_classifier(seed)
    network = lower(model, examples=X) if seed % 7 != 5 else lower(model, inputs="real", examples=X)
    check_against_classifier(network, model, X)
    check_packed(network, X)


@pytest.mark.parametrize("seed", few_fast(15))
def test_back_ends_equal_integer_network(seed):
    network, X = draw_network(seed)
    check_packed(network, X)
    check_onnx(network, X)


@pytest.mark.parametrize("seed", few_fast(24))
def test_population_counts_equal_products(seed, monkeypatch):
    monkeypatch.setattr("mpnn.integer_networks.sign_layers.MANY_WEIGHTS", 1)
    network, X = draw_network(seed)
    expected = network.outputs(network.codes(X))
    found = [Predictor(network).outputs(X[start : start + 3]) for start in range(0, len(X), 3)]
    np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.slow
def test_numba_equals_numpy(monkeypatch):
    pytest.importorskip("numba", reason="install numba to test its loops")
    monkeypatch.setattr("mpnn.integer_networks.sign_layers.MANY_WEIGHTS", 1)
    for seed in range(24):
        network, X = draw_network(seed)
        expected = network.outputs(network.codes(X))
        np.testing.assert_array_equal(Predictor(network, "numba").outputs(X), expected)


def test_engines_are_named():
    with pytest.raises(ValueError, match="engine must be one of"):
        Predictor(draw_network(0)[0], "cuda")


@pytest.mark.parametrize(("seed", "optimize"), [(1, "size"), (3, "speed"), (5, "size"), (8, "size")])
def test_c_equals_integer_network(gcc, tmp_path, seed, optimize):
    network, X = draw_network(seed)
    check_c(gcc, tmp_path, network, X, optimize)


def test_c_as_a_shared_library(gcc, tmp_path):
    network, X = draw_network(7)
    source, _ = save_c(network, tmp_path / "shared.c", name="shared")
    library = tmp_path / "shared.so"
    subprocess.run([gcc, "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    rows = np.ascontiguousarray(c_inputs(network, X))
    predict = ctypes.CDLL(str(library)).shared_predict
    found = [predict(ctypes.c_void_p(row.ctypes.data)) for row in rows]
    np.testing.assert_array_equal(found, reference(network, X))


@pytest.mark.slow
def test_c_is_clean_for_clang_and_as_cpp(tmp_path):
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("install clang to test the exported C with it")
    for seed in range(12):
        network, X = draw_network(seed)
        source, _ = save_c(network, tmp_path / "net.c", X)
        done = subprocess.run(
            [clang, *STRICT, "-DNET_MAIN", "-c", str(source), "-o", str(tmp_path / "net.o")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[:2000]
        cpp = [clang, "-x", "c++", "-std=c++11", "-Wall", "-Werror", "-c", str(source), "-o", "/dev/null"]
        assert subprocess.run(cpp, capture_output=True).returncode == 0


# A program without a C library: its status is the number of wrong rows.
BARE = """
#include "net.c"
int net_wrong(void)
{
    int row, wrong = 0;
    for (row = 0; row < ROWS; ++row)
        wrong += net_predict(&net_test_inputs[row * NET_INPUTS]) != net_test_classes[row];
    return wrong;
}
__attribute__((naked)) void _start(void) { __asm__ volatile("bl net_wrong\\n movs r7, #1\\n svc #0\\n"); }
"""


@pytest.mark.slow
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4"])
def test_c_on_an_emulated_cortex_m(tmp_path, core):
    compiler, emulator = shutil.which("arm-none-eabi-gcc"), shutil.which("qemu-arm")
    if compiler is None or emulator is None:
        pytest.skip("install gcc-arm-none-eabi and qemu-user to run the exported C on an emulated Cortex-M")
    images = [(lower_any(model, X), X) for model, X in map(draw_image_classifier, range(6))]
    for seed, (network, X) in enumerate([*map(draw_network, range(16)), *images]):
        save_c(network, tmp_path / "net.c", X, optimize=["size", "speed"][seed % 2])
        (tmp_path / "bare.c").write_text(BARE)
        flags = [
            f"-mcpu={core}",
            "-mthumb",
            "-Os",
            "-nostartfiles",
            "--specs=nosys.specs",
            "-Wl,--no-warnings",
        ]
        command = [compiler, *flags, "-DNET_MAIN", f"-DROWS={len(X)}", "bare.c", "-o", "net.elf"]
        subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
        assert subprocess.run([emulator, "net.elf"], cwd=tmp_path).returncode == 0, seed


def test_encoder_of_a_table():
    encoder = plain_encoder()
    table = np.array([[0.5, "red", 1], [7.5, "blue", 2], [None, "green", 3], [-1.0, None, 4]], object)
    from mpnn.integer_networks.lowering import _thermometer

    bits = _thermometer(encoder).encode(table)
    expected = [[1, -1, -1, 1, 0], [1, 1, 1, 0, 1], [0, 0, 0, 0, 0], [-1, -1, -1, 0, 0]]
    np.testing.assert_array_equal(bits, expected)


def test_classifier_behind_an_encoder():
    rng = np.random.default_rng(0)
    from mpnn.integer_networks.lowering import _thermometer
    from tests.integer_networks.random_networks import fitted

    encoder, table = plain_encoder(), np.empty((50, 3), object)
    table[:, 0], table[:, 2] = rng.uniform(-1, 9, 50), 0
    table[:, 1] = rng.choice(["red", "blue", "green"], 50)
    bits = _thermometer(encoder).encode(table)
    for scaling in (None, "max_abs", "standard"):
        transform = fit_transform_of(bits.astype(np.float32), scaling)
        options = {"bias": True, "density": 1.0, "classes": np.array([4, 5, 6])}
        model = fitted(rng, transform, (5, 7, 3), "ternary", **options)
        network = lower(model, encoder=encoder)
        assert network.exact
        np.testing.assert_array_equal(network.predict(table), model.predict(bits))
        check_packed(network, table)
        check_onnx(network, table)


@pytest.mark.parametrize("seed", few_fast(40, fast=4))
def test_images(seed):
    model, X = draw_image_classifier(seed)
    network = lower_any(model, X)
    check_against_classifier(network, model, X)
    check_packed(network, X)
    check_onnx(network, X)
    np.testing.assert_array_equal(network.predict(X.reshape(-1, *model.image_shape_)), network.predict(X))


@pytest.mark.parametrize("seed", few_fast(40, fast=4))
def test_residual_links(seed):
    model, X = draw_image_classifier(seed, draw_linked_layers)
    network = lower_any(model, X)
    check_against_classifier(network, model, X)
    check_packed(network, X)
    check_onnx(network, X)


def test_residual_links_are_one_more_term():
    """In NumPy alone: units(x) = sign(V units(U x) + x) of signs x, with drawn weights."""
    rng = np.random.default_rng(0)
    X = draw_images(rng, (3, 5, 1))
    transform = fit_transform_of(X.astype(np.float32), "max_abs")
    hidden = (Flatten(), 12, Residual((Dense(7), Dense(12))))
    model = fitted_to_images(rng, transform, (3, 5, 1), hidden, "ternary", 3, np.arange(3), bias=False)
    first, inner, last, output = (weights.astype(int) for weights in model.weights_)
    below = np.where(X @ first >= 0, 1, -1)
    branch = np.where(below @ inner >= 0, 1, -1) @ last
    expected = (np.where(branch + below >= 0, 1, -1) @ output).argmax(axis=1)
    assert np.any(expected != (np.where(branch >= 0, 1, -1) @ output).argmax(axis=1))
    np.testing.assert_array_equal(lower(model, examples=X).predict(X), expected)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("seeds", [[4], pytest.param([*range(12)], marks=pytest.mark.slow)])
def test_c_of_residual_links(gcc, tmp_path, seeds):
    drawn = [draw_image_classifier(seed, draw_linked_layers) for seed in seeds]
    check_c_of_many(gcc, tmp_path, [(lower_any(model, X), X) for model, X in drawn], "size")


def test_c_of_images(gcc, tmp_path):
    drawn = [draw_image_classifier(seed) for seed in (0, 1, 3)]
    check_c_of_many(gcc, tmp_path, [(lower_any(model, X), X) for model, X in drawn], "size")


def draw_any(seed, trained):
    """A random network of one of five kinds, checked against its classifier, and rows to predict."""
    kind = seed % 5
    if kind == 0:
        return draw_network(seed)
    if kind == 1:
        model, X = draw_classifier(seed)
    elif kind == 2:
        model, X = draw_image_classifier(seed)
    elif kind == 3:
        model, X = draw_image_classifier(seed, draw_linked_layers)
    else:
        model, X = draw_like(trained, seed)
    network = lower_any(model, X)
    check_against_classifier(network, model, X)
    return network, X


@pytest.fixture(scope="module")
def trained():
    return trained_models()


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failure names its seeds: each is one network
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=20, max_size=20, unique=True),
    optimize=st.sampled_from(["size", "speed"]),
)
def test_any_network_is_the_same_everywhere(tmp_path, trained, seeds, optimize):
    """240 networks: packed, NumPy, C with both compilers and the sanitizers, ONNX: one label each.

    Twenty networks are compiled at once.
    """
    compilers = [found for found in map(shutil.which, ("gcc", "clang")) if found]
    if not compilers:
        pytest.skip("install gcc or clang to test the exported C")
    small = []
    for seed in seeds:
        network, X = draw_any(seed, trained)
        check_packed(network, X)
        check_onnx(network, X)
        if network.largest_sum < 2**30:  # what C takes
            small.append((network, X[:40]))
    for compiler in compilers:
        check_c_of_many(compiler, tmp_path, small, optimize)
