"""Waiting for other work to pause: a round beside it would only have to be repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import psutil

LOOK_S: Final = 0.1
"""So long one look at the processors takes."""

QUIET: Final = 0.25
"""Other work may take so much of one processor."""

LONGEST_S: Final = 5.0
"""So long one wait takes at most: a neighbour that stays is measured beside."""

BUDGET_S: Final = 120.0
"""So long all waits of a session take at most."""


class Patience:
    """Waits while other work keeps a processor busy.

    Args:
        busy: looks for so many seconds, and returns how many processors were busy meanwhile.
        budget_s: seconds that all waiting may take.
        clock: seconds.
    """

    def __init__(
        self,
        busy: Callable[[float], float] | None = None,
        *,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy = busy or busy_processors
        self._left_s = budget_s
        self._clock = clock

    def wait(self) -> None:
        """Return once the machine is quiet, or the longest wait is over. Nothing may run here."""
        began = self._clock()
        longest_s = min(LONGEST_S, self._left_s)
        while self._clock() - began < longest_s and self._busy(LOOK_S) > QUIET:
            pass
        self._left_s -= self._clock() - began


def busy_processors(seconds: float) -> float:
    """Return how many of the machine's processors were busy in the next *seconds*."""
    share = float(psutil.cpu_percent(interval=seconds)) / 100
    return share * (psutil.cpu_count() or 1)
