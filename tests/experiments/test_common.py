"""What the experiment scripts share: rows that resume, and comparisons that start from measured rows."""

import json

import jax
import numpy as np
import pytest

from experiments.benchmarks.profile import parts_of
from experiments.common.keep import keep
from experiments.common.networks import Model, schedules_of
from experiments.common.runs import read_config, run_jobs
from experiments.continual.message_passing import Config, run
from experiments.few_shot.gather_rows import gather_rows
from experiments.full_data import refit_above, rounding_loss
from experiments.full_data import train as full_data
from mpnn.compare import ConfigError, load_config, run_comparison
from mpnn.runs.rows import read_rows
from tests.oracles.helpers import TINY_COMPARISON


def test_a_row_keeps_what_the_work_found(tmp_path):
    calls = []

    def work(job):
        calls.append(job)
        return {"error": 0.25, "accuracy": 0.75}

    for jobs in ([{"seed": 0}], [{"seed": 0}, {"seed": 1}]):
        rows = run_jobs(jobs, work, tmp_path, {}, "script.py config.toml")
    assert calls == [{"seed": 0}, {"seed": 1}]
    assert [(row["seed"], row["error"], row["run"]) for row in rows] == [(0, 0.25, 0), (1, 0.25, 1)]


@pytest.mark.parametrize("as_file", [False, True])
def test_a_comparison_starts_from_measured_rows(tmp_path, as_file):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY_COMPARISON)
    config = load_config(path)
    measured, output = tmp_path / "measured", tmp_path / "output"
    rows = run_comparison(config, measured)
    path.write_text(
        TINY_COMPARISON.replace("shots = [2, 4]", "shots = [4]").replace("draws = 2", "draws = 3")
    )
    source = measured / "results.jsonl" if as_file else measured
    assert gather_rows(path, output, [source, source]) == 4
    assert gather_rows(path, output, [measured]) == 0
    assert len(list(output.glob("artifacts/*.npz"))) == (0 if as_file else 4)
    grown = run_comparison(load_config(path), output)
    assert len(grown) == 6
    own = {row["key"]: row["train_seconds"] for row in rows}
    assert sum(row["train_seconds"] == own.get(row["key"]) for row in grown) == 4
    environments = json.loads((output / "environments.json").read_text())
    for row in read_rows(output / "results.jsonl"):
        assert row["run"] < len(environments)


def test_kept_rows_start_a_comparison_with_and_without_their_records(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY_COMPARISON)
    run_comparison(load_config(path), tmp_path / "runs" / "tiny")
    kept = tmp_path / "results" / "tiny"
    assert keep(tmp_path / "runs" / "tiny", kept.parent) == 8
    assert {path.name for path in kept.iterdir()} == {"config.json", "environments.json", "results.jsonl"}
    assert gather_rows(path, tmp_path / "with", [kept]) == 8
    (kept / "environments.json").unlink()  # as of rows that are older than this record
    assert gather_rows(path, tmp_path / "without", [kept]) == 8
    (known,) = json.loads((tmp_path / "without" / "environments.json").read_text())
    assert known == {"command": f"rows of {kept}"}
    with pytest.raises(SystemExit, match=r"tiny holds no environments\.json"):
        keep(kept, tmp_path / "again")


def test_a_profile_tells_products_beliefs_and_units_apart():
    program = """HloModule step

%with_product (a: f32[8,6], b: f32[6,4]) -> f32[8,4] {
  %a = f32[8,6]{1,0} parameter(0)
  %b = f32[6,4]{1,0} parameter(1)
  ROOT %product.1 = f32[8,4]{1,0} dot(%a, %b), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

ENTRY %main (a: f32[8,6], b: f32[6,4]) -> f32[8,4] {
  %fused.1 = f32[8,4]{1,0} fusion(%a, %b), kind=kCustom, calls=%with_product
  %copy.2 = f32[6,4]{1,0} copy(%b)
  %tails.3 = f32[8,4]{1,0} fusion(%fused.1), kind=kLoop, calls=%elementwise
  ROOT %all = (f32[8,4]{1,0}, f32[6,4]{1,0}) tuple(%tails.3, %copy.2)
}
"""
    parts = parts_of(program, {(6, 4)})
    assert parts == {
        "product.1": "products",
        "fused.1": "products",
        "copy.2": "beliefs",
        "tails.3": "units",
    }


def test_a_number_may_change_over_the_training():
    """Half a cosine, from the first sweep to the last, and each layer its own."""
    changing = {"damping": {"start": 0.5, "end": 0.9}, "rho": {"start": [1.0, 0.8], "end": [1.0, 1.0]}}
    schedules = schedules_of(Model("changing", [20], "amp", numbers=changing), 4, 1050, 100)
    first, middle, last = (schedules.at_sweep(step, 2) for step in (0, 20, 40))
    np.testing.assert_allclose(
        [first.damping, middle.damping, last.damping], [[0.5] * 2, [0.7] * 2, [0.9] * 2]
    )
    np.testing.assert_allclose([first.rho, middle.rho, last.rho], [[1.0, 0.8], [1.0, 0.9], [1.0, 1.0]])


@pytest.mark.slow
def test_counting_once_remembers_what_was_held_out(tmp_path):
    model = Model("once", [20], "amp", rate=0.01, numbers={"damping": 0.9})
    config = Config(
        "digits", seeds=[0, 1], num_tasks=2, num_epochs=3, models=[model], batch_size=40, held_out=200
    )
    run(config, tmp_path, "test")
    (row,) = read_rows(tmp_path / "results.jsonl")
    accuracies = np.array(row["bayes"][1])  # [earlier task, seed]
    assert accuracies.shape == (2, 2)
    assert np.all(accuracies[1] > 50.0)
    assert np.all(accuracies[0] > 20.0)  # a tenth by chance


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read the config"),
        ("models = [", "not valid TOML"),
        ('dataset = "digits"\nseeds = [0]\nnum_epochs = 1\nmodel = []', "model"),
        ('dataset = "digits"\nnum_epochs = 1\nmodels = []', "the key 'seeds' is missing"),
        ('dataset = "digits"\nseeds = 0\nnum_epochs = 1\nmodels = []', "seeds must be a list, got 0"),
        (
            'dataset = "digits"\nseeds = ["a"]\nnum_epochs = 1\nmodels = []',
            r"seeds\[0\] must be a whole number, got 'a'",
        ),
        (
            'dataset = "digits"\nseeds = [0]\nnum_epochs = true\nmodels = []',
            "must be a whole number, got True",
        ),
        ('dataset = "digits"\nseeds = [0]\nnum_epochs = 1\nmodels = 3', "models must be a list, got 3"),
    ],
)
def test_a_wrong_config_is_a_sentence(tmp_path, text, message):
    path = tmp_path / "wrong.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path, full_data.Config)


def test_rounding_is_measured_on_classes_only(tmp_path):
    config = full_data.Config("digits", [0], 1, [], task="odd_even")
    with pytest.raises(ConfigError, match="tasks with classes, got task = 'odd_even'"):
        next(full_data.trained_models(config, tmp_path))


@pytest.mark.slow
def test_rounding_is_measured_and_repaired_from_the_checkpoints_of_a_run(tmp_path, capsys):
    config = tmp_path / "small.toml"
    config.write_text(
        'dataset = "digits"\nseeds = [0, 1]\nnum_epochs = 3\nbatch_size = 32\ninput_scaling = "root"\n'
        '[[models]]\nname = "small"\nhidden = [21, 21]\nrule = "mean_field"\nrate = 0.05\ncounts = 100\n'
        "numbers = { damping = 0.9, output_batches = 3.0 }\n"
    )
    run_folder = tmp_path / "run"
    full_data.main(full_data.Options(config, run_folder))
    capsys.readouterr()
    rounding_loss.main(rounding_loss.Options(config, run_folder))
    assert "discrete, feedback" in capsys.readouterr().out
    options = refit_above.Options(config, run_folder, num_epochs=2, rate=0.05)
    ((model, trained, samples),) = full_data.trained_models(read_config(config, full_data.Config), run_folder)
    first = trained._replace(state=jax.tree.map(lambda leaf: leaf[:1], trained.state))
    errors = refit_above.refit(options, read_config(config, full_data.Config), model, first, samples)
    assert 0.0 < errors["discrete, layers above refitted"] < 40.0
    again = refit_above.refit(options, read_config(config, full_data.Config), model, first, samples)
    assert again == errors  # the run's own state is not given away
