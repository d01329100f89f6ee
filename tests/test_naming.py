"""Public names are the field's words: none of those that docs/naming.md lists as not being names."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import mpnn

PACKAGE = Path(mpnn.__file__).parent
NAMING = PACKAGE.parent / "docs" / "naming.md"
CALLED_BY_USERS = {"__init__", "__call__", "__new__"}


@cache
def forbidden_words():
    """The words of the last table of the page, each with what to write instead."""
    table = NAMING.read_text(encoding="utf-8").partition("| not | but |\n|---|---|\n")[2]
    rows = re.findall(r"^\| ([a-z, ]+) \| (.+) \|$", table, re.MULTILINE)
    return {word: instead for words, instead in rows for word in words.split(", ")}


def words_of(name):
    """``fit_many`` and ``LayerState`` as lists of lower-case words."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def is_public(name):
    return not name.startswith("_") or name in CALLED_BY_USERS


def public_names(node, prefix):
    """(name, where it is) of definitions, their parameters and their fields, from the outside in."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and is_public(child.name):
            yield child.name, f"{prefix}.{child.name}"
            arguments = child.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
            yield from ((each.arg, f"{prefix}.{child.name}({each.arg})") for each in every)
        elif isinstance(child, ast.ClassDef) and is_public(child.name):
            yield child.name, f"{prefix}.{child.name}"
            yield from public_names(child, f"{prefix}.{child.name}")
        elif isinstance(child, ast.Assign | ast.AnnAssign):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            yield from ((name, f"{prefix}.{name}") for name in names if is_public(name))


def names_of_package():
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield path.stem, module
        yield from public_names(ast.parse(path.read_text(encoding="utf-8")), module)


def wrong_names(names):
    forbidden = forbidden_words()
    return [
        f"{where}: not {word!r} but {forbidden[word]}"
        for name, where in names
        for word in words_of(name)
        if word in forbidden
    ]


def test_public_names_have_no_forbidden_words():
    wrong = wrong_names(names_of_package())
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["told_by_labels", "StrangerLevels", "SILENT", "zero_means_nothing"])
def test_forbidden_words_are_found(name):
    assert len(wrong_names([(name, "here")])) == 1


def test_fields_and_parameters_are_looked_at():
    code = (
        "class Info:\n    mean: int\n    def read(self, latent, *, key=None): ...\n    def _own(self): ...\n"
    )
    names = [name for name, _ in public_names(ast.parse(code), "module")]
    assert names == ["Info", "mean", "read", "self", "latent", "key"]
