"""Imports point one way: no room of the package knows one that is built upon it, and no file its user."""

import subprocess
import sys

from tests import structure


def test_every_room_has_a_floor():
    assert set(structure.room_graph()) == set(structure.FLOOR_OF), "say in FLOORS what these may import"
    assert len(structure.FLOORS) <= 6


def test_imports_point_downwards():
    assert structure.arrows_upward() == []


def test_families_do_not_know_each_other():
    assert structure.FLOORS[2] == structure.FAMILIES, "rooms of one floor may not import each other"


def test_no_circles():
    """Between files, under TYPE_CHECKING too: circles of understanding are circles."""
    assert structure.circles(structure.import_graph()) == []


def test_circles_are_found():
    assert structure.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


HEAVY = {"jax", "sklearn", "scipy", "pandas", "flax", "optax", "orbax", "matplotlib", "highspy", "ortools"}


# In this order, as one process imports them all; the functional core costs what JAX does.
PULLED = {
    "mpnn": set(),
    "mpnn.data": set(),
    "mpnn.cli.main": set(),
    "mpnn.message_passing.training": {"jax"},
    "mpnn.message_passing.checkpoints": {"jax"},
}


def test_imports_are_light():
    """Libraries that take long to import come with what needs them."""
    code = "import sys\n" + "".join(f"import {module}; print(*sys.modules)\n" for module in PULLED)
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = [set(line.split()) & HEAVY for line in shown.splitlines()]
    assert dict(zip(PULLED, loaded, strict=True)) == PULLED
