"""Many files as one table: parts, one pass over them, and the order of blocks."""

import numpy as np
import pytest

from mpnn.data import DataError, Shards, is_shards, read_table
from mpnn.data.blocks import BlockOrder
from mpnn.data.survey import merged, survey_from_bytes


def write_tables(folder, num_files=4, rows=30, group=8):
    """Parquet files of numbers with gaps and words, in groups of rows."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    for number in range(num_files):
        size = rng.normal(size=rows).round(2)
        columns = {
            "size": pyarrow.array(size, mask=rng.random(rows) < 0.2),
            "colour": pyarrow.array(rng.choice(["red", "green", None], rows)),
            "count": pyarrow.array(rng.integers(0, 5, rows)),
            "kind": pyarrow.array(np.where(size > 0, "big", "small")),
        }
        parquet.write_table(pyarrow.table(columns), folder / f"{number}.parquet", row_group_size=group)


@pytest.fixture
def shards(tmp_path):
    write_tables(tmp_path)
    return Shards(tmp_path / "*.parquet", label="kind", categorical=["count"])


def rows_of(features, labels):
    return [(*map(str, row), str(label)) for row, label in zip(features.tolist(), labels, strict=True)]


def test_parts_are_the_rows_of_the_files(shards):
    whole = [read_table(path, label="kind", categorical=["count"]) for path in shards.paths]
    expected = [row for table in whole for row in rows_of(table.features(), table.labels.tolist())]
    assert len(shards) == 16
    assert [row for part in shards for row in rows_of(*part)] == expected


def test_a_survey_is_the_table_where_the_sample_holds_it(shards):
    survey = shards.survey(sample_rows=120)
    assert survey.num_rows == 120
    assert survey.classes.tolist() == ["big", "small"]
    assert rows_of(survey.features, survey.labels) == [row for part in shards for row in rows_of(*part)]


def test_surveys_of_some_parts_add_up(shards):
    survey = shards.survey(sample_rows=20, seed=3)
    some = [shards.survey(20, 3, range(start, len(shards), 3)) for start in (2, 0, 1)]
    for found in (merged(some), survey_from_bytes(survey.to_bytes()), shards.merged([survey.to_bytes()])):
        assert found.counts == survey.counts
        assert found.class_counts.tolist() == survey.class_counts.tolist()
        assert rows_of(found.features, found.labels) == rows_of(survey.features, survey.labels)
    labels = np.concatenate([y for _, y in shards])
    assert survey.class_counts.tolist() == [(labels == name).sum() for name in survey.classes]
    assert len(survey.labels) == 20
    assert rows_of(shards.survey(20, 4).features, survey.labels) != rows_of(survey.features, survey.labels)


def test_a_sample_is_uniform():
    """Quantiles of many rows are those of the sample up to its size."""
    from mpnn.data.shards import Part
    from mpnn.data.survey import surveyed

    rows = np.arange(1000)
    parts = [(number, Part([rows + 1000.0 * number], rows % 2)) for number in range(50)]
    sample = surveyed(parts, 5000, 0).features[:, 0]
    assert len(sample) == 5000
    deviation = np.abs(np.quantile(sample, np.linspace(0.1, 0.9, 9)) / 50_000 - np.linspace(0.1, 0.9, 9))
    assert deviation.max() < 0.02  # Dvoretzky, Kiefer and Wolfowitz, 1 - 2 exp(-4)


def test_rows_of_rare_classes_are_kept_besides_the_sample():
    from mpnn.data.shards import Part
    from mpnn.data.survey import surveyed

    rows = np.arange(400)
    parts = [
        (number, Part([rows + 400.0 * number], (rows % 100 == number).astype(int))) for number in range(9)
    ]
    plain, survey = surveyed(parts, 50, 0), surveyed(parts, 50, 0, rows_of_class=8)
    some = [surveyed(own, 50, 0, 8) for own in (parts[5:], parts[:2], parts[2:5])]
    assert survey.features[survey.sample].tolist() == plain.features.tolist()
    assert survey.class_counts.tolist() == [3564, 36]
    keys = np.concatenate([np.random.default_rng([0, number]).random(400) for number in range(9)])
    labels = np.concatenate([part.labels for _, part in parts])
    for found in (survey, merged(some)):
        for count in (8, 3):
            own = found.features[found.first_of_classes(count), 0].astype(int)
            expected = [np.flatnonzero(labels == k)[np.argsort(keys[labels == k])[:count]] for k in (0, 1)]
            assert own.tolist() == sorted(np.concatenate(expected))
    left = survey.counts_without(np.array([0, 1, 2]))
    assert sum(left.values()) == 3597
    assert left[0] == 400 - (survey.places[:3, 0] == 0).sum()


@pytest.mark.parametrize("lanes", [1, 3])
def test_an_epoch_has_every_part_once(lanes):
    order = BlockOrder(tuple(range(10, 33)), rows_at_once=120, seed=1, lanes=lanes)
    assert order.blocks_of_epoch > 2
    for epoch in range(2):
        first = epoch * order.blocks_of_epoch
        blocks = range(first, first + order.blocks_of_epoch)
        parts = [part for block in blocks for lane in range(lanes) for part in order.parts(block, lane)]
        assert sorted(parts) == list(range(23))
        last = blocks[-1]
        rows = sum(order.counts[part] for lane in range(lanes) for part in order.parts(last, lane))
        assert order.rows_before(last) + rows == sum(order.counts)
        assert all(order.rows(block) <= order.most_rows for block in blocks)
    assert order.parts(0, 0) != order.parts(order.blocks_of_epoch, 0)


def test_blocks_begin_anywhere():
    pytest.importorskip("grain")
    order = BlockOrder((2,) * 9, rows_at_once=6, seed=0)

    def read(part):
        return np.full((2, 1), part), np.full(2, part)

    whole = [lanes[0][1].tolist() for lanes in order.blocks([0], read, 0, 2)]
    assert len(whole) == 6
    assert [lanes[0][1].tolist() for lanes in order.blocks([0], read, 4, 2)] == whole[4:]


def test_sources_that_are_refused(tmp_path):
    assert is_shards("a/*.csv")
    assert is_shards(tmp_path)
    assert not is_shards("a.csv")
    with pytest.raises(DataError, match="names no file"):
        Shards(tmp_path / "*.csv")
    (tmp_path / "0.csv").write_text("a,y\n1,x\n2,z\n")
    (tmp_path / "1.csv").write_text("b,y\n1,x\n2,z\n")
    with pytest.raises(DataError, match=r"1\.csv.*'a'"):
        list(Shards(tmp_path, label="y"))
    with pytest.raises(DataError, match="no labels"):
        list(Shards([tmp_path / "0.csv"]))
    with pytest.raises(DataError, match="shared out to 3 readers"):
        BlockOrder((5, 5), 5, 0, 3)
