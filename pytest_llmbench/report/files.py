"""Where reports are written: a file in one step, or more text at the end of one."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_llmbench.errors import ConfigError


def write_file(path: Path, text: str, flag: str) -> None:
    """Put *text* at *path* in one step, making the folders that lead there.

    A lone surrogate, which has no UTF-8, is written as its escape.

    Args:
        path: a file, or a link to one, which stays a link.
        text: what it holds afterwards.
        flag: the option that named it, for messages: ``--llmbench-json``.

    Raises:
        ConfigError: *path* can't be written; what was there before is untouched.
    """
    data = text.encode("utf-8", errors="backslashreplace")
    with _translated(path, flag):
        _refuse_irregular(path)
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(target, data)


def check_place(path: Path, flag: str) -> None:
    """Check that *path* can be written, before anything is measured; leaves nothing behind.

    Raises:
        ConfigError: it is no place for a file, or not ours to write.
    """
    with _translated(path, flag):
        _refuse_irregular(path)
        folder = Path(os.path.realpath(path)).parent
        while not folder.exists():
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            pass


def append_text(path: Path, text: str) -> None:
    """Add *text* at the end of the file *path*, a line of its own.

    Raises:
        OSError: it can't be written.
    """
    with path.open("ab") as file:
        file.write(f"\n{text}".encode(errors="backslashreplace"))


def size_of(path: Path) -> int:
    """Return how many bytes *path* has; 0 where it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _put(target: Path, data: bytes) -> None:
    draft = target.with_name(f".llmbench-{secrets.token_hex(8)}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _refuse_irregular(path: Path) -> None:
    """Refuse what exists and is no file: replacing a folder or a device would destroy it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(0, "it is not a regular file")


@contextmanager
def _translated(path: Path, flag: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise ConfigError(
            f"{flag}={path} can't be written: {reason}; type {flag}=FILE with "
            "a file in a folder that you may write to"
        ) from exc
