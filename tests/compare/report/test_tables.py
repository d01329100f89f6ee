import pytest

from mpnn.compare.report.answer import find_answer
from mpnn.compare.report.paired_tables import overall_table, paired_table
from mpnn.compare.report.series import list_series, summarize
from mpnn.compare.report.tables import (
    cost_table,
    headline_table,
    label_status_table,
    model_table,
    robustness_table,
)


def make_row(
    name, shots, draw, accuracy, *, cold=False, error=None, seconds=1.0, prediction="predict", **score
):
    row = {"name": name, "dataset": "digits", "shots": shots, "draw": draw, "error": error, "warnings": []}
    if error:
        return row
    scores = {prediction: {"accuracy": accuracy, "predict_seconds": 0.1, **score}}
    return row | {"scores": scores, "train_seconds": seconds, "cold": cold}


def texts(table):
    return [[cell.line for cell in row] for row in table.rows]


def test_summary_of_known_numbers():
    summary = summarize([1.0, 2.0, 3.0])
    assert summary.mean == 2.0
    assert summary.deviation == 1.0
    assert summary.half_width == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    assert summarize([4.0]) == (4.0, None, None, 1)
    assert summarize([]) is None


def test_headline_has_means_gaps_and_failures():
    rows = [
        make_row("a", 10, 0, 0.5),
        make_row("a", 10, 1, 0.7),
        make_row("a", 2, 0, 0.25),
        make_row("b", 10, 0, None, error="RuntimeError: no"),
    ]
    table = headline_table(rows, "digits")
    assert table.columns == ("method", "bits a weight", "bytes", "2 per class", "10 per class")
    assert texts(table) == [["a", "–", "–", "25.0", "60.0 ± 14.1"], ["b: failed fits", "–", "–", "", "1"]]
    assert [cell.strong for cell in table.rows[0]] == [False, False, False, True, True]


def test_differences_are_paired_by_draw():
    rows = [make_row("a", 2, draw, value) for draw, value in enumerate([0.1, 0.5, 0.9])]
    rows += [make_row("b", 2, draw, value) for draw, value in enumerate([0.2, 0.6, 1.0])]
    rows += [make_row("c", 2, 2, 0.8)]
    table = paired_table(rows, "digits")
    assert texts(table) == [["b", "+10.0 ± 0.0"], ["c", "-10.0"]]  # three draws cannot make p small
    assert "p:" not in table.note
    assert table.rows[0][1].strong
    assert paired_table(rows[:3], "digits") is None


def test_all_shots_together_are_one_number_a_draw():
    rows = [make_row("a", shots, draw, 0.5 + 0.01 * shots) for shots in (2, 4) for draw in range(8)]
    rows += [make_row("b", shots, draw, 0.6 + 0.01 * draw) for shots in (2, 4) for draw in range(8)]
    rows += [make_row("c", 2, draw, 0.42) for draw in range(8)]
    table = overall_table(rows, "digits")
    first, second, third = texts(table)
    # 0.5 + 0.03 on average; b has 0.635; c runs at 2 per class only, where a has 0.52
    assert first[:2] == ["b", "63.5 ± 2.4"]
    assert first[2] == "+10.5 ± 2.0 (p = 0.016)"  # two comparisons, 2 / 2**8 each
    assert second[:3] == ["a", "53.0 ± 0.0", "reference"]
    assert third[:3] == ["c", "–", "-10.0 ± 0.0 (p = 0.016)"]
    assert [row[1].strong for row in table.rows] == [True, False, False]


def test_a_method_with_few_draws_costs_the_others_nothing():
    rows = [make_row("a", 2, draw, 0.5) for draw in range(8)]
    rows += [make_row("b", 2, draw, 0.6 + 0.01 * draw) for draw in range(8)]
    rows += [make_row("c", 2, draw, 0.4 + 0.01 * draw) for draw in range(3)]
    (_, enough), (_, few) = paired_table(rows, "digits").rows
    assert enough.detail == f"p = {2 / 2**8:.2g}"
    assert few.text == "-9.0 ± 2.5"
    assert few.detail == ""


def test_predictions_of_one_method_have_names_of_their_own():
    rows = [
        make_row("net", 2, 0, 0.5, prediction="argmax"),
        make_row("net", 2, 1, 0.4, prediction="all_good"),
    ]
    assert [series.label for series in list_series(rows, "digits")] == ["net", "net (all good)"]


def test_training_time_is_that_of_warm_fits():
    rows = [make_row("a", 2, 0, 0.5, cold=True, seconds=9.0), make_row("a", 2, 1, 0.5, seconds=2.0)]
    (series,) = list_series(rows, "digits")
    assert series.train_seconds(2) == 2.0
    assert list_series(rows[:1], "digits")[0].train_seconds(2) == 9.0
    processor = [row | {"train_cpu_seconds": row["train_seconds"] / 2} for row in rows]
    assert list_series(processor, "digits")[0].train_seconds(2, "train_cpu_seconds") == 1.0
    assert series.train_seconds(2, "train_cpu_seconds") is None


def test_p_values_are_corrected_for_the_whole_table():
    rows = [make_row("a", shots, draw, 0.5) for shots in (2, 4) for draw in range(8)]
    rows += [make_row("b", 2, draw, 0.6 + 0.01 * draw) for draw in range(8)]
    rows += [make_row("b", 4, draw, 0.5 + 0.01 * (draw - 3)) for draw in range(8)]
    (_, two, four), *_ = paired_table(rows, "digits").rows
    assert two.detail == f"p = {2 * 2 / 2**8:.2g}"
    assert float(four.detail.split()[2]) > 0.05
    assert not four.strong


def test_cost_is_taken_at_the_most_shots():
    memory = [{"memory_before_bytes": 100 * 2**20, "memory_peak_bytes": peak * 2**20} for peak in (160, 120)]
    rows = [make_row("a", 2, 0, 0.5, seconds=1.0)]
    rows += [make_row("a", 40, 0, 0.5, seconds=8.0, cold=True) | memory[0]]
    rows += [make_row("a", 40, 1, 0.5, seconds=3.0) | memory[1]]
    table = cost_table([*rows, make_row("b", 40, 0, 0.5, seconds=2.0)], "digits")
    assert "40 examples" in table.title
    assert texts(table) == [
        ["a", "3", "–", "5", "0.1", "160", "60"],
        ["b", "2", "–", "–", "0.1", "–", "–"],
    ]


def test_calibration_and_flash():
    rows = [make_row("a", 40, 0, 0.5, nll=0.25, train_accuracy=1.0) | {"flash_bytes": 2048}]
    assert texts(model_table(rows, "digits")) == [["a", "100.0", "0.250", "–", "2,048"]]


def test_bytes_are_those_of_files():
    network = {"weight_bits": 2, "model_bytes": 720, "links_removed": {"all": 0.5}}
    rows = [
        make_row("new", 2, 0, 0.5, prediction="vote") | network | {"packed_bytes": 900, "c_microseconds": 4.0}
    ]
    rows += [make_row("old", 2, 0, 0.5, prediction="vote") | network]
    rows += [
        make_row("odd", 2, 0, 0.5, prediction="vote") | network | {"size_note": "is not exported, for real"}
    ]
    rows += [make_row("real", 2, 0, 0.5) | {"weight_bits": 64, "model_bytes": 4096}]
    table = overall_table(rows, "digits")
    sizes = {line[0]: line[3:7] for line in texts(table)}
    assert sizes == {
        "new": ["2", "900", "4", "50.0"],
        "old": ["2", "–", "–", "50.0"],
        "odd": ["2", "–", "–", "50.0"],
        "real": ["64", "4,096", "–", "–"],
    }
    assert "No bytes of old:" in table.note
    assert "odd: is not exported, for real." in table.note


def test_the_answer_compares_the_best_of_both_kinds():
    few_bit, real = {"weight_bits": 2, "packed_bytes": 900}, {"weight_bits": 64, "model_bytes": 4096}

    def rows(name, accuracies, facts):
        return [make_row(name, 2, draw, value) | facts for draw, value in enumerate(accuracies)]

    ours, weaker = rows("net", [0.80, 0.82], few_bit), rows("weak", [0.7, 0.7], few_bit)
    level = find_answer(ours + weaker + rows("svm", [0.81, 0.80], real), "digits").sentence
    assert "net in 900 bytes, gets 81.0 %" in level
    assert "svm in 4,096 bytes, 80.5 %" in level
    assert "no difference" in level
    assert "95 % interval −18.6 to +19.6" in level
    behind = find_answer(ours + rows("svm", [0.90, 0.921], real), "digits")
    assert "10.1 points behind" in behind.sentence
    assert "2 random draws" in behind.basis
    only_few_bit = find_answer(ours + weaker, "digits").sentence
    assert "next comes weak in 900 bytes with 70.0 %" in only_few_bit
    assert "of one draw" in find_answer(ours[:1] + weaker[:1], "digits").sentence
    assert find_answer([make_row("a", 2, 0, None, error="no")], "digits") is None


def test_methods_without_a_disturbance_have_dashes_there():
    """Bounds under the worst change exist for some methods, and for one prediction of them."""
    rows = [
        make_row("a", 2, 1, 0.5, robustness={"noise 1": 0.25, "worst 1": 0.125}),
        make_row("b", 2, 1, 0.5, robustness={"noise 1": 0.25}),
    ]
    table = robustness_table(rows, "digits")
    assert [cell.text for cell in table.rows[1]][-2:] == ["25.0", "–"]


def test_robustness_stands_beside_the_plain_accuracy():
    rows = [make_row("a", 2, draw, 0.5, robustness={"noise 1": 0.25 * draw}) for draw in (1, 2)]
    rows += [make_row("b", 2, 0, 0.75)]
    table = robustness_table(rows, "digits")
    assert table.columns == ("method", "as they are", "noise 1")
    assert texts(table) == [["a", "50.0 ± 0.0", "37.5 ± 17.7"], ["b", "75.0", "–"]]
    assert robustness_table(rows[2:], "digits") is None


def test_label_statuses_are_shares():
    status = {"unique_right": 3, "unique_wrong": 1}
    rows = [make_row("a", 2, 0, 0.75, prediction="vote", label_status=status)]
    assert texts(label_status_table(rows, "digits")) == [["2 per class", "75.0", "25.0"]]
    assert label_status_table([make_row("a", 2, 0, 0.5)], "digits") is None
