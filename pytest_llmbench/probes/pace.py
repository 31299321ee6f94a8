"""How fast each processor is right now: a fixed piece of interpreter's work, timed.

Another guest on the other hardware thread of a core takes a third to a half of its speed, and no
counter of this machine shows it: processor time rises with wall time. The same small piece of
work before and after a round does.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import time
from collections.abc import Callable
from typing import Final

MOST_PROCESSORS: Final = 8
"""Processors that are looked at; of a larger machine the lowest numbers."""

MUCH_FASTER: Final = 1.25
"""A processor so many times as fast as the thread's own is worth moving to."""

_STEPS: Final = 4000
_TIMES: Final = 5


def read_pace(clock: Callable[[], float] = time.perf_counter) -> tuple[float, ...]:
    """Return seconds of the work on each processor that this thread may use, the best of a few.

    The thread visits them one after the other and is free again on its own; or on the fastest,
    where that is much faster: it mostly stays for as long as a round takes, so that one slow
    processor of several does not slow the round. It moves at no other time, because threads that
    work together are slow until they have found their places again. Where a system can't pin
    threads, or does not let this one be pinned, there is one reading.
    """
    own = _own_processor()
    if own is None or not hasattr(os, "sched_setaffinity"):
        return (_best(clock),)
    try:
        return _visited(own, clock)
    except OSError:
        return (_best(clock),)


def _visited(own: int, clock: Callable[[], float]) -> tuple[float, ...]:
    """Read on each processor in turn; the thread is on *own* at first.

    Raises:
        OSError: the thread may not be pinned.
    """
    allowed = os.sched_getaffinity(0)
    readings: dict[int, float] = {}
    try:
        for processor in sorted(allowed)[:MOST_PROCESSORS]:
            os.sched_setaffinity(0, {processor})
            readings[processor] = _best(clock)
        os.sched_setaffinity(0, {_place(readings, own)} & allowed or allowed)
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, allowed)
    return tuple(readings.values())


def _place(readings: dict[int, float], own: int) -> int:
    fastest = min(readings, key=readings.__getitem__)
    stays = readings.get(own, 0.0) <= MUCH_FASTER * readings[fastest]
    return own if stays else fastest


def _own_processor() -> int | None:
    """Return the number of the processor that this thread runs on, where the C library tells."""
    ask = _sched_getcpu()
    number = -1 if ask is None else ask()
    return number if number >= 0 else None


@functools.cache
def _sched_getcpu() -> Callable[[], int] | None:
    try:
        found: Callable[[], int] | None = getattr(ctypes.CDLL(None), "sched_getcpu", None)
    except (OSError, TypeError):
        return None
    return found


def _best(clock: Callable[[], float]) -> float:
    return min(_timed(clock) for _ in range(_TIMES))


def _timed(clock: Callable[[], float]) -> float:
    began, total = clock(), 0
    for number in range(_STEPS):
        total += number * number & 7
    return clock() - began
