"""The structure of the package, counted from its imports: rooms, floors, arrows and circles.

``python -m tests.structure`` prints the table that docs/design.md shows. A room is a module or a package
directly under ``mpnn``; an arrow is an import from one room to another, wherever in a file it stands, in
functions and under ``TYPE_CHECKING`` too.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import mpnn

PACKAGE = Path(mpnn.__file__).parent
# A room may import those on lower floors only.
FLOORS = (
    {
        "atomic_files",
        "integer_networks",
        "metrics",
        "numerics",
        "preprocessing",
        "programs",
        "sharding",
        "validation",
    },
    {"callbacks", "classifiers", "encoders", "linear_maps", "runs", "weight_files"},
    {"data", "message_passing", "gradient", "solvers", "deploy"},
    {"ensemble", "flax_layers", "functional", "layers", "planning"},
    {"compare"},
    {"cli"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# What a user sees first: the lazy names of the package, `python -m mpnn`, and where names were in 0.1.
FACES = ("mpnn", "mpnn.__main__", "mpnn.estimators", "mpnn.checkpoints", "mpnn.inputs")
# Three ways to train, the data, and what runs without them: none knows of another.
FAMILIES = frozenset({"data", "message_passing", "gradient", "solvers", "deploy"})


def module_name(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    """Every module of the package with its file."""
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_by(path: Path, known: frozenset[str]) -> set[str]:
    """Modules of the package that a file imports, anywhere in it."""
    name, found = module_name(path), set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}" if base else above
            for alias in node.names:  # "from package import module" names a module after the import
                full = f"{base}.{alias.name}"
                found.add(full if full in known else base)
    return (found & known) - {name, "mpnn"}


@functools.cache
def import_graph() -> dict[str, set[str]]:
    """Who imports whom, module by module. The package's own face, which is lazy, is left out."""
    files = modules()
    known = frozenset(files)
    return {name: imported_by(path, known) for name, path in files.items() if name not in FACES}


def room_of(module: str) -> str:
    """The room of a module: ``mpnn.message_passing.rules.amp`` stands in ``message_passing``."""
    return module.split(".")[1]


def room_graph() -> dict[str, set[str]]:
    """Which room imports which."""
    rooms: dict[str, set[str]] = {}
    for name, imported in import_graph().items():
        own = rooms.setdefault(room_of(name), set())
        own |= {room_of(other) for other in imported} - {room_of(name)}
    return rooms


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other, in a graph's order."""
    reached = {node: set(_reach(graph, node)) for node in graph}
    found: list[list[str]] = []
    for node in graph:
        group = sorted(other for other in reached[node] if node in reached.get(other, ()))
        if len(group) > 1 and group not in found:
            found.append(group)
    return found


def _reach(graph: dict[str, set[str]], start: str) -> Iterator[str]:
    seen, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        yield node
        for other in graph.get(node, set()) - seen:
            seen.add(other)
            waiting.append(other)


def arrows_upward() -> list[str]:
    """Imports that do not point to a lower floor."""
    return sorted(
        f"{name} imports {other}"
        for name, imported in import_graph().items()
        for other in imported
        if room_of(other) != room_of(name) and FLOOR_OF[room_of(other)] >= FLOOR_OF[room_of(name)]
    )


def main() -> None:
    """Print what the structure test asks for."""
    rooms = room_graph()
    lines = [
        f"rooms    {len(rooms)}",
        f"floors   {len(FLOORS)}",
        f"arrows   {sum(map(len, rooms.values()))}, upward {len(arrows_upward())}",
        f"circles  {len(circles(rooms))} between rooms, {len(circles(import_graph()))} between files",
    ]
    for floor in reversed(range(len(FLOORS))):
        lines.append(f"{floor}  " + "  ".join(sorted(FLOORS[floor])))
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
