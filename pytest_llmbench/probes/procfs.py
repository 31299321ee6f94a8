"""Small kernel files that may be absent, forbidden or gone: what they say, or ``None``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 8192  # a larger buffer costs more than the reading


def read_text(path: Path) -> str | None:
    """Return the stripped text of *path*, or ``None`` where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def read_quickly(path: str) -> bytes | None:
    """Return the first 8 KiB of *path* by three system calls, or ``None`` where it can't be read.

    About 5 µs, a third of :func:`read_text`'s: for files that are read once per thread.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(descriptor, _MOST_BYTES)
    except OSError:  # a thread that ended after the opening says ESRCH here
        return None
    finally:
        os.close(descriptor)


def read_fields(path: Path) -> dict[str, str]:
    """Return ``Key: value`` lines as a mapping; empty where *path* can't be read.

    Where a key comes more than once (``/proc/cpuinfo``), its first value stands.
    """
    fields: dict[str, str] = {}
    for line in (read_text(path) or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def kilobytes(fields: Mapping[str, str], key: str) -> int | None:
    """Return the bytes of a field such as ``VmRSS:  1768 kB``; ``None`` where there is none."""
    words = fields.get(key, "").split()
    if len(words) == 2 and words[0].isdigit() and words[1] == "kB":
        return int(words[0]) * 1024
    return None
