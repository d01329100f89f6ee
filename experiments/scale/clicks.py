"""Synthetic clicks, made on the fly by seed: counts and categories as in Criteo's logs, and a label.

Thirteen counts with a long tail, a part of them missing, and 26 categories, the most frequent ones most of
the rows. A click's log odds are a sum of effects of the columns, and of pairs of them. A part is a function
of the seed and its number, so that any number of rows needs no disk.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.data import Parts
from mpnn.data.shards import Part
from mpnn.encoders.words import Words

__all__ = ["Clicks"]

NUM_COUNTS, NUM_CATEGORIES = 13, 26
WORDS = 1000
NUM_PAIRS = 8


class _World(NamedTuple):
    """What all parts share.

    words: of all categories. drawn: for each of 2^16 equal chances, a category's word. of_words, of_counts:
    effects on the log odds. missing: chances of 2^16. pairs: of categories that have an effect together.
    """

    words: NDArray
    drawn: NDArray
    of_words: NDArray
    of_counts: NDArray
    missing: NDArray
    pairs: NDArray


@dataclass(frozen=True)
class Clicks(Parts):
    """Rows of clicks.

    num_rows: of all parts. part_rows: of each, which divide them. seed: of rows and effects.
    first: number of the first part, which makes rows apart from those of other parts (test rows).
    """

    num_rows: int
    part_rows: int = 1 << 15
    seed: int = 0
    first: int = 0

    def __len__(self) -> int:
        return self.num_rows // self.part_rows

    @property
    def fingerprint(self) -> str:
        """Its numbers."""
        return f"{self}"

    @cached_property
    def _world(self) -> _World:
        """What all parts share."""
        rng = np.random.default_rng([self.seed, 1])
        ranks = np.arange(1, WORDS + 1)
        sizes = rng.integers(3, WORDS, NUM_CATEGORIES)
        shares = [(ranks[:size] ** -1.2).cumsum() for size in sizes]
        places = np.arange(1 << 16) / (1 << 16)
        words = [f"{word:08x}" for word in rng.integers(0, 1 << 32, WORDS)]
        return _World(
            words=np.array(words, dtype=object),
            drawn=np.stack([np.searchsorted(own / own[-1], places) for own in shares]).astype(np.uint16),
            of_words=(rng.normal(size=(NUM_CATEGORIES, WORDS)) * 0.35).astype(np.float32),
            of_counts=(rng.normal(size=NUM_COUNTS) * 0.4).astype(np.float32),
            missing=(rng.uniform(0.0, 0.4, NUM_COUNTS) * (1 << 16)).astype(np.uint16),
            pairs=rng.integers(0, NUM_CATEGORIES, (NUM_PAIRS, 2)),
        )

    def part(self, index: int) -> Part:
        """Make a part."""
        world = self._world
        rng = np.random.default_rng([self.seed, 2, self.first + index])
        n = self.part_rows
        logs = rng.standard_normal((NUM_COUNTS, n), np.float32)
        counts = np.floor(np.exp(1.5 + logs))
        odds = world.of_counts @ logs - 1.0
        counts[rng.integers(0, 1 << 16, (NUM_COUNTS, n), np.uint16) < world.missing[:, None]] = np.nan
        draws = rng.integers(0, 1 << 16, (NUM_CATEGORIES, n), np.uint16)
        chosen = [own[draw] for own, draw in zip(world.drawn, draws, strict=True)]
        effects = np.stack([own[places] for own, places in zip(world.of_words, chosen, strict=True)])
        odds += effects.sum(axis=0)
        for one, other in world.pairs:
            odds += 2.0 * effects[one] * effects[other]
        clicked = rng.random(n, np.float32) < 1.0 / (1.0 + np.exp(-odds))
        return Part([*counts, *(Words(places, world.words) for places in chosen)], clicked.astype(np.int64))
