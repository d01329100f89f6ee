"""What README, quickstart and how-tos show runs as it stands there, with the scores that they claim."""

import importlib.util
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

from tests.marks import mostly_slow
from tests.structure import FLOORS

ROOT = Path(__file__).parent.parent
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
needs_solver = pytest.mark.skipif(
    importlib.util.find_spec("ortools") is None, reason="needs pip install '.[solvers]'"
)


def run_python_of(page, fence):
    """Run all code blocks of a page, one after the other; returns the code."""
    code = re.findall(rf"```{fence}\n(?::[^\n]*\n)*(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    names = {}
    for block in code:
        exec(compile(block, page, "exec"), names)
    return "".join(code)


@mostly_slow("page", ["README.md", "docs/index.md", "docs/quickstart.md"])
def test_scores_of(page, capsys):
    code = run_python_of(ROOT / page, "python")
    claimed = re.findall(r"\.score\(.*# (?:about )?(0\.\d+)", code)
    printed = re.findall(r"^0\.\d+$", capsys.readouterr().out, re.MULTILINE)
    assert claimed
    np.testing.assert_allclose(np.float64(printed), np.float64(claimed), atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        *("checkpoints", "continual_learning", "export", "scikit_learn", "sparse_and_integer_weights"),
        "text_with_tfidf",
    ],
)
def test_python_of_how_to(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python_of(ROOT / "docs" / "howto" / f"{page}.md", "python")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the two packages
def test_recipes_for_logging(tmp_path, monkeypatch):
    """MLflow to a file, Weights & Biases offline."""
    for package in ("mlflow", "wandb"):
        pytest.importorskip(package, reason=f"needs pip install {package}")
    monkeypatch.chdir(tmp_path)
    run_python_of(ROOT / "docs" / "howto" / "logging.md", "python")
    assert len((tmp_path / "digits.csv").read_text().splitlines()) == 1 + 4
    assert list((tmp_path / "wandb").glob("offline-run-*"))
    assert (tmp_path / "mlflow.db").exists()


@pytest.mark.slow
def test_python_of_functional():
    run_python_of(ROOT / "docs" / "functional.md", "python")


def test_python_of_add_a_layer(monkeypatch):
    from mpnn.message_passing.layers import LAYERS

    monkeypatch.setitem(LAYERS, "Crop2D", None)  # what the page adds is gone afterwards
    run_python_of(ROOT / "docs" / "howto" / "add_a_layer.md", "python")
    assert LAYERS["Crop2D"] is not None


def test_the_rooms_of_the_design_page():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    for floor, rooms in enumerate(FLOORS):
        assert f"| {floor} | {', '.join(f'`{room}`' for room in sorted(rooms))} |" in page


def test_names_in_code_and_pages_exist():
    """Each dotted name between backticks is there, on the pages and in the docstrings."""
    pages = [*(ROOT / "docs").glob("**/*.md"), *(ROOT / "mpnn").glob("**/*.py"), ROOT / "README.md"]
    names = {
        name
        for page in pages
        if page.parent.name != "decisions"  # these tell what was
        for name in re.findall(r"`~?(mpnn(?:\.\w+)+)`", page.read_text(encoding="utf-8"))
    }
    assert len(names) > 100
    assert sorted(name for name in names if not _exists(name)) == []


def _exists(name):
    try:
        pkgutil.resolve_name(name)
    except AttributeError:
        owner, _, last = name.rpartition(".")
        return last in getattr(pkgutil.resolve_name(owner), "__annotations__", {})
    except ImportError:
        return False
    return True


@needs_solver
def test_python_of_add_a_solver(monkeypatch):
    from mpnn.solvers.engines import ENGINES

    monkeypatch.setitem(ENGINES, "scipy", None)  # what the page adds is gone afterwards
    run_python_of(ROOT / "docs" / "howto" / "add_a_solver.md", "python")
    assert ENGINES["scipy"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=[page.stem for page in TUTORIALS])
def test_tutorials_run(page, monkeypatch):
    if page.stem == "warm_start":
        pytest.importorskip("ortools")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    monkeypatch.chdir(page.parent)  # where the figures' style is
    run_python_of(page, r"\{code-cell\}")
    matplotlib.pyplot.close("all")
