"""Files that a report is written to: in one step, and never over what is no file."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_llmbench.errors import ConfigError


def write_file(path: Path, data: bytes, *, flag: str) -> None:
    """Put *data* at *path* in one step, making the folders that lead there.

    Args:
        path: a file, or a link to one, which stays a link.
        data: all of it.
        flag: the option that named the file, as it is typed; stands in messages.

    Raises:
        ConfigError: *path* can't be written; what was there before is untouched.
    """
    with _translated(path, flag):
        _refuse_irregular(path)
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(target, data)


def check_file(path: Path, *, flag: str) -> None:
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
