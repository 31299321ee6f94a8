"""Memory of this process and of its machine, in bytes.

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
from pathlib import Path
from typing import Final

from pytest_llmbench.domain.trace import HostMemory
from pytest_llmbench.probes.procfs import kilobytes, read_fields

PROC: Final = Path("/proc")
_RESET_PEAK: Final = b"5"  # proc(5), clear_refs: set the peak back to the present resident size


def read_host_memory(*, proc: Path = PROC) -> HostMemory:
    """Return this process's resident memory and its machine's used memory, now.

    *rss_peak* is the highest since the process began or since :func:`reset_rss_peak`.
    Where *proc* has no files (macOS, Windows) psutil answers, and *rss_anon* and *rss_file*
    are ``None``.
    """
    status = read_fields(proc / "self" / "status")
    rss = kilobytes(status, "VmRSS")
    if rss is None:
        return _host_memory_elsewhere()
    peak = kilobytes(status, "VmHWM")
    return HostMemory(
        rss=rss,
        rss_anon=kilobytes(status, "RssAnon"),
        rss_file=kilobytes(status, "RssFile"),
        rss_peak=None if peak is None else max(peak, rss),
        system_used=read_system_used(proc=proc),
    )


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


def reset_rss_peak(*, proc: Path = PROC) -> bool:
    """Set the peak back to the present resident size; ``False`` where that is not possible.

    The peak so far is lost with it, ``getrusage``'s too: read it before.
    """
    try:
        descriptor = os.open(proc / "self" / "clear_refs", os.O_WRONLY)
    except OSError:
        return False
    try:
        return os.write(descriptor, _RESET_PEAK) == len(_RESET_PEAK)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _host_memory_elsewhere() -> HostMemory:
    import psutil

    info = psutil.Process().memory_info()
    used = psutil.virtual_memory()
    return HostMemory(
        rss=int(info.rss),
        rss_anon=None,
        rss_file=None,
        rss_peak=_peak_elsewhere(info),
        system_used=int(used.total - used.available),
    )


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
