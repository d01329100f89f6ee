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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mpnn import sharding as meshes
from mpnn.message_passing import network
from mpnn.message_passing.hyper import Schedules
from mpnn.message_passing.network import State
from mpnn.message_passing.spec import NetworkSpec, SpecError, spec_from_json, spec_to_json
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
FIELDS = {"epoch", "spec", "key", "digest", "shapes", "metadata"}


class Restored(NamedTuple):
    """What :func:`restore_state` returns; ``epoch`` is the number done, hence ``first_epoch`` of the rest.

    Parameters
    ----------
    state : State
        The state.
    epoch : int
        Number of epochs done, hence ``first_epoch`` of the rest.
    key : Array
        The training key.
    metadata : dict
        The caller's own metadata.
    """

    state: State
    epoch: int
    key: Array
    metadata: dict[str, Any]


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

    arrays = _named_arrays(state)
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
            _check_spec(folder, _read_about(folder, manager, newest), spec)
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
        _check_metadata(folder, about["metadata"], expected or {})
        like = blank_state(spec) if like is None else like
        check_network(folder, about, spec, like)
        content = _read_content(folder, manager, chosen, like)
    return rebuilt(folder, chosen, about, content, like)


def rebuilt(
    folder: str | Path, epoch: int, about: Mapping[str, Any], content: np.ndarray, like: State
) -> Restored:
    """The state of a description and of the bytes that Orbax read.

    Parameters
    ----------
    folder : str or path
        Of the run, for messages.
    epoch : int
        Of the checkpoint, for messages.
    about : mapping
        As :func:`checked_description` returns it.
    content : uint8 ndarray
        The arrays, end to end.
    like : State
        Gives shapes and types.

    Raises
    ------
    CheckpointError
        Where the bytes are others than those that were saved, or the key is none.
    """
    arrays = _arrays_of(content, like)
    if digest(arrays) != about["digest"]:
        raise _damaged(folder, epoch, "the arrays do not match their digest")
    state = jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(a) for a in arrays.values()])
    return Restored(state, about["epoch"], _read_key(folder, epoch, about["key"]), about["metadata"])


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


def _named_arrays(state: State) -> dict[str, np.ndarray]:
    """The leaves on the host, in the tree's order, by their place in it."""
    leaves = jax.tree_util.tree_leaves_with_path(meshes.to_host(state))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def blank_state(spec: NetworkSpec) -> State:
    """Shapes and types of a state of this spec.

    Parameters
    ----------
    spec : NetworkSpec
        The network's static description.
    """
    hyper = Schedules().at_sweep(0, spec.num_layers)
    return jax.eval_shape(lambda key: network.init(key, spec, hyper), jax.random.key(0))


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
        reason = _first_line(error)
        raise CheckpointError(f"{folder} holds checkpoints that cannot be read: {reason}") from error


def _require_readable(path: Path) -> None:
    """Orbax takes what it may not read for damaged, or for not there."""
    needed = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    if not os.access(path, needed):
        raise CheckpointError(f"{path} may not be read: change its permissions, nothing is known to be lost")


def _damaged(folder: str | Path, epoch: int, reason: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint {Path(folder) / str(epoch)} is damaged ({reason}): delete that folder to resume "
        "from an earlier one, or the whole run to start again"
    )


def _read_about(folder: str | Path, manager: Any, epoch: int) -> dict[str, Any]:
    import orbax.checkpoint as ocp

    try:
        about = manager.restore(epoch, args=ocp.args.Composite(about=ocp.args.JsonRestore())).about
    except Exception as error:  # Orbax passes on whatever its storage raises
        raise _damaged(folder, epoch, f"its description cannot be read: {_first_line(error)}") from error
    return checked_description(folder, epoch, about)


def checked_description(folder: str | Path, epoch: int, about: Any) -> dict[str, Any]:
    """The description of a checkpoint, what JSON it may have been.

    Parameters
    ----------
    folder : str or path
        Of the run, for messages.
    epoch : int
        Of the checkpoint, for messages.
    about : object
        What the JSON holds.

    Raises
    ------
    CheckpointError
        Where fields are missing or of other types.
    """
    kinds = {"epoch": int, "shapes": list, "metadata": dict, "digest": str}
    missing = not isinstance(about, dict) or FIELDS - set(about)
    if missing or not all(isinstance(about[name], kind) for name, kind in kinds.items()):
        raise _damaged(folder, epoch, "its description lacks fields, or they are of other types")
    return about


def check_network(folder: str | Path, about: Mapping[str, Any], spec: NetworkSpec, like: State) -> None:
    """Refuse a checkpoint of another network, or of another number of them.

    Parameters
    ----------
    folder : str or path
        Of the run, for messages.
    about : mapping
        As :func:`checked_description` returns it.
    spec : NetworkSpec
        The network that is wanted.
    like : State
        Its shapes.
    """
    _check_spec(folder, about, spec)
    if about["shapes"] != [list(leaf.shape) for leaf in jax.tree.leaves(like)]:
        raise CheckpointError(
            f"{folder} holds a state of other shapes, {str(about['shapes'])[:100]}: give one of them as like"
        )


def _named_leaves(like: State) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(like)]


def _num_bytes(like: State) -> list[int]:
    return [leaf.size * leaf.dtype.itemsize for _, leaf in _named_leaves(like)]


def _read_content(folder: str | Path, manager: Any, epoch: int, like: State) -> np.ndarray:
    import orbax.checkpoint as ocp

    blank = {CONTENT: np.zeros(sum(_num_bytes(like)), np.uint8)}
    try:
        items = ocp.args.Composite(state=ocp.args.StandardRestore(blank))
        return np.asarray(manager.restore(epoch, args=items).state[CONTENT])
    except Exception as error:  # Orbax passes on whatever its storage raises
        raise _damaged(folder, epoch, f"its arrays cannot be read: {_first_line(error)}") from error


def _arrays_of(content: np.ndarray, like: State) -> dict[str, np.ndarray]:
    leaves = _named_leaves(like)
    pieces = np.split(content, np.cumsum(_num_bytes(like))[:-1])
    return {
        name: piece.view(leaf.dtype).reshape(leaf.shape)
        for (name, leaf), piece in zip(leaves, pieces, strict=True)
    }


def _read_key(folder: str | Path, epoch: int, saved: Any) -> Array:
    try:
        return jax.random.wrap_key_data(jnp.asarray(saved["data"], jnp.uint32), impl=saved["impl"])
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise _damaged(folder, epoch, f"its key cannot be read: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _check_metadata(folder: str | Path, own: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name, value in expected.items():
        if own.get(name) != value:
            raise CheckpointError(
                f"{folder} holds a training with other {name.replace('_', ' ')}: use another folder"
            )


def _check_spec(folder: str | Path, about: Mapping[str, Any], spec: NetworkSpec) -> None:
    """Refuse a checkpoint of another network, naming what differs."""
    try:
        saved = spec_to_json(spec_from_json(about["spec"]))
    except SpecError as error:
        raise CheckpointError(f"{folder} holds checkpoints that cannot be read: {error}") from error
    differences = _differences(saved, spec_to_json(spec))
    if differences:
        raise CheckpointError(
            f"{folder} holds checkpoints of another network ({', '.join(differences)}): use another folder"
        )


def _differences(saved: Any, own: Any, name: str = "") -> list[str]:
    """Entries of two descriptions that differ, as ``name=saved, not own``."""
    if isinstance(saved, dict) and isinstance(own, dict) and set(saved) == set(own):
        nested = (_differences(saved[key], own[key], f"{name}.{key}".lstrip(".")) for key in saved)
        return [difference for found in nested for difference in found]
    if isinstance(saved, list) and isinstance(own, list) and len(saved) == len(own) and name == "layers":
        nested = (
            _differences(*pair, f"{name}[{place}]") for place, pair in enumerate(zip(saved, own, strict=True))
        )
        return [difference for found in nested for difference in found]
    return [] if saved == own else [f"{name}={saved!r}, not {own!r}"]
