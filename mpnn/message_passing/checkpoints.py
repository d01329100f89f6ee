"""Checkpoints of a training run: state, epoch and key, so that a resumed run equals an uninterrupted one.

A checkpoint is one step of an Orbax folder: the state's arrays, and beside them as JSON the number of
epochs done, the run's key, the spec, the caller's own metadata and a digest of the arrays, since Orbax
does not notice a changed bit. Orbax writes a step under another name and renames it when it is complete, so
that a killed run leaves no half step. The arrays lie end to end in one array of bytes: where several are
damaged, Orbax reports one and leaves the failures of the others to surface later, anywhere.
Weights to be published are another matter (:mod:`mpnn.weight_files`); their functions are offered here too.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array

from mpnn.message_passing.checkpoint_content import (
    Restored,
    blank_state,
    check_metadata,
    check_network,
    check_spec,
    checked_description,
    damaged,
    first_line,
    named_arrays,
    num_bytes,
    rebuilt,
)
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec, spec_to_json
from mpnn.message_passing.sweep import Info
from mpnn.validation import path as path_of
from mpnn.validation import whole
from mpnn.weight_files import (
    CheckpointError,
    digest,
    load_arrays,
    load_networks,
    load_weights,
    save_arrays,
    save_networks,
    save_weights,
)

__all__ = [
    "CheckpointError",
    "Restored",
    "blank_state",
    "checkpoint_callback",
    "load_arrays",
    "load_networks",
    "load_weights",
    "restore_state",
    "save_arrays",
    "save_networks",
    "save_state",
    "save_weights",
]


CONTENT = "content"  # the one array in a step


def save_state(
    folder: str | Path,
    state: State,
    *,
    epoch: int,
    key: Array,
    spec: NetworkSpec,
    metadata: Mapping[str, Any] | None = None,
    keep: int = 3,
) -> None:
    """Write a checkpoint and delete all but the newest ``keep``.

    Parameters
    ----------
    folder : str or path
        Of this run alone; made if missing. A checkpoint of another spec in it is an error, and so is one at
        or after this epoch.
    state : State
        The network after ``epoch`` epochs, 0 for none; where several processes hold it, all of them call this
        function, and the first writes.
    epoch : int >= 0
        Epochs done.
    key : Array
        The training key, typed, as given to :func:`mpnn.message_passing.training.train`.
    spec : NetworkSpec
        The network's static description.
    metadata : dict or None, default=None
        Anything that JSON can hold, such as the settings of the schedules.
    keep : int >= 1, default=3
        Number of checkpoints that remain, the newest.
    """
    folder = path_of("folder", folder)
    epoch, keep = whole("epoch", epoch, at_least=0), whole("keep", keep)
    import orbax.checkpoint as ocp

    arrays = named_arrays(state)
    about = {
        "epoch": epoch,
        "spec": json.loads(json.dumps(spec_to_json(spec))),
        "key": {"impl": str(jax.random.key_impl(key)), "data": np.asarray(jax.random.key_data(key)).tolist()},
        "digest": digest(arrays),
        "shapes": [list(array.shape) for array in arrays.values()],
        "metadata": dict(metadata or {}),
    }
    about = json.loads(json.dumps(about))  # fails here, not inside Orbax, on what JSON cannot hold
    with _manager(folder, keep) as manager:
        newest = manager.latest_step()
        if newest is not None:
            check_spec(folder, _read_about(folder, manager, newest), spec)
            if newest >= epoch:
                raise CheckpointError(
                    f"{folder} already holds epoch {newest}, at or after epoch {epoch}: resume from it, "
                    "delete it, or use another folder"
                )
        content = np.concatenate([array.reshape(-1).view(np.uint8) for array in arrays.values()])
        state_item = ocp.args.StandardSave({CONTENT: content})
        items = ocp.args.Composite(state=state_item, about=ocp.args.JsonSave(about))
        manager.save(epoch, args=items, force=True)


def restore_state(
    folder: str | Path,
    spec: NetworkSpec,
    *,
    epoch: int | None = None,
    like: State | None = None,
    expected: Mapping[str, Any] | None = None,
) -> Restored:
    """Read the newest checkpoint, or that after ``epoch`` epochs.

    Parameters
    ----------
    folder : str or path
        Folder of the run.
    spec : NetworkSpec
        The network's static description.
    epoch : int or None, default=None
        Epochs done at the checkpoint; None: the newest.
    like : State or None, default=None
        Gives the shapes where they are not those of one network, as for a stack of networks.
    expected : mapping or None, default=None
        Entries that the metadata must have, or the folder holds another training.

    Raises
    ------
    CheckpointError
        Where there is none, it may not be read or is damaged, or it belongs to another spec or training.
    """
    folder = path_of("folder", folder)
    if not Path(folder).is_dir():
        raise CheckpointError(f"no checkpoint in {folder}: the folder does not exist; start from epoch 0")
    _require_readable(Path(folder))
    with _manager(folder, keep=None) as manager:
        epochs = sorted(manager.all_steps())
        if not epochs or (epoch is not None and epoch not in epochs):
            wanted = "" if epoch is None else f" after epoch {epoch}"
            others = f"there are those after epochs {epochs}" if epochs else "start from epoch 0"
            raise CheckpointError(f"no checkpoint{wanted} in {folder}; {others}")
        chosen = epochs[-1] if epoch is None else epoch
        step = Path(folder) / str(chosen)
        for part in (step, *step.rglob("*")):
            _require_readable(part)
        about = _read_about(folder, manager, chosen)
        check_metadata(folder, about["metadata"], expected or {})
        like = blank_state(spec) if like is None else like
        check_network(folder, about, spec, like)
        content = _read_content(folder, manager, chosen, like)
    return rebuilt(folder, chosen, about, content, like)


def checkpoint_callback(
    folder: str | Path,
    key: Array,
    spec: NetworkSpec,
    *,
    every: int = 1,
    keep: int = 3,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[int, State, Info], None]:
    """Return an ``on_epoch`` for :func:`~mpnn.message_passing.training.train` that saves checkpoints.

    To go on::

        done = restore_state(folder, spec)
        train(done.key, spec, done.state, ..., first_epoch=done.epoch,
              on_epoch=checkpoint_callback(folder, done.key, spec))

    Parameters
    ----------
    folder : str or path
        Folder of this run alone.
    key : Array
        The training key, typed.
    spec : NetworkSpec
        The network's static description.
    every : int >= 1, default=1
        Epochs between checkpoints.
    keep : int >= 1, default=3
        Number of checkpoints that remain, the newest.
    metadata : mapping or None, default=None
        Anything that JSON can hold.
    """
    whole("every", every)

    def on_epoch(epoch: int, state: State, info: Info) -> None:
        if (epoch + 1) % every == 0:
            save_state(folder, state, epoch=epoch + 1, key=key, spec=spec, metadata=metadata, keep=keep)

    return on_epoch


def _manager(folder: str | Path, keep: int | None) -> Any:
    import orbax.checkpoint as ocp

    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        create=keep is not None,
        cleanup_tmp_directories=keep is not None,
        enable_async_checkpointing=False,
    )
    try:
        return ocp.CheckpointManager(Path(folder).absolute(), options=options, item_names=("state", "about"))
    except (ValueError, RecursionError) as error:  # of a description that Orbax reads when it opens
        reason = first_line(error)
        raise CheckpointError(f"{folder} holds checkpoints that cannot be read: {reason}") from error


def _require_readable(path: Path) -> None:
    """Orbax takes what it may not read for damaged, or for not there."""
    needed = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    if not os.access(path, needed):
        raise CheckpointError(f"{path} may not be read: change its permissions, nothing is known to be lost")


def _read_about(folder: str | Path, manager: Any, epoch: int) -> dict[str, Any]:
    import orbax.checkpoint as ocp

    try:
        about = manager.restore(epoch, args=ocp.args.Composite(about=ocp.args.JsonRestore())).about
    except Exception as error:  # Orbax passes on whatever its storage raises
        raise damaged(folder, epoch, f"its description cannot be read: {first_line(error)}") from error
    return checked_description(folder, epoch, about)


def _read_content(folder: str | Path, manager: Any, epoch: int, like: State) -> np.ndarray:
    import orbax.checkpoint as ocp

    blank = {CONTENT: np.zeros(sum(num_bytes(like)), np.uint8)}
    try:
        items = ocp.args.Composite(state=ocp.args.StandardRestore(blank))
        return np.asarray(manager.restore(epoch, args=items).state[CONTENT])
    except Exception as error:  # Orbax passes on whatever its storage raises
        raise damaged(folder, epoch, f"its arrays cannot be read: {first_line(error)}") from error
