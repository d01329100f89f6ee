"""A column of words that repeat themselves: every word once, and which of them each row has.

This module imports NumPy alone, as :mod:`mpnn.encoders.codes` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Words"]


@dataclass(frozen=True, eq=False)
class Words:
    """Words ``[n]`` of few kinds, as files of columns keep them; an array of objects where one is asked for.

    Parameters
    ----------
    numbers : int ndarray [n]
        For every row, its place in ``words``.
    words : object ndarray [m]
        Str, and None for a missing word.
    """

    numbers: NDArray
    words: NDArray

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Any) -> Any:
        return self.words[self.numbers[rows]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return self[:] if dtype is None else self[:].astype(dtype)

    @staticmethod
    def joined(parts: Sequence["Words"]) -> "Words":
        """Return the rows of several, one after the other.

        Parameters
        ----------
        parts : sequence of Words
            At least one.
        """
        starts = np.cumsum([0, *(len(own.words) for own in parts)]).tolist()
        numbers = [own.numbers + start for own, start in zip(parts, starts, strict=False)]
        return Words(np.concatenate(numbers), np.concatenate([own.words for own in parts]))
