"""What release 0.1 wrote loads for ever, and predicts what it predicted then."""

import importlib
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from mpnn import load_model
from mpnn.message_passing.checkpoints import restore_state
from mpnn.message_passing.spec import NetworkSpec
from mpnn.weight_files import load_networks, load_weights

FOLDER = Path(__file__).parent / "files_of_0_1"
MODELS = sorted(
    path.stem for path in FOLDER.glob("*.safetensors") if path.stem not in ("weights", "networks")
)
SPECS = {
    "anchored": NetworkSpec.dense((6, 5, 3), weights="ternary", output="argmax", anchored=True, bias=True),
    "focused": NetworkSpec.dense((6, 5, 1), focusing=True, density=0.5, sweeps_per_batch=2),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_predict_as_they_did(name):
    model = load_model(FOLDER / f"{name}.safetensors")
    with np.load(FOLDER / f"{name}.npz") as answers:
        inputs = answers["inputs"]
        np.testing.assert_array_equal(model.predict(inputs), answers["predict"])
        if "predict_proba" in answers:
            # Bayesian predictions of that release divided the probability of a tie between both signs
            tolerance = 1e-2 if model.get_params().get("estimator__prediction") == "bayes" else 1e-5
            np.testing.assert_allclose(model.predict_proba(inputs), answers["predict_proba"], atol=tolerance)


def test_models_were_found():
    assert len(MODELS) == 9


@pytest.mark.parametrize("name", SPECS)
def test_checkpoints_go_on(name, tmp_path):
    shutil.copytree(FOLDER / name, tmp_path / name)  # Orbax writes locks beside what it reads
    restored = restore_state(tmp_path / name, SPECS[name])
    assert (restored.epoch, restored.metadata) == (2, {"note": name})
    with np.load(FOLDER / f"{name}.npz") as leaves:
        for index, leaf in enumerate(jax.tree.leaves(restored.state)):
            np.testing.assert_array_equal(leaf, leaves[str(index)])


def test_weights_load():
    weights, metadata = load_weights(FOLDER / "weights.safetensors")
    assert (weights[0].tolist(), metadata) == (np.eye(3).tolist(), {"levels": [0, 1]})
    assert len(load_networks(FOLDER / "networks.safetensors")[0]) == 2


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("mpnn.estimators", "load_model", "mpnn"),
        ("mpnn.estimators", "PairwiseVoteClassifier", "mpnn"),
        ("mpnn.checkpoints", "CheckpointError", "mpnn.message_passing.checkpoints"),
        ("mpnn.inputs", "fit_transform_of", "mpnn.preprocessing.scaling"),
    ],
)
def test_names_of_0_1_are_where_they_were_with_a_warning(module, name, home):
    old = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"import {name} from {home}"):
        assert getattr(old, name) is getattr(importlib.import_module(home), name)
    with pytest.raises(AttributeError, match="no attribute 'no_such'"):
        old.no_such  # noqa: B018
