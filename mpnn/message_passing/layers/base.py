"""The contract of a layer: shapes, beliefs, messages up and down, and the discrete pass, in one object.

Layers are static: frozen, hashable, without arrays. Two messages run between them. Up: moments of a layer's
outputs ``[B, *shape]`` (:class:`~mpnn.message_passing.rules.base.Inputs` of the next). Down: natural
parameters on the same outputs (:class:`~mpnn.message_passing.fields.Natural`). Pre-activations stay inside a
layer. Its numbers are one :class:`~mpnn.message_passing.hyper.Hyper` of scalars for each of its weight
layers, most layers having one or none.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from jax import Array

from mpnn.linear_maps.base import Moments
from mpnn.message_passing.channels.outputs import OutputChannel
from mpnn.message_passing.fields import Natural
from mpnn.message_passing.hyper import Hyper
from mpnn.message_passing.rules.base import Inputs

__all__ = ["Labels", "Layer", "Numbers", "Place", "Shape", "reshaped"]

Shape: TypeAlias = tuple[int, ...]
Numbers: TypeAlias = Sequence[Hyper]


@dataclasses.dataclass(frozen=True)
class Place:
    """Position of a layer in a network, and what surrounds it.

    Parameters
    ----------
    in_shape : tuple of int
        Shape of one sample of its inputs.
    known_inputs : bool
        Whether the inputs are data, which take no messages.
    averaged_signs : int
        Signs that every input is the mean of: 1 for signs themselves, 0 for other numbers.
    output : OutputChannel or None
        The channel of the labels, for the last layer.
    feeds_pool : bool
        Whether a pool follows, which needs fields of the units.
    one_sweep : bool
        Whether a batch gets one sweep, so that nothing needs to be kept between sweeps.
    focusing, anchored : bool
        What is kept of each weight layer, see :class:`mpnn.message_passing.fields.LayerState`.
    output_gain : float or None
        Bound of the last layer's steps, see :mod:`mpnn.message_passing.gain`.
    """

    in_shape: Shape
    known_inputs: bool = True
    averaged_signs: int = 0
    output: OutputChannel | None = None
    feeds_pool: bool = False
    one_sweep: bool = True
    focusing: bool = False
    anchored: bool = False
    output_gain: float | None = None

    @property
    def sign_inputs(self) -> bool:
        """Whether every input is -1 or +1, so that precisions have no effect on them."""
        return self.averaged_signs == 1


class Labels(NamedTuple):
    """Labels ``[B]`` or ``[B, K]``, which stand above the last layer, and their channel.

    Parameters
    ----------
    values : Array [B] or [B, K]
        Class numbers, or signs with 0 for no label.
    channel : OutputChannel
        The channel of the output.
    """

    values: Array
    channel: OutputChannel


class Layer(Protocol):
    """A layer of a network. ``weights`` and ``beliefs`` are those of its weight layers, in order."""

    @property
    def num_weighted(self) -> int:
        """Weight layers inside: 1, 0 for pools and the like, more for a residual branch."""

    @property
    def needs_fields(self) -> bool:
        """Whether it needs the fields of the units below."""

    def out_shape(self, in_shape: Shape) -> Shape:
        """Shape of one sample of the outputs; a ValueError names what does not fit.

        Parameters
        ----------
        in_shape : tuple of int
            Shape of one sample of the inputs.
        """

    def averaged_signs(self, of_inputs: int) -> int:
        """Signs that every output is the mean of: 1 for signs, 0 for numbers of other kinds.

        Parameters
        ----------
        of_inputs : int >= 0
            The same of the inputs.
        """

    def check(self, place: Place) -> None:
        """Refuse a place where the layer cannot stand, with a ValueError.

        Parameters
        ----------
        place : Place
            Where the layer stands in its network.
        """

    def init(
        self, keys: Sequence[Array], place: Place, numbers: Numbers, initial_field: Array | float
    ) -> Any:
        """Initial beliefs, one key for each weight layer; None without weights.

        Parameters
        ----------
        keys : sequence of Array
            Random keys, one for each weight layer.
        place : Place
            Where the layer stands in its network.
        numbers : sequence of Hyper
            Scalars, one Hyper for each weight layer.
        initial_field : float >= 0
            Scale of the random initial fields.
        """

    def begin(self, place: Place, state: Any, batch_size: int, dtype: Any, numbers: Numbers) -> Any:
        """Memory of the sweeps over a batch, before the first: all messages are zero.

        Parameters
        ----------
        place : Place
            Where the layer stands in its network.
        state : pytree or None
            Beliefs of the layer.
        batch_size : int >= 1
            B.
        dtype : dtype
            Of the messages.
        numbers : sequence of Hyper
            Scalars, one Hyper for each weight layer.
        """

    def forward(
        self, place: Place, state: Any, below: Inputs, memory: Any, numbers: Numbers
    ) -> tuple[Inputs, Any]:
        """Moments of the outputs under the last message from above, and what ``backward`` needs.

        Parameters
        ----------
        place : Place
            Where the layer stands in its network.
        state : pytree or None
            Beliefs of the layer.
        below : Inputs [B, *in_shape]
            Moments of the layer below, or data.
        memory : pytree or None
            What the layer keeps between the sweeps over a batch.
        numbers : sequence of Hyper
            Scalars, one Hyper for each weight layer.
        """

    def backward(
        self,
        place: Place,
        state: Any,
        cache: Any,
        above: Natural | Labels,
        memory: Any,
        numbers: Numbers,
        sample_weight: Array | None,
    ) -> tuple[Any, Any, Natural | None]:
        """New state, new memory, and the message down (None to data).

        Parameters
        ----------
        place : Place
            Where the layer stands in its network.
        state : pytree or None
            Beliefs of the layer.
        cache : object
            What ``forward`` returned.
        above : Natural [B, *out_shape] or Labels
            The message from above.
        memory : pytree or None
            What the layer keeps between the sweeps over a batch.
        numbers : sequence of Hyper
            Scalars, one Hyper for each weight layer.
        sample_weight : Array [B] or [B, K] or None
            How often the messages of each sample to the weights count; None: once.
        """

    def moments(
        self, place: Place, beliefs: Sequence[Moments], below: Inputs, noise: Sequence[Array]
    ) -> Inputs:
        """Moments of the outputs with nothing above, weights averaged over their beliefs.

        Parameters
        ----------
        place : Place
            Where the layer stands in its network.
        beliefs : sequence of Moments
            Damped moments of the weights, one for each weight layer.
        below : Inputs [B, *in_shape]
            Moments of the layer below, or data.
        noise : sequence of Array
            Standard deviation on the pre-activations, one for each weight layer.
        """

    def apply(self, weights: Sequence[Array], inputs: Array) -> Array:
        """Outputs ``[B, *out_shape]`` of the discrete network for ``[B, *in_shape]``.

        Parameters
        ----------
        weights : sequence of int8 Array
            Discrete weights, one for each weight layer.
        inputs : Array [B, *in_shape]
            Units of the layer below, or data.
        """


def reshaped(inputs: Inputs, onward: Callable[[Array], Array], back: Callable[[Array], Array]) -> Inputs:
    """Apply ``onward`` to every array of ``inputs``; fields of cavities go through ``back`` first.

    Parameters
    ----------
    inputs : Inputs
        Moments of units.
    onward : callable
        From the shape of the layer below to that of the layer above.
    back : callable
        Its inverse, for fields of cavities.
    """
    leaves = (inputs.mean, inputs.variance, inputs.second_moment, inputs.field)
    _, variance, second, field = (None if leaf is None else onward(leaf) for leaf in leaves)
    mean, respond = onward(inputs.mean), inputs.respond
    if respond is None:
        return Inputs(mean, variance, second, None, field)

    def respond_to(cavity: Array) -> Moments:
        own_mean, own_variance = respond(back(cavity))
        return Moments(onward(own_mean), onward(own_variance))

    return Inputs(mean, variance, second, respond_to, field)
