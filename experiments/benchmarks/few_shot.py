"""45 few-bit networks by message passing against one-vs-one logistic regression: seconds to fit.

    MPNN_DATA=... python -m experiments.benchmarks.few_shot

Cold is the first fit of a fresh process, compilation included; warm is the median of later fits on other
draws of the same shape. Importing is timed apart.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class FewShot:
    """Fit both on the same draws.

    dataset: name known to load_dataset. shots: images a class. repeats: warm fits, >= 1.
    """

    dataset: str = "mnist"
    shots: int = 10
    repeats: int = 9


def _seconds(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    start = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - start


def main(options: FewShot) -> None:
    """Time, and print a table."""
    start = time.perf_counter()
    import jax
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsOneClassifier

    from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
    from mpnn.data import load_dataset, sample_few_shot

    PairwiseVoteClassifier(MessagePassingClassifier())  # the lazy imports, too
    imports = time.perf_counter() - start
    data = load_dataset(options.dataset)
    draws = [
        sample_few_shot(data.x_train, data.y_train, per_class=options.shots, seed=seed)
        for seed in range(options.repeats + 1)
    ]
    peer = OneVsOneClassifier(LogisticRegression())
    models = {
        "message passing, PairwiseVoteClassifier()": PairwiseVoteClassifier(
            MessagePassingClassifier(random_state=0)
        ),
        "OneVsOneClassifier(LogisticRegression()), pixels 0..255": peer,
        "OneVsOneClassifier(LogisticRegression()), pixels 0..1": peer,
    }
    table = Table(
        "45 binary problems",
        "cold s",
        "warm s",
        "ratio",
        title=f"{options.dataset}, {options.shots} a class, on {jax.devices()[0].device_kind} "
        f"({jax.default_backend()}), JAX {jax.__version__}; imports {imports:.1f} s",
    )
    reference = None
    for name, model in models.items():
        scale = 255.0 if name.endswith("0..1") else 1.0
        cold, *warm = [_seconds(model, x / scale, y) for x, y in draws]
        reference = reference or median(warm)
        table.add_row(name, f"{cold:.2f}", f"{median(warm):.3f}", f"{median(warm) / reference:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(FewShot))
