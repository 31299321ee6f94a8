"""Is this machine quiet enough to measure on, and could a neighbour be noticed at all?"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable
from typing import Final

from pytest_llmbench.cli.doctor_pace import Paces, read_paces
from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.metrics.taint import Machine, taint
from pytest_llmbench.probes.contention import ContentionProbe
from pytest_llmbench.units import format_percent

LEAVE_ONE_FREE: Final = (
    "an engine that leaves one core free (threads = {threads} on its variant) does not feel one "
    "busy neighbour, for about a fifth of the speed on two cores"
)
_BURN_S: Final = 1.0
_BLOCK: Final = bytes(2**20)
"""Large enough that hashing it lets go of the interpreter: threads really run side by side."""


@dataclasses.dataclass(frozen=True, slots=True)
class Quiet:
    """Contention read while this process kept one processor busy, and while it kept them all.

    Attributes:
        one: the reading beside one busy thread.
        every: the reading beside *threads* busy threads.
        paces: how fast the processors were, read before, while this process did nothing else.
        threads: how many processors this process may keep busy.
        processors: how many the machine has.
    """

    one: Contention
    every: Contention
    paces: Paces
    threads: int
    processors: int

    @property
    def disturbed(self) -> str | None:
        """What disturbed an engine that uses every core, or ``None``."""
        return taint(self.every, self._machine) or taint(self.one, self._machine)

    @property
    def advice(self) -> str:
        """What follows for measuring here, in one sentence."""
        free = LEAVE_ONE_FREE.format(threads=self.threads - 1)
        if self.disturbed is None:
            good = "good to measure on" if self.paces.steady else "no thread had to wait"
            return f"{good}; {free}" if self.threads > 1 else good
        if self.threads > 1 and taint(self.one, self._machine) is None:
            return f"something else runs here: end it, or live beside it: {free}"
        return "something else keeps every core busy: end it before measuring"

    @property
    def _machine(self) -> Machine:
        """What waiting and stolen time are judged by; the pace is, on its own."""
        return Machine(processors=self.processors)


def read_quiet(
    threads: int,
    processors: int,
    burn: Callable[[int, float], Contention] | None = None,
    look: Callable[[], Paces] = read_paces,
) -> Quiet:
    """Return the processors' pace, and what two seconds of work meet here.

    One second is of one thread, one of *threads*.
    """
    read = burn or burning
    return Quiet(
        paces=look(),
        one=read(1, _BURN_S),
        every=read(threads, _BURN_S),
        threads=threads,
        processors=processors,
    )


def burning(threads: int, seconds: float) -> Contention:
    """Keep *threads* threads busy for *seconds* and return what they met.

    The threads live until the reading is taken: one that ended would take its delay with it.
    """
    enough, probe = threading.Event(), ContentionProbe()
    probe.start()
    burners = [threading.Thread(target=_burn, args=(enough,)) for _ in range(threads)]
    for burner in burners:
        burner.start()
    try:
        time.sleep(seconds)
        return probe.stop()
    finally:
        enough.set()
        for burner in burners:
            burner.join()


def waiting(reading: Contention) -> str:
    """Return the share of the time that threads waited for a processor, for people."""
    if reading.run_delay_s is None:
        return "unknown"
    return format_percent(reading.run_delay_s / reading.wall_s)


def _burn(enough: threading.Event) -> None:
    digest = hashlib.sha256()
    while not enough.is_set():
        digest.update(_BLOCK)
