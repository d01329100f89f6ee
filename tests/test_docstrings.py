"""The public API as the site renders it: numpydoc sections, and a description of every parameter.

Public is what ``docs/api`` documents: the members of each module that an ``automodule`` directive names. A
method need not repeat what the base class or protocol says of it, nor a class what its base class says;
estimators do, since their page is read alone.
"""

import ast
import enum
import importlib
import inspect
import re
import sys
import warnings
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import get_origin

import pytest
from numpydoc.docscrape import NumpyDocString

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    name
    for page in (ROOT / "docs" / "api").glob("*.md")
    for name in re.findall(r"^\.\. automodule:: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
)
DEFAULT = re.compile(r"\bdefault[=:]\s*(.+)$", re.DOTALL)
MAKERS = ("__init__", "__new__")
RECEIVERS = ("self", "cls", "_cls")
LONGEST_TYPE = 100  # characters; what is longer is a sentence


def public_members(module):
    """(name, object, class or None) of what the site shows: ``__all__``, or what the module defines."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield name, value, None
            yield from public_methods(name, value)
        elif callable(value) and get_origin(value) is None:  # a function, and no name for a type
            yield name, value, None


def public_methods(class_name, owner):
    """(name, function or property, class) of the methods that a class defines itself."""
    for name, value in vars(owner).items():
        value = getattr(value, "__func__", value)  # class and static methods
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            yield f"{class_name}.{name}", value, owner


def of_package(owner):
    """A class and its bases within the package, itself first."""
    return [base for base in owner.__mro__ if base.__module__.startswith("mpnn")]


def is_estimator(value):
    return inspect.isclass(value) and hasattr(value, "get_params") and hasattr(value, "fit")


def parameters_of(value):
    """What a caller can give, by name; nothing for properties, protocols, errors and abstract mixins."""
    if isinstance(value, property):
        return {}
    if inspect.isclass(value):
        makers = [vars(base)[name] for base in of_package(value) for name in MAKERS if name in vars(base)]
        if (
            issubclass(value, (BaseException, enum.Enum))
            or getattr(value, "_is_protocol", False)
            or not makers
        ):
            return {}
        value = makers[0]
    found = inspect.signature(value).parameters
    return {name: parameter for name, parameter in found.items() if name not in RECEIVERS}


def docstring_of(value):
    """The docstring of the source, not one that a named tuple or dataclass makes up."""
    text = value.__doc__ or ""
    made_up = inspect.isclass(value) and text.startswith(f"{value.__name__}(")
    return "" if made_up else inspect.cleandoc(text)


@cache
def sections_of(text):
    """A docstring's sections; one that numpydoc does not know, or that comes twice, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return NumpyDocString(text)


def entries_of(text, kinds=("Parameters", "Other Parameters", "Attributes")):
    """(type, description) of the documented parameters by name."""
    return {
        name.strip().lstrip("*"): (entry.type.strip(), " ".join(entry.desc).strip())
        for kind in kinds
        for entry in sections_of(text)[kind]
        for name in entry.name.split(",")
    }


def inherited_entries(name, value, owner):
    """What is said of the same method, or of the class, in base classes and in protocols that it fulfils."""
    method = name.rpartition(".")[2]
    if owner is not None:
        contracts = [*protocols_of(owner), *reversed(of_package(owner)[1:])]
        described = [vars(contract)[method] for contract in contracts if method in vars(contract)]
    else:
        described = of_package(value)[:0:-1] if inspect.isclass(value) and not is_estimator(value) else []
    entries = {}
    for other in described:
        entries |= entries_of(docstring_of(other))
    return entries


def protocols_of(owner):
    """The protocols in sight of a class whose methods it has: of its module, and of ``base`` beside it."""
    module = sys.modules[owner.__module__]
    beside = sys.modules.get(f"{module.__package__}.base")
    for value in [*vars(module).values(), *(vars(beside).values() if beside else ())]:
        if inspect.isclass(value) and getattr(value, "_is_protocol", False) and value is not owner:
            methods = [name for name, member in vars(value).items() if inspect.isfunction(member)]
            public = [name for name in methods if not name.startswith("_")]
            if public and all(hasattr(owner, name) for name in public):
                yield value


def faults_of(name, value, owner=None):
    """What is wrong with one docstring, in a phrase each."""
    text = docstring_of(value)
    if not text:
        return [f"{name} has no docstring"]
    try:
        entries = inherited_entries(name, value, owner) | entries_of(text)
    except (ValueError, UserWarning) as error:
        return [f"{name} is not numpydoc: {error}"]
    parameters = parameters_of(value)
    faults = [
        fault
        for parameter in parameters.values()
        for fault in parameter_faults(parameter, entries.get(parameter.name), is_estimator(value))
    ]
    if not inspect.isclass(value) or parameters:
        unknown = set(entries_of(text, ("Parameters",))) - set(parameters)
        faults += [f"{parameter} is not a parameter" for parameter in sorted(unknown)]
    return [f"{name}: {fault}" for fault in faults]


def parameter_faults(parameter, entry, states_default):
    """An entry is ``name : type, default=value`` with an indented description."""
    if entry is None:
        return [f"{parameter.name} is not described"]
    kind, description = entry
    if not description:
        return [f"{parameter.name} has no description below its type"]
    if not kind or len(kind) > LONGEST_TYPE or kind.endswith("."):
        return [f"{parameter.name} has no type, or a sentence for one"]
    stated = DEFAULT.search(kind)
    if stated is None:
        missing = states_default and parameter.default is not inspect.Parameter.empty
        return [f"{parameter.name} does not state its default"] if missing else []
    return [] if is_value(stated[1], default_of(parameter)) else [f"{parameter.name} states {stated[0]}"]


def default_of(parameter):
    """The default of the signature, or of the table's row (:class:`mpnn.message_passing.hyper.Number`)."""
    rows = [row for row in getattr(parameter.annotation, "__metadata__", ()) if hasattr(row, "default")]
    return rows[0].default if rows else parameter.default


def is_value(text, value):
    """Whether a text is a value as one writes it in Python, a fraction included."""
    if re.fullmatch(r"\d+/\d+", text):
        return float(Fraction(text)) == value
    try:
        return ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        return text in (repr(value), getattr(value, "__name__", None))


def faults_in(module_name):
    module = importlib.import_module(module_name)
    return [fault for member in public_members(module) for fault in faults_of(*member)]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_of(name):
    faults = faults_in(name)
    assert not faults, "\n".join(faults)


def wrong(first, second=2, third=3.0):
    """Do something.

    Parameters
    ----------
    first : what it is, in the place of a type.
    third : float >= 0, default=4.0
        A number.
    fourth : int
        Not in the signature.
    """


def unknown_section(first):
    """Do something.

    Parameters
    ----------
    first : int
        A number.

    Arguments
    ---------
    first : int
        The same number.
    """


def right(first, second=2.0):
    """Do something.

    Parameters
    ----------
    first : array-like [n]
        Samples.
    second : float >= 0, default=2.0
        A number.
    """


def test_faults_are_found():
    assert faults_of("wrong", wrong) == [
        "wrong: first has no description below its type",
        "wrong: second is not described",
        "wrong: third states default=4.0",
        "wrong: fourth is not a parameter",
    ]
    assert "not numpydoc" in faults_of("unknown_section", unknown_section)[0]
    assert faults_of("right", right) == []


def test_there_is_something_to_check():
    assert {"mpnn.solvers", "mpnn.gradient", "mpnn.data"} <= set(MODULES)
