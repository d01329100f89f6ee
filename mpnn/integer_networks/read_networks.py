"""Discrete networks as they are read from classifiers: real cuts, inputs before they are coded.

Whatever trained it, a network is weights and cuts: a hidden unit is +1 where ``sum_f w_f T(x_f) >= cut``,
else -1, in units of the transformed inputs ``T``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpnn.integer_networks.windows import Windows

__all__ = [
    "ReadLink",
    "ReadNetwork",
    "Transform",
    "centred_at",
    "cut_of_offset",
    "plain",
    "stack_cuts",
    "stack_members",
    "stack_reach",
    "used_columns",
    "within_float64",
]


@dataclass(frozen=True, eq=False)
class Transform:
    """``T(x) = sign(u) max(|u| - dead_zone, 0)^power`` with ``u = (x - centre) scale``.

    Rounded to whole numbers where ``rounded``. centre, scale: float64 ``[]`` or ``[F]``; offset ``[F]`` is
    subtracted from T by the cuts; inputs that are not ``live`` have no weights.
    """

    centre: NDArray
    scale: NDArray
    power: float
    offset: NDArray
    live: NDArray
    rounded: bool = False
    dead_zone: float = 0.0

    @property
    def is_one_factor(self) -> bool:
        """Whether all inputs are multiplied by one number, and that is all."""
        return self.power == 1.0 and self.dead_zone == 0.0 and self.scale.ndim == 0 and not self.rounded

    def measured_in(self, unit: Any) -> "Transform":
        """The transform of inputs as they are, if this one is of ``(x - unit.origin) / unit.unit``.

        Parameters
        ----------
        unit : InputUnit or pair of ndarray [] or [F]
            Origin and unit.
        """
        if self.rounded:
            raise ValueError("a classifier of whole inputs cannot be exported behind a scaler: leave it out")
        origin, one = (plain(np.asarray(part, np.float64)) for part in unit)
        with np.errstate(over="ignore"):
            scale = self.scale / one
        return replace(self, centre=origin + self.centre * one, scale=within_float64(scale, one))

    def equals(self, other: "Transform") -> bool:
        """Whether two transforms are the same."""
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)
        )


@dataclass(frozen=True, eq=False)
class ReadLink:
    """A residual link to a layer: its sums get ``reach`` times what the layer ``below`` reads.

    below : number of a layer, >= 1; reach: float64 ``[units]``.
    """

    below: int
    reach: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A discrete network.

    Parameters
    ----------
    transform : of the inputs.
    weights : int8 ``[inputs, units]`` a layer; rows of dead inputs are 0.
    cuts : float64 ``[units]`` a layer; of a first convolution, ``[Q, units]`` where positions differ.
    gains : float64 ``[outputs]``, what an output's sum less its cut is multiplied by.
    biases : of the last layer, float64 ``[outputs]``, beside ``T``; 0 without.
    link : of a pair's probability: ``"normal"`` (output over its spread) or ``"logistic"``.
    notes : what an export changes.
    windows : one a layer, None of a dense one; empty: all are dense.
    links : residual links, one a layer, None where none ends; empty: there are none.
    """

    transform: Transform
    weights: tuple[NDArray[np.int8], ...]
    cuts: tuple[NDArray[np.float64], ...]
    gains: NDArray[np.float64]
    biases: NDArray[np.float64]
    link: str = "normal"
    notes: tuple[str, ...] = ()
    windows: tuple[Windows | None, ...] = ()
    links: tuple[ReadLink | None, ...] = ()

    @property
    def shapes(self) -> list[Any]:
        """What networks side by side have in common, layer by layer: shapes, windows, where links begin."""
        links = [link and link.below for link in self.links]
        return [[layer.shape for layer in self.weights], self.windows, links]

    def windows_of(self, index: int) -> Windows | None:
        """Windows of a layer; None: it is dense."""
        return self.windows[index] if self.windows else None

    def link_of(self, index: int) -> ReadLink | None:
        """The residual link that ends at a layer; None: there is none."""
        return self.links[index] if self.links else None


def centred_at(network: ReadNetwork, centre: NDArray) -> ReadNetwork:
    """The same network with another centre of its linear transform: the cuts take up the difference.

    Parameters
    ----------
    network : ReadNetwork
        Whose transform is one factor.
    centre : float64 ndarray []
        Where the transform is to be 0.
    """
    transform, windows = network.transform, network.windows_of(0)
    difference = np.broadcast_to((transform.centre - centre) * transform.scale, transform.offset.shape)
    shift = cut_of_offset(replace(transform, offset=difference), network.weights[0], windows)
    shift = shift * (1 if windows is None else windows.num_summed)
    moved = replace(transform, centre=centre, offset=transform.offset + difference)
    return replace(network, transform=moved, cuts=(network.cuts[0] + shift, *network.cuts[1:]))


def used_columns(members: Sequence[ReadNetwork]) -> NDArray[np.int64]:
    """Inputs that have a weight in any of the networks, increasing.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs.
    """
    if members[0].windows_of(0) is not None:
        return np.flatnonzero(np.any([member.transform.live for member in members], axis=0))
    return np.flatnonzero(np.any([np.any(member.weights[0] != 0, axis=1) for member in members], axis=0))


def stack_members(members: Sequence[ReadNetwork], columns: NDArray) -> list[NDArray[np.int8]]:
    """Weights ``[G, inputs, units]`` of each layer: first layers side by side, then a block a member.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs, of the same shape.
    columns : int ndarray [used]
        Inputs that the first layer keeps.
    """
    if members[0].windows_of(0) is not None:
        return [np.stack(layers) for layers in zip(*(member.weights for member in members), strict=True)]
    first = np.concatenate([member.weights[0][columns] for member in members], axis=1)[None]
    above = range(1, len(members[0].weights))
    return [first, *(np.stack([member.weights[index] for member in members]) for index in above)]


def stack_cuts(members: Sequence[ReadNetwork], index: int) -> NDArray[np.float64]:
    """Cuts of a layer, members side by side, in the order of the layer's thresholds.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs, of the same shape.
    index : int
        Of the layer.
    """
    cuts = [member.cuts[index] for member in members]
    shape = max((cut.shape for cut in cuts), key=len)
    return np.concatenate([np.broadcast_to(cut, shape).ravel() for cut in cuts])


def stack_reach(members: Sequence[ReadNetwork], index: int) -> tuple[int, NDArray[np.float64]] | None:
    """Where the residual link to a layer begins, and its reach, members side by side; None: there is none.

    Parameters
    ----------
    members : sequence of ReadNetwork
        On the same inputs, of the same shape.
    index : int
        Of the layer.
    """
    links = [link for member in members if (link := member.link_of(index)) is not None]
    return (links[0].below, np.concatenate([link.reach for link in links])) if links else None


def cut_of_offset(
    transform: Transform, first: NDArray, windows: Windows | None = None
) -> NDArray[np.float64]:
    """What the offsets add to the cuts, ``[units]``, or ``[Q, units]`` where positions differ.

    Parameters
    ----------
    transform : Transform
        Of the inputs.
    first : int8 ndarray [inputs, units]
        Weights of the first layer.
    windows : Windows or None, default=None
        Of the first layer.
    """
    offset = np.where(transform.live, transform.offset, 0.0)
    if windows is None:
        return first.astype(np.float64).T @ offset
    # as means of squares, which become sums with the other parts of the cuts
    cuts = windows.patches(offset[None])[0] @ first.astype(np.float64) / windows.num_summed
    return cuts[0] if np.array_equal(cuts, np.broadcast_to(cuts[0], cuts.shape)) else cuts


def within_float64(multiplier: NDArray[np.float64], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """What inputs are multiplied by; refuses infinity.

    Parameters
    ----------
    multiplier : float64 ndarray
        Of the inputs.
    unit : float64 ndarray
        What inputs differ by, for the message.
    """
    if not np.all(np.isfinite(multiplier)):
        raise ValueError(
            f"inputs that differ by {float(np.min(unit)):g} have no whole codes, whose scale is beyond "
            "float64: train on X times a power of two"
        )
    return multiplier


def plain(numbers: NDArray) -> NDArray:
    """One number without an axis, which model files give it.

    Parameters
    ----------
    numbers : ndarray
        One, or one an input.
    """
    return numbers.reshape(()) if numbers.size == 1 else numbers
