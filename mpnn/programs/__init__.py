"""Running compiled programs: never in a forked child, and in portions between which Ctrl-C is heard."""

import os
import sys
from collections.abc import Iterator
from time import perf_counter

__all__ = ["Pace", "is_forked_child", "refuse_forked_child"]

# Seconds that a portion is to take: Ctrl-C is heard after one.
SECONDS = 0.5
# Products of a weight and an input a second that every rule, method and machine surpasses: the first guess.
SLOWEST = 1e8
# A portion is at most so many times as long as the last one: that may have been too short to time.
GROWTH = 16

_forked_after_start = False


def _jax_has_started() -> bool:
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bridge.backends_are_initialized()


def _after_fork_in_child() -> None:
    global _forked_after_start
    _forked_after_start = _forked_after_start or _jax_has_started()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def is_forked_child() -> bool:
    """Whether this process was forked after JAX had started."""
    return _forked_after_start


def refuse_forked_child() -> None:
    """Refuse to run a program in a process that was forked after JAX had started.

    The threads that would run it exist in the parent alone: the child would wait for ever.

    Raises
    ------
    RuntimeError
        In such a process.
    """
    if _forked_after_start:
        raise RuntimeError(
            "this process was forked after JAX had started, and JAX cannot run in it: start processes with "
            "multiprocessing.get_context('spawn') or joblib's default backend 'loky', or use threads, or an "
            "estimator's own fit and predict, which work here"
        )


class Pace:
    """How many steps of a loop make a portion of about half a second.

    A portion is one call of a compiled program, which nothing interrupts. The first guess comes from the
    number of products, later ones from the clock.

    Parameters
    ----------
    products : float > 0
        Of a weight and an input, in one step.
    bounded : bool, default=True
        Whether there are portions; else every loop is one.
    """

    def __init__(self, products: float, *, bounded: bool = True) -> None:
        self.bounded = bounded
        self.fewest = self.steps = max(1, int(SECONDS * SLOWEST / max(products, 1.0)))

    def portions(self, num_steps: int) -> Iterator[tuple[int, int]]:
        """First steps of the portions, and the steps after their last ones.

        Parameters
        ----------
        num_steps : int >= 0
            Steps of the loop.
        """
        if not self.bounded:
            yield 0, num_steps
            return
        first = 0
        while first < num_steps:
            begun, after = perf_counter(), min(first + self.steps, num_steps)
            yield first, after
            rate = (after - first) / max(perf_counter() - begun, 1e-6)
            # not fewer than guessed: the first portion's time is that of compiling, too
            self.steps = max(self.fewest, min(int(SECONDS * rate), GROWTH * self.steps))
            first = after
