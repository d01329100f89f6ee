"""The neuron with few links against all neurons of a toy."""

import itertools

import numpy as np
import pytest

from mpnn.solvers import FewLinksClassifier
from mpnn.solvers.few_links import moved_copies

MEAN = np.array([0.1, -0.7, 0.5, 0.3, -0.2, 0.4])


class Beliefs:
    """A fitted classifier's part that the program reads."""

    weights_ = [np.ones((6, 1), np.int8)]
    weight_moments_ = [(MEAN[:, None], np.zeros((6, 1)))]

    def fit(self, inputs, labels):
        return self


@pytest.mark.parametrize("beliefs", [None, Beliefs()])
def test_the_program_is_exact(beliefs):
    pytest.importorskip("highspy")
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 9, (8, 6)).astype(float)
    labels = np.arange(8) % 2
    model = FewLinksClassifier(0.5, margin=0.3, agreement=0.2, beliefs=beliefs, time_limit=30).fit(
        inputs, labels
    )
    norm = np.linalg.norm(inputs, axis=1).mean()
    wanted = 0.3 * np.sqrt(3)

    def objective(weights):
        missed = np.maximum(0, wanted - (2 * labels - 1) * (inputs @ weights) / norm).mean()
        return missed - (0.0 if beliefs is None else 0.2 * MEAN @ weights / np.linalg.norm(MEAN))

    neurons = [np.array(w) for w in itertools.product((-1, 0, 1), repeat=6) if np.count_nonzero(w) <= 3]
    assert model.solution_.status == "optimal"
    assert objective(model.weights_[0][:, 0].astype(int)) == pytest.approx(min(map(objective, neurons)))


def test_copies_are_moved_by_a_pixel():
    image = np.arange(6.0).reshape(1, 6)
    copies = moved_copies(image, (2, 3)).reshape(9, 2, 3)
    np.testing.assert_array_equal(copies[0], image.reshape(2, 3))
    right = next(copy for copy in copies if np.array_equal(copy, [[0, 0, 1], [0, 3, 4]]))
    assert right is not None
    assert len({copy.tobytes() for copy in copies}) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"links": 0.0}, r"links must be in \(0, 1\], got 0.0"),
        ({"margin": 0.0}, "margin must be above 0"),
        ({"agreement": -1.0}, "agreement must be at least 0"),
        ({"engine": "cpsat"}, "real coefficients"),
        ({"image_shape": (2, 2)}, "image_shape must hold 6 pixels"),
        ({"time_limit": 0.0}, "time_limit must be above 0"),
        ({"beliefs": object()}, "beliefs must be a classifier with weight_moments_"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        FewLinksClassifier(**options).fit(np.eye(6)[:4], [0, 1, 0, 1])
