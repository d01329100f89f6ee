"""Training of the estimator on files that do not fit into memory.

One pass surveys the rows: it counts them, and draws the sample from which codes, scalings and settings come,
as if it were the table. Then blocks of rows are trained on, in an order that the seed fixes, with a
checkpoint every few blocks: a run that was killed goes on from the last one, with as many processes as there
are then.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from mpnn import sharding as meshes
from mpnn.atomic_files import write_atomically
from mpnn.callbacks.estimators import callbacks_of
from mpnn.classifiers.base import check_several
from mpnn.classifiers.weights import (
    balanced_share,
    check_class_weight,
    count_little,
    weights_of_classes,
)
from mpnn.encoders.codes import apply_codes
from mpnn.message_passing.classifier.defaults import FULL_BATCH_LIMIT
from mpnn.message_passing.classifier.learner import Learner
from mpnn.message_passing.classifier.settings import Fit, Samples, Settings
from mpnn.message_passing.classifier.stream_run import StreamRun, readers_of, restored
from mpnn.message_passing.classifier.watching import EarlyStopping, check_fraction, split_sample
from mpnn.preprocessing.precision import NUMBER_TYPES
from mpnn.preprocessing.scaling import InputTransform
from mpnn.preprocessing.units import in_float32
from mpnn.programs import refuse_forked_child
from mpnn.validation import flag, whole

__all__ = ["StreamLearner"]

ROWS_AT_ONCE = 1 << 16
SAMPLE_ROWS = 1 << 15
SAVED_EVERY = 8


class _Sample(NamedTuple):
    """What is learned from a sample of the rows, and what is known of all of them.

    known: those that are trained on. of_classes: how often a row of each class counts ``[C]``; None: once.
    held_out: those to judge by, transformed, and their class numbers. rows_held_out: of every part, its rows
    among them. counts: rows of every part that are trained on.
    """

    known: Samples
    of_classes: NDArray | None
    held_out: tuple[NDArray, NDArray] | None
    rows_held_out: dict[int, NDArray]
    counts: list[int]


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
        the posterior as prior. Up to 2,000 rows are trained on by :meth:`fit`, and so are as many rows drawn
        of all, where ``class_weight="balanced"`` asks for it. ``early_stopping`` holds rows of the sample
        out: ``validation_fraction`` of all rows, or half of the sample. Where several processes take part
        (``jax.distributed``), all call this method, and each reads its own share of the files.

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
            For parameters that need all samples at once: ``warm_start`` and ``rounding="harden"``.
        CheckpointError
            If the folder holds the training of other files or parameters.
        """
        refuse_forked_child()
        for name, value in {"rows_at_once": rows_at_once, "sample_rows": sample_rows}.items():
            whole(name, value)
        whole("saved_every", saved_every)
        self._refuse_what_streams_lack()
        folder = None if checkpoints is None else Path(checkpoints)
        if folder is None and jax.process_count() > 1:
            raise ValueError("several processes need checkpoints=FOLDER, which all of them can see")
        if folder is not None and not isinstance(self.random_state, int | np.integer):
            raise ValueError("checkpoints need a random_state that is a whole number, which fixes the order")
        with meshes.all_processes():
            return self._fit_shards(shards, folder, rows_at_once, sample_rows, readers, saved_every)

    def _refuse_what_streams_lack(self) -> None:
        """Before the files are read."""
        if flag("warm_start", self.warm_start):
            raise ValueError(f"warm_start={self.warm_start!r} belongs to fit, which has all samples")
        if self.rounding == "harden":
            raise ValueError("rounding='harden' belongs to fit, which has all samples; use 'feedback'")
        check_class_weight(self.class_weight)
        if flag("early_stopping", self.early_stopping):
            check_fraction(self.validation_fraction)

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
        drawn = self.class_weight == "balanced" and self.batch_size == "auto"
        survey = _survey(shards, folder, sample_rows, seed, FULL_BATCH_LIMIT if drawn else 0)
        self.classes_ = survey.classes
        check_several(self.classes_)
        if drawn and count_little(survey.class_counts, survey.class_counts, FULL_BATCH_LIMIT):
            return self._fit_drawn(survey)
        settings, transform, sample = self._settle(survey, seed)
        if settings.batch_size >= sum(sample.counts):
            if survey.num_rows > len(survey.sample):
                raise ValueError(f"batch_size must be below the {sum(sample.counts)} rows of the files")
            return self.fit(survey.features[survey.sample], survey.labels[survey.sample])
        stopping = None
        if sample.held_out is not None:
            stopping = EarlyStopping(settings, sample.held_out, self.n_iter_no_change)
        about = {"files": shards.fingerprint, "rows_at_once": rows_at_once, "sample_rows": sample_rows}
        about["parameters"] = repr({**self.get_params(), "callbacks": None, "verbose": 0})
        about["inputs"] = _digest(repr([np.asarray(part).tolist() for part in transform]))
        start = restored(folder, settings.spec, about, stopping)
        readers = readers_of(readers, start)
        order = shards.order(sample.counts, rows_at_once, seed, readers)
        run = StreamRun(settings, seed, order, readers, sample.known, stopping, folder, about, saved_every)
        callbacks = callbacks_of(self.callbacks, self.verbose)
        state, history = run.train(start, self._reader(shards, transform, sample), callbacks)
        weights = run.decode(state)
        self._publish_fit(settings, transform, Fit(state, run.last_numbers(), weights, history), seed)
        self.n_iter_ = run.num_sweeps
        if stopping is not None:
            self.validation_scores_ = stopping.scores
        return self

    def _settle(self, survey: Any, seed: int) -> tuple[Settings, InputTransform, _Sample]:
        """Settings and transform, learned from the sample, and what is known of all rows."""
        own = survey.sample
        inputs, codes, _ = self._read_rows(survey.features[own], survey.labels[own], None, False, True)
        kept, judged = np.arange(len(codes)), np.arange(0)
        if self.early_stopping:
            kept, judged = split_sample(codes, survey.num_rows, self.validation_fraction, seed)
        counts = list(survey.counts_without(own[judged]).values())
        given = self._parameters(False)
        transform = self._transform_of(given, inputs[kept], sum(counts), None, False)
        sample = transform(inputs[kept])
        settings = self._settings(given, sample, sum(counts), None)
        if settings.rounding == "mode" and not settings.freezing:
            sample, kept = sample[:1], kept[:1]  # only rounding with feedback looks at it
        of_classes = None
        if self.class_weight is not None:
            weights = weights_of_classes(self.class_weight, self.classes_, survey.class_counts)
            of_classes = weights.astype(np.float32)
        weight = None if of_classes is None else of_classes[codes[kept]]
        known = Samples(sample, self._targets(codes[kept]), weight)
        held_out = (transform(inputs[judged]), codes[judged]) if self.early_stopping else None
        rows_held_out = _by_part(survey.places[own[judged]])
        return settings, transform, _Sample(known, of_classes, held_out, rows_held_out, counts)

    def _fit_drawn(self, survey: Any) -> Any:
        """Train on a few rows of every class, as :meth:`fit` does where balanced classes count little."""
        own = survey.sample
        if survey.num_rows == len(own):
            return self.fit(survey.features[own], survey.labels[own])
        self._read_rows(survey.features[own], survey.labels[own], None, False, True)
        own = survey.first_of_classes(balanced_share(survey.class_counts, FULL_BATCH_LIMIT))
        read = self._read(survey.features[own], survey.labels[own], None, True, True)
        return self._learn(read, False, in_portions=False)

    def _reader(self, shards: Any, transform: InputTransform, sample: _Sample) -> Any:
        """From the number of a part to inputs ``[n, N]``, int8 where they are bits, targets, and weights."""

        def read(index: int) -> tuple[NDArray, ...]:
            part = shards.part(index)
            if index in sample.rows_held_out:
                part = part.without(sample.rows_held_out[index])
            codes = self._known_class_numbers(part.labels)
            known: tuple[NDArray, ...] = (self._targets(codes),)
            if sample.of_classes is not None:
                known += (sample.of_classes[codes],)
            if self.encoder_ is None:
                how: Any = {"dtype": NUMBER_TYPES, "reset": False, "ensure_min_samples": 0}
                rows = validate_data(self, self._as_rows(part.features()), **how)
                return transform(in_float32(rows, self.input_unit_)), *known
            bits = apply_codes(self.encoder_.columns_, part.columns)
            bits = bits if bits.shape[1] else np.zeros((len(bits), 1), np.int8)
            return transform.of_bits(bits), *known

        return read


def _by_part(places: NDArray) -> dict[int, NDArray]:
    """Of every part, the numbers of its rows, from pairs of both."""
    return {int(part): places[places[:, 0] == part, 1] for part in np.unique(places[:, 0])}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _survey(shards: Any, folder: Path | None, sample_rows: int, seed: int, rows_of_class: int) -> Any:
    """The survey of all parts: kept in the folder, else made by all processes, each of its share.

    The file's name tells what was surveyed: files that have changed since are read again.
    """
    path = None
    if folder is not None:
        what = repr((shards.fingerprint, sample_rows, seed, rows_of_class))
        path = folder / f"survey-{_digest(what)}.npz"
    kept = path.read_bytes() if path is not None and path.is_file() else b""
    kept = meshes.gather_bytes(kept)[0]  # the first process decides whether there is one
    if kept:
        try:
            return shards.merged([kept])
        except ValueError as error:
            raise ValueError(f"{path}: {error}; delete it, and the rows are surveyed again") from error
    rank, processes = jax.process_index(), jax.process_count()
    own = range(rank, len(shards), processes)
    content = shards.survey(sample_rows, seed, own, rows_of_class).to_bytes() if own else b""
    found = shards.merged([content for content in meshes.gather_bytes(content) if content])
    if path is not None and rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, found.to_bytes())
    return found
