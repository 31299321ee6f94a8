"""Which processors the variants of a bout compute on: the same for all of them.

Two processors of one machine are seldom alike: the other hardware thread of the one is busy, of the
other it is not, for seconds or for hours. Variants that stay where the system put them have a ratio
that is their processors' as much as their own.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.probes.cores import allowed_processors, fast_and_other_cores


class Placing:
    """Chooses processors, others for every bout.

    Args:
        chance: chooses.
        fast: processors by physical core, of the fastest kind.
        other: those of other cores.
    """

    def __init__(
        self,
        chance: random.Random,
        fast: Sequence[tuple[int, ...]],
        other: Sequence[tuple[int, ...]] = (),
    ) -> None:
        self._chance = chance
        self._fast = fast
        self._other = other

    @classmethod
    def here(cls, chance: random.Random) -> Placing:
        """Return what chooses of the processors that this process may use."""
        return cls(chance, *fast_and_other_cores(allowed_processors()))

    def order(self) -> tuple[int, ...]:
        """Return all processors: the first *n* are those of who computes with *n* threads.

        One of each fast core comes first, in random order, then what else there is.
        """
        fast = self._chance.sample(self._fast, len(self._fast))
        firsts, rest = [core[0] for core in fast], [p for core in fast for p in core[1:]]
        return (*firsts, *rest, *(p for core in self._other for p in core))


def processors_of(facts: ModelFacts, order: Sequence[int]) -> frozenset[int]:
    """Return those of *order* that a variant computes on: all, where its threads are not known."""
    return frozenset(order[: facts.threads])
