"""The distinct warnings that Python code and an engine's loggers gave."""

from __future__ import annotations

import logging
import warnings
from types import TracebackType
from typing import Final, Self, TextIO

_LONGEST: Final = 300


class WarningsSeen(logging.Handler):
    """A context that keeps every distinct warning, by its first line, in the order of arrival.

    It listens to the ``warnings`` module and to records of level WARNING and above that reach
    the root logger. It can be entered again and again.
    """

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._seen: dict[str, None] = {}
        self._catch = warnings.catch_warnings()

    @property
    def distinct(self) -> tuple[str, ...]:
        """What was seen so far."""
        return tuple(self._seen)

    def __enter__(self) -> Self:
        self._catch = warnings.catch_warnings()
        self._catch.__enter__()
        warnings.simplefilter("default")
        warnings.showwarning = self._show
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.getLogger().removeHandler(self)
        self._catch.__exit__(kind, value, trace)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log record's message."""
        self._keep(record.getMessage())

    def _show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,  # noqa: ARG002 — the signature is the warnings module's
        lineno: int,  # noqa: ARG002
        file: TextIO | None = None,  # noqa: ARG002
        line: str | None = None,  # noqa: ARG002
    ) -> None:
        self._keep(f"{category.__name__}: {message}")

    def _keep(self, text: str) -> None:
        first = next(iter(text.strip().splitlines()), "")
        self._seen.setdefault(first[:_LONGEST])
