"""Other work on this machine: none, a busy loop that comes and goes, or one that stays."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

CONDITIONS = ("quiet", "bursty", "contended")

_BURSTY = """
import os, random, time
chance, parent = random.Random(), os.getppid()
while os.getppid() == parent:
    until = time.monotonic() + chance.uniform(1, 6)
    while time.monotonic() < until:
        pass
    time.sleep(chance.uniform(1, 6))
"""
_CONTENDED = """
import os
parent = os.getppid()
while os.getppid() == parent:
    pass
"""


@contextlib.contextmanager
def neighbour(condition: str) -> Iterator[None]:
    """Have the neighbour of *condition* while the context lasts."""
    program = {"bursty": _BURSTY, "contended": _CONTENDED}.get(condition)
    if program is None:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        yield
    finally:
        process.kill()
        process.wait()
