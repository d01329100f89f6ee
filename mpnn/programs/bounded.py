"""Compiled functions that keep few programs: those of shapes that have not come back are dropped.

A program holds some 5 MB, and ``jax.jit`` keeps one for every shape that it has seen until the process ends.
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np

__all__ = ["bounded_jit"]

# Programs that each function keeps: more than the folds and members of a search have shapes.
KEPT = 32


def bounded_jit(function: Callable[..., Any], *, kept: int = KEPT, **options: Any) -> Any:
    """Compile a function as ``jax.jit`` does, and keep only the programs used last.

    Parameters
    ----------
    function : callable
        The function.
    kept : int >= 1, default=32
        Shapes and static arguments whose programs are kept.
    **options
        Of ``jax.jit``.

    Returns
    -------
    callable
        As of ``jax.jit``.
    """
    return functools.wraps(function)(_Bounded(function, kept, options))


class _Bounded:
    """A function and its programs, the one used last at the end."""

    def __init__(self, function: Callable[..., Any], kept: int, options: dict[str, Any]) -> None:
        self.function, self.kept, self.options = function, kept, options
        self.programs: OrderedDict[Hashable, Any] = OrderedDict()
        self.lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._program(args, kwargs)(*args, **kwargs)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes and types of the result: the function is traced, and not compiled."""
        return self._program(args, kwargs).eval_shape(*args, **kwargs)

    def _program(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, structure = jax.tree.flatten((args, kwargs))
        key = structure, tuple(map(_kind_of, leaves))
        with self.lock:
            program = self.programs.pop(key, None) or self._new()
            self.programs[key] = program
            if len(self.programs) > self.kept:
                self.programs.popitem(last=False)
        return program

    def _new(self) -> Any:
        # a function of its own: JAX keeps what it knows of one as long as the function lives
        @functools.wraps(self.function)
        def own(*args: Any, **kwargs: Any) -> Any:
            return self.function(*args, **kwargs)

        return jax.jit(own, **self.options)

    def _cache_size(self) -> int:
        """Number of programs, as ``jax.jit`` counts them."""
        return sum(program._cache_size() for program in self.programs.values())


def _kind_of(leaf: Any) -> Any:
    """What of an argument decides which program is run; a static argument is its own kind."""
    if isinstance(leaf, jax.Array | np.ndarray | np.generic):
        return leaf.shape, leaf.dtype
    return type(leaf) if isinstance(leaf, bool | int | float | complex) else leaf
