import re

import pytest

from mpnn.compare import ConfigError, write_report
from mpnn.compare.report.figure_style import COLOURS, GRID, INK, _spread, round_ticks
from mpnn.compare.report.figures import accuracy_figure
from mpnn.compare.report.series import Series


def test_the_report_is_whole_and_self_contained(page):
    html = page.read_text()
    # digits: accuracy, seconds, links, reliability, noise; iris too; and the ranks
    assert html.count("<svg") == 11
    assert "Friedman" in html
    assert html.count("data:image/png;base64,") == 45  # digits; iris is a table
    assert "mpnn compare tiny.toml" in html
    assert "<summary>message passing (vote) at 4 per class</summary>" in html  # confusions
    assert "<summary>message passing at 4 per class</summary>" in html  # weights
    assert "all numbers of examples together" in html
    assert html.count('class="origin"') == 11 + 2 + 1  # figures; confusions of two data sets; weights
    assert "label status of the vote" in html
    assert "breaks: failed fits" in html
    assert "RuntimeError: no memory left" in html
    assert "ConvergenceWarning" in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", html)
    assert not re.findall(r"url\((?!#)|@import|<link|<iframe", html)
    assert "default-src 'none'" in html


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
    lines = [line for line in markdown.splitlines() if line.startswith("| <script>")]
    assert lines
    assert all("\\| a & b |" in line for line in lines)


def test_figures_follow_the_theme(page):
    for svg in re.findall(r"<svg.*?</svg>", page.read_text(), flags=re.DOTALL):
        assert "currentColor" in svg
        assert "var(--series-" in svg
        for colour in (INK, GRID, *COLOURS):
            assert colour not in svg


def test_ids_of_figures_differ(page):
    identifiers = re.findall(r' id="([^"]+)"', page.read_text())
    assert len(identifiers) == len(set(identifiers)) > 0


def test_the_report_is_the_same_every_time(page):
    before = page.read_text()
    assert write_report(page.parent).read_text() == before


def test_markdown_names_its_figures(page):
    markdown = page.with_suffix(".md").read_text()
    names = re.findall(r"\]\((plots/[^)]+)\)", markdown)
    assert len(names) == 11
    assert all((page.parent / name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_refuses_a_folder_without_results(tmp_path):
    with pytest.raises(ConfigError, match="holds no results"):
        write_report(tmp_path)


def test_many_names_fit_beside_the_axes():
    rows = [{"scores": {"predict": {"accuracy": 0.5}}, "train_seconds": 1.0, "cold": False}]
    names = [f"method {number}" for number in range(40)]
    lines = [Series(name, name, "predict", "digits", {10: rows}) for name in names]
    figure = accuracy_figure(names, lines)
    places = [text.get_position()[1] for text in figure.axes[0].texts]
    assert len(places) == 40
    assert 0 <= min(places) <= max(places) <= 1
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(looks) == 40


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
