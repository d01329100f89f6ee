"""Every example in a docstring does what it shows."""

import doctest
import importlib
from pathlib import Path

import pytest

import mpnn

PACKAGE = Path(mpnn.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
# What a newcomer calls first shows how.
SHOWN = {
    "mpnn.message_passing.classifier.estimator.MessagePassingClassifier",
    "mpnn.ensemble.pairwise.PairwiseVoteClassifier",
    "mpnn.data.datasets.load_dataset",
    "mpnn.data.sampling.sample_few_shot",
    "mpnn.message_passing.network.init",
    "mpnn.message_passing.training.train",
}


def in_seconds(name):
    """Mark those that train for longer."""
    trains_long = name.startswith(
        ("mpnn.gradient.", "mpnn.solvers.", "mpnn.flax_layers.", "mpnn.message_passing.functional")
    )
    return pytest.param(name, marks=pytest.mark.slow if trains_long else ())


@pytest.mark.parametrize("name", [in_seconds(name) for name in MODULES])
def test_examples_of(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_front_doors_have_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {
        example.name
        for name in MODULES
        for example in finder.find(importlib.import_module(name))
        if example.examples
    }
    assert found >= SHOWN
