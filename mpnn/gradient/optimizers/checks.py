"""What the transformations ask of their caller."""

from typing import Any

__all__ = ["require_params"]


def require_params(params: Any) -> None:
    """Refuse an update that was not given the parameters."""
    if params is None:
        raise ValueError("this transformation needs the parameters: call update(updates, state, params)")
