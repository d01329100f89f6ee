"""Training on files: what `fit` learns where all fits into memory, and the same after it was ended."""

import numpy as np
import pytest

from mpnn import MessagePassingClassifier
from mpnn.callbacks import Callback
from mpnn.data import Parts, Shards
from mpnn.data.shards import Part
from mpnn.layers import Conv2D
from mpnn.message_passing.checkpoints import CheckpointError
from mpnn.message_passing.classifier.streaming import _survey
from mpnn.message_passing.classifier.watching import split_rows, split_sample

pytest.importorskip("grain")
SETTINGS = {"hidden": (8,), "num_epochs": 2, "random_state": 0}
EARLY = {"early_stopping": True, "num_epochs": 8, "n_iter_no_change": 2, "class_weight": "balanced"}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2400, 6))
    return inputs, np.where(inputs[:, :3].sum(axis=1) + 0.3 * rng.normal(size=2400) > 0, "yes", "no")


@pytest.fixture(scope="module")
def shards(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for number, (x, y) in enumerate(zip(*(np.array_split(array, 12) for array in table), strict=True)):
        np.savez(folder / f"{number:02d}.npz", x=x, y=y)
    return Shards(folder)


class RareClass(Parts):
    """The same rows with other labels: four of each part are of a rare class."""

    fingerprint = "rare"

    def __init__(self, shards):
        self.shards = shards

    def __len__(self):
        return len(self.shards)

    def part(self, index):
        columns, labels = self.shards.part(index)
        return Part(columns, np.where(np.arange(len(labels)) % 50 == 7, "rare", "frequent")[: len(labels)])


class Ended(Exception):
    pass


class EndAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch(self, epoch):
        self.epochs -= 1
        if self.epochs == 0:
            raise Ended


@pytest.mark.parametrize(
    "scheme",
    [
        {},
        pytest.param({"rho": 1.0}, marks=pytest.mark.slow),
        pytest.param({"weights": "binary"}, marks=pytest.mark.slow),
        pytest.param({"class_weight": "balanced", "batch_size": 64}, marks=pytest.mark.slow),
        pytest.param({"class_weight": {"yes": 3.0}, "rounding": "feedback"}, marks=pytest.mark.slow),
        pytest.param(EARLY, marks=pytest.mark.slow),
        pytest.param({"freezing": (0.5,), "num_epochs": 4}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_one_block_is_what_fit_learns(scheme, table, shards):
    whole = MessagePassingClassifier(**SETTINGS | scheme).fit(*table)
    streamed = MessagePassingClassifier(**SETTINGS | scheme).fit_shards(shards, rows_at_once=10_000)
    assert streamed.encoder_.columns_ == whole.encoder_.columns_
    for own, expected in zip(streamed.weights_, whole.weights_, strict=True):
        np.testing.assert_array_equal(own, expected)
    assert streamed.n_iter_ == whole.n_iter_
    assert getattr(streamed, "validation_scores_", None) == getattr(whole, "validation_scores_", None)
    assert streamed.score(*table) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    "scheme",
    [
        {},
        pytest.param({"rho": 1.0}, marks=pytest.mark.slow),
        pytest.param({"class_weight": "balanced"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_what_was_ended_goes_on(scheme, table, shards, tmp_path):
    how = {"rows_at_once": 800, "readers": 2}
    whole = MessagePassingClassifier(**SETTINGS | scheme).fit_shards(shards, **how)
    assert len(whole.history_["error"]) == 6
    ended = MessagePassingClassifier(**SETTINGS | scheme, callbacks=[EndAfter(1)])
    with pytest.raises(Ended):
        ended.fit_shards(shards, checkpoints=tmp_path, saved_every=2, **how)
    goes_on = MessagePassingClassifier(**SETTINGS | scheme).fit_shards(
        shards, checkpoints=tmp_path, saved_every=2, **how
    )
    assert len(goes_on.history_["error"]) == 4  # of six blocks, two were kept
    for own, expected in zip(goes_on.weights_, whole.weights_, strict=True):
        np.testing.assert_array_equal(own, expected)
    with pytest.raises(CheckpointError, match="other"):
        MessagePassingClassifier(**SETTINGS | {"num_epochs": 3}).fit_shards(
            shards, checkpoints=tmp_path, **how
        )
    with pytest.raises(ValueError, match="readers must be 2"):
        MessagePassingClassifier(**SETTINGS | scheme).fit_shards(
            shards, checkpoints=tmp_path, rows_at_once=800, readers=4
        )


def test_rows_to_judge_by_are_not_trained_on(table, shards):
    classifier = MessagePassingClassifier(early_stopping=True, validation_fraction=0.2, **SETTINGS)
    for sample_rows, num_held_out in {10_000: 480, 1200: 480, 600: 300}.items():
        survey = shards.survey(sample_rows, seed=0)
        classifier.classes_ = survey.classes
        settings, transform, sample = classifier._settle(survey, 0)
        inputs, codes = sample.held_out
        assert len(codes) == num_held_out  # a fifth of all rows, or half of the sample
        read = [classifier._reader(shards, transform, sample)(index) for index in range(len(shards))]
        assert [len(targets) for _, targets in read] == sample.counts
        found = np.concatenate([inputs, *(own for own, _ in read)])
        everything = transform(classifier.encoder_.transform(table[0]))
        assert sorted(map(bytes, found)) == sorted(map(bytes, everything.astype(found.dtype)))
        assert abs(np.mean(codes) - np.mean(table[1] == "yes")) < 0.05


def test_a_sample_is_split_as_all_rows_would_be():
    codes = np.repeat([0, 1, 2, 3], [60, 30, 9, 1])
    for whole, sampled in zip(
        split_rows(codes[:-1], 0.2, 3), split_sample(codes[:-1], 99, 0.2, 3), strict=True
    ):
        np.testing.assert_array_equal(sampled, whole)
    with pytest.raises(ValueError, match="least populated class"):
        split_sample(codes, 100, 0.2, 3)
    for num_rows, held_out in {150: [18, 9, 3], 10_000: [30, 15, 5]}.items():
        kept, judged = split_sample(codes, num_rows, 0.2, 3)  # the class of one row is trained on
        assert np.abs(np.bincount(codes[judged]) - held_out).max() <= 1
        assert sorted([*kept, *judged]) == list(range(100))


def test_files_that_have_changed_are_surveyed_again(tmp_path):
    for number, rows in enumerate((40, 60, 50)):
        np.savez(tmp_path / f"{number}.npz", x=np.arange(2.0 * rows).reshape(rows, 2), y=np.arange(rows) % 2)
        found = [_survey(Shards(tmp_path / "*.npz"), tmp_path / "run", 100, 0, 0) for _ in range(2)]
        assert [survey.num_rows for survey in found] == [(40, 100, 150)[number]] * 2


def test_a_damaged_survey_is_named(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.arange(80.0).reshape(40, 2), y=np.arange(40) % 2)
    survey = Shards(tmp_path / "rows.npz"), tmp_path / "run", 100, 0, 0
    _survey(*survey)
    (path,) = (tmp_path / "run").glob("survey-*.npz")
    content = path.read_bytes()
    for damage in (content[:-40], content[:200], b"no archive", content.replace(b"keys", b"kegs")):
        path.write_bytes(damage)
        with pytest.raises(ValueError, match="survey-.*no whole survey.*delete it"):
            _survey(*survey)


@pytest.mark.slow
def test_images_are_shifted_as_in_fit(digit_images, tmp_path):
    images, labels = digit_images
    np.savez(tmp_path / "digits.npz", x=images, y=labels)
    settings = {"hidden": (Conv2D(6, 3, stride=2),), "image_shape": (8, 8, 1), "largest_shift": 1}
    settings |= {"batch_size": 32, "num_epochs": 2}
    found, expected = (
        fit(MessagePassingClassifier(random_state=0, **settings))
        for fit in (
            lambda classifier: classifier.fit_shards(Shards(tmp_path), rows_at_once=10_000),
            lambda classifier: classifier.fit(images.reshape(-1, 64), labels),
        )
    )
    for own, other in zip(found.weights_, expected.weights_, strict=True):
        np.testing.assert_array_equal(own, other)
    without = MessagePassingClassifier(random_state=0, **settings | {"largest_shift": 0})
    without.fit(images.reshape(-1, 64), labels)
    assert np.any(without.weights_[0] != expected.weights_[0])


@pytest.mark.parametrize("sample_rows", [10_000, 400])
def test_where_classes_are_rare_few_rows_of_each_are_trained_on(sample_rows, shards, monkeypatch):
    seen = []
    monkeypatch.setattr(MessagePassingClassifier, "_learn", lambda self, read, *_, **__: seen.append(read))
    rare = RareClass(shards)
    MessagePassingClassifier(class_weight="balanced", random_state=0).fit_shards(
        rare, sample_rows=sample_rows
    )
    ((_, codes, _, weight),) = seen
    assert np.bincount(codes).tolist() == [1952, 48]
    np.testing.assert_allclose(weight, np.where(codes == 1, 1.0, 48 / 1952), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("sample_rows", [10_000, 600])
def test_judged_epochs_go_on_where_they_were_ended(sample_rows, table, shards, tmp_path):
    how = {"rows_at_once": 800, "readers": 2, "sample_rows": sample_rows, "saved_every": 2}
    settings = SETTINGS | EARLY
    whole = MessagePassingClassifier(**settings).fit_shards(shards, **how)
    scores = whole.validation_scores_
    assert len(scores) - 1 - int(np.argmax(scores)) == 2
    assert len(scores) < 8
    ended, starts = MessagePassingClassifier(**settings), 0
    while not hasattr(ended, "validation_scores_"):
        starts += 1
        try:
            ended.set_params(callbacks=[EndAfter(2)]).fit_shards(shards, checkpoints=tmp_path, **how)
        except Ended:
            assert starts < len(scores)
    assert starts > 1
    again = MessagePassingClassifier(**settings).fit_shards(shards, checkpoints=tmp_path, **how)
    assert len(again.history_["error"]) == 0  # it had stopped
    for own in (ended, again):
        assert own.validation_scores_ == scores
        assert own.n_iter_ == whole.n_iter_
        for layer, expected in zip(own.weights_, whole.weights_, strict=True):
            np.testing.assert_array_equal(layer, expected)
    with pytest.raises(CheckpointError, match="other parameters"):
        MessagePassingClassifier(**settings | {"early_stopping": False}).fit_shards(
            shards, checkpoints=tmp_path, **how
        )


@pytest.mark.slow
def test_few_rows_are_trained_on_in_memory(table, tmp_path):
    np.savez(tmp_path / "few.npz", x=table[0][:60], y=table[1][:60])
    settings = {"hidden": (), "random_state": 0, "noise": 1.0}
    found = MessagePassingClassifier(**settings).fit_shards(Shards(tmp_path))
    expected = MessagePassingClassifier(**settings).fit(table[0][:60], table[1][:60])
    np.testing.assert_array_equal(found.weights_[0], expected.weights_[0])


def test_what_needs_all_samples_is_refused(shards, tmp_path):
    with pytest.raises(ValueError, match=r"warm_start=.*has all samples"):
        MessagePassingClassifier(warm_start=True).fit_shards(shards)
    with pytest.raises(ValueError, match=r"class_weight must be .*, got 'even'"):
        MessagePassingClassifier(class_weight="even").fit_shards(shards)
    with pytest.raises(ValueError, match=r"validation_fraction must be .*, got 0\.0"):
        MessagePassingClassifier(early_stopping=True, validation_fraction=0.0).fit_shards(shards)
    with pytest.raises(ValueError, match="random_state"):
        MessagePassingClassifier().fit_shards(shards, checkpoints=tmp_path)
    with pytest.raises(ValueError, match="rounding"):
        MessagePassingClassifier(rounding="harden").fit_shards(shards)
    with pytest.raises(ValueError, match="multiple of the readers"):
        MessagePassingClassifier(**SETTINGS).fit_shards(shards, readers=3)
