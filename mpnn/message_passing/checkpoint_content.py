"""What a checkpoint holds: arrays end to end, and a description that says of what network and training."""

from collections.abc import Mapping
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
from mpnn.weight_files import CheckpointError, digest

__all__ = [
    "Restored",
    "blank_state",
    "check_metadata",
    "check_network",
    "check_spec",
    "checked_description",
    "damaged",
    "first_line",
    "named_arrays",
    "num_bytes",
    "rebuilt",
]

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
        raise damaged(folder, epoch, "its description lacks fields, or they are of other types")
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
    check_spec(folder, about, spec)
    if about["shapes"] != [list(leaf.shape) for leaf in jax.tree.leaves(like)]:
        raise CheckpointError(
            f"{folder} holds a state of other shapes, {str(about['shapes'])[:100]}: give one of them as like"
        )


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
        raise damaged(folder, epoch, "the arrays do not match their digest")
    state = jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(a) for a in arrays.values()])
    return Restored(state, about["epoch"], _read_key(folder, epoch, about["key"]), about["metadata"])


def check_metadata(folder: str | Path, own: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another training, by what its caller has noted.

    Parameters
    ----------
    folder : str or path
        Of the run, for messages.
    own : mapping
        Metadata of the checkpoint.
    expected : mapping
        Entries that it must have.
    """
    for name, value in expected.items():
        if own.get(name) != value:
            raise CheckpointError(
                f"{folder} holds a training with other {name.replace('_', ' ')}: use another folder"
            )


def check_spec(folder: str | Path, about: Mapping[str, Any], spec: NetworkSpec) -> None:
    """Refuse a checkpoint of another network, naming what differs.

    Parameters
    ----------
    folder : str or path
        Of the run, for messages.
    about : mapping
        As :func:`checked_description` returns it.
    spec : NetworkSpec
        The network that is wanted.
    """
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


def _named_leaves(like: State) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(like)]


def num_bytes(like: State) -> list[int]:
    """Bytes of each leaf of a state.

    Parameters
    ----------
    like : State
        Gives shapes and types.
    """
    return [leaf.size * leaf.dtype.itemsize for _, leaf in _named_leaves(like)]


def _arrays_of(content: np.ndarray, like: State) -> dict[str, np.ndarray]:
    leaves = _named_leaves(like)
    pieces = np.split(content, np.cumsum(num_bytes(like))[:-1])
    return {
        name: piece.view(leaf.dtype).reshape(leaf.shape)
        for (name, leaf), piece in zip(leaves, pieces, strict=True)
    }


def _read_key(folder: str | Path, epoch: int, saved: Any) -> Array:
    try:
        return jax.random.wrap_key_data(jnp.asarray(saved["data"], jnp.uint32), impl=saved["impl"])
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise damaged(folder, epoch, f"its key cannot be read: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error, short enough for a sentence.

    Parameters
    ----------
    error : exception
        Of whatever library.
    """
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def damaged(folder: str | Path, epoch: int, reason: str) -> CheckpointError:
    """The error of a checkpoint that cannot be read, with what to do.

    Parameters
    ----------
    folder : str or path
        Of the run, for messages.
    epoch : int
        Of the checkpoint.
    reason : str
        What is wrong with it.
    """
    return CheckpointError(
        f"the checkpoint {Path(folder) / str(epoch)} is damaged ({reason}): delete that folder to resume "
        "from an earlier one, or the whole run to start again"
    )


def named_arrays(state: State) -> dict[str, np.ndarray]:
    """The leaves on the host, in the tree's order, by their place in it.

    Parameters
    ----------
    state : State
        Of one network or several.
    """
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
