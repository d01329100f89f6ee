"""A training in blocks behind the estimator: checkpoints, frozen layers, when to stop, what it reports."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from mpnn import sharding as meshes
from mpnn.callbacks.base import Epoch, notify, running
from mpnn.message_passing.checkpoints import Restored, blank_state, restore_state, save_state
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier.settings import Samples, Settings
from mpnn.message_passing.classifier.watching import EarlyStopping
from mpnn.message_passing.freezing import Freezing
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.network import Batch, State
from mpnn.message_passing.spec import NetworkSpec
from mpnn.message_passing.streams import Block, train_blocks
from mpnn.message_passing.sweep import Info
from mpnn.validation import whole

__all__ = ["StreamRun", "readers_of", "restored"]

STATES_FOLDER = "states"


def restored(
    folder: Path | None, spec: NetworkSpec, about: dict[str, Any], stopping: EarlyStopping | None
) -> Restored | None:
    """The last checkpoint of this training, None if there is none.

    Parameters
    ----------
    folder : Path or None
        Of the training.
    spec : NetworkSpec
        The network's static description.
    about : dict
        What tells this training from others.
    stopping : EarlyStopping or None
        Gets the scores and the best state of the checkpoint.
    """
    states = None if folder is None else folder / STATES_FOLDER
    begun = states is not None and states.is_dir() and any(own.name.isdigit() for own in states.iterdir())
    if not meshes.gather_bytes(bytes([begun]))[0][0] or states is None:
        return None
    if stopping is None:
        return restore_state(states, spec, expected=about)
    pair = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype), blank_state(spec))
    found = restore_state(states, spec, like=pair, expected=about)
    last, best = (
        jax.tree.map(lambda leaf, place=place: np.asarray(leaf[place]), found.state) for place in (0, 1)
    )
    stopping.scores = list(found.metadata["scores"])
    stopping.best = best if stopping.scores else None
    return found._replace(state=last)


def readers_of(given: int | None, start: Restored | None) -> int:
    """Readers of every mini-batch: those given, else as the training began, else one a device.

    Parameters
    ----------
    given : int or None
        As the caller asks.
    start : Restored or None
        The last checkpoint.
    """
    if start is not None:
        begun = int(start.metadata["readers"])
        if given not in (None, begun):
            raise ValueError(f"readers must be {begun}, as the training began, got {given}")
        return begun
    return meshes.axis_size(meshes.DATA) if given is None else whole("readers", given)


@dataclass
class StreamRun:
    """A training in blocks, and where its checkpoints go.

    Parameters
    ----------
    settings : Settings
        Of the run.
    seed : int
        Of initial beliefs and the order of samples.
    order : BlockOrder
        Of the parts.
    readers : int >= 1
        Readers that every mini-batch is made up by.
    known : Samples
        Those that layers are rounded by.
    stopping : EarlyStopping or None
        Judges every epoch; None: all epochs are trained.
    folder : Path or None
        Of the checkpoints.
    about : dict
        What tells this training from others.
    saved_every : int >= 1
        Blocks between two checkpoints.

    Attributes
    ----------
    num_epochs : int
        Those done; before the training, those planned.
    """

    settings: Settings
    seed: int
    order: Any
    readers: int
    known: Samples
    stopping: EarlyStopping | None
    folder: Path | None
    about: dict[str, Any]
    saved_every: int
    num_epochs: int = field(init=False)

    def __post_init__(self) -> None:
        self.num_epochs = self.settings.num_epochs

    @property
    def batches_of_epoch(self) -> int:
        """Mini-batches that the schedules count in an epoch."""
        return sum(self.order.counts) // self.settings.batch_size

    @property
    def num_sweeps(self) -> int:
        """Sweeps of the schedules in the epochs that are done."""
        return self.num_epochs * self.batches_of_epoch * self.settings.spec.sweeps_per_batch

    @property
    def has_stopped(self) -> bool:
        """Whether enough epochs had no better score."""
        return self.stopping is not None and self.stopping.stops

    def last_numbers(self) -> Hyper:
        """The numbers of the last sweep, on the host."""
        settings = self.settings
        return jax.device_get(settings.schedules.at_sweep(self.num_sweeps - 1, settings.spec.num_layers))

    def decode(self, state: State) -> list[NDArray]:
        """The discrete weights.

        Parameters
        ----------
        state : State
            The beliefs, on the host.
        """
        best = None if self.stopping is None else self.stopping.best_epoch
        num_frozen = sum(epoch < (best or self.num_epochs) for epoch in self.settings.freezing)
        how = self.settings.spec, self.settings.rounding, state, self.last_numbers()
        weight: Any = self.known.weight
        return jax.device_get(compiled.decode(*how, self.known.inputs, weight, num_frozen))

    def train(
        self, start: Restored | None, read: Any, callbacks: list[Any]
    ) -> tuple[State, dict[str, NDArray]]:
        """Train from a checkpoint or the beginning; the state, on the host, and a row of history a block.

        Parameters
        ----------
        start : Restored or None
            The checkpoint.
        read : callable
            From the number of a part to the arrays of its samples.
        callbacks : list of Callback
            Called after every epoch.
        """
        settings, key = self.settings, jax.random.key(self.seed)
        state = compiled.init(key, settings) if start is None else start.state
        first = 0 if start is None else start.epoch
        watch = _Watch(self, callbacks, first)
        frozen = Freezing(settings.spec, settings.freezing, self.batches_of_epoch)
        schedules = frozen.schedules(settings.schedules)

        def freeze(number: int, state: State) -> State:
            epoch, place = divmod(number, self.order.blocks_of_epoch)
            if place or epoch not in settings.freezing:
                return state
            known = meshes.place(Batch(*jax.device_put(tuple(self.known))))
            return frozen.begin_epoch(schedules, known, None, epoch, state)

        if not self.has_stopped:
            with running(callbacks, settings.num_epochs):
                state = train_blocks(
                    jax.random.fold_in(key, 1),
                    settings.spec,
                    state,
                    self._blocks(read, first),
                    schedules,
                    batch_size=settings.batch_size,
                    num_lanes=self.readers,
                    most_rows=self.order.most_rows,
                    augment=settings.augment,
                    before_block=freeze if settings.freezing else None,
                    on_block=watch.on_block,
                )
        self.num_epochs = watch.blocks_done // self.order.blocks_of_epoch
        if self.stopping is not None and self.stopping.best is not None:
            state = self.stopping.best
        return meshes.to_host(state), watch.history()

    def _blocks(self, read: Any, first: int) -> Iterator[Block]:
        lanes, order = meshes.own_share(self.readers, meshes.DATA), self.order
        found = order.blocks(lanes, read, first, self.settings.num_epochs)
        for number, rows in enumerate(found, start=first):
            epoch = number // order.blocks_of_epoch
            before = order.rows_before(number) // self.settings.batch_size
            yield Block(number, epoch * self.batches_of_epoch + before, order.rows(number), rows)

    def judge(self, state: State) -> dict[str, float]:
        """The score of an epoch by its name, the same on all processes; nothing where none is judged.

        Parameters
        ----------
        state : State
            After the epoch.
        """
        if self.stopping is None:
            return {}
        state = meshes.to_host(state)
        own = np.float64(self.stopping.score_of(state)).tobytes()
        score = float(np.frombuffer(meshes.gather_bytes(own)[0])[0])
        self.stopping.add(score, state)
        return {"validation_score": score}

    def save(self, number: int, state: State) -> None:
        """Write a checkpoint after so many blocks, if it is time to, or the last one.

        Where epochs are judged it holds two states, the last and the best: none is ever without the other.

        Parameters
        ----------
        number : int >= 1
            Blocks done.
        state : State
            After them.
        """
        total, stopping = self.settings.num_epochs * self.order.blocks_of_epoch, self.stopping
        is_due = number % self.saved_every == 0 or number == total or self.has_stopped
        if self.folder is None or not is_due:
            return
        metadata = self.about | {"readers": self.readers}
        if stopping is not None:
            state = meshes.to_host(state)
            best = state if stopping.best is None else stopping.best
            state = jax.tree.map(lambda *leaves: np.stack(leaves), state, best)
            metadata["scores"] = stopping.scores
        save_state(
            self.folder / STATES_FOLDER,
            state,
            epoch=number,
            key=jax.random.key(self.seed),
            spec=self.settings.spec,
            metadata=metadata,
        )


class _Watch:
    """Called after every block: keeps its numbers, judges and reports epochs, and writes checkpoints."""

    def __init__(self, run: StreamRun, callbacks: list[Any], first: int) -> None:
        self._run, self._callbacks, self.blocks_done = run, callbacks, first
        self._begun, self._infos = perf_counter(), list[Info]()
        self._of_epoch: list[Info] = []
        self._seconds: list[float] = []

    def on_block(self, number: int, state: State, info: Info | None) -> bool:
        """Keep, judge, save and report; True stops the training."""
        self.blocks_done = number + 1
        if info is not None:
            info = meshes.to_host(info)
            self._infos.append(info)
            self._of_epoch.append(info)
            self._seconds.append(perf_counter() - self._begun)
        epoch, place = divmod(number + 1, self._run.order.blocks_of_epoch)
        score = {} if place else self._run.judge(state)
        self._run.save(number + 1, state)
        stops = not place and self._report(epoch, score)
        return stops or self._run.has_stopped

    def _report(self, epoch: int, score: dict[str, float]) -> bool:
        """Tell the callbacks about an epoch, if it had a full mini-batch."""
        own, self._of_epoch = self._of_epoch, []
        if not own:
            return False
        metrics = {
            name: float(np.mean([getattr(info, name) for info in own])) for name in ("error", "polarization")
        }
        seconds = perf_counter() - self._begun
        return notify(self._callbacks, Epoch(epoch, self._run.settings.num_epochs, metrics | score, seconds))

    def history(self) -> dict[str, NDArray]:
        """One row a block."""
        rows = {
            name: np.array([getattr(info, name) for info in self._infos], np.float32) for name in Info._fields
        }
        return rows | {"seconds": np.array(self._seconds)}
