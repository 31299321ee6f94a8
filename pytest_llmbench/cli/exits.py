"""What an exit code of ``llmbench`` says."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes: the same in every command."""

    FINE = 0
    NO = 1
    USAGE = 2
    INTERRUPTED = 130
    BROKEN_PIPE = 141
