import numpy as np
import pytest

from mpnn.data import sample_consecutive, sample_few_shot, validation_draw


def numbered_samples(counts=(40, 50, 60), seed=0):
    """Samples whose pixels hold their own row number, labels shuffled."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    images = np.arange(len(labels), dtype=np.uint16)[:, None, None] * np.ones((1, 2, 3), np.uint16)
    return images, labels


def rows(drawn):
    return set(drawn[:, 0].tolist())


def test_few_shot_is_balanced_class_sorted_and_keeps_the_dtype():
    x, y = numbered_samples()
    drawn, labels = sample_few_shot(x, y, 5, seed=3)
    assert drawn.shape == (15, 6)
    assert drawn.dtype == np.uint16
    assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert len(rows(drawn)) == 15
    assert np.array_equal(y[drawn[:, 0]], labels)


def test_few_shot_depends_on_the_seed_alone():
    x, y = numbered_samples()
    first, second, other = (sample_few_shot(x, y, 5, seed=seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_few_shot_draws_are_nested():
    x, y = numbered_samples()
    small, _ = sample_few_shot(x, y, 3, seed=1)
    large, _ = sample_few_shot(x, y, 7, seed=1)
    assert np.array_equal(small.reshape(3, 3, 6), large.reshape(3, 7, 6)[:, :3])


def test_few_shot_reaches_every_sample():
    x, y = numbered_samples((4, 4))
    drawn, _ = sample_few_shot(x, y, 4)
    assert rows(drawn) == set(range(8))


def test_few_shot_takes_text_labels():
    x, y = numbered_samples((4, 4))
    _, labels = sample_few_shot(x, np.where(y == 0, "cat", "dog"), 2)
    assert labels.tolist() == ["cat", "cat", "dog", "dog"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"per_class": 41}, "class 0 has 40 samples, asked for 41"),
        ({"per_class": 0}, "per_class must be a whole number of at least 1, got 0"),
        ({"per_class": 2.5}, "got 2.5"),
        ({"y": np.zeros(3)}, "x has 150 samples, y has 3 labels"),
        ({"y": np.full(150, np.nan)}, "missing labels"),
        ({"x": np.zeros(150)}, r"x must be \[n, ...\]"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "at least one sample, got none"),
    ],
)
def test_few_shot_says_what_is_wrong(change, message):
    x, y = numbered_samples()
    arguments = {"x": x, "y": y, "per_class": 5} | change
    with pytest.raises(ValueError, match=message):
        sample_few_shot(**arguments)


def test_consecutive_follows_the_formula():
    x, y = numbered_samples()
    members = np.flatnonzero(y == 1)
    drawn, labels = sample_consecutive(x, y, 6, instance=1, shots=(2, 6, 10), num_instances=2)
    start = 2 * 2 + 6 * 1
    assert drawn[labels == 1, 0].tolist() == members[start : start + 6].tolist()


def test_consecutive_instances_are_disjoint_over_instances_and_sizes():
    x, y = numbered_samples()
    draws = [
        rows(sample_consecutive(x, y, size, instance=instance)[0])
        for size in (2, 6, 10)
        for instance in (0, 1)
    ]
    total = sum(len(draw) for draw in draws)
    assert total == 3 * 2 * (2 + 6 + 10)
    assert len(set().union(*draws)) == total


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"per_class": 4}, "per_class must be one of the sizes in shots"),
        ({"shots": (2, 2)}, "all different"),
        ({"shots": (0, 2)}, "each size in shots must be a whole number of at least 1, got 0"),
        ({"instance": 2}, "instance must be from 0 to 1, got 2"),
        ({"instance": -1}, "instance must be from 0 to 1"),
        ({"num_instances": 0}, "num_instances must be"),
        ({"shots": (2, 100), "per_class": 100}, "class 0 has 40 samples, asked for 104"),
    ],
)
def test_consecutive_says_what_is_wrong(change, message):
    x, y = numbered_samples()
    arguments = {"x": x, "y": y, "per_class": 2} | change
    with pytest.raises(ValueError, match=message):
        sample_consecutive(**arguments)


def test_validation_is_disjoint_and_leaves_the_training_draw_alone():
    x, y = numbered_samples()
    draw = validation_draw(x, y, 5, 60, seed=2)
    expected, labels = sample_few_shot(x, y, 5, seed=2)
    assert np.array_equal(draw.x_train, expected)
    assert np.array_equal(draw.y_train, labels)
    assert draw.x_validation.shape == (60, 6)
    assert np.array_equal(y[draw.x_validation[:, 0]], draw.y_validation)
    assert len(rows(draw.x_validation)) == 60
    assert not rows(draw.x_train) & rows(draw.x_validation)


def test_validation_is_deterministic_and_may_take_all_the_rest():
    x, y = numbered_samples()
    assert np.array_equal(
        validation_draw(x, y, 5, 135, 1).x_validation, validation_draw(x, y, 5, 135, 1).x_validation
    )
    with pytest.raises(ValueError, match="135 samples remain for validation, asked for 136"):
        validation_draw(x, y, 5, 136)
    with pytest.raises(ValueError, match="num_validation must be"):
        validation_draw(x, y, 5, 0)


def test_few_shot_takes_at_most_what_a_class_has_where_that_is_allowed():
    labels = np.array([0, 0, 1, 1, 1, 1])
    x, y = sample_few_shot(np.eye(6), labels, per_class=3, seed=1, at_most=True)
    assert y.tolist() == [0, 0, 1, 1, 1]
    np.testing.assert_array_equal(x[2:], sample_few_shot(np.eye(6)[2:], labels[2:], 3, seed=1)[0])
