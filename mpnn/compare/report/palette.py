"""One colour and one marker a method, the same in all figures and tables and, by its kind, in all reports."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["COLOURS", "MARKERS", "Look", "assign_looks"]

# Told apart by readers with any colour vision (after Okabe and Ito), and by markers beside that. The
# page replaces them by --series-1, --series-2 ... and the ink by the colour of its text.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#8a6d00", "#596673", "#2a9fd6", "#a0522d")
MARKERS = "os^DvPX*"

# Places of frequent methods: the first of its kind has it in every report.
_PLACES = {
    "message_passing": 0,
    "logistic_regression": 1,
    "linear_svm": 2,
    "rbf_svm": 3,
    "nearest_neighbour": 4,
    "most_frequent": 5,
    "straight_through": 6,
    "bemi": 7,
    "single_neuron": 7,
}


class Look(NamedTuple):
    """How a method is drawn.

    Parameters
    ----------
    number : int >= 0
        Place of the method in the config, by which the page finds all that belongs to it.
    colour : int >= 0
        Place in `COLOURS`.
    marker : str
        A marker of Matplotlib.
    """

    number: int
    colour: int
    marker: str

    @property
    def style(self) -> dict[str, Any]:
        """Keywords of Matplotlib's lines."""
        return {"color": COLOURS[self.colour], "marker": self.marker, "gid": self.gid}

    @property
    def gid(self) -> str:
        """The name of its parts in a figure; `render_svg` makes it an attribute."""
        return f"series-{self.number}"


def assign_looks(methods: Sequence[Mapping[str, Any]]) -> dict[str, Look]:
    """Return the look of each method by name; colours repeat after eight, with other markers.

    Parameters
    ----------
    methods : sequence of dict
        Methods of a config, with "name" and "method".
    """
    places: dict[str, int] = {}
    for method in methods:
        place = _PLACES.get(method["method"])
        if place is not None and place not in places.values():
            places[method["name"]] = place
    free = (place for place in range(len(methods) + len(_PLACES)) if place not in set(places.values()))
    for method in methods:
        if method["name"] not in places:
            places[method["name"]] = next(free)
    return {method["name"]: _look(number, places[method["name"]]) for number, method in enumerate(methods)}


def _look(number: int, place: int) -> Look:
    turn = place // len(COLOURS)
    return Look(number, place % len(COLOURS), MARKERS[(place + turn) % len(MARKERS)])
