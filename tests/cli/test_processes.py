"""Processes of one command end with the one that started them."""

import os
import signal
import subprocess
import sys
import time

import pytest

CHILD = (
    "import os, time; from mpnn.cli.processes import end_with; end_with(os.getppid()); {said}; time.sleep(60)"
)
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(60)
"""


def runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{process}/stat") as stat:  # an ended process whose parent has not asked for it
        return stat.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks at processes as Linux lists them")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_process_ends_with_its_parent(name):
    child = CHILD.format(said="print(os.getpid(), flush=True)")
    with subprocess.Popen([sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE, text=True) as parent:
        number = int(parent.stdout.readline())
        assert runs(number)
        parent.send_signal(getattr(signal, name))
        parent.wait(timeout=10)
        limit = time.monotonic() + 10
        while runs(number) and time.monotonic() < limit:
            time.sleep(0.05)
        assert not runs(number)
