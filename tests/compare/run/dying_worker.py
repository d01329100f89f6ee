"""A worker whose fit ends the process; a module of its own, which a new process imports at once."""

import os
import signal


def die_with_the_first_job(connection, config, artifacts):
    connection.send(None)
    connection.recv()
    os.kill(os.getpid(), signal.SIGKILL)
