"""Configs, results and the commands that pages show are what they say they are."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

from mpnn.compare.config_files import load_config
from mpnn.compare.methods.registry import check_methods
from mpnn.compare.run.jobs import list_jobs
from mpnn.runs.rows import read_rows
from mpnn.runs.toml import read_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.toml"))
RESULTS = sorted(path for path in (ROOT / "results").iterdir() if path.is_dir())
COMMANDS = dict(
    re.findall(r"^\| `(\w+)` \| `(.+)` \|$", (ROOT / "configs" / "README.md").read_text(), re.MULTILINE)
)
TEXTS = [
    *ROOT.glob("*.md"),
    *(path for folder in ("docs", "configs", "results") for path in (ROOT / folder).rglob("*.md")),
    *CONFIGS,
    *(path for folder in ("mpnn", "experiments") for path in (ROOT / folder).rglob("*.py")),
]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def test_every_folder_of_configs_has_its_command():
    assert set(COMMANDS) == {path.parent.name for path in CONFIGS}
    assert len({path.stem for path in CONFIGS}) == len(CONFIGS), "runs/NAME is one config's"


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_shipped_configs_are_sound(path):
    """The command of the folder reads the file; the file shows the command."""
    command = COMMANDS[path.parent.name]
    assert re.search(rf"^#.*{re.escape(command)} {name_of(path)}$", path.read_text(), re.MULTILINE)
    if command != "mpnn compare":
        read_config(path, importlib.import_module(command.split()[-1]).Config)
        return
    config = load_config(path)
    check_methods(config)
    assert config.name == path.stem


def test_results_say_where_they_come_from():
    """A folder holds the three files; those that cannot are named by the page."""
    page = (ROOT / "results" / "README.md").read_text()
    for folder in RESULTS:
        rows = read_rows(folder / "results.jsonl")
        assert len({row["key"] for row in rows}) == len(rows) > 0, folder.name
        whole = all((folder / name).exists() for name in ("config.json", "environments.json"))
        assert whole != (f"`{folder.name}`" in page), folder.name
        if (folder / "environments.json").exists():
            starts = json.loads((folder / "environments.json").read_text())
            assert all(row["run"] < len(starts) for row in rows), folder.name


def test_rows_of_comparisons_are_those_that_configs_ask_for():
    """So a comparison can start from them; a changed default of a config's reader would lose them all."""
    checked = 0
    for path in CONFIGS:
        kept = ROOT / "results" / path.stem / "results.jsonl"
        if path.parent.name == "compare" and kept.exists():
            asked = {job.key for job in list_jobs(load_config(path))}
            assert {row["key"] for row in read_rows(kept)} <= asked, path.stem
            checked += 1
    assert checked > 10


def test_commands_and_paths_in_texts_exist():
    """Modules, configs and kept results, wherever a page, config or docstring names them."""
    named = 0
    for text in TEXTS:
        shown = text.read_text(encoding="utf-8")
        modules = re.findall(r"\bexperiments(?:\.\w+)+", shown)
        paths = re.findall(r"(?<![\w/.(])(?:configs|results|experiments)/[\w./-]*\w(?![\w*{])", shown)
        for path in paths:
            # NAME stands for any name
            assert "NAME" in path or (ROOT / path).exists(), f"{name_of(text)} names {path}"
        for module in modules:
            assert module_exists(module), f"{name_of(text)} names {module}"
        named += len(modules) + len(paths)
    assert named > 200


def module_exists(dotted):
    """Whether a dotted name is a module, a package, or something that a module defines."""
    base = ROOT.joinpath(*dotted.split("."))
    if base.is_dir() or base.with_suffix(".py").exists():
        return True
    module = base.parent.with_suffix(".py")
    if not module.exists():
        return False
    body = ast.parse(module.read_text(encoding="utf-8")).body
    return base.name in {getattr(node, "name", None) for node in body}
