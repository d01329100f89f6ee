"""Two toy problems: two moons, and a one-dimensional regression with a gap between its inputs."""

import numpy as np
from sklearn.datasets import make_moons

NUM_SAMPLES = 200
MOONS_NOISE, REGRESSION_NOISE = 0.1, 0.2
# Points of the grids' sides, and how far they reach; the data are within 2.
MOONS_POINTS, REGRESSION_POINTS, REACH = 61, 161, 4.0


def problem(task: str, seed: int, num_samples: int = NUM_SAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """Inputs ``[n, 1 or 2]`` and targets: -1 and +1, or real ones from two clusters with a gap."""
    if task == "two_moons":
        inputs, labels = make_moons(num_samples, noise=MOONS_NOISE, random_state=seed)
        return (2.0 * (inputs - [0.5, 0.25])).astype(np.float32), (2.0 * labels - 1.0).astype(np.float32)
    generator = np.random.default_rng(seed)
    inputs = generator.choice([-1.0, 1.0], num_samples) * generator.uniform(0.7, 2.0, num_samples)
    targets = curve(inputs) + REGRESSION_NOISE * generator.normal(size=num_samples)
    return inputs[:, None].astype(np.float32), targets.astype(np.float32)


def curve(x: np.ndarray) -> np.ndarray:
    """The regression's truth; with its noise of about unit variance, as normalized outputs are."""
    return 1.2 * np.sin(2.0 * x) + 0.3 * x


def grid_of(task: str) -> np.ndarray:
    """Where predictions are shown: ``[61², 2]`` or ``[161, 1]``."""
    if task == "regression":
        return np.linspace(-REACH, REACH, REGRESSION_POINTS, dtype=np.float32)[:, None]
    line = np.linspace(-REACH, REACH, MOONS_POINTS, dtype=np.float32)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
