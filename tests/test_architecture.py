"""Imports point one way: no module of the package knows one that is built upon it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mpnn

PACKAGE = Path(mpnn.__file__).parent
# A module may import those on lower levels, and its own neighbours inside a subpackage.
LEVELS = [
    {"numerics", "checks", "inputs", "augmentation", "meshes"},
    {"weights", "bilinear"},
    {"channels"},
    {"rules", "fields"},
    {"spec", "schedules"},
    {"network"},
    {"sweeps"},
    {"small_networks"},
    {"prediction", "published", "rounding"},
    {"checkpoints"},
    {"training"},
    {"diagnostics", "annealing"},
    {"estimators"},
    {"compare", "commands"},
    {"cli"},
]
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
# Knows nothing of networks, and serves every method.
SHARED = {"checks", "inputs", "augmentation"}
# These meet the message-passing core in the comparison engine only.
INDEPENDENT = {"data", "solvers", "gradient"}


def top_name(module):
    """``mpnn.rules.amp`` -> ``rules``; the package itself -> None."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imported_modules(path, module):
    """Every module of the package that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            if node.level:
                package = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{package}.{node.module}" if node.module else package
            else:
                base = node.module
            # "from mpnn import channels" names modules after the import
            found |= {f"{base}.{alias.name}" for alias in node.names} if base == "mpnn" else {base}
    return {name for name in found if name.split(".")[0] == "mpnn"}


def edges():
    """(importing, imported) pairs of names on the top level of the package, with the file for the message."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        source = top_name(module)
        if source is None:
            continue  # the package's __init__ names the front door, lazily
        for imported in imported_modules(path, module):
            target = top_name(imported)
            if target not in (None, source, "__version__"):
                yield path.relative_to(PACKAGE), source, target


def test_every_module_has_a_level():
    names = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    without_level = names - {"__init__"} - set(LEVEL_OF) - INDEPENDENT
    assert not without_level, "say in LEVELS what these may import"


def test_imports_point_downwards():
    upward = [
        f"{path}: {source} imports {target}"
        for path, source, target in edges()
        if source in LEVEL_OF and target in LEVEL_OF and LEVEL_OF[target] >= LEVEL_OF[source]
    ]
    assert not upward


def test_data_solvers_and_gradient_do_not_know_the_core():
    above_the_core = LEVEL_OF["estimators"]
    wrong = []
    for path, source, target in edges():
        if source in INDEPENDENT and (target in set(LEVEL_OF) - SHARED or target in INDEPENDENT - {source}):
            wrong.append(f"{path}: {source} imports {target}")
        if target in INDEPENDENT and LEVEL_OF.get(source, above_the_core) < above_the_core:
            wrong.append(f"{path}: {source} imports {target}")
    assert not wrong


HEAVY = {"jax", "sklearn", "scipy", "pandas", "flax", "optax", "orbax", "matplotlib", "highspy", "ortools"}


@pytest.mark.parametrize(
    ("module", "pulled"),
    [
        ("mpnn", set()),
        ("mpnn.data", set()),
        ("mpnn.cli", set()),
        ("mpnn.training", {"jax"}),  # the functional core costs what JAX does
        ("mpnn.checkpoints", {"jax"}),
    ],
)
def test_imports_are_light(module, pulled):
    """Libraries that take long to import come with what needs them."""
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(loaded.split()) & HEAVY == pulled
