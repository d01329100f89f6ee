import numpy as np
import pytest

from mpnn.compare.methods.contract import Task
from mpnn.compare.run.robustness import flip, shift

TRAIN = np.array([[0.0, -10.0], [2.0, 30.0]])
TEST = np.array([[1.0, 0.0]]).repeat(2000, axis=0)
TABLE = Task(TRAIN, np.array([0, 1]), TEST, np.zeros(2000, int), seed=3)
IMAGES = Task(
    TRAIN.clip(0).astype(np.uint8),
    np.array([0, 1]),
    TEST.astype(np.uint8),
    np.zeros(2000, int),
    (1, 2),
    255.0,
)


@pytest.mark.parametrize(("task", "ranges"), [(TABLE, [2.0, 40.0]), (IMAGES, [255.0, 255.0])])
def test_noise_moves_every_feature_by_a_share_of_its_range(task, ranges):
    moved = (shift(task, 0.5) - task.x_test) / ranges
    np.testing.assert_array_equal(np.abs(moved), 0.5)
    assert abs(moved.mean()) < 0.03
    np.testing.assert_array_equal(shift(task, 1.0) - task.x_test, 2 * moved * ranges)
    np.testing.assert_array_equal(shift(task, 0.0), task.x_test)


def test_flips_mirror_a_share_of_the_features():
    flipped = flip(TABLE, 0.2)
    # 1 is the middle of [0, 2]; 0 becomes 20 in [-10, 30]
    np.testing.assert_array_equal(flipped[:, 0], 1.0)
    changed = flipped[:, 1] != 0.0
    np.testing.assert_array_equal(flipped[changed, 1], 20.0)
    assert changed.mean() == pytest.approx(0.2, abs=0.03)
    assert (flip(TABLE, 0.5)[changed, 1] == 20.0).all()
    np.testing.assert_array_equal(flip(IMAGES, 1.0), 255 - IMAGES.x_test.astype(int))


def test_draws_have_disturbances_of_their_own():
    other = Task(TRAIN, np.array([0, 1]), TEST, np.zeros(2000, int), seed=4)
    assert not np.array_equal(shift(TABLE, 1.0), shift(other, 1.0))
    np.testing.assert_array_equal(shift(TABLE, 1.0), shift(TABLE, 1.0))
