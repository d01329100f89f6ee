import dataclasses
import json

import pytest

from mpnn.compare.config import CompareConfig, MethodConfig, Robustness
from mpnn.compare.config_files import load_config, override_params, split_by_needs
from mpnn.runs.toml import ConfigError, read_toml_value, to_jsonable


def test_reads_a_file(tiny):
    assert tiny.shots == (2, 4)
    assert tiny.draws == 2
    assert tiny.seed == 0
    assert tiny.methods[1] == MethodConfig("linear", "linear_svm", {"C": 0.5})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("draws = 2", "drawz = 2", "tiny.toml: unknown key 'drawz'; did you mean 'draws'"),
        ("params =", "parms =", "methods.1.: unknown key 'parms'; did you mean 'params'"),
        ("draws = 2", "", None),
        ("shots = [2, 4]", "", "tiny.toml: the key 'shots' is missing"),
        ("draws = 2", 'draws = "2"', "draws must be a whole number, got '2'; write e.g. draws = 5"),
        ("draws = 2", "draws = true", "draws must be a whole number, got True"),
        ("draws = 2", "draws = 0", "tiny.toml: draws must be at least 1, got 0"),
        (
            "params =",
            "figures = 1\nparams =",
            "figures must be true or false, got 1; write e.g. figures = fal",
        ),
        ("params =", "draws = 0\nparams =", "methods.1.: draws must be at least 1, got 0"),
        ("draws = 2", "draws = 2\nseed = -1", "seed must not be negative, got -1"),
        ("draws = 2", "test_limit = 0", "test_limit must be at least 1, got 0"),
        ("shots = [2, 4]", "shots = 2", r"shots must be a list, got 2; write e.g. shots = \[2, 10\]"),
        ("shots = [2, 4]", 'shots = ["2"]', r"shots\[0\] must be a whole number, got '2'"),
        ("shots = [2, 4]", "shots = [0]", "shots must be at least 1, got 0"),
        ("shots = [2, 4]", "shots = [2, 2]", "shots must differ, got 2 twice"),
        ("shots = [2, 4]", "shots = []", "shots must hold at least one number"),
        ('["iris"]', "[]", "datasets must name at least one data set"),
        ('"tiny"', '"../tiny"', "name must be letters, digits"),
        ('name = "linear"', 'name = "1-NN"', "names of methods must differ, got 1-NN twice"),
        ("draws = 2", "robustness = { noise = [-1] }", "noise must be at least 0, got -1.0"),
        ("draws = 2", "robustness = { flips = [1.5] }", r"flips must be in \[0, 1\], got 1.5"),
        ("draws = 2", "robustness = { noise = [true] }", r"noise\[0\] must be a number, got True"),
        ("draws = 2", "robustness = {}", "robustness must hold at least one of noise, flips"),
        ("draws = 2", "robustness = { flip = [0.1] }", "unknown key 'flip'; did you mean 'flips'"),
        ("params =", 'datasets = ["irish"]\nparams =', "unknown data set 'irish'; did you mean 'iris'"),
        ("[[methods]]", "[[methods]", "tiny.toml is not valid TOML"),
    ],
)
def test_names_what_is_wrong(write_config, old, new, message):
    path = write_config((old, new))
    if message is None:
        assert load_config(path).draws == 5
        return
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_disturbances_are_a_table_of_numbers(write_config):
    table = "draws = 2\n[robustness]\nnoise = [0, 0.5]\nflips = [0.05]"
    config = load_config(write_config(("draws = 2", table)))
    assert config.robustness == Robustness(noise=(0.0, 0.5), flips=(0.05,))


def test_names_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the config .*nothing\.toml"):
        load_config(tmp_path / "nothing.toml")


def test_parameters_from_the_command_line(tiny):
    changed = override_params(tiny, ["linear_svm.C=2.0", "1-NN.metric=cosine", "1-NN.n_neighbors = 3"])
    assert changed.methods[1].params == {"C": 2.0}
    assert changed.methods[0].params == {"metric": "cosine", "n_neighbors": 3}
    assert tiny.methods[1].params == {"C": 0.5}


@pytest.mark.parametrize("assignment", ["C=2", "linear_svm.C", "linear_svm.=2"])
def test_refuses_half_an_assignment(tiny, assignment):
    with pytest.raises(ConfigError, match=r"write METHOD\.KEY=VALUE"):
        override_params(tiny, [assignment])


def test_refuses_a_parameter_of_no_method(tiny):
    with pytest.raises(ConfigError, match=r"unknown method 'linear_svn'; did you mean 'linear_svm'"):
        override_params(tiny, ["linear_svn.C=2"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("true", True),
        ("[9, 9]", (9, 9)),
        ("bayes", "bayes"),
        ('"bayes"', "bayes"),
        ("1e-3", 1e-3),
    ],
)
def test_values_are_toml_or_words(text, value):
    assert read_toml_value(text) == value


def test_resolved_config_is_json(tiny):
    resolved = to_jsonable(dataclasses.replace(tiny, test_limit=7))
    assert json.loads(json.dumps(resolved)) == resolved
    assert resolved["methods"][1]["params"] == {"C": 0.5}
    assert set(resolved) == {field.name for field in dataclasses.fields(CompareConfig)}


def test_methods_without_their_package_are_left_out(tiny):
    absent, present = (
        dataclasses.replace(method, needs=package)
        for method, package in zip(tiny.methods, ("no_such_package", "numpy"), strict=True)
    )
    config, missing = split_by_needs(dataclasses.replace(tiny, methods=(absent, present)))
    assert config.methods == (present,)
    assert missing == (absent,)
    with pytest.raises(ConfigError, match="install no_such_package"):
        split_by_needs(dataclasses.replace(tiny, methods=(absent,)))
