"""What must hold of a session for the self-test to pass: pure, on what the judge said.

Unchanged code: nothing is accused, and of every case it could be told whether it got slower. A
planted slowdown: every case of the slowed variants is accused of it, and nothing else is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import Final

from pytest_llmbench.domain.metric import CATALOGUE, Kind
from pytest_llmbench.domain.record import JudgedCase, SessionRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind

SPEED: Final = ("itl_s", "ttft_s")
"""The gated metrics that a slower token shows in."""

_BAD: Final = (VerdictKind.REGRESSED, VerdictKind.ERROR)
_TOLD: Final = (VerdictKind.OK, VerdictKind.IMPROVED, VerdictKind.REGRESSED)


class Outcome(StrEnum):
    """What became of one step."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one step, in one line, with the verdicts' sentences behind it."""

    outcome: Outcome
    line: str
    sentences: tuple[str, ...] = ()


def judge_unchanged(session: SessionRecord) -> Finding:
    """Return whether unchanged code passes."""
    accused = tuple(_accused(session, planted=()))
    if accused:
        return Finding(Outcome.FAILED, "unchanged code is accused", accused)
    untold = [case for case in session.cases if not any(v.kind in _TOLD for v in _speed(case))]
    unsure = [case for case in session.cases if _unsure(case)]
    if untold and not unsure:
        said = tuple(line for case in untold for line in _sentences(case, case.verdicts))
        return Finding(Outcome.FAILED, "unchanged code can't be compared", said)
    if unsure:
        said = tuple(line for case in unsure for line in _sentences(case, _doubts(case)))
        return Finding(Outcome.INCONCLUSIVE, _share(unsure, session.cases, "can't be told"), said)
    return Finding(Outcome.PASSED, f"{_cases(len(session.cases))}, none accused")


def judge_planted(session: SessionRecord, planted: Collection[str]) -> Finding:
    """Return whether the slowdown planted in the variants *planted* is found, and only it."""
    accused = tuple(_accused(session, planted))
    if accused:
        return Finding(Outcome.FAILED, "what was not slowed down is accused", accused)
    slowed = [case for case in session.cases if case.record.case.variant in planted]
    timed = [case for case in slowed if "itl_s" in case.record.metrics]
    if {case.record.case.variant for case in timed} != set(planted):
        lacking = ("no case of a slowed variant generated two tokens, so there is no gap to slow",)
        return Finding(Outcome.INCONCLUSIVE, "nothing to be found", lacking)
    silent = [case for case in timed if not any(v.kind in _BAD for v in _speed(case))]
    if not silent:
        found = f"{len(timed)} of {_cases(len(timed))} regressed, no other accused"
        return Finding(Outcome.PASSED, found)
    unsure = [case for case in silent if _unsure(case)]
    said = tuple(line for case in silent for line in _sentences(case, _speed(case)))
    outcome = Outcome.INCONCLUSIVE if len(unsure) == len(silent) else Outcome.FAILED
    word = "can't be told" if outcome is Outcome.INCONCLUSIVE else "slowed but not accused"
    return Finding(outcome, _share(silent, timed, word), said)


def _accused(session: SessionRecord, planted: Collection[str]) -> Iterator[str]:
    """Yield a line for every regression and error that nothing was planted for."""
    for case in session.cases:
        slowed = case.record.case.variant in planted
        yield from _sentences(case, (v for v in case.verdicts if _unearned(v, slowed=slowed)))
    for life in session.variants:
        slowed = life.record.id in planted
        for verdict in life.verdicts:
            if _unearned(verdict, slowed=slowed):
                yield f"{life.record.id}: {verdict.sentence}"


def _unearned(verdict: Verdict, *, slowed: bool) -> bool:
    """A slower variant may be accused of being slow, not of being bigger or worse."""
    metric = CATALOGUE.get(verdict.metric)
    earned = slowed and metric is not None and metric.kind is Kind.NOISY
    return verdict.kind in _BAD and not earned


def _speed(case: JudgedCase) -> tuple[Verdict, ...]:
    return tuple(v for v in case.verdicts if v.metric in SPEED)


def _doubts(case: JudgedCase) -> tuple[Verdict, ...]:
    return tuple(v for v in _speed(case) if v.kind is VerdictKind.INCONCLUSIVE)


def _unsure(case: JudgedCase) -> bool:
    return bool(_doubts(case))


def _sentences(case: JudgedCase, verdicts: Iterable[Verdict]) -> Iterator[str]:
    return (f"{case.record.case.key}: {verdict.sentence}" for verdict in verdicts)


def _share(some: Collection[object], every: Collection[object], word: str) -> str:
    return f"{len(some)} of {_cases(len(every))} {word}"


def _cases(count: int) -> str:
    return f"{count} case{'s'[count == 1 :]}"
