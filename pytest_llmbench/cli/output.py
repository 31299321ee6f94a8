"""How the commands write: lines, aligned columns, and one line of progress on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from pytest_llmbench.runner.progress import Progress, Quiet

_CLEAR: Final = "\r\x1b[2K"
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
"""Stands for a space at which :func:`say_wrapped` does not go on in the next line."""

_GAP: Final = "  "
_WIDE: Final = 100
_NARROW: Final = 24


def say(text: str = "") -> None:
    """Write one line, and let a reader at the end of a pipe see it now."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_table(rows: Iterable[Sequence[str]], *, indent: str = "  ") -> None:
    """Write *rows* in columns; empty cells at a row's end take no room."""
    every = [tuple(row) for row in rows]
    widths = column_widths(every)
    for row in every:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        say(f"{indent}{_GAP.join(cells)}".rstrip())


def say_wrapped(rows: Iterable[Sequence[str]], *, indent: str = "  ") -> None:
    """Write *rows* as :func:`say_table` does; a last cell that is too long goes on below itself.

    On a pipe lines are as long as on a wide terminal.
    """
    every = [tuple(row) for row in rows]
    room = shutil.get_terminal_size(fallback=(_WIDE, 24)).columns - len(indent)
    before = [*column_widths(every)]
    say_table((line for row in every for line in _wrapped(row, before, room)), indent=indent)


def _wrapped(row: Sequence[str], widths: Sequence[int], room: int) -> list[tuple[str, ...]]:
    """Return *row* as several, the parts of its last cell in one column."""
    *first, last = row
    left = room - sum(width + len(_GAP) for width in widths[: len(first)])
    parts = textwrap.wrap(
        last, max(left, _NARROW), break_long_words=False, break_on_hyphens=False
    ) or [""]
    parts = [part.replace(NO_BREAK, " ") for part in parts]
    return [(*first, parts[0]), *((*("",) * len(first), part) for part in parts[1:])]


def column_widths(rows: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Return each column's width; a row's last cell may run on and widens nothing."""
    columns = max((len(row) for row in rows), default=0)
    return tuple(
        max((len(row[number]) for row in rows if number < len(row) - 1), default=0)
        for number in range(columns)
    )


def heading(text: str) -> None:
    """Write *text* with an empty line before it."""
    say()
    say(text)


class TerminalLine:
    """Rewrites one line of a terminal; *width* cuts what would wrap."""

    def __init__(self, file: TextIO, width: int) -> None:
        self._file = file
        self._width = width

    def say(self, text: str) -> None:
        """Show *text* in place of the last."""
        self._file.write(f"{_CLEAR}{text[: max(1, self._width - 1)]}")
        self._file.flush()

    def clear(self) -> None:
        """Show nothing."""
        self._file.write(_CLEAR)
        self._file.flush()


def progress() -> Progress:
    """Return a line on the terminal where a person watches, else silence."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        return Quiet()
    return TerminalLine(sys.stderr, shutil.get_terminal_size().columns)
