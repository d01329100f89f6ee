"""Accuracy and flash of other exporters on the training images of the 45-network vote, in one run.

    MPNN_DATA=folder python -m experiments.benchmarks.deploy_rivals

40 images a class of MNIST, 10,000 test images. Flash is that of a program for a Cortex-M0
(``arm-none-eabi-gcc -Os``) less that of an empty one, so that what the code calls counts. A rival that is not
installed is left out with a sentence (``pip install emlearn m2cgen``). Microseconds are of one image on this
processor, the same program by ``gcc -O2``, least of five rounds over a hundred test images.
"""

import contextlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.data import load_dataset, sample_few_shot
from mpnn.deploy.c_source import save_c
from mpnn.integer_networks.lowering import lower

ARM = "arm-none-eabi-gcc"
EMPTY = "int main(void) { return 0; }\n"
NUM_TIMED = 100
# Appended to a program whose main is renamed: copies an image to x, predicts, and takes the copying off.
TIMING = """
#include <stdio.h>
#include <time.h>
static volatile int sink;
static double seconds(int predicts)
{
    double least = 1e9;
    for (int round = 0; round < 5; ++round) {
        clock_t start = clock();
        for (int image = 0; image < IMAGES; ++image) {
            for (int pixel = 0; pixel < 784; ++pixel)
                x[pixel] = images[image][pixel] SCALE;
            if (predicts)
                sink = once();
        }
        double passed = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (passed < least)
            least = passed;
    }
    return least;
}
#undef main
int main(void)
{
    printf("%.2f\\n", 1e6 * (seconds(1) - seconds(0)) / IMAGES);
    return 0;
}
"""


@dataclass(frozen=True)
class Rivals:
    """What is compared.

    trees : numbers of trees of the random forests.
    hidden : units of the multi-layer perceptron.
    seed : of the draw of images and of training.
    """

    trees: tuple[int, ...] = (10, 30, 100)
    hidden: int = 32
    seed: int = 0


def _flash(main: str, folder: Path, includes: tuple[str, ...] = ()) -> int | None:
    """Bytes of a whole program, code, tables and initial data; None without the compiler."""
    compiler = shutil.which(ARM)
    if compiler is None:
        return None
    (folder / "main.c").write_text(main)
    flags = ["-mcpu=cortex-m0", "-mthumb", "-Os", "-std=gnu99", "-ffunction-sections", "-fdata-sections"]
    flags += ["-Wl,--gc-sections", "--specs=nosys.specs", "-w", *(f"-I{path}" for path in includes)]
    program = str(folder / "program.elf")
    subprocess.run([compiler, *flags, str(folder / "main.c"), "-o", program, "-lm"], check=True)
    size = [compiler.removesuffix("gcc") + "size", program]
    done = subprocess.run(size, capture_output=True, text=True, check=True)
    text, data, _ = map(int, done.stdout.splitlines()[1].split()[:3])
    return text + data


def _microseconds(main: str, folder: Path, includes: tuple[str, ...], images: NDArray, scale: str) -> float:
    """Of one prediction on this processor; ``scale`` follows a pixel in C."""
    rows = ",\n".join("{" + ",".join(map(str, image)) + "}" for image in images.tolist())
    data = f"static const unsigned char images[{len(images)}][784] = {{{rows}}};\n"
    timing = TIMING.replace("IMAGES", str(len(images))).replace("SCALE", scale)
    (folder / "timed.c").write_text(f"#define main once\n{main}{data}{timing}")
    program = str(folder / "timed")
    flags = ["-O2", "-std=gnu99", "-w", *(f"-I{path}" for path in includes)]
    subprocess.run(["gcc", *flags, str(folder / "timed.c"), "-o", program, "-lm"], check=True)
    return float(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


def _ours(vote: PairwiseVoteClassifier, folder: Path) -> tuple[str, tuple[str, ...]]:
    source, _ = save_c(lower(vote, inputs="uint8"), folder / "net.c", name="net")
    main = f'#include "{source}"\nvolatile uint8_t x[784];\n'
    return main + "int main(void) { return net_predict((const uint8_t *)x); }\n", (str(folder),)


def _emlearn(model: Any, folder: Path, dtype: str) -> tuple[str, tuple[str, ...]]:
    import emlearn

    options = {"method": "inline", "dtype": dtype} if isinstance(model, RandomForestClassifier) else {}
    with contextlib.chdir(folder):  # it builds in a folder of the current one
        emlearn.convert(model, **options).save(file=str(folder / "rival.h"), name="rival")
    ctype = {"uint8_t": "uint8_t"}.get(dtype, "float")
    main = f'#include "rival.h"\nvolatile {ctype} x[784];\n'
    main += f"int main(void) {{ return rival_predict((const {ctype} *)x, 784); }}\n"
    return main, (str(folder), emlearn.includedir)


def _m2cgen(model: Any) -> tuple[str, tuple[str, ...]]:
    import m2cgen

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # one recursion an input
    try:
        code = m2cgen.export_to_c(model)
    finally:
        sys.setrecursionlimit(limit)
    main = "volatile double x[784], scores[10];\n"
    return (
        f"{code}\n{main}int main(void) {{ score((double *)x, (double *)scores); return scores[0] > 0; }}\n",
        (),
    )


def _row(
    name: str,
    accuracy: float,
    build: Callable[[], tuple[str, tuple[str, ...]]],
    folder: Path,
    images: NDArray,
    scale: str = "",
) -> None:
    row: dict[str, Any] = {"what": name, "accuracy": round(accuracy, 4)}
    try:
        main, includes = build()
        program, empty = _flash(main, folder, includes), _flash(EMPTY, folder)
        row["flash Cortex-M0"] = None if program is None or empty is None else program - empty
        if shutil.which("gcc"):
            row["microseconds"] = _microseconds(main, folder, includes, images, scale)
    except ImportError as error:
        row["skipped"] = f"{error}"
    print(json.dumps(row), flush=True)


def main(options: Rivals) -> None:
    """Print a line of JSON a model."""
    data = load_dataset("mnist")
    images, labels = sample_few_shot(data.x_train, data.y_train, per_class=40, seed=options.seed)
    X, test = images.reshape(len(images), -1), data.x_test.reshape(len(data.x_test), -1)
    if importlib.util.find_spec("emlearn") is None:
        print("emlearn is not installed: its rows have no flash", file=sys.stderr)

    timed = test[:NUM_TIMED]

    def accuracy(model: Any, rows: NDArray = test) -> float:
        return float(np.mean(model.predict(rows) == data.y_test))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ties, sparsity in (("head_to_head", None), ("head_to_head", 2.2), ("confidence", None)):
            member = MessagePassingClassifier(sparsity=sparsity, random_state=options.seed)
            vote = PairwiseVoteClassifier(member, ties).fit(X, labels)
            title = f"mpnn vote, {ties}" + ("" if sparsity is None else f", sparsity {sparsity}")
            _row(title, accuracy(vote), lambda vote=vote: _ours(vote, folder), folder, timed)
        for trees in options.trees:
            forest = RandomForestClassifier(trees, random_state=options.seed).fit(X, labels)
            for exporter, build in (
                ("emlearn", lambda forest=forest: _emlearn(forest, folder, "uint8_t")),
                ("m2cgen", lambda forest=forest: _m2cgen(forest)),
            ):
                _row(f"random forest of {trees}, {exporter}", accuracy(forest), build, folder, timed)
        scaled = X / 255.0
        network = MLPClassifier((options.hidden,), max_iter=500, random_state=options.seed)
        network.fit(scaled, labels)
        title = f"784-{options.hidden}-10 perceptron, emlearn"
        _row(
            title,
            accuracy(network, test / 255.0),
            lambda: _emlearn(network, folder, "float"),
            folder,
            timed,
            "/ 255.0",
        )
        linear = LogisticRegression(max_iter=2000).fit(scaled, labels)
        _row(
            "logistic regression, m2cgen",
            accuracy(linear, test / 255.0),
            lambda: _m2cgen(linear),
            folder,
            timed,
            "/ 255.0",
        )


if __name__ == "__main__":
    main(tyro.cli(Rivals))
