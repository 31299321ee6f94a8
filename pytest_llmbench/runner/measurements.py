"""All rounds of a session by case, and the records that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.record import CaseRecord, Relative
from pytest_llmbench.domain.suite import Prompt
from pytest_llmbench.domain.trace import Contention, Memory, Round
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.metrics.case import case_metrics
from pytest_llmbench.metrics.relative import relative_metrics
from pytest_llmbench.metrics.score import score
from pytest_llmbench.metrics.taint import Machine, round_pace
from pytest_llmbench.runner.sampled import Sampled

Place = tuple[str | None, str | None]
"""A host and an interpreter on it: the same work takes another one longer."""

HERE: Final[Place] = (None, None)
"""This machine and pytest's own interpreter."""


def place_of(variant: Variant) -> Place:
    """Return where *variant* runs."""
    return variant.host, variant.python


class Pace:
    """The pace that each interpreter on each host mostly had; seconds.

    Args:
        known_s: what was usual :data:`HERE` in earlier sessions.
    """

    def __init__(self, known_s: float | None) -> None:
        self._known_s = known_s
        self._seen: defaultdict[Place, list[float]] = defaultdict(list)

    def see(self, place: Place, contention: Contention) -> None:
        """Remember the pace of one round."""
        pace = round_pace(contention)
        if pace is not None:
            self._seen[place].append(pace)

    def now_s(self, place: Place) -> float | None:
        """Return the median of this session so far; ``None`` before the first round."""
        return median(self._seen[place]) if self._seen[place] else None

    def usual_s(self, place: Place) -> float | None:
        """Return what is usual: now or in earlier sessions, the quicker of the two."""
        known = self._known_s if place == HERE else None
        return min((s for s in (known, self.now_s(place)) if s is not None), default=None)


class Measurements:
    """What was measured of each case, over all launches.

    Args:
        score: how right an answer is.

    Attributes:
        records: the cases that are complete, by key.
    """

    def __init__(self, score: Callable[[Prompt, str], float | None] = score) -> None:
        self._score = score
        self.records: dict[str, CaseRecord] = {}
        self._rounds: dict[str, tuple[Round, ...]] = {}
        self._memory: dict[str, Memory] = {}
        self._warmup_s: dict[str, float] = {}

    def take(self, sampled: Sampled) -> None:
        """Add the rounds of one launch."""
        key = sampled.case.key
        self._rounds[key] = (*self._rounds.get(key, ()), *sampled.rounds)
        self._warmup_s[key] = self._warmup_s.get(key, 0.0) + sampled.warmup_s
        if sampled.memory is not None:
            self._memory[key] = sampled.memory

    def has_memory(self, key: str) -> bool:
        """Whether the memory of the case *key* was read."""
        return key in self._memory

    def forget(self, key: str) -> None:
        """Begin the case *key* anew."""
        for kept in (self.records, self._rounds, self._memory, self._warmup_s):
            kept.pop(key, None)

    def record(
        self, case: Case, machine: Machine, *, other: Case | None, quality: bool
    ) -> CaseRecord:
        """Return *case* with all of its rounds.

        Args:
            case: at least one round of it was taken.
            machine: to tell disturbed rounds.
            other: the case of the variant that it took turns with and is held against.
            quality: whether its text means anything.

        Raises:
            ScoringError: its answer could not be scored.
        """
        rounds = self._rounds[case.key]
        memory = self._memory.get(case.key)
        last = rounds[-1].trace
        return CaseRecord(
            case=case,
            rounds=rounds,
            memory=memory,
            metrics=case_metrics(
                rounds,
                case.prompt,
                memory,
                machine=machine,
                quality=quality,
                fixed=case.parameters.length == "fixed",
                score=self._score,
            ),
            text=last.text,
            finish_reason=last.finish_reason,
            error=None,
            warmup_s=self._warmup_s[case.key],
            relative=self._relative(rounds, other, machine),
        )

    def draft(self, case: Case, rounds: Sequence[Round], machine: Machine) -> CaseRecord:
        """Return *case* as it would be with *rounds* after those of earlier launches."""
        every = (*self._rounds.get(case.key, ()), *rounds)
        return CaseRecord(
            case=case,
            rounds=every,
            memory=None,
            metrics=case_metrics(every, case.prompt, None, machine=machine, quality=False),
            text=None,
            finish_reason=None,
            error=None,
        )

    def _relative(
        self, rounds: Sequence[Round], other: Case | None, machine: Machine
    ) -> dict[str, Relative]:
        if other is None:
            return {}
        launches = {entry.turn: entry.launch for entry in rounds}
        # The other's processes are counted on their own: here they are called as those of the
        # rounds that they took turns with.
        others = [
            msgspec.structs.replace(entry, launch=launches[entry.turn])
            for entry in self._rounds.get(other.key, ())
            if entry.turn in launches
        ]
        return relative_metrics(rounds, others, other.variant, machine) if others else {}


def failed(case: Case, error: str) -> CaseRecord:
    """Return the record of a case that could not be measured."""
    return CaseRecord(
        case=case,
        rounds=(),
        memory=None,
        metrics={},
        text=None,
        finish_reason=None,
        error=error,
    )
