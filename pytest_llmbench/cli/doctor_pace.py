"""Do the processors keep their speed? What shares a core with them takes it, and no counter tells.

Another guest of the same host on a core's other hardware thread is seen by nothing but the time
that a fixed piece of work takes (:mod:`pytest_llmbench.probes.pace`), read here again and again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Final

from pytest_llmbench.metrics.taint import ACCEPTED_PACE
from pytest_llmbench.probes.pace import visit_processors
from pytest_llmbench.units import format_amount
from pytest_llmbench.verdict.words import plural

LOOKS: Final = 20
_PAUSE_S: Final = 0.1

MEANING: Final = (
    "what it means: processors change speed under this machine. Another guest of its host, or "
    "another process here, works on the other hardware thread of the same core, or clocks rise "
    f"and fall. Rounds at more than {ACCEPTED_PACE:g} times the pace that is usual are repeated, "
    "so that measuring takes longer; a slower case that too few good rounds are left of is "
    "inconclusive, not regressed"
)
TO_DO: Final = (
    "what to do: measure at a quieter hour, or where whole cores are yours (a dedicated host, or "
    "a rented machine whose processors are not shared); on a computer of your own, end what else "
    "runs, plug it in, and let the clocks be steady (the governor performance)"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Paces:
    """Seconds of the same piece of work: a row for each look, a column for each processor."""

    looks: tuple[tuple[float, ...], ...]

    @property
    def best_s(self) -> float:
        """The fastest of all."""
        return min(map(min, self.looks))

    @property
    def slowest(self) -> float:
        """How many times the fastest the slowest of all is."""
        return max(map(max, self.looks)) / self.best_s

    @property
    def steady(self) -> bool:
        """Whether no processor was ever slower than is accepted of a round."""
        return self.slowest <= ACCEPTED_PACE

    @property
    def words(self) -> str:
        """How steady it was, for people."""
        best = format_amount(self.best_s, "s")
        if self.steady:
            return f"steady: {best}, at most {self.slowest:.2f} times that"
        some = sum(self._is_slow(max(look)) for look in self.looks)
        every = sum(self._is_slow(min(look)) for look in self.looks)
        return (
            f"not steady: {best} at its best, {self.slowest:.2f} times that at its worst; a "
            f"processor was slower than {ACCEPTED_PACE:g} times in {some} of "
            f"{plural(len(self.looks), 'look')}, all of them in {every}"
        )

    def _is_slow(self, pace_s: float) -> bool:
        return pace_s > ACCEPTED_PACE * self.best_s


def read_paces(
    looks: int = LOOKS,
    read: Callable[[], tuple[float, ...]] = visit_processors,
    pause: Callable[[float], None] = time.sleep,
) -> Paces:
    """Look *looks* times, in a few seconds.

    A look before them, which wakes the clocks, does not count.
    """
    read()
    found = []
    for _ in range(looks):
        found.append(read())
        pause(_PAUSE_S)
    return Paces(tuple(found))
