import json
import re

import numpy as np
import pytest

from mpnn.compare import ConfigError, write_report
from mpnn.compare.report.figure_style import GRID, INK, _apart, _spread, bytes_text, round_ticks
from mpnn.compare.report.figures import accuracy_figure
from mpnn.compare.report.palette import COLOURS, assign_looks
from mpnn.compare.report.series import Series, with_intervals

NUM_FIGURES = 15


def test_the_report_is_whole_and_self_contained(page):
    html = page.read_text()
    # digits: two of differences, accuracy, seconds, links, reliability, noise; iris too; and the ranks
    assert html.count("<svg") == NUM_FIGURES
    assert "Friedman" in html
    assert html.count("data:image/png;base64,") == 45  # digits; iris is a table
    assert "mpnn compare tiny.toml" in html
    assert "<summary>message passing at 4 per class</summary>" in html  # confusions and weights
    assert "digits: accuracy and size" in html
    assert html.count('class="origin"') == NUM_FIGURES + 2 + 1  # confusions of two data sets; weights
    assert "how the votes fell" in html
    assert "breaks: failed fits" in html
    assert "RuntimeError: no memory left" in html
    assert "ConvergenceWarning" in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert not re.findall(r"url\((?!#)|@import|<link|<iframe", html)
    assert "default-src 'none'" in html


def test_opens_with_the_answer_and_the_way_to_the_rest(page):
    html = page.read_text()
    head = html[: html.index("</header>")]
    assert head.index('class="answer"') < head.index("<svg") < head.index("<nav")
    links = set(re.findall(r'href="#([^"]+)"', head))
    assert {"digits", "digits-tables", "digits-weights", "iris-confusions", "ranks", "problems"} <= links
    assert links <= set(re.findall(r' id="([^"]+)"', html))


def test_figures_answer_to_a_pointer_and_to_the_names(page):
    html = page.read_text()
    chips = set(re.findall(r'class="chip" data-series="(\d+)"', html))
    assert chips == {"0", "1", "2", "3"}
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        assert set(re.findall(r'data-series="(\d+)"', svg)) <= chips
        for tips, marks in re.findall(r'data-tips="([^"]*)">(.*?)</g>\s*</g>', svg, flags=re.DOTALL):
            assert len(tips.split("\n")) == marks.count("<use")
    assert re.search(r'data-tips="message passing, 2 per class: \d+\.\d %', html)


def test_names_beside_the_axes_stand_below_them_for_narrow_screens(page):
    html = page.read_text()
    plots = re.findall(r'<div class="plot" style="--width: (0\.\d+)">(.*?)</ul>', html, flags=re.DOTALL)
    assert len(plots) > 4
    for width, plot in plots:
        svg, legend = plot.split("</svg>")
        assert 0.4 < float(width) < 1.0
        beside = re.findall(r'class="end" data-series="(\d+)"', svg)
        below = re.findall(r'<li data-series="(\d+)"><i [^>]*></i>[^<]+</li>', legend)
        assert len(below) == legend.count("<li")
        assert set(beside) == set(below) != set()


@pytest.mark.slow
def test_an_unfinished_run_says_so(page, tmp_path):
    assert "still missing" not in page.read_text()
    assert "<strong>6 fits failed.</strong>" in page.read_text()
    (tmp_path / "config.json").write_bytes((page.parent / "config.json").read_bytes())
    lines = (page.parent / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_text("".join(lines[:10]) + lines[10][:20])
    assert "22 fits are still missing" in write_report(tmp_path).read_text()


def test_names_cannot_break_the_page(page):
    html = page.read_text()
    assert html.count("<script>") == 1  # the page's own
    assert "&lt;script&gt;alert" in html
    markdown = page.with_suffix(".md").read_text()
    lines = [line for line in markdown.splitlines() if "alert" in line]
    assert lines
    assert all("&lt;script&gt;" in line and "<script" not in line for line in lines)
    assert all("\\| a &amp; b" in line for line in lines)


EVIL = "<script>alert(1)</script>\"'$x$ | ../../a"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A report in which method, data set, column, class, message and command are others' words."""
    folder = tmp_path_factory.mktemp("hostile")
    methods = [{"name": name, "method": "nearest_neighbour", "shots": None} for name in (EVIL, "$", "b")]
    own = {"file": EVIL, "label": EVIL}
    config = {"name": "x", "datasets": [EVIL], "shots": [2, 4], "methods": methods, "draws": 2, "seed": 0}
    config |= {"test_limit": None, "files": {EVIL: own}}
    rows = [
        {
            "key": f"{place}{shots}{draw}",
            "name": method["name"],
            "dataset": EVIL,
            "shots": shots,
            "draw": draw,
        }
        | {"error": None, "warnings": [EVIL], "cold": False, "train_seconds": 0.1 + draw}
        | {"scores": {"predict": {"accuracy": 0.5 + 0.1 * draw, "predict_seconds": 0.1}}}
        | {"weight_bits": 2, "packed_bytes": 10 + place, "size_note": EVIL}
        for place, method in enumerate(methods)
        for shots in (2, 4)
        for draw in (0, 1)
    ]
    (folder / "artifacts").mkdir()
    for row in rows:
        classes = np.asarray([EVIL, "b"])
        counts = np.ones((2, 3), dtype=int)
        np.savez(folder / "artifacts" / f"{row['key']}.npz", classes=classes, confusion_predict=counts)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environments.json").write_text(json.dumps([{"command": EVIL, f"data: {EVIL}": EVIL}]))
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return write_report(folder)


def test_no_name_of_others_breaks_the_page(hostile):
    html = hostile.read_text()
    assert html.count("<script") == 1
    assert html.count("&lt;script&gt;") > 20
    assert "<script" not in hostile.with_suffix(".md").read_text()
    assert "$x$" in html  # a name is no formula
    assert {path.parent for path in hostile.parent.rglob("*.png")} == {hostile.parent / "plots"}


def test_methods_of_a_kind_have_one_colour_in_all_reports():
    kinds = ["logistic_regression", "message_passing", "message_passing", "own"]
    looks = assign_looks([{"name": f"m{place}", "method": kind} for place, kind in enumerate(kinds)])
    again = assign_looks([{"name": "other", "method": "message_passing"}])
    assert looks["m1"].colour == again["other"].colour
    assert len({(look.colour, look.marker) for look in looks.values()}) == len(kinds)
    assert [look.number for look in looks.values()] == [0, 1, 2, 3]


def test_numbers_of_an_axis_do_not_touch():
    assert _apart([10, 20, 100], "{:g}".format) == [10, 20, 100]
    assert _apart([1, 1000, 1001, 1e6], bytes_text) == [1, 1001, 1e6]
    assert [bytes_text(value) for value in (12, 1499, 95552, 2e6)] == ["12 B", "1.5 kB", "95.6 kB", "2 MB"]


def test_figures_follow_the_theme(page):
    for svg in re.findall(r"<svg.*?</svg>", page.read_text(), flags=re.DOTALL):
        assert "currentColor" in svg
        assert "var(--series-" in svg
        for colour in (INK, GRID, *COLOURS):
            assert colour not in svg


def test_ids_of_figures_differ(page):
    identifiers = re.findall(r' id="([^"]+)"', page.read_text())
    assert len(identifiers) == len(set(identifiers)) > 0


@pytest.mark.slow
def test_the_report_is_the_same_every_time(hostile):
    before = hostile.read_text()
    assert write_report(hostile.parent).read_text() == before


def test_markdown_names_its_figures(page):
    markdown = page.with_suffix(".md").read_text()
    names = re.findall(r"\]\((plots/[^)]+)\)", markdown)
    assert len(names) == NUM_FIGURES
    assert all((page.parent / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_refuses_a_folder_without_results(tmp_path):
    with pytest.raises(ConfigError, match="holds no results"):
        write_report(tmp_path)


def test_many_names_fit_beside_the_axes():
    rows = [{"scores": {"predict": {"accuracy": 0.5}}, "train_seconds": 1.0, "cold": False}]
    names = [f"method {number}" for number in range(40)]
    looks = assign_looks([{"name": name, "method": "own"} for name in names])
    lines = [Series(name, name, "predict", "digits", {10: rows}) for name in names]
    figure = accuracy_figure(looks, lines)
    places = [text.get_position()[1] for text in figure.axes[0].texts]
    assert len(places) == 40
    assert 0 <= min(places) <= max(places) <= 1
    drawn = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines if line.get_alpha() != 0}
    assert len(drawn) == 40


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([1.2, 2.9], [1.5, 2, 3]),
        ([0.002, 11.0], [0.01, 0.1, 1, 10]),
        ([0.03, 0.4, 2.0], [0.05, 0.1, 0.2, 0.5, 1, 2]),
        ([1e-4, 1e4], [1e-4, 1e-2, 1, 1e2, 1e4]),
    ],
)
def test_ticks_are_round_and_few(values, ticks):
    assert round_ticks(values) == pytest.approx(ticks)


def test_labels_keep_their_order_and_distance():
    places = _spread([0.5, 0.5, 0.95, 0.99, 0.1], 0.1)
    assert sorted(places) == [places[index] for index in (4, 0, 1, 2, 3)]
    gaps = [high - low for low, high in zip(sorted(places), sorted(places)[1:], strict=False)]
    assert min(gaps) > 0.1 - 1e-9
    assert min(places) >= 0
    assert max(places) <= 1


@pytest.mark.parametrize(("draws", "words"), [(2, "bands are"), (1, "of a single draw")])
def test_captions_speak_of_intervals_where_there_are_some(draws, words):
    rows = {count: [{"scores": {"mode": {"accuracy": 0.5}}}] * draws for count in (2, 4)}
    assert with_intervals([Series("one", "one", "mode", "digits", rows)], "bands are").startswith(words)
