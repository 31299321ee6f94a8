"""What must hold of a session for the self-test to pass: pure, on what the judge said.

Unchanged code: nothing is accused, and of every variant it could be told whether it got slower;
single cases may be inconclusive. A planted slowdown: the slowed variant is accused of it, as a
whole or in a case, and nothing else is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final

from pytest_llmbench.cli.selftest_reach import SPEED, Reach
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import JudgedCase, JudgedVariant, SessionRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.words import plural

_BAD: Final = (VerdictKind.REGRESSED, VerdictKind.ERROR)
_TOLD: Final = (VerdictKind.OK, VerdictKind.IMPROVED, VerdictKind.REGRESSED)
_GAPS: Final = ("itl_s", "icl_s")


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
    accused = tuple(_accused(session, planted=None))
    if accused:
        return Finding(Outcome.FAILED, "unchanged code is accused", accused)
    doubts = {life.record.id: _doubts_on(life, session) for life in session.variants}
    silent = [life for life in session.variants if not _is_told(life, session)]
    unsure = [name for name, said in doubts.items() if said]
    if unsure:
        line = f"{len(unsure)} of {plural(len(doubts), 'variant')} can't be told"
        return Finding(Outcome.INCONCLUSIVE, line, tuple(s for d in doubts.values() for s in d))
    if silent:
        every = (v for life in silent for v in _all_verdicts(life, session))
        return Finding(Outcome.FAILED, "unchanged code can't be compared", tuple(every))
    return Finding(Outcome.PASSED, f"{_compared(session)}, none accused{_and_untold(session)}")


def judge_planted(
    session: SessionRecord, planted: str, share: float, reach: Iterable[Reach] = ()
) -> Finding:
    """Return whether the slowdown that was planted in the variant *planted* is found, and only it.

    Args:
        session: as it was judged.
        planted: the slowed variant.
        share: how much slower it was made.
        reach: what the gate could find in that session.
    """
    accused = tuple(_accused(session, planted))
    if accused:
        return Finding(Outcome.FAILED, "what was not slowed down is accused", accused)
    cases = [case for case in session.cases if case.record.case.variant == planted]
    whole = [v for v in _wholes(session, planted) if _is_slow(v)]
    found = [case for case in cases if any(map(_is_slow, _speed(case.verdicts)))]
    if whole or found:
        return Finding(Outcome.PASSED, _where(whole, found, cases))
    said = tuple(_said_of(session, planted))
    if not any(gap in case.record.metrics for case in cases for gap in _GAPS):
        lacking = ("no case of a slowed variant generated two tokens, so there is no gap to slow",)
        return Finding(Outcome.INCONCLUSIVE, "nothing to be found", lacking)
    if any(v.kind is VerdictKind.INCONCLUSIVE for v in _speed_of(session, planted)):
        return Finding(Outcome.INCONCLUSIVE, "slowed, but it can't be told", said)
    least = _beyond_sight(planted, share, reach)
    if least is None:
        return Finding(Outcome.FAILED, "slowed but not accused", said)
    line = f"here only a worsening of {format_percent(least)} and more can be told from noise"
    return Finding(Outcome.INCONCLUSIVE, line, said)


def _beyond_sight(planted: str, share: float, reach: Iterable[Reach]) -> float | None:
    """Return the smallest worsening that could be found, where noise alone hid the planted one."""
    mine = [each for each in reach if each.variant == planted]
    least = min((each.detectable for each in mine), default=0.0)
    accepted = all(each.accepted >= share for each in mine)
    return None if least <= share or accepted else least


def _where(
    whole: Sequence[Verdict], found: Sequence[JudgedCase], cases: Sequence[JudgedCase]
) -> str:
    places = ["as a whole"] if whole else []
    if found:
        places.append(f"in {len(found)} of {plural(len(cases), 'case')}")
    return f"found {' and '.join(places)}, and nowhere else"


def _accused(session: SessionRecord, planted: str | None) -> Iterator[str]:
    """Yield a line for every regression and error that nothing was planted for."""
    for case in session.cases:
        slowed = case.record.case.variant == planted
        yield from _sentences(case, (v for v in case.verdicts if _unearned(v, slowed=slowed)))
    for life in session.variants:
        slowed = life.record.id == planted
        for verdict in life.verdicts:
            if _unearned(verdict, slowed=slowed):
                yield f"{life.record.id}: {verdict.sentence}"


def _unearned(verdict: Verdict, *, slowed: bool) -> bool:
    """A slower variant may be accused of being slow, not of being bigger or worse."""
    metric = CATALOGUE.get(verdict.metric)
    earned = slowed and metric is not None and metric.kind is Kind.NOISY
    return verdict.kind in _BAD and not earned


def _is_told(life: JudgedVariant, session: SessionRecord) -> bool:
    """Whether it can be told of a variant, as a whole or in a case, if it got slower."""
    verdicts = _speed_of(session, life.record.id)
    return life.record.skipped is not None or any(v.kind in _TOLD for v in verdicts)


def _doubts_on(life: JudgedVariant, session: SessionRecord) -> tuple[str, ...]:
    """Return what can't be told of a variant as a whole; of its cases, where there is no whole."""
    name = life.record.id
    wholes = _wholes(session, name)
    if not wholes and not _is_told(life, session):
        return tuple(
            line
            for case in session.cases
            if case.record.case.variant == name
            for line in _sentences(case, _inconclusive(_speed(case.verdicts)))
        )
    return tuple(f"{name} as a whole: {verdict.sentence}" for verdict in _inconclusive(wholes))


def _wholes(session: SessionRecord, variant: str) -> tuple[Verdict, ...]:
    """Return the verdicts on all cases of *variant* together."""
    lives = (life for life in session.variants if life.record.id == variant)
    return tuple(verdict for life in lives for verdict in _speed(life.verdicts))


def _speed_of(session: SessionRecord, variant: str) -> tuple[Verdict, ...]:
    """Return every verdict on the speed of *variant*: as a whole, and in its cases."""
    cases = (case for case in session.cases if case.record.case.variant == variant)
    return (*_wholes(session, variant), *(v for case in cases for v in _speed(case.verdicts)))


def _said_of(session: SessionRecord, variant: str) -> Iterator[str]:
    for verdict in _wholes(session, variant):
        yield f"{variant} as a whole: {verdict.sentence}"
    for case in session.cases:
        if case.record.case.variant == variant:
            yield from _sentences(case, _speed(case.verdicts))


def _all_verdicts(life: JudgedVariant, session: SessionRecord) -> Iterator[str]:
    for case in session.cases:
        if case.record.case.variant == life.record.id:
            yield from _sentences(case, case.verdicts)


def _speed(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in verdicts if verdict.metric in SPEED)


def _inconclusive(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    return tuple(v for v in verdicts if v.kind is VerdictKind.INCONCLUSIVE)


def _is_slow(verdict: Verdict) -> bool:
    return verdict.kind is VerdictKind.REGRESSED


def _sentences(case: JudgedCase, verdicts: Iterable[Verdict]) -> Iterator[str]:
    return (f"{case.record.case.key}: {verdict.sentence}" for verdict in verdicts)


def _compared(session: SessionRecord) -> str:
    variants = [life for life in session.variants if life.record.skipped is None]
    return f"{plural(len(variants), 'variant')} and {plural(len(session.cases), 'case')}"


def _and_untold(session: SessionRecord) -> str:
    unsure = [case for case in session.cases if _inconclusive(_speed(case.verdicts))]
    return f"; {plural(len(unsure), 'case')} inconclusive" if unsure else ""
