"""Host and device memory together: at one moment, or over a pass made for nothing else.

A memory pass is never a timed one: where the system keeps no peak that can be set back, a thread
looks every few milliseconds, and a thread takes the interpreter from the engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

import msgspec

from pytest_llmbench.domain.trace import HostMemory, Memory
from pytest_llmbench.probes.device_memory import (
    read_device_memory,
    reset_device_peaks,
    synchronize_device,
)
from pytest_llmbench.probes.host_memory import PROC, read_host_memory, reset_rss_peak
from pytest_llmbench.probes.nvml import Gpu

SAMPLE_INTERVAL_S: Final = 0.005


def read_memory(
    *,
    gpus: Sequence[Gpu] = (),
    device_used_before: int | None = None,
    pids: Sequence[int] | None = None,
    proc: Path = PROC,
) -> Memory:
    """Return host and device memory now; arguments as :func:`.read_device_memory` has them."""
    return Memory(
        host=read_host_memory(pids=pids, proc=proc),
        device=read_device_memory(gpus=gpus, used_before=device_used_before, pids=pids),
    )


class PeakSampler:
    """A context in which a thread keeps the highest resident and system memory it sees.

    It reads once on entry and once on exit, so that there is always a peak; what comes and goes
    between two readings (*interval_s* seconds apart) is missed.
    """

    def __init__(
        self, read: Callable[[], HostMemory], *, interval_s: float = SAMPLE_INTERVAL_S
    ) -> None:
        self._read = read
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="llmbench-memory", daemon=True)
        self.rss_peak = 0
        self.system_used_peak = 0
        self.samples = 0

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _sample(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._look()

    def _look(self) -> None:
        host = self._read()
        self.rss_peak = max(self.rss_peak, host.rss)
        self.system_used_peak = max(self.system_used_peak, host.system_used)
        self.samples += 1


class MemoryPass:
    """What a memory pass yields: :meth:`reading` answers once the pass is over.

    Attributes:
        before: the host's memory as the pass began, its peak the one that the pass then reset.
    """

    def __init__(self, before: HostMemory) -> None:
        self.before = before
        self._reading: Memory | None = None

    def reading(self) -> Memory:
        """Return the memory at the pass's end, with the peaks over the pass.

        *rss* is the end's, *rss_peak* the highest over the pass, *system_used* the highest that
        was read (at both ends, or by the sampler).

        Raises:
            RuntimeError: the pass is not over, or its body failed.
        """
        if self._reading is None:
            raise RuntimeError("a memory pass has no reading before its end")
        return self._reading

    def end(self, after: Memory, *, rss_peak: int | None, system_used_peak: int) -> None:
        """Close the pass with the memory *after* it and the peaks over it, in bytes."""
        assert after.host is not None, "a pass watches processes that are known"
        host = msgspec.structs.replace(
            after.host,
            rss_peak=rss_peak,
            system_used=max(self.before.system_used, after.host.system_used, system_used_peak),
        )
        self._reading = msgspec.structs.replace(after, host=host)


@contextmanager
def memory_pass(
    *,
    gpus: Sequence[Gpu] = (),
    device_used_before: int | None = None,
    pids: Sequence[int] | None = None,
    proc: Path = PROC,
    interval_s: float = SAMPLE_INTERVAL_S,
) -> Iterator[MemoryPass]:
    """Watch the memory of what runs inside; the peaks of host and device are reset on entry.

    The peak so far is in :attr:`MemoryPass.before`: after the reset it is nowhere else. The
    device is waited for at both ends. Arguments as :func:`.read_device_memory` has them.
    """
    synchronize_device()
    watch = MemoryPass(read_host_memory(pids=pids, proc=proc))
    reset_device_peaks()

    def after() -> Memory:
        synchronize_device()
        return read_memory(gpus=gpus, device_used_before=device_used_before, pids=pids, proc=proc)

    if reset_rss_peak(pids=pids, proc=proc):
        yield watch
        memory = after()
        peak = None if memory.host is None else memory.host.rss_peak
        watch.end(memory, rss_peak=peak, system_used_peak=0)
        return
    look = partial(read_host_memory, pids=pids, proc=proc)
    with PeakSampler(look, interval_s=interval_s) as sampler:
        yield watch
        memory = after()
    watch.end(memory, rss_peak=sampler.rss_peak, system_used_peak=sampler.system_used_peak)
