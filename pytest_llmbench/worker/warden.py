"""A small process that outlives a worker's owner and leaves nothing of the worker behind.

An engine may start a server. The kernel ends the worker with the session, but not the worker's
children, and a session that is killed can't end them either. So the owner of such a worker
starts this file beside it and holds the other end of its standard input: when that closes, by
whatever death, the worker and all that carries its mark are killed.

A mark is an environment variable of the worker, which its children inherit: it finds those that
were left alone by their parent's death, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

import psutil

MARK: Final = "LLMBENCH_WORKER"
"""The environment variable that a worker's children carry."""

PATIENCE_S: Final = 5.0
"""Seconds within which killed processes are gone, unless the system is in trouble."""


def kill_tree(process: psutil.Process) -> None:
    """Kill *process*, then its descendants; return when they are gone."""
    family = [process]
    with suppress(psutil.Error):
        family += process.children(recursive=True)
    kill(family)


def kill_marked(mark: str) -> None:
    """Kill every process that carries *mark*, until there is none."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = list(_marked(mark))
        if not found:
            return
        kill(found)


def kill(processes: Iterable[psutil.Process]) -> None:
    """Kill *processes* in their order and wait a few seconds until they are gone."""
    killed = list(processes)
    for process in killed:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not all(_gone(process) for process in killed):
        time.sleep(0.005)


def _gone(process: psutil.Process) -> bool:
    """Whether it ended; one that nobody has asked for its exit status yet has ended too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and not _gone(process):
                yield process


def main(arguments: list[str]) -> None:
    """Wait for the end of standard input, then kill the worker and what carries its mark."""
    pid, mark = int(arguments[0]), arguments[1]
    try:
        worker = psutil.Process(pid)
    except psutil.NoSuchProcess:
        worker = None
    sys.stdin.buffer.read()
    if worker is not None:
        kill_tree(worker)
    kill_marked(mark)


if __name__ == "__main__":
    main(sys.argv[1:])
