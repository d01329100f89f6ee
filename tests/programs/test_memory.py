"""What cannot fit the memory is refused by a sentence before it is made, and nothing else is."""

import numpy as np
import pytest
from scipy import sparse

from mpnn import MessagePassingClassifier, PairwiseVoteClassifier
from mpnn.programs import memory

ROWS = np.random.default_rng(0).normal(size=(40, 5))
LABELS = np.arange(40) % 2


@pytest.mark.parametrize("make", [MessagePassingClassifier, PairwiseVoteClassifier])
def test_what_would_be_dense_is_refused(make, monkeypatch):
    """Weights of words stay numbers, which are an array: here of 10^11, a hundred of which are there."""
    monkeypatch.setattr(memory, "memory_of_machine", lambda: 2**34)
    places = np.random.default_rng(0).integers(300_000, size=(2, 100))
    entries = np.linspace(0.1, 1.0, 100, dtype=np.float32)
    words = sparse.csr_matrix((entries, places), shape=(300_000, 300_000))
    estimator = make() if make is MessagePassingClassifier else make(MessagePassingClassifier())
    with pytest.raises(ValueError, match=r"X, 300,000 rows of 300,000 numbers, would take .* GiB"):
        estimator.fit(words, np.arange(300_000) % 2)


def test_codes_are_counted_before_they_are_made(monkeypatch):
    monkeypatch.setattr(memory, "memory_of_machine", lambda: 5_000)
    with pytest.raises(ValueError, match=r"X in code, 40 rows of 80 bits, .*train in portions"):
        MessagePassingClassifier().fit(ROWS, LABELS)


def test_weights_are_counted_before_they_are_made(monkeypatch):
    monkeypatch.setattr(memory, "memory_of_machine", lambda: 1_000_000)
    wide = MessagePassingClassifier((30_000,), encoding=None)
    with pytest.raises(ValueError, match=r"A network of 180,000 weights .*take fewer hidden units"):
        wide.fit(ROWS, LABELS)


def test_a_system_that_does_not_say_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "memory_of_machine", lambda: None)
    memory.refuse_beyond_memory(1e30, "X", "less")
