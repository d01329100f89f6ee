"""Marks that several test modules share."""

from collections.abc import Iterable
from typing import Any

import pytest


def mostly_slow(names: str | tuple[str, ...], values: Iterable[Any], fast: int = 1, **options: Any) -> Any:
    """Parametrize with ``values``: the first ``fast`` of them in every run, the others marked slow."""
    several = not isinstance(names, str)
    marked = []
    for place, value in enumerate(values):
        own = value if hasattr(value, "marks") else pytest.param(*(value if several else (value,)))
        marks = own.marks if place < fast else (*own.marks, pytest.mark.slow)
        marked.append(pytest.param(*own.values, marks=marks, id=own.id))
    return pytest.mark.parametrize(names, marked, **options)
