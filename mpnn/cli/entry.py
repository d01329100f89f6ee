"""The door of the command: Ctrl-C is heard from here on, while the rest is imported.

An exception in the middle of another package's import may end as that package's own error. So until all is
there, Ctrl-C ends the process at once: nothing was written yet.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["main"]

STOPPED = 130


def main() -> int:
    """Run the command line of this process; see :func:`mpnn.cli.main.main`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where a program or a shell ignores it
        signal.signal(signal.SIGINT, _leave)
    from mpnn.cli.main import main as run

    try:
        signal.signal(signal.SIGINT, before)
        return run()
    except KeyboardInterrupt:  # before the command's own handler, or a second time within it
        sys.stderr.write("stopped\n")
        return STOPPED


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"stopped; nothing was written\n")
    os._exit(STOPPED)
