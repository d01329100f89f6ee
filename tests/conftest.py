"""What every test may use: a plotting backend without a screen, float64, real image sets."""

import gc
import os
import tempfile
from pathlib import Path

import jax
import jaxlib
import matplotlib
import pytest
from sklearn.datasets import load_digits

from tests.oracles.problems import blobs

matplotlib.use("Agg")
# Most of the suite's time is compiling tiny programs. Splitting each among threads costs the processor more
# than it saves, and XLA's older code generator for the CPU takes half as long. Whoever sets XLA_FLAGS, to
# nothing even, tests with what they set. XLA ends the process over a flag that it does not know, hence the
# versions.
FLAGS = {
    "--xla_cpu_parallel_codegen_split_count=1": ("0.10.", "0.12."),
    "--xla_cpu_use_fusion_emitters=false": ("0.10.",),
}
known = (flag for flag, versions in FLAGS.items() if jaxlib.__version__.startswith(versions))
os.environ.setdefault("XLA_FLAGS", " ".join(known))
# Tests, their workers and the processes that they start compile many programs alike: once is enough.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    programs = tempfile.TemporaryDirectory(prefix="mpnn-tests-")  # deleted when this process ends
    kept = {"jax_compilation_cache_dir": programs.name, "jax_persistent_cache_min_compile_time_secs": 0.1}
    for option, value in kept.items():
        os.environ[option.upper()] = str(value)
        jax.config.update(option, value)
# Tracing makes many small objects, few of which are garbage: collect less often.
gc.set_threshold(50_000, 10, 10)


@pytest.hookimpl(tryfirst=True)  # before the fixtures of the test, whatever their scope
def pytest_runtest_setup(item):
    """Compile without optimizing, which halves the time of many tiny programs, but for these marks."""
    optimized = any(item.get_closest_marker(mark) for mark in ("slow", "gpu", "optimized"))
    jax.config.update("jax_disable_most_optimizations", not optimized)


@pytest.fixture
def x64():
    """Float64 inside JAX for the length of a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def two_blobs():
    return blobs(2)


@pytest.fixture(scope="session")
def three_blobs():
    return blobs(3)


@pytest.fixture(scope="session")
def digit_images():
    """Images ``[n, 8, 8]`` of the digits 0 to 2, and labels."""
    pixels, labels = load_digits(n_class=3, return_X_y=True)
    return pixels.reshape(-1, 8, 8), labels


@pytest.fixture(scope="session")
def image_folder():
    """The folder of image sets named by the variable MPNN_DATA; the test is skipped without one."""
    folder = os.environ.get("MPNN_DATA")
    if not folder:
        pytest.skip("set MPNN_DATA to a folder with the image sets (fashion_mnist.npz) to run this test")
    return Path(folder)


@pytest.fixture(scope="session")
def fashion_mnist(image_folder):
    """Fashion-MNIST as :func:`mpnn.data.load_dataset` returns it."""
    if not any(image_folder.glob("fashion_mnist*")):
        pytest.skip("the folder named by MPNN_DATA holds no fashion_mnist")
    from mpnn.data import load_dataset

    return load_dataset("fashion_mnist")
