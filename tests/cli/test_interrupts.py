"""Ctrl-C: heard whatever the interrupted code makes of the exception."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mpnn.cli import interrupts

# What a callback of the garbage collector, a finaliser or another package does to an exception.
LOSES = """
import os, signal, time
from mpnn.cli.interrupts import ended_soon
signal.signal(signal.SIGINT, signal.default_int_handler)
with ended_soon("stopped; nothing was written"):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        print("lost", flush=True)
    time.sleep(60)
"""


def test_an_interrupt_that_is_lost_still_ends_the_process_within_two_seconds():
    begun = time.monotonic()
    found = subprocess.run([sys.executable, "-c", LOSES], capture_output=True, text=True, timeout=30)
    assert (found.returncode, found.stdout, found.stderr) == (130, "lost\n", "stopped; nothing was written\n")
    assert interrupts.PATIENCE < time.monotonic() - begun < 10  # the rest is the start of the process
    assert interrupts.PATIENCE < 2


def _interrupted_within():
    with interrupts.ended_soon("stopped"):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_an_interrupt_is_raised_at_once_and_the_handler_of_before_comes_back(monkeypatch):
    monkeypatch.setattr(interrupts, "PATIENCE", 3600.0)  # the process of the tests shall live
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _interrupted_within()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background job
        with interrupts.ended_soon("stopped"):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
