"""A workload of our own with the shape of decoding: it tells a slow machine from a slow engine.

Decoding one sequence reads all weights once a token, on all processors: it is bound by memory.
So is this, and it has nothing to do with any engine's code: where it became slower too, the
machine did.
"""

from __future__ import annotations

import functools
import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pytest_llmbench.probes.cores import allowed_processors

MIB: Final = 64
"""Read in each pass: more than the caches of most processors hold."""

MOST_THREADS: Final = 32
_PASSES: Final = 9


def read_calibration(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the median seconds of a pass over 64 MiB of memory by a thread a processor."""
    parts = _parts(_processors())
    return statistics.median(_timed(parts, clock) for _ in range(_PASSES))


def _timed(parts: tuple[NDArray[np.float32], ...], clock: Callable[[], float]) -> float:
    """Return the seconds until the last thread is through, threads started before the clock."""
    ready = threading.Barrier(len(parts) + 1)
    threads = [threading.Thread(target=_read, args=(part, ready), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    ready.wait()
    began = clock()
    for thread in threads:
        thread.join()
    return clock() - began


def _read(part: NDArray[np.float32], ready: threading.Barrier) -> None:
    ready.wait()
    part.sum()  # lets go of the interpreter


@functools.cache
def _parts(threads: int) -> tuple[NDArray[np.float32], ...]:
    whole = np.ones(MIB * 2**20 // 4, dtype=np.float32)
    return tuple(np.array_split(whole, threads))


def _processors() -> int:
    return min(len(allowed_processors()) or os.cpu_count() or 1, MOST_THREADS)
