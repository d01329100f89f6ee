"""The order in which the rows of many files are trained on: blocks of parts, by seed, from any place on.

An epoch takes the parts in a random order, which depends on the seed and the epoch alone. The order is dealt
out to lanes, one part each in turn, and a lane's parts are cut into blocks. Processes read the blocks of
their own lanes: which rows meet in a mini-batch depends on the number of lanes, and not on that of processes.
Grain reads ahead in a thread, and its iterator begins at any block.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpnn.data.errors import DataError

__all__ = ["BlockOrder"]

Lanes = list[tuple[NDArray, ...]]
ReadPart = Callable[[int], tuple[NDArray, ...]]
# Blocks that are read ahead, while the one before is trained on.
AHEAD = 1


@dataclass(frozen=True)
class BlockOrder:
    """Which parts make up which block.

    Parameters
    ----------
    counts : tuple of int
        Rows of every part.
    rows_at_once : int >= 1
        Rows of a block of all lanes, about.
    seed : int >= 0
        Of the order.
    lanes : int >= 1, default=1
        Readers that every mini-batch is made up by.
    """

    counts: tuple[int, ...]
    rows_at_once: int
    seed: int
    lanes: int = 1

    def __post_init__(self) -> None:
        if len(self.counts) < self.lanes:
            raise DataError(
                f"{len(self.counts)} parts cannot be shared out to {self.lanes} readers: write more files, "
                "or Parquet files of more groups of rows"
            )

    @property
    def blocks_of_epoch(self) -> int:
        """Blocks of an epoch; every lane has a part for each."""
        blocks = max(1, round(sum(self.counts) / self.rows_at_once))
        return min(blocks, len(self.counts) // self.lanes)

    @property
    def parts_of_block(self) -> int:
        """Parts that a lane reads at once, at most."""
        return -(-len(self.counts) // (self.lanes * self.blocks_of_epoch))

    @property
    def most_rows(self) -> int:
        """Rows that a lane's block has at most, whatever the order."""
        return sum(sorted(self.counts)[-self.parts_of_block :])

    def parts(self, block: int, lane: int) -> list[int]:
        """Parts of a lane's block, sorted.

        Parameters
        ----------
        block : int >= 0
            Counted over all epochs.
        lane : int >= 0
            The lane.
        """
        epoch, place = divmod(block, self.blocks_of_epoch)
        return _dealt(self, epoch).parts[lane][place].tolist()

    def rows(self, block: int) -> int:
        """Rows of a block in the lane that has fewest.

        Parameters
        ----------
        block : int >= 0
            Counted over all epochs.
        """
        epoch, place = divmod(block, self.blocks_of_epoch)
        return int(_dealt(self, epoch).rows[:, place].min())

    def rows_before(self, block: int) -> int:
        """Rows of all lanes in the earlier blocks of the block's epoch.

        Parameters
        ----------
        block : int >= 0
            Counted over all epochs.
        """
        epoch, place = divmod(block, self.blocks_of_epoch)
        return int(_dealt(self, epoch).rows[:, :place].sum())

    def blocks(self, lanes: Sequence[int], read: ReadPart, first: int, num_epochs: int) -> Iterator[Lanes]:
        """Read blocks one after the other, some ahead in a thread.

        Parameters
        ----------
        lanes : sequence of int
            Lanes that this process reads.
        read : callable
            From the number of a part to its inputs ``[n, N]``, targets ``[n]``, and what else rows have.
        first : int >= 0
            Blocks done before.
        num_epochs : int >= 1
            Passes over the rows.

        Yields
        ------
        rows : list of (ndarray [n, N], ndarray [n], ...)
            Of every lane that is read, from block ``first`` on.

        Raises
        ------
        ImportError
            Without Grain.
        """
        grain, total = _grain(), num_epochs * self.blocks_of_epoch
        source = grain.MapDataset.source(_Blocks(self, tuple(lanes), read, total))
        reader = iter(source.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=AHEAD)))
        reader.set_state({"next_index": first})
        yield from reader


class _Dealt(NamedTuple):
    """Parts of an epoch by lane and block, those of each sorted; and their rows ``[lanes, blocks]``."""

    parts: list[list[NDArray]]
    rows: NDArray


@lru_cache(maxsize=4)  # the epochs of the block that is trained on and of those read ahead
def _dealt(order: BlockOrder, epoch: int) -> _Dealt:
    """Deal the parts out to lanes, and cut each lane's into blocks."""
    counts, shuffled = np.array(order.counts), np.random.default_rng([order.seed, epoch])
    deck = shuffled.permutation(len(counts))
    # as even as possible: a lane's last block would else be short
    lanes = [np.array_split(deck[lane :: order.lanes], order.blocks_of_epoch) for lane in range(order.lanes)]
    parts = [[np.sort(block) for block in blocks] for blocks in lanes]
    return _Dealt(parts, np.array([[counts[block].sum() for block in blocks] for blocks in parts]))


@dataclass(frozen=True)
class _Blocks:
    """Blocks by number, as Grain reads them."""

    order: BlockOrder
    lanes: tuple[int, ...]
    read: ReadPart
    total: int

    def __len__(self) -> int:
        return self.total

    def __getitem__(self, block: int) -> Lanes:
        return [self._lane(block, lane) for lane in self.lanes]

    def _lane(self, block: int, lane: int) -> tuple[NDArray, ...]:
        found = [self.read(part) for part in self.order.parts(block, lane)]
        return found[0] if len(found) == 1 else tuple(map(np.concatenate, zip(*found, strict=True)))


def _grain() -> Any:
    try:
        import grain
    except ImportError as error:
        raise ImportError(
            "training from many files reads through Grain: pip install 'mpnn[streams]'"
        ) from error
    return grain
