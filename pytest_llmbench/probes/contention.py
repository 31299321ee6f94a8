"""What else wanted this machine while a round ran.

Read just before and just after a round, outside what is timed. The strongest witness is the
run-queue delay: the time that threads were ready and waited for a processor.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.probes.nvml import Gpu
from pytest_llmbench.probes.pace import read_pace
from pytest_llmbench.probes.procfs import read_quickly

PROC: Final = Path("/proc")
_STEAL_FIELD: Final = 8  # of the line "cpu" of /proc/stat, after its name: proc(5)
_NS: Final = 1e-9

_Number = TypeVar("_Number", int, float)


class _Counters(NamedTuple):
    """Running totals at one moment; ``None`` where the system does not keep them."""

    delay_ns: dict[int, int] | None  # by thread
    switches: int | None
    steal_ticks: int | None


class _Slice(NamedTuple):
    """What lay between two readings of the counters."""

    wall_s: float
    run_delay_s: float | None
    switches: int | None
    steal_ticks: int | None


class ContentionProbe:
    """Reads a process's contention between :meth:`start` and :meth:`stop`, again and again.

    What happens within :meth:`paused` does not count.

    Args:
        proc: root of the process files; elsewhere than on Linux there is none.
        pids: the processes, added up; default this one, whose switches come from one system
            call.
        clock: seconds, never falling.
        gpus: the GPUs that the process uses (see :func:`.gpus_in_use`).
        pace: reads how fast the processor is.
    """

    def __init__(
        self,
        *,
        proc: Path = PROC,
        pids: Sequence[int] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        gpus: Sequence[Gpu] = (),
        pace: Callable[[], float] = read_pace,
    ) -> None:
        self._proc = proc
        self._own = pids is None
        names = ("self",) if pids is None else pids
        self._tasks = tuple(f"{proc}/{name}/task" for name in names)
        self._clock = clock
        self._gpus = tuple(gpus)
        self._pace = pace
        self._before: _Counters | None = None
        self._began_s = 0.0
        self._pace_s = 0.0
        self._slices: list[_Slice] = []
        self._clock_reasons: frozenset[str] | None = None

    def start(self) -> None:
        """Read the pace, take the counters, then the time: the round may begin."""
        self._slices = []
        self._pace_s = self._pace()
        self._clock_reasons = _clock_reasons(self._gpus)
        self._begin()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens within the context."""
        self._end()
        yield
        self._begin()

    def stop(self) -> Contention:
        """Take the time, then the counters, read the pace, and return what lay between.

        A thread that came in between counts whole, one that ended not at all: its counters went
        with it, so that the delay is a lower bound and never negative.

        Raises:
            RuntimeError: without a :meth:`start` before.
        """
        self._end()
        slices = self._slices
        return Contention(
            wall_s=sum(one.wall_s for one in slices),
            run_delay_s=_summed([one.run_delay_s for one in slices]),
            involuntary_switches=_summed([one.switches for one in slices]),
            steal_s=_steal_s(_summed([one.steal_ticks for one in slices])),
            load_1m=read_load(proc=self._proc),
            gpu_clock_reasons=_either(self._clock_reasons, _clock_reasons(self._gpus)),
            gpu_temperature_c=_hottest(self._gpus),
            paces_s=(self._pace_s, self._pace()),
        )

    def _begin(self) -> None:
        self._before = self._counters()
        self._began_s = self._clock()

    def _end(self) -> None:
        wall_s = self._clock() - self._began_s
        before, after = self._before, self._counters()
        if before is None:
            raise RuntimeError("a contention probe was stopped that had not been started")
        self._before = None
        self._slices.append(_between(before, after, wall_s))

    def _counters(self) -> _Counters:
        return _Counters(
            delay_ns=_read_delays(self._tasks),
            switches=_own_switches() if self._own else _switches_of(self._tasks),
            steal_ticks=_read_steal(self._proc),
        )


def read_load(*, proc: Path = PROC) -> float | None:
    """Return the machine's one-minute load average; ``None`` on Windows, which keeps none."""
    text = read_quickly(f"{proc}/loadavg")
    if text is not None:
        return float(text.split(maxsplit=1)[0])
    ask = getattr(os, "getloadavg", None)
    if ask is None:
        return None
    try:
        return float(ask()[0])
    except OSError:
        return None


def _read_delays(tasks: Sequence[str]) -> dict[int, int] | None:
    """Nanoseconds that each thread has waited; ``None`` where the kernel does not count them.

    Without its statistics a kernel says ``0 0 0``, which no thread that has run can say.
    """
    delays: dict[int, int] = {}
    counted = False
    for thread, path in _threads(tasks):
        fields = (read_quickly(f"{path}/schedstat") or b"").split()
        if len(fields) == 3:
            delays[thread] = int(fields[1])
            counted = counted or fields[0] != b"0" or fields[2] != b"0"
    return delays if counted else None


def _threads(tasks: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the id and the folder of every thread; ids are unique over processes."""
    for task in tasks:
        with contextlib.suppress(OSError):
            for thread in os.listdir(task):  # noqa: PTH208 - names are wanted, and quickly
                yield int(thread), f"{task}/{thread}"


def _own_switches() -> int | None:
    """This process's involuntary switches, those of threads that ended included."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _switches_of(tasks: Sequence[str]) -> int | None:
    """Involuntary switches of the live threads of other processes."""
    counts: list[int] = []
    for _, path in _threads(tasks):
        status = read_quickly(f"{path}/status") or b""
        _, found, rest = status.partition(b"nonvoluntary_ctxt_switches:")
        if found:
            counts.append(int(rest.split(maxsplit=1)[0]))
    return sum(counts) if counts else None


def _read_steal(proc: Path) -> int | None:
    words = (read_quickly(f"{proc}/stat") or b"").split(b"\n", 1)[0].split()
    if len(words) <= _STEAL_FIELD or words[0] != b"cpu":
        return None
    return int(words[_STEAL_FIELD])


def _between(before: _Counters, after: _Counters, wall_s: float) -> _Slice:
    return _Slice(
        wall_s=wall_s,
        run_delay_s=_run_delay_s(before.delay_ns, after.delay_ns),
        switches=_rise(before.switches, after.switches),
        steal_ticks=_rise(before.steal_ticks, after.steal_ticks),
    )


def _run_delay_s(before: dict[int, int] | None, after: dict[int, int] | None) -> float | None:
    if before is None or after is None:
        return None
    return _NS * sum(max(0, delay - before.get(thread, 0)) for thread, delay in after.items())


def _steal_s(ticks: int | None) -> float | None:
    if ticks is None or sys.platform == "win32":
        return None
    return ticks / os.sysconf("SC_CLK_TCK")


def _rise(before: int | None, after: int | None) -> int | None:
    """The difference of two totals, never negative (a hypervisor's may fall when it moves us)."""
    return None if before is None or after is None else max(0, after - before)


def _clock_reasons(gpus: tuple[Gpu, ...]) -> frozenset[str] | None:
    answers = [reasons for gpu in gpus if (reasons := gpu.clock_reasons()) is not None]
    return frozenset().union(*answers) if answers else None


def _summed(values: Sequence[_Number | None]) -> _Number | None:
    """The sum; ``None`` where one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if len(known) == len(values) else None


def _either(before: frozenset[str] | None, after: frozenset[str] | None) -> tuple[str, ...] | None:
    if before is None and after is None:
        return None
    return tuple(sorted((before or frozenset()) | (after or frozenset())))


def _hottest(gpus: tuple[Gpu, ...]) -> float | None:
    return max(
        (degrees for gpu in gpus if (degrees := gpu.temperature_c()) is not None), default=None
    )
