"""Lines on the terminal."""

from rich.console import Console

__all__ = ["print_error", "print_line"]


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a text as it is: whole however wide, without markup."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_error(text: str, style: str = "red") -> None:
    """Print a text to the standard error."""
    print_line(Console(stderr=True), text, style)
