"""A server that we start, wait for, look at and stop; nothing of it outlives this process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pytest_llmbench.errors import LoadError

GRACE_S: Final = 10.0
"""Seconds that a server may take to end by itself."""

_SUPERVISED: Final = (sys.executable, "-P", str(Path(__file__).with_name("supervisor.py")))
_LAST_LINES: Final = 5
_LAST_BYTES: Final = 8192
_REAPED_S: Final = 0.3
_WAITS_S: Final = (0.05, 0.25)


def free_port() -> int:
    """Return a port of this machine that nothing uses now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def answers(url: str) -> bool:
    """Whether anything accepts connections at *url*."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=1.0).close()
    except OSError:
        return False
    return True


class Server:
    """A server's processes, from the command that starts it to the last one of them.

    Args:
        command: the command and its arguments.
        folder: where it runs.
        environment: variables on top of this process's.
        grace_s: seconds that it may take to end by itself.

    Raises:
        LoadError: there is no such folder.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        folder: Path,
        environment: Mapping[str, str],
        *,
        grace_s: float = GRACE_S,
    ) -> None:
        self._command = command
        self._grace_s = grace_s
        descriptor, path = tempfile.mkstemp(prefix="llmbench-server-", suffix=".log")
        self._log = Path(path)
        self._printed = self._log.open("rb")
        try:
            self._supervisor = subprocess.Popen(  # noqa: S603 — the user's own command
                [*_SUPERVISED, str(os.getpid()), str(grace_s), *command],
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        except OSError as exc:
            self._forget_log()
            raise LoadError(
                f"serve = {list(command)} could not be started in {folder}: {exc.strerror}"
            ) from exc
        finally:
            os.close(descriptor)
        if os.name == "posix":  # an open file lives on without its name: nothing is left
            self._log.unlink()

    def wait(self, ready: Callable[[], bool], address: str) -> None:
        """Return once *ready* says so of the server at *address*.

        There is no time-out: the session's own (``load_timeout_s``) ends this process and the
        server with it, and tells what this process printed last: what is being waited for.

        Raises:
            LoadError: the server ended before.
        """
        pause, longest = _WAITS_S
        told = ""
        while not ready():
            waiting = f"waiting until {address} answers that it is ready{self._last_lines()}\n"
            if waiting != told:
                sys.stderr.write(waiting)
                sys.stderr.flush()
                told = waiting
            if self._supervisor.poll() is not None:
                raise LoadError(
                    f"serve = {list(self._command)} ended before it was ready: "
                    f"{self._cause_of_death()}{self._last_lines()}"
                )
            time.sleep(pause)
            pause = min(longest, pause * 1.2)

    def processes(self) -> tuple[int, ...]:
        """Return the processes of the server, its supervisor left out; empty after its end."""
        import psutil

        try:
            below = psutil.Process(self._supervisor.pid).children(recursive=True)
        except psutil.Error:
            return ()
        return tuple(process.pid for process in below)

    def stop(self) -> None:
        """Ask the server to end, wait for that, and make it; may be called again."""
        if self._supervisor.stdin is not None:
            self._supervisor.stdin.close()
        try:
            self._supervisor.wait(timeout=3 * self._grace_s + _REAPED_S)
        except subprocess.TimeoutExpired:
            self._kill()
        self._forget_log()

    def last_words(self) -> str:
        """Return how the server ended, if it did, and what it printed last: a sentence's end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(timeout=_REAPED_S)
        ended = self._cause_of_death()
        printed = self._last_lines()
        return (f"; the server is gone: {ended}" if ended else "") + printed

    def _kill(self) -> None:
        import psutil

        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._supervisor.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        self._supervisor.kill()
        self._supervisor.wait()

    def _cause_of_death(self) -> str:
        status = self._supervisor.poll()
        if status is None:
            return ""
        with contextlib.suppress(ValueError):
            return f"it was killed by {signal.Signals(status - 128).name}"
        return f"it exited with status {status}"

    def _last_lines(self) -> str:
        if self._printed.closed:
            return ""
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - _LAST_BYTES))
        lines = self._printed.read().decode("utf-8", errors="replace").splitlines()
        last = [line.strip() for line in lines if line.strip()][-_LAST_LINES:]
        return f" (it last printed: {' | '.join(last)})" if last else ""

    def _forget_log(self) -> None:
        self._printed.close()
        with contextlib.suppress(OSError):
            self._log.unlink()
