"""Every solver method shows what it does when asked to, and Ctrl-C keeps the best it has."""

import numpy as np
import pytest

from mpnn.solvers import (
    BatchAveragingClassifier,
    BDNNClassifier,
    BeMiClassifier,
    DataSplittingClassifier,
    IntegerNetworkClassifier,
    LocalSearchClassifier,
    SingleNeuronClassifier,
    ToroIcarteClassifier,
)
from mpnn.solvers.engines import driver, installed_engines
from mpnn.solvers.local_search import _Search
from tests.marks import mostly_slow

INPUTS = np.array([[4, 0], [5, 1], [0, 4], [1, 6], [6, 1], [1, 5]])
LABELS = np.array([0, 0, 1, 1, 0, 1])
# What one neuron cannot tell apart, so that step networks need more than one program.
HARD_LABELS = np.array([0, 1, 1, 0, 0, 1])
# Each method, what its first search is called, and whether it has another one after that.
METHODS = {
    "bemi": (BeMiClassifier((2,), 3), "SM", True),
    "toro_icarte": (ToroIcarteClassifier((2,), 3), "feasible", True),
    "toro_icarte_hw": (ToroIcarteClassifier((2,), 3, strategy="hw"), "feasible", True),
    "integer_network": (IntegerNetworkClassifier((2,), 3), "sat_margin", False),
    "batch_averaging": (
        BatchAveragingClassifier((2,), 3, levels=2, batch_size=3, validation_share=0.0),
        "epoch 0, batch 0",
        True,
    ),
    "bdnn": (BDNNClassifier(2, 3), "exact", False),
    "bdnn_local_search": (BDNNClassifier(1, 3, method="local_search", random_state=1), "first layer", True),
    "data_splitting": (DataSplittingClassifier((1,), 30, validation_share=0.0), "2 sets", True),
    "single_neuron": (SingleNeuronClassifier(time_limit=3), "min_weight", False),
}


def labels_for(model):
    return HARD_LABELS if isinstance(model, BDNNClassifier | DataSplittingClassifier) else LABELS


@pytest.fixture(autouse=True)
def _need_engines():
    if not {"cpsat", "highs"} <= set(installed_engines()):
        pytest.skip("the engines cpsat and highs are not installed")


# What is shown passes through one driver; splitting data to the end of its time is the longest way there.
SHOWN = [pytest.param(name, marks=pytest.mark.slow if name == "data_splitting" else ()) for name in METHODS]


@pytest.mark.parametrize("name", SHOWN)
def test_progress_is_shown_when_asked_for(name, capsys):
    model, search, _ = METHODS[name]
    labels = labels_for(model)
    model.set_params(verbose=True).fit(INPUTS, labels)
    shown = capsys.readouterr().err
    assert f"{search}: " in shown
    assert "bound" in shown
    model.set_params(verbose=False).fit(INPUTS, labels)
    assert capsys.readouterr().err == ""


@mostly_slow("name", METHODS, fast=4)
def test_ctrl_c_keeps_the_network_and_starts_no_other_search(name, monkeypatch):
    """The first search is told that it was interrupted, whatever it found."""
    model, _, goes_on = METHODS[name]
    labels = labels_for(model)
    searches = []

    def interrupted(*arguments):
        searches.append(run(*arguments))
        return searches[-1][0], True

    run = driver._run_interruptibly
    monkeypatch.setattr(
        driver, "_run_interruptibly", lambda *arguments: searches.append(0) or run(*arguments)
    )
    model.fit(INPUTS, labels)
    assert (len(searches) > 1) == goes_on
    searches.clear()
    monkeypatch.setattr(driver, "_run_interruptibly", interrupted)
    model.fit(INPUTS, labels)
    assert len(searches) == 1
    assert set(model.predict(INPUTS)) <= {0, 1}


@pytest.mark.parametrize("changes", [0, 3, 40])
def test_ctrl_c_keeps_the_best_of_local_search(changes, monkeypatch):
    best_change, left = _Search._best_change, [changes]

    def interrupted(self, *arguments):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return best_change(self, *arguments)

    monkeypatch.setattr(_Search, "_best_change", interrupted)
    model = LocalSearchClassifier((2,), 60, random_state=0).fit(INPUTS, LABELS)
    assert model.interrupted_
    assert model.loss_ < 1.0
    assert (model.restarts_ > 0) == (changes == 40)


def test_local_search_shows_its_loss(capsys):
    LocalSearchClassifier((2,), 60, max_restarts=2, verbose=True, random_state=0).fit(INPUTS, LABELS)
    assert "local search: " in capsys.readouterr().err
