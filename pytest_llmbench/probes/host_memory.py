"""Memory of this process, or of others, and of their machine, in bytes.

On Linux the figures are ``/proc/self/status``'s. They are page counts that each thread (before
Linux 6.2: up to 64 pages) or each processor (from 6.2: up to ``max(32, 2 × processors)`` pages)
may hold back. Since 6.16 the resident sizes are added up exactly when they are read, and agree
with ``smaps_rollup`` to the page; the peak, which the kernel notes when memory is given back, may
still miss what was held back. ``smaps_rollup`` is exact everywhere but walks the page tables
(about 10 ms per GiB of small pages) and knows no peak, so it isn't read here. The kernel's peak
otherwise misses nothing however short, costs nothing while it is kept, and can be set back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.domain.trace import HostMemory
from pytest_llmbench.probes.procfs import kilobytes, read_fields

PROC: Final = Path("/proc")
_ENDED: Final = ("Z", "X")  # zombie, dead: proc(5)
_RESET_PEAK: Final = b"5"  # proc(5), clear_refs: set the peak back to the present resident size


def read_host_memory(*, pids: Sequence[int] | None = None, proc: Path = PROC) -> HostMemory:
    """Return the resident memory of *pids* (default: this process) and their machine's, now.

    Figures of several processes are added up: what they share counts in each, and their peaks
    need not have come at one moment, so that both are upper bounds. A process that has ended
    counts nothing. *rss_peak* is the highest since a process began or since
    :func:`reset_rss_peak`. Where *proc* has no files (macOS, Windows) psutil answers, and
    *rss_anon* and *rss_file* are ``None``.
    """
    own = read_fields(proc / "self" / "status")
    if kilobytes(own, "VmRSS") is None:
        return _host_memory_elsewhere(pids)
    tables = [own] if pids is None else _tables(pids, proc)
    return HostMemory(
        rss=_total(tables, "VmRSS") or 0,
        rss_anon=_total(tables, "RssAnon"),
        rss_file=_total(tables, "RssFile"),
        rss_peak=_peak(tables),
        system_used=read_system_used(proc=proc),
    )


def _tables(pids: Sequence[int], proc: Path) -> list[dict[str, str]]:
    """Return the status of each process that has memory: not of one that ended unnoticed."""
    told = [read_fields(proc / str(pid) / "status") for pid in pids]
    return [table for table in told if table and table.get("State", "")[:1] not in _ENDED]


def _total(tables: Iterable[Mapping[str, str]], key: str) -> int | None:
    """Return the sum of *key* in bytes, ``None`` where a table that has entries lacks it."""
    found = [kilobytes(table, key) for table in tables if table]
    return None if None in found else sum(entry for entry in found if entry is not None)


def _peak(tables: Iterable[Mapping[str, str]]) -> int | None:
    """Return the sum of the peaks, each no less than what is resident now."""
    total = 0
    for table in tables:
        peak, now = kilobytes(table, "VmHWM"), kilobytes(table, "VmRSS")
        if table and peak is None:
            return None
        total += max(peak or 0, now or 0)
    return total


def read_system_used(*, proc: Path = PROC) -> int:
    """Return the machine's used memory in bytes: its total less what is available."""
    meminfo = read_fields(proc / "meminfo")
    total, available = kilobytes(meminfo, "MemTotal"), kilobytes(meminfo, "MemAvailable")
    if total is not None and available is not None:
        return total - available
    import psutil

    memory = psutil.virtual_memory()
    return int(memory.total - memory.available)


def read_system_total(*, proc: Path = PROC) -> int:
    """Return the machine's memory in bytes."""
    total = kilobytes(read_fields(proc / "meminfo"), "MemTotal")
    if total is not None:
        return total
    import psutil

    return int(psutil.virtual_memory().total)


def reset_rss_peak(*, pids: Sequence[int] | None = None, proc: Path = PROC) -> bool:
    """Set the peaks back to what is resident now; ``False`` where that is not possible.

    The peak so far is lost with it, ``getrusage``'s too: read it before. *pids* as
    :func:`read_host_memory` has them.
    """
    names = ["self"] if pids is None else [str(pid) for pid in pids]
    done = [_reset_peak(proc / name / "clear_refs") for name in names]  # each, whatever one says
    return all(done)


def _reset_peak(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        return os.write(descriptor, _RESET_PEAK) == len(_RESET_PEAK)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _host_memory_elsewhere(pids: Sequence[int] | None) -> HostMemory:
    import psutil

    infos = [info for pid in ((None,) if pids is None else pids) if (info := _memory_info(pid))]
    used = psutil.virtual_memory()
    return HostMemory(
        rss=sum(int(info.rss) for info in infos),
        rss_anon=None,
        rss_file=None,
        rss_peak=_peak_elsewhere(infos[0]) if pids is None else None,
        system_used=int(used.total - used.available),
    )


def _memory_info(pid: int | None) -> Any | None:
    """Return psutil's figures of one process, ``None`` where it has ended or is not ours."""
    import psutil

    try:
        return psutil.Process(pid).memory_info()
    except psutil.Error:
        return None


def _peak_elsewhere(info: object) -> int | None:
    """The highest resident size of the process's life: Windows' in *info*, else getrusage's."""
    working_set: object = getattr(info, "peak_wset", None)
    if isinstance(working_set, int):
        return working_set
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
