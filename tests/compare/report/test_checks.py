"""Output folders of others, or damaged ones: a sentence that names the file, never a broken page."""

import copy
import json

import numpy as np
import pytest

from mpnn.compare.report.page import read_run, write_report
from mpnn.runs.toml import ConfigError

CONFIG = {"name": "x", "datasets": ["d"], "shots": [2], "draws": 1, "seed": 0, "test_limit": None} | {
    "methods": [{"name": "m", "method": "own", "shots": None}]
}
SCORES = {
    "vote": {
        "accuracy": 0.5,
        "robustness": {"noise 0.1": 0.4, "noise 1e-05": 0.5},
        "label_status": {"unique": 3, "tied": 1},
    },
    "bayes": {"accuracy": 0.6, "nll": 0.4, "ece": 0.1},
}
ROW = {"key": "a1", "name": "m", "dataset": "d", "shots": 2, "draw": 0, "error": None, "warnings": []} | {
    "cold": False,
    "train_seconds": 0.1,
    "weight_bits": 2,
    "links_removed": {"all": 0.5},
    "scores": SCORES,
}
ARRAYS = {"classes": np.array(["a", "b"]), "confusion_vote": np.ones((2, 3), int)} | {
    "reliability_bayes": np.ones((10, 3)),
    "weights": np.ones((1, 4), int),
    "pairs": np.array([["a", "b"]]),
    "image_shape": np.array([2, 2]),
}
STRANGE = None, -1.5, "x", [1], {"x": []}


def _write(folder, config=CONFIG, rows=(ROW,), environments=(), arrays=ARRAYS):
    (folder / "artifacts").mkdir(parents=True)
    np.savez(folder / "artifacts" / "a1.npz", **arrays)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environments.json").write_text(json.dumps(environments))
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _with(table, path, value):
    """Return a copy with another value at a path of keys."""
    changed = inner = copy.deepcopy(table)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def _paths(table, path=()):
    """All paths of keys, those of inner tables too."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*path, key))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("scores",), "hello"),
        (("scores", "vote"), 1),
        (("scores", "vote", "accuracy"), "half"),
        (("scores", "vote", "robustness"), {"noise": 0.5}),
        (("scores", "vote", "robustness"), {"noise 1.2.3": 0.5}),
        (("scores", "vote", "label_status", "tied"), "one"),
        (("scores", "bayes", "nll"), [1]),
        (("shots",), "two"),
        (("draw",), [0]),
        (("key",), "../../elsewhere"),
        (("warnings",), "none"),
        (("train_seconds",), None),
        (("links_removed",), 3),
    ],
    ids=str,
)
def test_a_field_of_another_kind_is_named(path, value, tmp_path):
    last = [key for key in path if key not in ("scores", "vote", "bayes", "tied")] or ["scores"]
    with pytest.raises(ConfigError, match=rf"results\.jsonl: row 1.*{last[-1]}.* must be "):
        read_run(_write(tmp_path / "run", rows=[_with(ROW, path, value)]))


def test_a_method_without_a_name_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json: method 1 has no name, which must be text"):
        read_run(_write(tmp_path / "run", config=CONFIG | {"methods": [{"method": "own"}]}))


def test_a_row_of_no_method_of_the_config_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="do not belong together"):
        read_run(_write(tmp_path / "run", rows=[ROW | {"name": "other"}]))


@pytest.mark.parametrize(
    "arrays",
    [
        {"classes": np.array(["a"])},
        {"confusion_vote": np.array([["x"] * 3] * 2)},
        {"reliability_bayes": np.ones(3)},
        {"reliability_bayes": np.full((10, 3), np.nan)},
        {"pairs": np.array([["a", "b"]] * 2)},
        {"image_shape": np.array([3, 3])},
    ],
    ids=str,
)
def test_arrays_that_do_not_belong_together_are_refused(arrays, tmp_path):
    with pytest.raises(ConfigError, match=r"a1\.npz is damaged .*delete it"):
        write_report(_write(tmp_path / "run", arrays=ARRAYS | arrays))


def test_a_torn_file_of_arrays_is_refused(tmp_path):
    path = _write(tmp_path / "run") / "artifacts" / "a1.npz"
    content = path.read_bytes()
    for damage in (b"", b"text", content[:100], content[:-30]):
        path.write_bytes(damage)
        with pytest.raises(ConfigError, match=r"a1\.npz is damaged .*delete it"):
            write_report(tmp_path / "run")
    path.unlink()
    assert write_report(tmp_path / "run").exists()


def _sentence(folder):
    """Write the report; return why it was refused."""
    try:
        write_report(folder)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("which", ["config", "row", "environments"])
def test_strange_values_are_refused_or_shown(which, tmp_path):
    environments = [{"git_commit": "c", "device": "one cpu", "command": "mpnn"}]
    for number, path in enumerate(
        _paths({"config": CONFIG, "row": ROW, "environments": environments}[which])
    ):
        for kind, value in enumerate(STRANGE):
            folder = tmp_path / f"{number}_{kind}"
            if which == "config":
                _write(folder, config=_with(CONFIG, path, value))
            elif which == "row":
                _write(folder, rows=[_with(ROW, path, value)])
            else:
                _write(folder, environments=_with(environments, path, value))
            assert ".json" in _sentence(folder) or (folder / "report.html").exists(), (path, value)
