"""One line on a terminal that says what is being measured; nothing in CI or in a file.

There is no thread that redraws it: a spinner would take processor time from what is measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, TextIO

import pytest

from pytest_llmbench.runner.progress import Progress, Quiet

_SAVE: Final = "\x1b7"
_BACK_AND_ERASE: Final = "\x1b8\x1b[K"
_ROOM: Final = 20
_CI_VARIABLES: Final = ("CI", "BUILD_NUMBER")


class _Writer(Protocol):
    """What is needed of pytest's terminal writer."""

    fullwidth: int
    _file: TextIO

    @property
    def width_of_current_line(self) -> int:
        """Columns that pytest has written on the current line."""


class TerminalLine:
    """Shows text after what pytest has written on the current line, and takes it away again.

    Text that has no room there is cut, so that it never wraps; where there is hardly any room,
    nothing is shown.

    Args:
        writer: pytest's own.
        uncaptured: a context in which pytest does not capture what is written.
    """

    def __init__(
        self, writer: _Writer, uncaptured: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._writer = writer
        self._uncaptured = uncaptured
        self._shown = False

    def say(self, text: str) -> None:
        """Show *text* in place of the last."""
        self.clear()
        room = self._writer.fullwidth - self._writer.width_of_current_line - 3
        if room >= _ROOM:
            self._write(f"{_SAVE}  {text[:room]}")
            self._shown = True

    def clear(self) -> None:
        """Leave the line as pytest wrote it."""
        if self._shown:
            self._write(_BACK_AND_ERASE)
            self._shown = False

    def _write(self, text: str) -> None:
        file = self._writer._file  # noqa: SLF001 — its own write would count our text as pytest's
        with self._uncaptured():
            file.write(text)
            file.flush()


class PytestProgress:
    """A terminal's line where a person watches, else silence.

    Which of them is found out at the first word: pytest's reporter comes after our start.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._chosen: Progress | None = None

    def say(self, text: str) -> None:
        """Show *text* in place of the last."""
        self._progress().say(text)

    def clear(self) -> None:
        """Show nothing."""
        self._progress().clear()

    def _progress(self) -> Progress:
        if self._chosen is None:
            self._chosen = _choose(self._config)
        return self._chosen


def _choose(config: pytest.Config) -> Progress:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    watched = reporter is not None and reporter.isatty()
    if not watched or any(os.environ.get(name) for name in _CI_VARIABLES):
        return Quiet()
    capture = config.pluginmanager.get_plugin("capturemanager")
    uncaptured = nullcontext if capture is None else capture.global_and_fixture_disabled
    writer: _Writer = config.get_terminal_writer()
    return TerminalLine(writer, uncaptured)
