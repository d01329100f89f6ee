"""The report in a real browser: no errors, nothing overflows, tables sort, light and dark are readable."""

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here; apt-get install chromium"),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=20000",
    "--dump-dom",
)
WIDTHS = (360, 768, 1280)

LISTEN = """<script>
window.problems = [];
addEventListener("error", event => problems.push(String(event.message)));
addEventListener("securitypolicyviolation", event => problems.push(event.violatedDirective));
</script>"""

MEASURE = """<script>
addEventListener("load", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  const inside = (part, whole) => part.left >= whole.left - 1 && part.right <= whole.right + 1
    && part.top >= whole.top - 1 && part.bottom <= whole.bottom + 1;
  const shown = part => part.getClientRects().length > 0;
  const texts = [...document.querySelectorAll("figure svg text")].filter(shown);
  const around = text => text.closest(".plot, .rows").getBoundingClientRect();
  const cut = texts
    .filter(text => !inside(text.getBoundingClientRect(), around(text)))
    .map(text => text.textContent);
  const pixels = text => {
    const svg = text.closest("svg");
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return scale * parseFloat(getComputedStyle(text).fontSize);
  };
  const named = [...document.querySelectorAll(".plot")].map(plot => [
    [...plot.querySelectorAll(".end text")].filter(shown).length,
    [...plot.nextElementSibling.children].filter(shown).length,
  ]);
  const table = document.querySelector("table.sortable");
  const values = column => [...table.tBodies[0].rows].map(row => {
    const cell = row.cells[column];
    return column ? cell.dataset.value === undefined ? null : Number(cell.dataset.value) : cell.textContent;
  });
  const sorted = column => {
    table.tHead.rows[0].cells[column].querySelector("button").click();
    return values(column);
  };
  const colours = selector => [...document.querySelectorAll(selector)].map(node => {
    const style = getComputedStyle(node);
    return node instanceof SVGElement ? style.fill : style.color;
  });
  parent.postMessage({
    width: innerWidth,
    needed: document.documentElement.scrollWidth,
    problems, cut, named,
    smallest: Math.min(...texts.map(pixels)),
    sorts: [sorted(1), sorted(1), sorted(0), sorted(0)],
    paper: getComputedStyle(document.documentElement).backgroundColor,
    ink: [...new Set([...colours("th, td, p, small, figcaption"), ...colours("figure svg text")])],
  }, "*");
});
</script>"""

FRAMES = """<!doctype html><pre id="found"></pre><script>
const found = [];
addEventListener("message", event => {
  found.push(event.data);
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>"""


@pytest.fixture(scope="module", params=["light", "dark"])
def seen(request, page, tmp_path_factory):
    """What the browser found at each width, in a light and in a dark theme."""
    folder = tmp_path_factory.mktemp("browser")
    text = page.read_text().replace("<title>", LISTEN + "<title>").replace("</body>", MEASURE + "</body>")
    (folder / "probe.html").write_text(text)
    frames = "".join(f'<iframe src="probe.html" width="{width}" height="800"></iframe>' for width in WIDTHS)
    (folder / "frames.html").write_text(FRAMES + frames)
    # how Blink numbers the schemes: 0 is dark, 1 is light
    scheme = f"--blink-settings=preferredColorScheme={0 if request.param == 'dark' else 1}"
    command = [
        BROWSER,
        *FLAGS,
        scheme,
        f"--user-data-dir={folder / 'profile'}",
        f"file://{folder}/frames.html",
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', dom, flags=re.DOTALL)[1]))
    assert len(found) == len(WIDTHS)
    return request.param, found


def test_opens_without_errors(seen):
    assert [view["problems"] for view in seen[1]] == [[]] * len(WIDTHS)


def test_nothing_overflows(seen):
    for view in seen[1]:
        assert view["needed"] <= view["width"]
        assert view["cut"] == []


def test_text_of_figures_can_be_read_and_names_stand_beside_the_lines_or_below(seen):
    for view in seen[1]:
        assert view["smallest"] >= 8.0
        for beside, below in view["named"]:
            assert (beside > 0) != (below > 0)
            assert (below > 0) == (view["width"] < 640)


def test_tables_sort(seen):
    for view in seen[1]:
        down, up, last_name, first_name = view["sorts"]
        numbers = [value for value in down if value is not None]
        assert len(set(numbers)) > 1
        assert numbers == sorted(numbers, reverse=True)
        assert down[len(numbers) :] == [None] * (len(down) - len(numbers))
        assert up == numbers[::-1] + [None] * (len(down) - len(numbers))
        assert last_name == first_name[::-1]
        assert len(set(first_name)) == len(first_name)


def test_text_stands_out(seen):
    theme, found = seen
    for view in found:
        paper = luminance(view["paper"])
        assert (paper > 0.9) if theme == "light" else (paper < 0.1)
        for colour in view["ink"]:
            low, high = sorted((paper, luminance(colour)))
            assert (high + 0.05) / (low + 0.05) >= 3.0, colour


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)" as the Web Content Accessibility Guidelines define it."""
    parts = [int(part) / 255 for part in re.findall(r"[0-9.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
