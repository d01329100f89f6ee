"""Bytes and microseconds of exported networks, against the library's own prediction, in one run.

    MPNN_DATA=folder python -m experiments.benchmarks.deploy
    MPNN_DATA=folder python -m experiments.benchmarks.deploy --models digits mnist --rounds 9
    MPNN_DATA=folder python -m experiments.benchmarks.deploy --keep build/models --train-only

Per network: test accuracy, labels that the export changes, bytes of the packed file, of the ONNX model and of
the C for Cortex-M0 and M4 (``arm-none-eabi-gcc -Os``, tables and code), instructions an image on an emulated
Cortex-M4, and times of many images and of one. What is not installed is left out.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, load_model, save_model
from mpnn.data import Dataset, load_dataset, sample_few_shot
from mpnn.deploy.c_source import c_inputs, save_c
from mpnn.deploy.exporting import count_changes
from mpnn.deploy.packed import save_network
from mpnn.deploy.runtime import Predictor, load
from mpnn.integer_networks.lowering import lower
from mpnn.integer_networks.network import IntegerNetwork

MODELS = ("digits", "mnist", "mnist_confidence", "mnist_sparse", "wide")
IMAGES_IN_C = 200


@dataclass(frozen=True)
class Deploy:
    """What is measured.

    models : names among digits, mnist, mnist_confidence, mnist_sparse (pairwise votes of single ternary
        layers, MNIST with 40 images a class) and wide (784-501-501-10 binary, ten epochs on 2,000
        images: for its size and time).
    rounds : timed calls of each, >= 1; the least is shown.
    seed : of the draw of images and of training.
    clock : ``"wall"``, or ``"processor"``: time of the process on all cores, which other work on the machine
        lengthens little. For one core, run with OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1.
    keep : folder of trained models, which a later run takes, so that it measures alone; None: none are kept.
    train_only : whether models are trained and kept, and nothing is measured.
    """

    models: tuple[str, ...] = MODELS
    rounds: int = 7
    seed: int = 0
    clock: Literal["wall", "processor"] = "wall"
    keep: Path | None = None
    train_only: bool = False


def _kept_model(name: str, options: Deploy) -> tuple[Any, NDArray, NDArray]:
    """A model, from a file where there is one, and the test images with their labels."""
    data = load_dataset("digits" if name == "digits" else "mnist")
    test, labels = data.x_test.reshape(len(data.x_test), -1), data.y_test
    if options.keep is None:
        return _model(name, options.seed, data), test, labels
    options.keep.mkdir(parents=True, exist_ok=True)
    path = options.keep / f"{name}_{options.seed}.model"
    if not path.exists():
        save_model(_model(name, options.seed, data), path)
    return load_model(path), test, labels


def _model(name: str, seed: int, data: Dataset) -> Any:
    if name == "wide":
        images = data.x_train[:2000].reshape(2000, -1)
        member = MessagePassingClassifier((501, 501), "binary", num_epochs=10, random_state=seed)
        return member.fit(images, data.y_train[:2000])
    shots = 10 if name == "digits" else 40
    images, targets = sample_few_shot(data.x_train, data.y_train, per_class=shots, seed=seed)
    member = MessagePassingClassifier(random_state=seed, sparsity=2.2 if name == "mnist_sparse" else None)
    ties = "confidence" if name == "mnist_confidence" else "head_to_head"
    return PairwiseVoteClassifier(member, ties=ties).fit(images.reshape(len(images), -1), targets)


def _least(call: Callable[[], Any], options: Deploy, repeat: int = 1) -> float:
    """Least seconds of a call."""
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    call()
    seconds = []
    for _ in range(options.rounds):
        start = clock()
        for _ in range(repeat):
            call()
        seconds.append((clock() - start) / repeat)
    return min(seconds)


def _program(network: IntegerNetwork, X: NDArray, folder: Path, optimize: str) -> Path:
    """C that predicts the images of a file as often as an argument says; prints microseconds an image."""
    source, _ = save_c(network, folder / f"{optimize}.c", name="net", optimize=optimize)
    rows = np.ascontiguousarray(c_inputs(network, X[:IMAGES_IN_C]))
    rows.tofile(folder / "images")
    main = folder / f"{optimize}_main.c"
    main.write_text(f"""#include "{source.name}"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static uint8_t images[{rows.size}];
int main(int count, char **arguments)
{{
    FILE *file = fopen("{folder / "images"}", "rb");
    long round, rounds = count > 1 ? atol(arguments[1]) : 0, sum = 0;
    double least = 1e9;
    if (!file || fread(images, 1, sizeof images, file) != sizeof images) return 1;
    for (round = 0; round < rounds; ++round) {{
        clock_t start = clock();
        double seconds;
        int image;
        for (image = 0; image < {len(rows)}; ++image) sum += net_predict(&images[image * {rows.shape[1]}]);
        seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds < least) least = seconds;
    }}
    printf("%f %ld\\n", least / {len(rows)} * 1e6, sum);
    return 0;
}}
""")
    return main


def _c_figures(network: IntegerNetwork, X: NDArray, folder: Path, row: dict[str, Any]) -> None:
    for optimize in ("size", "speed"):
        main = _program(network, X, folder, optimize)
        if compiler := shutil.which("gcc"):
            program = str(folder / optimize)
            subprocess.run([compiler, "-O3", "-march=native", str(main), "-o", program], check=True)
            done = subprocess.run([program, "40"], capture_output=True, text=True, check=True)
            row[f"C {optimize}, us an image"] = round(float(done.stdout.split()[0]), 2)
        if compiler := shutil.which("arm-none-eabi-gcc"):
            for core in ("cortex-m0", "cortex-m4"):
                compiled = str(folder / "arm.o")
                command = [compiler, f"-mcpu={core}", "-mthumb", "-Os", "-c", str(folder / f"{optimize}.c")]
                subprocess.run([*command, "-o", compiled], check=True)
                done = subprocess.run(
                    ["arm-none-eabi-size", compiled], capture_output=True, text=True, check=True
                )
                text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
                row[f"flash {core} {optimize}"] = text + data
                row["static RAM"] = max(row.get("static RAM", 0), data + bss)
            row |= _instructions(compiler, network, X, folder, optimize)


def _instructions(
    compiler: str, network: IntegerNetwork, X: NDArray, folder: Path, optimize: str
) -> dict[str, int]:
    """Instructions an image of a Cortex-M4, counted by running one at a time in qemu-arm."""
    emulator = shutil.which("qemu-arm")
    if emulator is None:
        return {}
    counts = []
    for images in (1, 5):
        rows = c_inputs(network, X[:images]).ravel()
        main = folder / "count.c"
        values = ",".join(map(str, rows.tolist()))
        # no C library: the program starts and ends by itself
        main.write_text(f"""#include "{optimize}.c"
static const uint8_t images[{rows.size}] = {{{values}}};
volatile int sum;
void bench(void)
{{
    int image;
    for (image = 0; image < {images}; ++image) sum += net_predict(&images[image * {X.shape[1]}]);
}}
__attribute__((naked)) void _start(void)
{{
    __asm__ volatile("bl bench\\n movs r0, #0\\n movs r7, #1\\n svc #0\\n");
}}
""")
        program, log = str(folder / "count.elf"), folder / "log"
        flags = ["-mcpu=cortex-m4", "-mthumb", "-O2", "-nostartfiles", "--specs=nosys.specs"]
        subprocess.run([compiler, *flags, str(main), "-o", program], check=True, capture_output=True)
        command = [emulator, "-singlestep", "-d", "exec,nochain", "-D", str(log), program]
        subprocess.run(command, check=True)
        with log.open() as lines:
            counts.append(sum(1 for line in lines if line.startswith("Trace")))
    return {f"Cortex-M4 instructions an image {optimize}": (counts[1] - counts[0]) // 4}


def _onnx_figures(
    network: IntegerNetwork, X: NDArray, folder: Path, options: Deploy, row: dict[str, Any]
) -> None:
    try:
        import onnxruntime

        from mpnn.deploy.onnx_model import onnx_inputs, save_onnx
    except ImportError:
        return
    save_onnx(network, folder / "network.onnx")
    row["ONNX bytes"] = (folder / "network.onnx").stat().st_size
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "network.onnx"), settings)
    rows = onnx_inputs(network, X)
    labels = session.run(["label"], {"x": rows})[0]
    row["ONNX labels that differ"] = int(np.sum(labels != Predictor(network).predict(X)))
    row["onnxruntime, ms"] = round(1e3 * _least(lambda: session.run(["label"], {"x": rows}), options), 2)
    one = _least(lambda: session.run(["label"], {"x": rows[:1]}), options, 50)
    row["onnxruntime, us an image"] = round(1e6 * one, 1)


def _fresh_process(path: Path, X: NDArray, folder: Path, options: Deploy) -> float:
    """Least seconds of import, load and first prediction in a new process."""
    np.save(folder / "row.npy", X[:1])
    clock = "perf_counter" if options.clock == "wall" else "process_time"
    code = (
        f"import time; s = time.{clock}()\n"
        "from mpnn.deploy.runtime import load\n"
        "import numpy, sys\n"
        "load(sys.argv[1]).predict(numpy.load(sys.argv[2])); "
        f"print(time.{clock}() - s)"
    )
    command = [sys.executable, "-c", code, str(path), str(folder / "row.npy")]
    return min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5))


def measure(name: str, options: Deploy, folder: Path) -> dict[str, Any]:
    """One row of the table."""
    model, X, y = _kept_model(name, options)
    network = lower(model, inputs="uint8")
    changed = count_changes(network, X, model.predict(X))
    accuracy = float(np.mean(Predictor(network).predict(X) == y))
    row: dict[str, Any] = {
        "network": name,
        "test images": len(X),
        "accuracy": accuracy,
        "labels changed": changed,
    }
    row |= {"links": network.num_links, "inputs used": len(network.columns)}
    path = folder / f"{name}.mpnn"
    save_network(network, path)
    row["packed bytes"] = path.stat().st_size
    predictor = load(path)
    row["predict, ms"] = round(1e3 * _least(lambda: model.predict(X), options), 2)
    row["packed NumPy, ms"] = round(1e3 * _least(lambda: predictor.predict(X), options), 2)
    row["packed NumPy / predict"] = round(row["packed NumPy, ms"] / row["predict, ms"], 3)
    if importlib.util.find_spec("numba") is not None:
        compiled = load(path, "numba")
        row["packed numba, ms"] = round(1e3 * _least(lambda: compiled.predict(X), options), 2)
    linear = LogisticRegression(max_iter=50).fit(X[:500] / 255.0, y[:500])  # for its time alone
    row["logistic regression, ms"] = round(1e3 * _least(lambda: linear.predict(X / 255.0), options), 2)
    product = np.zeros((X.shape[1], predictor.network.layers[0].num_units), np.float32)
    row["float32 product of the first layer, ms"] = round(
        1e3 * _least(lambda: X.astype(np.float32) @ product, options), 2
    )
    row["predict, us an image"] = round(1e6 * _least(lambda: model.predict(X[:1]), options, 20), 1)
    row["packed NumPy, us an image"] = round(1e6 * _least(lambda: predictor.predict(X[:1]), options, 50), 1)
    row["import and first prediction, s"] = round(_fresh_process(path, X, folder, options), 3)
    _onnx_figures(network, X, folder, options, row)
    _c_figures(network, X, folder, row)
    return row


def main(options: Deploy) -> None:
    """Print a line of JSON a network."""
    for name in options.models:
        if name not in MODELS:
            raise ValueError(f"models must be among {MODELS}, got {name!r}")
        if options.train_only:
            _kept_model(name, options)
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(name, options, Path(folder))), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Deploy))
