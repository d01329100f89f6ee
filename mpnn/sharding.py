"""Many devices: one program over a mesh with axes for networks, data and the model.

The mesh is JAX's own context (``with jax.set_mesh(make_mesh(data=8)): ...``) and nothing else changes: the
functions here place arrays, and XLA's partitioner moves them. Without a mesh they do nothing.

* "networks": pairs of classes, seeds or replicas. No communication along this axis: each device trains its
  share as if it were alone.
* "data": the samples of a mini-batch. Messages to the weights are sums over samples, which the devices add
  up. The data set itself lies on every device.
* "model": the outputs of a layer (or its inputs, if only these can be shared out evenly; else the layer lies
  on every device).

Sums are taken in another order, so beliefs agree up to rounding, and the discrete weights but for beliefs
within rounding of a tie.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

__all__ = [
    "AXES",
    "all_processes",
    "axis_size",
    "every_device",
    "gather_bytes",
    "make_mesh",
    "over_networks",
    "own_share",
    "place",
    "place_weights",
    "round_up",
    "spread_batch",
    "spread_weights",
    "to_host",
]

NETWORKS, DATA, MODEL = AXES = ("networks", "data", "model")
AUTO = (AxisType.Auto,) * len(AXES)


def make_mesh(networks: int | None = None, data: int | None = None, model: int = 1) -> Mesh:
    """Return a mesh over all devices of all processes.

    Parameters
    ----------
    networks, data : int >= 1 or None, default=None
        Devices along each axis; None for what the others leave, and both None for all devices along
        ``networks``.
    model : int >= 1, default=1
        Devices along the axis of a layer's outputs. The product must be the number of devices.

    Examples
    --------
    >>> import jax
    >>> from mpnn.sharding import make_mesh
    >>> with jax.set_mesh(make_mesh()):
    ...     dict(jax.sharding.get_mesh().shape)
    {'networks': 1, 'data': 1, 'model': 1}
    """
    num_devices = jax.device_count()
    if networks is None:
        data = 1 if data is None else data
        networks = num_devices // (data * model) if data >= 1 <= model else 0
    elif data is None:
        data = num_devices // (networks * model) if networks >= 1 <= model else 0
    shape = (networks, data, model)
    if min(shape) < 1 or np.prod(shape) != num_devices:
        raise ValueError(
            f"networks x data x model must be the number of devices, {num_devices}; got "
            f"{' x '.join(map(str, shape))}"
        )
    return jax.make_mesh(shape, AXES, axis_types=AUTO)


def axis_size(axis: str) -> int:
    """Return the number of devices along an axis of the mesh in context; 1 without one.

    Parameters
    ----------
    axis : str
        Name of the axis.
    """
    return int(dict(jax.sharding.get_abstract_mesh().shape).get(axis, 1))


def round_up(count: int, axis: str) -> int:
    """Return the least multiple of the devices along an axis that is not below ``count``.

    Parameters
    ----------
    count : int >= 0
        The number.
    axis : str
        Name of the axis.
    """
    return -(-count // axis_size(axis)) * axis_size(axis)


@contextmanager
def every_device() -> Iterator[None]:
    """Use all devices for networks side by side, unless a mesh is in context."""
    if jax.sharding.get_mesh().empty and jax.device_count() > 1:
        with jax.set_mesh(make_mesh()):
            yield
    else:
        yield


@contextmanager
def all_processes() -> Iterator[None]:
    """Share mini-batches out among all processes, where there are several and no mesh is in context."""
    if jax.sharding.get_mesh().empty and jax.process_count() > 1:
        with jax.set_mesh(make_mesh(networks=1)):
            yield
    else:
        yield


def own_share(count: int, axis: str) -> list[int]:
    """Return which of ``count`` things along an axis of the mesh in context this process holds.

    Parameters
    ----------
    count : int >= 1
        A multiple of the devices along the axis.
    axis : str
        Name of the axis.
    """
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return list(range(count))
    found: Any = NamedSharding(mesh, PartitionSpec(axis)).addressable_devices_indices_map((count,))
    return sorted({place for (own,) in found.values() for place in range(*own.indices(count))})


def gather_bytes(content: bytes) -> list[bytes]:
    """Return what every process has, in their order.

    Parameters
    ----------
    content : bytes
        Of this process.
    """
    if jax.process_count() == 1:
        return [content]
    sizes = multihost_utils.process_allgather(np.array(len(content)))
    padded = np.frombuffer(content.ljust(int(sizes.max()), b"\0"), np.uint8)
    rows = multihost_utils.process_allgather(padded)
    return [row[:size].tobytes() for row, size in zip(rows, sizes.tolist(), strict=True)]


def spread_batch(batch: Any) -> Any:
    """Share the samples ``[B, ...]`` of a mini-batch out, inside a compiled function.

    Parameters
    ----------
    batch : pytree of Array [B, ...]
        The mini-batch.
    """
    if axis_size(DATA) == 1:
        return batch
    return jax.lax.with_sharding_constraint(batch, PartitionSpec(DATA))


def spread_weights(state: Any) -> Any:
    """Share the weights ``[N, K]`` of every layer out, inside a compiled function.

    Parameters
    ----------
    state : pytree of Array [N, K]
        The weights.
    """
    if axis_size(DATA) * axis_size(MODEL) == 1:
        return state
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, _split(leaf.shape)), state)


def _split(shape: tuple[int, ...]) -> PartitionSpec:
    """Which of a layer's two axes to share out: outputs, else inputs, else none."""
    size = axis_size(MODEL)
    if size == 1:
        return PartitionSpec()
    if len(shape) == 2 and shape[1] % size == 0:
        return PartitionSpec(None, MODEL)
    if len(shape) == 2 and shape[0] % size == 0:
        return PartitionSpec(MODEL)
    return PartitionSpec()


def over_networks(train: Callable[..., Any]) -> Callable[..., Any]:
    """Let each device work on its share of the networks, inside a compiled function.

    ``train(shared, own)``: leaves of ``own`` and of the result have a leading axis P, a multiple of the
    devices along "networks"; ``shared`` is there for all.

    Parameters
    ----------
    train : callable
        ``train(shared, own)``: leaves of ``own`` and of the result have a leading axis P, a multiple of the
        devices along "networks"; ``shared`` is there for all.
    """
    if axis_size(NETWORKS) == 1:
        return train
    specs = (PartitionSpec(), PartitionSpec(NETWORKS))
    # unchecked: scans inside begin with constants, alike on every device, and end with what is not
    return jax.shard_map(train, in_specs=specs, out_specs=specs[1], axis_names={NETWORKS}, check_vma=False)


def place(tree: Any, axis: str | None = None) -> Any:
    """Put arrays on the mesh in context: on every device, or their first axis shared out along ``axis``.

    Parameters
    ----------
    tree : pytree of arrays
        The arrays.
    axis : str or None, default=None
        Axis of the mesh that the first axis is shared out along; None: whole on every device.
    """
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return tree
    sharding = NamedSharding(mesh, PartitionSpec(axis) if axis else PartitionSpec())
    return jax.tree.map(partial(_place, sharding=sharding), tree)


def place_weights(state: Any, *leading: str) -> Any:
    """Put weights ``[..., N, K]`` as :func:`spread_weights` places them; ``leading`` are axes before.

    Parameters
    ----------
    state : pytree of Array [..., N, K]
        The weights.
    leading : str
        Axes of the mesh for the axes before.
    """
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return state

    def put(leaf: Array) -> Array:
        spec = PartitionSpec(*leading, *_split(leaf.shape[len(leading) :]))
        return _place(leaf, NamedSharding(mesh, spec))

    return jax.tree.map(put, state)


def _place(leaf: Array, sharding: NamedSharding) -> Array:
    if jax.process_count() == 1:
        return jax.device_put(leaf, sharding)
    if isinstance(leaf, Array) and not leaf.is_fully_addressable:
        return _moved_to(sharding)(leaf)
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _place(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    whole = np.asarray(leaf)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


@lru_cache
def _moved_to(sharding: NamedSharding) -> Callable[[Array], Array]:
    """A program that moves arrays: one for each sharding, not compiled anew for every array."""
    return jax.jit(lambda array: array, out_shardings=sharding)


def to_host(tree: Any) -> Any:
    """Return NumPy arrays, whole on every process.

    Parameters
    ----------
    tree : pytree of arrays
        The arrays.
    """
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return jax.tree.map(_to_host, tree)


def _to_host(leaf: Any) -> Any:
    if isinstance(leaf, Array) and not leaf.is_fully_addressable:
        return multihost_utils.process_allgather(leaf, tiled=True)
    return jax.device_get(leaf)
