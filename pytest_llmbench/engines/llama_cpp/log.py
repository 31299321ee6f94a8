"""llama.cpp's log: warnings go to Python's logging, the rest is kept while something is loaded."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Final

LOGGER: Final = logging.getLogger("llama.cpp")

# ggml.h; llama-cpp-python 0.3.36 reads them one too low and hides errors as debug messages.
_INFO: Final = 2
_WARN: Final = 3
_ERROR: Final = 4
_CONTINUES: Final = 5


class Log:
    """Receives every message of llama.cpp in this process.

    Args:
        llama: the module ``llama_cpp``; it holds one receiver at a time.

    Attributes:
        lines: what was said at level INFO and above since :meth:`clear`, while :attr:`keeps`.
        errors: the last errors since :meth:`clear`, without the names of functions.
        keeps: whether lines are kept; switched off while tokens are generated.
    """

    def __init__(self, llama: Any) -> None:
        self.lines: list[str] = []
        self.errors: deque[str] = deque(maxlen=8)
        self.keeps = False
        self._level = _INFO
        self._begun = ""
        self._callback = llama.llama_log_callback(self._take)  # C holds no reference to it
        llama.llama_log_set(self._callback, None)

    def clear(self, *, keep: bool) -> None:
        """Forget what was said; *keep* what comes."""
        self.lines, self.keeps = [], keep
        self.errors.clear()

    @property
    def reason(self) -> str:
        """What llama.cpp gave as the reason of a failure: its first error is the cause."""
        return self.errors[0] if self.errors else "llama.cpp gave no reason"

    def _take(self, level: int, text: bytes, _data: object) -> None:
        if level != _CONTINUES:
            self._level = level
        if self._level < _INFO:
            return
        *whole, self._begun = (self._begun + text.decode("utf-8", "replace")).split("\n")
        for line in whole:
            self._keep(self._level, line.strip())

    def _keep(self, level: int, line: str) -> None:
        if self.keeps:
            self.lines.append(line)
        if level >= _ERROR:
            self.errors.append(_message(line))
            LOGGER.error("%s", line)
        elif level == _WARN:
            LOGGER.warning("%s", line)


def _message(line: str) -> str:
    """Return *line* without the names of the functions that passed it on."""
    for prefix in ("error loading model: ", "failed to initialize the context: "):
        line = line.rpartition(prefix)[2]
    function, colon, rest = line.partition(": ")
    return rest if colon and " " not in function else line
