"""Ctrl-C during training: heard within seconds, and the next fit runs at once."""

import signal
import subprocess
import sys
from time import perf_counter

import pytest

CHILD = """
import sys, threading, time, signal, os
import numpy as np
from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.gradient import STEClassifier
rng = np.random.default_rng(0)
X, y = rng.normal(size=(1000, 100)), rng.integers(0, 2, 1000)
dense = dict(encoding=None, random_state=0)
makers = {
    "full batch": lambda n: MessagePassingClassifier((100,), num_sweeps=n, **dense),
    "mini-batches": lambda n: MessagePassingClassifier((100,), batch_size=50, num_epochs=n // 20, **dense),
    "few units": lambda n: MessagePassingClassifier((8,), num_sweeps=n, **dense),
    "pairs": lambda n: PairwiseVoteClassifier(MessagePassingClassifier((50,), num_sweeps=n, **dense)),
    "gradients": lambda n: STEClassifier(hidden=(100,), num_epochs=n, random_state=0),
}
make = makers[sys.argv[1]]
labels = np.arange(1000) % 3 if sys.argv[1] == "pairs" else y
long = make(1_000_000)
def report():
    time.sleep(float(sys.argv[2]))
    print("training", flush=True)
threading.Thread(target=report, daemon=True).start()
try:
    long.fit(X, labels)
except KeyboardInterrupt:
    print("heard", flush=True)
MessagePassingClassifier((), num_sweeps=2, **dense).fit(X[:50], y[:50]).predict(X[:5])
print("fitted again", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full batch", "mini-batches", "few units", "pairs", "gradients"])
def test_an_interrupt_is_heard_and_the_next_fit_runs(kind):
    command = [sys.executable, "-c", CHILD, kind, "25"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == "training"
        child.send_signal(signal.SIGINT)
        begun = perf_counter()
        assert child.stdout.readline().strip() == "heard"
        seconds = perf_counter() - begun
        assert seconds < 5.0, "a portion takes half a second, on a busy machine a few"
        out, _ = child.communicate(timeout=300)
        assert "fitted again" in out
    finally:
        child.kill()
        child.wait()
