"""The `mpnn` command: finds the command that is meant, runs it, and turns mistakes into one sentence.

Heavy imports live inside the commands, so that `mpnn --help` answers at once.
"""

import errno
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

from rich.console import Console

from mpnn import __version__
from mpnn.cli.arguments import parse
from mpnn.cli.console import print_error, print_line
from mpnn.cli.interrupts import STOPPED, Interrupted, ended_soon
from mpnn.programs.disk import keep_on_disk
from mpnn.runs.toml import ConfigError

__all__ = ["main"]

# What a disk says that is full, or that may not be written.
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 1: every row failed, 2: a mistake of the user, 130: Ctrl-C."""
    if arguments is None:  # as a command, not from a program that has its own settings
        keep_on_disk()
        arguments = sys.argv[1:]
        if not any(argument.startswith("--cluster") for argument in arguments):  # jobs have to be cancelled
            with ended_soon(_resume_advice(arguments)):
                return _run(arguments)
    return _run(list(arguments))


def _run(arguments: list[str]) -> int:
    console = Console()
    if arguments == ["--version"]:
        print_line(console, f"mpnn {__version__}")
        return 0
    try:
        command = parse(arguments)
        module = import_module(f"mpnn.cli.commands.{type(command).__name__.lower()}")
        return module.run(command, arguments, console) or 0
    except ConfigError as error:
        print_error(str(error))
        return 2
    except KeyboardInterrupt as error:
        print_error(_resume_advice(arguments), style="")
        if isinstance(error, Interrupted):  # the compiled program would keep the process waiting
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(STOPPED)
        return STOPPED
    except BrokenPipeError:  # the reader of the output has enough, as in `mpnn predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        place = f" {error.filename}" if error.filename else ""
        kept = "finished rows are kept, and the same command goes on" if arguments[:1] == ["compare"] else ""
        print_error("; ".join(filter(None, [f"cannot write{place}: {error.strerror}", kept])))
        return 2


def _resume_advice(arguments: list[str]) -> str:
    if arguments[:1] == ["train"] and any(own.startswith("--checkpoints") for own in arguments):
        return f"stopped; the last checkpoint is kept. To resume: {shlex.join(['mpnn', *arguments])}"
    if arguments[:1] != ["compare"]:
        return "stopped; nothing was written"
    again = [argument for argument in arguments if argument not in ("--fresh", "--retry-errors")]
    return f"stopped; finished rows are kept. To resume: {shlex.join(['mpnn', *again])}"


if __name__ == "__main__":
    sys.exit(main())
