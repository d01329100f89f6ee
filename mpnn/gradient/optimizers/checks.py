"""What the transformations ask of their caller."""

from chex import ArrayTree

__all__ = ["require_params"]


def require_params(params: ArrayTree | None) -> None:
    """Refuse an update that was not given the parameters.

    Parameters
    ----------
    params : pytree of arrays or None
        What ``update`` was given.

    Raises
    ------
    ValueError
        There are none.
    """
    if params is None:
        raise ValueError("this transformation needs the parameters: call update(updates, state, params)")
