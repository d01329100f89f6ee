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

__all__ = ["Programs", "bounded_jit"]

# Programs that all functions keep together: a fit has three to five, so more than the folds of a search have.
KEPT = 64


class Programs:
    """Programs of several functions, the one used last at the end.

    Parameters
    ----------
    kept : int >= 1
        Programs that are kept.
    """

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.by_key: OrderedDict[tuple[Any, Hashable], Any] = OrderedDict()
        self.lock = threading.Lock()

    def of(self, owner: "_Bounded", key: Hashable) -> Any:
        """The program of a function for a kind of arguments; a new one takes the place of the oldest.

        Parameters
        ----------
        owner : callable
            The function, of :func:`bounded_jit`.
        key : hashable
            What tells its programs apart.
        """
        with self.lock:
            program = self.by_key.pop((owner, key), None) or owner.new()
            self.by_key[owner, key] = program
            if len(self.by_key) > self.kept:
                self.by_key.popitem(last=False)
        return program


TOGETHER = Programs(KEPT)


def bounded_jit(function: Callable[..., Any], *, among: Programs = TOGETHER, **options: Any) -> Any:
    """Compile a function as ``jax.jit`` does, and keep only the programs used last.

    Parameters
    ----------
    function : callable
        The function.
    among : Programs, optional
        Where its programs are kept, one for each kind of shapes and static arguments; by default with those
        of all other functions.
    **options
        Of ``jax.jit``.

    Returns
    -------
    callable
        As of ``jax.jit``.
    """
    return functools.wraps(function)(_Bounded(function, among, options))


class _Bounded:
    """A function and where its programs are kept."""

    def __init__(self, function: Callable[..., Any], among: Programs, options: dict[str, Any]) -> None:
        self.function, self.among, self.options = function, among, options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._program(args, kwargs)(*args, **kwargs)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shapes and types of the result: the function is traced, and not compiled."""
        return self._program(args, kwargs).eval_shape(*args, **kwargs)

    def _program(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, structure = jax.tree.flatten((args, kwargs))
        return self.among.of(self, (structure, tuple(map(_kind_of, leaves))))

    def new(self) -> Any:
        """A program that nothing is compiled for yet."""

        # a function of its own: JAX keeps what it knows of one as long as the function lives
        @functools.wraps(self.function)
        def own(*args: Any, **kwargs: Any) -> Any:
            return self.function(*args, **kwargs)

        return jax.jit(own, **self.options)

    def _cache_size(self) -> int:
        """Number of programs, as ``jax.jit`` counts them."""
        with self.among.lock:
            own = [program for (owner, _), program in self.among.by_key.items() if owner is self]
        return sum(program._cache_size() for program in own)


def _kind_of(leaf: Any) -> Any:
    """What of an argument decides which program is run; a static argument is its own kind."""
    if isinstance(leaf, jax.Array | np.ndarray | np.generic):
        return leaf.shape, leaf.dtype
    return type(leaf) if isinstance(leaf, bool | int | float | complex) else leaf
