"""Training of the estimator on files that do not fit into memory.

One pass surveys the rows: it counts them, and draws the sample from which codes, scalings and settings come,
as if it were the table. Then blocks of rows are trained on, in an order that the seed fixes, with a
checkpoint every few blocks: a run that was killed goes on from the last one, with as many processes as there
are then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from mpnn import sharding as meshes
from mpnn.atomic_files import write_atomically
from mpnn.callbacks.base import Epoch, notify, running
from mpnn.callbacks.estimators import callbacks_of
from mpnn.classifiers.base import check_several
from mpnn.encoders.codes import apply_codes
from mpnn.message_passing.checkpoints import CheckpointError, Restored, restore_state, save_state
from mpnn.message_passing.classifier import compiled
from mpnn.message_passing.classifier.learner import Learner
from mpnn.message_passing.classifier.settings import Fit, Settings
from mpnn.message_passing.network import State
from mpnn.message_passing.streams import Block, train_blocks
from mpnn.message_passing.sweep import Info
from mpnn.preprocessing.precision import NUMBER_TYPES
from mpnn.preprocessing.scaling import InputTransform
from mpnn.preprocessing.units import in_float32
from mpnn.programs import refuse_forked_child
from mpnn.validation import whole

__all__ = ["StreamLearner"]

ROWS_AT_ONCE = 1 << 16
SAMPLE_ROWS = 1 << 15
SAVED_EVERY = 8
SURVEY_FILE, STATES_FOLDER = "survey.npz", "states"


class StreamLearner(Learner):
    """Adds training on files to :class:`Learner`."""

    def fit_shards(
        self,
        shards: Any,
        *,
        checkpoints: str | Path | None = None,
        rows_at_once: int = ROWS_AT_ONCE,
        sample_rows: int = SAMPLE_ROWS,
        readers: int | None = None,
        saved_every: int = SAVED_EVERY,
    ) -> Any:
        """Train on files that need not fit into memory.

        The parameters are those of :meth:`fit` for as many samples: a step that falls, or with ``rho``
        the posterior as prior. Up to 2,000 rows are trained on by :meth:`fit`. Where several processes take
        part (``jax.distributed``), all call this method, and each reads its own share of the files.

        Parameters
        ----------
        shards : mpnn.data.Shards
            The files.
        checkpoints : str, path or None, default=None
            Folder of this training, which all processes can see: a training that was ended goes on from its
            last checkpoint. None: no checkpoints; several processes need them.
        rows_at_once : int >= 1, default=65536
            Rows that are in memory and shuffled together, about; the next block is read ahead.
        sample_rows : int >= 1, default=32768
            Rows that the code of a table, the scaling of inputs and the rounding are learned from: all, if
            there are no more.
        readers : int >= 1 or None, default=None
            Readers that every mini-batch is made up by, a multiple of the number of processes: a training
            goes on with any number of processes that divides it. None: as many as processes (devices of a
            mesh along "data"), or as the training began with.
        saved_every : int >= 1, default=8
            Blocks between two checkpoints.

        Returns
        -------
        self
            ``history_`` has one row a block since the training began or went on, with the ``"seconds"`` until
            its end.

        Raises
        ------
        ValueError
            For parameters that need all samples at once.
        CheckpointError
            If the folder holds the training of other files or parameters.
        """
        refuse_forked_child()
        for name, value in {"rows_at_once": rows_at_once, "sample_rows": sample_rows}.items():
            whole(name, value)
        whole("saved_every", saved_every)
        self._refuse_whole_data()
        folder = None if checkpoints is None else Path(checkpoints)
        if folder is None and jax.process_count() > 1:
            raise ValueError("several processes need checkpoints=FOLDER, which all of them can see")
        if folder is not None and not isinstance(self.random_state, int | np.integer):
            raise ValueError("checkpoints need a random_state that is a whole number, which fixes the order")
        with meshes.all_processes():
            return self._fit_shards(shards, folder, rows_at_once, sample_rows, readers, saved_every)

    def _refuse_whole_data(self) -> None:
        wanted = {"early_stopping": False, "warm_start": False, "class_weight": None, "freezing": None}
        for name, value in wanted.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name}={getattr(self, name)!r} belongs to fit, which has all samples")
        if self.rounding == "harden":
            raise ValueError("rounding='harden' belongs to fit, which has all samples; use 'feedback'")

    def _fit_shards(
        self,
        shards: Any,
        folder: Path | None,
        rows_at_once: int,
        sample_rows: int,
        readers: int | None,
        saved_every: int,
    ) -> Any:
        seed = self._seed()
        survey = _survey(shards, folder, sample_rows, seed)
        self.classes_ = survey.classes
        check_several(self.classes_)
        read = self._read(survey.features, survey.labels, None, False, True)
        given = self._parameters(False)
        transform = self._transform_of(given, read.inputs, survey.num_rows, None, False)
        sample = transform(read.inputs)
        settings = self._settings(given, sample, survey.num_rows, None)
        if settings.batch_size >= survey.num_rows:
            if survey.num_rows > len(survey.labels):
                raise ValueError(f"batch_size must be below the {survey.num_rows} rows of the files")
            return self.fit(survey.features, survey.labels)
        del read
        if settings.rounding == "mode":
            sample = sample[:1]  # only rounding with feedback looks at it
        about = {"files": shards.fingerprint, "rows_at_once": rows_at_once, "sample_rows": sample_rows}
        about["parameters"] = repr({**self.get_params(), "callbacks": None, "verbose": 0})
        start = _restored(folder, settings, about)
        readers = _readers(readers, start)
        order = shards.order(survey, rows_at_once, seed, readers)
        run = _Run(settings, seed, order, readers, survey.num_rows, folder, about, saved_every)
        callbacks = callbacks_of(self.callbacks, self.verbose)
        state, history = run.train(start, self._reader(shards, transform), callbacks)
        hyper = settings.schedules.at_sweep(run.num_sweeps - 1, settings.spec.num_layers)
        state = meshes.to_host(state)
        weights = jax.device_get(compiled.decode(settings.spec, settings.rounding, state, hyper, sample))
        self._publish_fit(settings, transform, Fit(state, jax.device_get(hyper), weights, history), seed)
        self.n_iter_ = run.num_sweeps
        return self

    def _reader(self, shards: Any, transform: InputTransform) -> Any:
        """From the number of a part to inputs ``[n, N]``, int8 where they are bits, and targets ``[n]``."""

        def read(index: int) -> tuple[NDArray, NDArray]:
            part = shards.part(index)
            targets = self._targets(self._known_class_numbers(part.labels))
            if self.encoder_ is None:
                rows = validate_data(self, self._as_rows(part.features()), dtype=NUMBER_TYPES, reset=False)
                return transform(in_float32(rows, self.input_unit_)), targets
            bits = apply_codes(self.encoder_.columns_, part.columns)
            bits = bits if bits.shape[1] else np.zeros((len(bits), 1), np.int8)
            return transform.of_bits(bits), targets

        return read


def _survey(shards: Any, folder: Path | None, sample_rows: int, seed: int) -> Any:
    """The survey of all parts: kept in the folder, else made by all processes, each of its share."""
    path = None if folder is None else folder / SURVEY_FILE
    kept = path.read_bytes() if path is not None and path.is_file() else b""
    kept = meshes.gather_bytes(kept)[0]  # the first process decides whether there is one
    if kept:
        return shards.merged([kept])
    rank, processes = jax.process_index(), jax.process_count()
    own = range(rank, len(shards), processes)
    content = shards.survey(sample_rows, seed, own).to_bytes() if own else b""
    found = shards.merged([content for content in meshes.gather_bytes(content) if content])
    if path is not None and rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, found.to_bytes())
    return found


def _restored(folder: Path | None, settings: Settings, about: dict[str, Any]) -> Restored | None:
    """The last checkpoint of this training, None if there is none."""
    states = None if folder is None else folder / STATES_FOLDER
    begun = states is not None and states.is_dir() and any(own.name.isdigit() for own in states.iterdir())
    if not meshes.gather_bytes(bytes([begun]))[0][0] or states is None:
        return None
    restored = restore_state(states, settings.spec)
    for name, value in about.items():
        if restored.metadata[name] != value:
            raise CheckpointError(
                f"{folder} holds a training with other {name.replace('_', ' ')}: use another folder"
            )
    return restored


def _readers(given: int | None, start: Restored | None) -> int:
    """Readers of every mini-batch: those given, else as the training began, else one a device."""
    if start is not None:
        begun = int(start.metadata["readers"])
        if given not in (None, begun):
            raise ValueError(f"readers must be {begun}, as the training began, got {given}")
        return begun
    return meshes.axis_size(meshes.DATA) if given is None else whole("readers", given)


@dataclass
class _Run:
    """A training in blocks, and where its checkpoints go."""

    settings: Settings
    seed: int
    order: Any
    readers: int
    num_rows: int
    folder: Path | None
    about: dict[str, Any]
    saved_every: int

    @property
    def num_sweeps(self) -> int:
        """Sweeps that the schedules are made for."""
        settings = self.settings
        batches = self.num_rows // settings.batch_size
        return settings.num_epochs * batches * settings.spec.sweeps_per_batch

    def train(
        self, start: Restored | None, read: Any, callbacks: list[Any]
    ) -> tuple[State, dict[str, NDArray]]:
        """Train from a checkpoint or from the beginning; the state, and a row of the history a block."""
        settings, key = self.settings, jax.random.key(self.seed)
        state = compiled.init(key, settings) if start is None else start.state
        first = 0 if start is None else start.epoch
        watch = _Watch(self, callbacks, first)
        with running(callbacks, settings.num_epochs):
            state = train_blocks(
                jax.random.fold_in(key, 1),
                settings.spec,
                state,
                self._blocks(read, first),
                settings.schedules,
                batch_size=settings.batch_size,
                num_lanes=self.readers,
                most_rows=self.order.most_rows,
                on_block=watch.on_block,
            )
        return state, watch.history()

    def _blocks(self, read: Any, first: int) -> Iterator[Block]:
        lanes, order = meshes.own_share(self.readers, meshes.DATA), self.order
        found = order.blocks(lanes, read, first, self.settings.num_epochs)
        for number, rows in enumerate(found, start=first):
            epoch = number // order.blocks_of_epoch
            before = order.rows_before(number) // self.settings.batch_size
            batches = epoch * (self.num_rows // self.settings.batch_size) + before
            yield Block(number, batches, order.rows(number), rows)

    def save(self, number: int, state: State) -> None:
        """Write a checkpoint after so many blocks, if it is time to, or the last one."""
        total = self.settings.num_epochs * self.order.blocks_of_epoch
        if self.folder is not None and (number % self.saved_every == 0 or number == total):
            save_state(
                self.folder / STATES_FOLDER,
                state,
                epoch=number,
                key=jax.random.key(self.seed),
                spec=self.settings.spec,
                metadata=self.about | {"readers": self.readers},
            )


class _Watch:
    """Called after every block: keeps its numbers, writes checkpoints, and reports epochs."""

    def __init__(self, run: _Run, callbacks: list[Any], first: int) -> None:
        self._run, self._callbacks, self._first = run, callbacks, first
        self._begun, self._infos = perf_counter(), list[Info]()
        self._of_epoch: list[Info] = []
        self._seconds: list[float] = []

    def on_block(self, number: int, state: State, info: Info | None) -> bool:
        """Keep, save and report; True stops the training."""
        if info is not None:
            info = meshes.to_host(info)
            self._infos.append(info)
            self._of_epoch.append(info)
            self._seconds.append(perf_counter() - self._begun)
        self._run.save(number + 1, state)
        epoch, place = divmod(number + 1, self._run.order.blocks_of_epoch)
        if place or not self._of_epoch:
            return False
        metrics = {
            name: float(np.mean([getattr(info, name) for info in self._of_epoch]))
            for name in ("error", "polarization")
        }
        self._of_epoch = []
        seconds = perf_counter() - self._begun
        return notify(self._callbacks, Epoch(epoch, self._run.settings.num_epochs, metrics, seconds))

    def history(self) -> dict[str, NDArray]:
        """One row a block."""
        rows = {
            name: np.array([getattr(info, name) for info in self._infos], np.float32) for name in Info._fields
        }
        return rows | {"seconds": np.array(self._seconds)}
