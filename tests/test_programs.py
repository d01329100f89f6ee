"""Compiled programs in forked children, and loops in portions."""

import multiprocessing
import os
import signal
import subprocess
import sys
from time import sleep

import jax
import numpy as np
import pytest

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier, programs
from mpnn import functional as mp
from mpnn.gradient import STEClassifier
from mpnn.programs import Pace
from mpnn.solvers import ParallelTemperingClassifier
from mpnn.solvers.parallel_tempering import temper

INPUTS = np.random.default_rng(0).normal(size=(20, 4))
LABELS = np.arange(20) % 2
THREE = np.arange(20) % 3
SPEC = mp.NetworkSpec.dense((4, 1))


@pytest.fixture(scope="module")
def fitted():
    """A classifier, and the state of a network."""
    passing = MessagePassingClassifier((), encoding=None, num_sweeps=2, prediction="bayes")
    return passing.fit(INPUTS, LABELS), mp.init(0, SPEC)


def doors(fitted):
    """Every public way to a program but the estimators' methods."""
    passing, state = fitted
    batch = mp.Batch(INPUTS, 2.0 * LABELS - 1.0)
    yield lambda: type(passing).decide_many([passing], INPUTS)
    yield lambda: mp.init(0, SPEC)
    yield lambda: mp.step(SPEC, state, batch)
    yield lambda: mp.train(0, SPEC, state, batch, num_epochs=1, batch_size=20)
    yield lambda: mp.decode(SPEC, state)
    yield lambda: mp.predict(SPEC, state, INPUTS)
    yield lambda: temper(None, INPUTS[None], None, LABELS, None, 1)


def test_every_door_refuses_a_forked_child(fitted, monkeypatch):
    monkeypatch.setattr(programs, "_forked_after_start", True)
    for door in doors(fitted):
        with pytest.raises(RuntimeError, match="forked after JAX had started"):
            door()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_real_fork_is_refused_at_once(fitted):
    refused = 0
    jax.random.key(0).block_until_ready()
    with pytest.warns(RuntimeWarning, match="os.fork"):
        child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends the child if a door waits
        try:
            for door in doors(fitted):
                try:
                    door()
                except RuntimeError as error:
                    refused += "spawn" in str(error)
        finally:
            os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(list(doors(fitted)))


def fit_and_predict(seed):
    passing = MessagePassingClassifier((), encoding=None, num_sweeps=2, prediction="bayes", random_state=seed)
    vote = PairwiseVoteClassifier(STEClassifier(hidden=(2,), num_epochs=2, random_state=seed))
    votes = vote.fit(INPUTS, THREE).predict(INPUTS)
    annealed = ParallelTemperingClassifier(100, random_state=seed).fit(INPUTS, LABELS).predict(INPUTS)
    return passing.fit(INPUTS, LABELS).predict_proba(INPUTS), votes, annealed


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_estimators_work_in_a_forked_child():
    expected = [fit_and_predict(seed) for seed in range(2)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(fit_and_predict, range(2))
    for own, other in zip(expected, found, strict=True):
        for one, two in zip(own, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5)  # compiled with other options


@pytest.mark.slow
def test_errors_come_back_from_the_fresh_process(monkeypatch):
    monkeypatch.setattr(programs, "_forked_after_start", True)
    for _ in range(2):  # it goes on after an error
        with pytest.raises(ValueError, match="num_sweeps"):
            MessagePassingClassifier(num_sweeps=0).fit(INPUTS, LABELS)


FORK_FIRST = """
import multiprocessing, warnings
import numpy as np
from mpnn import MessagePassingClassifier
X = np.random.default_rng(0).normal(size=(20, 4))
def job(seed):
    return MessagePassingClassifier(num_sweeps=2, random_state=seed).fit(X, X[:, 0] > 0).predict(X)
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(job, range(2))
    assert all((job(seed) == own).all() for seed, own in enumerate(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_before_the_first_program_works(tmp_path):
    script = tmp_path / "fork_first.py"
    script.write_text(FORK_FIRST)
    subprocess.run([sys.executable, script], check=True, timeout=200)


def test_portions_cover_all_steps_once():
    for products in (1.0, 1e6, 1e12):
        steps = [step for first, after in Pace(products).portions(100) for step in range(first, after)]
        assert steps == list(range(100))


def test_small_loops_are_one_portion_and_slow_steps_are_alone(monkeypatch):
    assert list(Pace(1e4).portions(100)) == [(0, 100)]
    monkeypatch.setattr(programs, "SECONDS", 0.02)
    sizes = []
    for first, after in Pace(1e12).portions(40):
        sleep(0.01 * (after - first))
        sizes.append(after - first)
    assert sizes[0] == 1
    assert max(sizes) <= 3
    assert sum(sizes) == 40
