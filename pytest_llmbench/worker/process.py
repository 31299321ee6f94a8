"""The seam to a worker's process: to rest it, to end it, and to learn how it ended.

:class:`LocalProcess` does so on the machine where it runs; for a worker on another host,
:class:`pytest_llmbench.worker.remote.RemoteProcess` passes the same calls on to one there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final, Protocol

import psutil

from pytest_llmbench.worker import warden
from pytest_llmbench.worker.print_log import PrintLog

_WINDOWS_CRASHES: Final = {0xC0000005: "access violation"}


class Process(Protocol):
    """A worker's process with all its descendants. No method raises; a dead one is a fact."""

    def suspend(self, *, again: bool = False) -> None:
        """Stop all of it: threads that spin while idle would starve the one being timed.

        *again*: its descendants are those of the last time, which need not be looked for.
        """

    def resume(self) -> None:
        """Let all of it go on."""

    def keep_on(self, processors: Collection[int]) -> None:
        """Let its threads run on these processors alone, where the system can have that."""

    def settle(self, *, guarded: bool) -> None:
        """Take note that it is up. *guarded*: its children would outlive a killed session."""

    def ended(self, wait_s: float = 0.0) -> str | None:
        """Return how it ended, as a clause, or ``None`` while it lives for *wait_s* seconds."""

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines that it printed."""

    def kill(self) -> None:
        """End all of it, whatever it is doing, and forget what it printed. May be repeated."""


class LocalProcess:
    """A worker's process on this machine, a child of this process.

    Args:
        pid: its process id.
        log: takes what it prints.
        mark: what its descendants carry in their environment.
    """

    def __init__(self, pid: int, log: PrintLog, mark: str) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)
        self._log = log
        self._mark = mark
        self._warden: subprocess.Popen[bytes] | None = None
        self._over = False
        self._stopped: list[psutil.Process] = []

    def suspend(self, *, again: bool = False) -> None:
        """Stop the worker before its children, so that it starts no further ones meanwhile."""
        if again and self._stopped:
            _each(psutil.Process.suspend, self._stopped)
            return
        self._stopped = []
        while fresh := [p for p in self._family() if p not in self._stopped]:
            _each(psutil.Process.suspend, fresh)
            self._stopped += fresh

    def resume(self) -> None:
        """Wake children before their parents: who asks finds somebody awake to answer."""
        _each(psutil.Process.resume, reversed(self._stopped))

    def keep_on(self, processors: Collection[int]) -> None:
        """Move each of its threads; those that they start stay with them."""
        move = getattr(os, "sched_setaffinity", None)  # Linux alone has it
        if move is None or not processors:
            return
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{self.pid}/task"):  # noqa: PTH208 — names are wanted
                with contextlib.suppress(OSError):  # it ended
                    move(int(thread), processors)

    def settle(self, *, guarded: bool) -> None:
        """Start a warden, where *guarded*."""
        if guarded and self._warden is None:
            self._warden = _start_warden(self.pid, self._mark)

    def ended(self, wait_s: float = 0.0) -> str | None:
        """Return how it ended: its exit status or signal in words."""
        try:
            return explain(self._process.wait(timeout=wait_s))
        except psutil.TimeoutExpired:
            return self._ended_soon()

    def _ended_soon(self) -> str | None:
        """Return how it ended where its first thread has, and others are only just ending."""
        try:
            if self._process.status() != psutil.STATUS_ZOMBIE:
                return None
            return explain(self._process.wait(timeout=warden.PATIENCE_S))
        except psutil.Error:
            return None

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines of its log."""
        return self._log.last_lines()

    def kill(self) -> None:
        """Kill the tree; where it fell apart, or was guarded, all that carries the mark too."""
        if self._over:
            return
        self._over = True
        orphaned = self.ended() is not None
        warden.kill_tree(self._process)
        with contextlib.suppress(psutil.Error):
            self._process.wait(timeout=warden.PATIENCE_S)
        if orphaned or self._warden is not None:
            warden.kill_marked(self._mark)
        if self._warden is not None:
            self._warden.kill()
            self._warden.communicate()
            self._warden = None
        self._log.close()

    def _family(self) -> list[psutil.Process]:
        """The process, then its descendants, parents before their children."""
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []


def _each(do: Callable[[psutil.Process], None], processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            do(process)


def new_mark() -> str:
    """Return a mark that no other worker has."""
    return uuid.uuid4().hex


def explain(status: int | None) -> str:
    """Say how a process with this exit status ended; negative ones are signals."""
    if status is None:
        return "its exit status is unknown"
    if status >= 0:
        return _WINDOWS_CRASHES.get(status, f"it exited with status {status}")
    name = signal.Signals(-status).name
    hint = " (out of memory? the kernel kills with this signal)" if name == "SIGKILL" else ""
    return f"it was killed by {name}{hint}"


def _start_warden(pid: int, mark: str) -> subprocess.Popen[bytes]:
    """Start a warden in a session of its own: the terminal's Ctrl-C is not for it."""
    return subprocess.Popen(  # noqa: S603 — this interpreter and a file of ours
        [sys.executable, "-P", str(Path(warden.__file__)), str(pid), mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=os.name == "posix",
    )
