"""One line on a terminal that says what is being measured; nothing in CI or in a file.

There is no thread that redraws it: a spinner would take processor time from what is measured.
"""

from __future__ import annotations

import os
from typing import Final, TextIO

import pytest

from pytest_llmbench.runner.progress import Progress, Quiet

_CLEAR: Final = "\r\x1b[2K"
_CI_VARIABLES: Final = ("CI", "BUILD_NUMBER")


class TerminalLine:
    """Rewrites one line of a terminal; *width* cuts what would wrap."""

    def __init__(self, file: TextIO, width: int) -> None:
        self._file = file
        self._width = width
        self._shown = False

    def say(self, text: str) -> None:
        """Show *text* in place of the last, below what pytest has written so far."""
        line = f"llmbench: {text}"[: max(1, self._width - 1)]
        start = _CLEAR if self._shown else "\n"
        self._file.write(f"{start}{line}")
        self._file.flush()
        self._shown = True

    def clear(self) -> None:
        """Remove the line and go back up to pytest's own."""
        if self._shown:
            self._file.write(f"{_CLEAR}\x1b[A")
            self._file.flush()
            self._shown = False


def progress_of(config: pytest.Config) -> Progress:
    """Return a terminal's line where a person watches, else silence."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    watched = reporter is not None and reporter.isatty
    if not watched or any(os.environ.get(name) for name in _CI_VARIABLES):
        return Quiet()
    writer = config.get_terminal_writer()
    return TerminalLine(writer._file, writer.fullwidth)  # noqa: SLF001 — pytest has no other way
