"""What a process prints, C libraries included, kept in a file that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

_LAST_LINES: Final = 3
_TAIL_BYTES: Final = 16 * 1024


class PrintLog:
    """A file that processes append to, and that is read by its open handle.

    Attributes:
        path: its name, until the last process that needs it calls :func:`forget`.
    """

    def __init__(self) -> None:
        descriptor, self.path = tempfile.mkstemp(prefix="llmbench-", suffix=".log")
        os.close(descriptor)
        self._file = Path(self.path).open("rb")  # noqa: SIM115 — closed by close()

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines that hold anything; none once it is closed."""
        if self._file.closed:
            return ()
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - _TAIL_BYTES))
        lines = self._file.read().decode("utf-8", errors="replace").splitlines()
        return tuple(line.strip() for line in lines if line.strip())[-_LAST_LINES:]

    def close(self) -> None:
        """Close and remove the file; may be called again."""
        self._file.close()
        _unlink(self.path)


def print_to(path: str) -> None:
    """Send everything this process prints, and its children print, to the file *path*."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target in (1, 2):
        os.dup2(descriptor, target)
    os.close(descriptor)


def forget(path: str) -> None:
    """Take the file's name away where open files live on without it: nothing can be left."""
    if os.name == "posix":
        _unlink(path)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        Path(path).unlink()
