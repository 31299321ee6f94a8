"""How fast a processor is right now: a fixed piece of interpreter's work, timed.

Another guest on the other hardware thread of a core takes a third to a half of its speed, and no
counter of this machine shows it: processor time rises with wall time. The same small piece of
work before and after a round does.

Around a round it is read where the thread is. Sending the thread over all processors tells more,
and disturbs what follows: seen here, threads of an engine then waited for each other's processors
in one round of five instead of one of twenty, and the time to the first token scattered more.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Final

MOST_PROCESSORS: Final = 8
"""Processors that are visited; of a larger machine the lowest numbers."""

_STEPS: Final = 4000
_TIMES: Final = 5


def read_pace(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return seconds of the work, the best of a few, on the processor that the thread is on."""
    return min(_timed(clock) for _ in range(_TIMES))


def visit_processors(clock: Callable[[], float] = time.perf_counter) -> tuple[float, ...]:
    """Return the pace of each processor that this thread may use, one after the other.

    Not for the minute of a measurement. Where a system can't pin threads, or does not let this
    one be pinned, there is one reading.
    """
    if not hasattr(os, "sched_setaffinity"):
        return (read_pace(clock),)
    allowed = os.sched_getaffinity(0)
    try:
        return tuple(_there(number, clock) for number in sorted(allowed)[:MOST_PROCESSORS])
    except OSError:
        return (read_pace(clock),)
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, allowed)


def _there(processor: int, clock: Callable[[], float]) -> float:
    os.sched_setaffinity(0, {processor})
    return read_pace(clock)


def _timed(clock: Callable[[], float]) -> float:
    began, total = clock(), 0
    for number in range(_STEPS):
        total += number * number & 7
    return clock() - began
