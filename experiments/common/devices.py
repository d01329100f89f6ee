"""Where an experiment runs: how its mesh is laid out, and which processes take part."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax

from mpnn.sharding import make_mesh

__all__ = ["Devices"]


@dataclass(frozen=True)
class Devices:
    """Devices along each axis, and the processes.

    networks, data: None for all that the other axes leave; see mpnn.sharding.make_mesh.
    model: devices that share out the outputs of a layer.
    distributed: join the other processes of a Slurm job, TPU pod or cloud cluster, which JAX finds itself.
    coordinator: HOST:PORT of the first process, where JAX cannot know; then also processes and process.
    processes: how many there are. process: which one this is, from 0.
    """

    networks: int | None = None
    data: int | None = None
    model: int = 1
    distributed: bool = False
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Join the other processes, and put the mesh in context; one device needs neither."""
        if self.distributed or self.coordinator is not None:
            jax.distributed.initialize(self.coordinator, self.processes, self.process)
        if jax.device_count() == 1 and (self.networks or 1) * (self.data or 1) * self.model == 1:
            yield
            return
        with jax.set_mesh(make_mesh(self.networks, self.data, self.model)):
            yield
