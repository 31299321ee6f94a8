"""A slow machine is not a slow engine: did the machine's own workload change as much?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median, stdev
from typing import Final

import msgspec

from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.held import Held

SHARE: Final = 0.5
"""Where the machine's own workload slowed by half as much as the metric, the machine is as likely
to be the cause as the engine."""

_WORKLOADS: Final = {
    "calibration_s": "its memory-bound workload takes",
    "pace_s": "a fixed piece of work takes",
}


def softened_by_machine(
    verdict: Verdict, held: Held, before: Iterable[Readings], now: Readings
) -> Verdict:
    """Return *verdict*, where the machine itself became slower, as no regression.

    What regressed becomes inconclusive. All that looks slower is marked as the machine's doing,
    so that nobody measures it again; unless there is a ratio that says otherwise so far.

    Args:
        verdict: on absolute times.
        held: the evidence behind it.
        before: what its workloads took in the sessions that it was held against.
        now: what they take in this session.
    """
    change = held.evidence.change
    if change <= 0:
        return verdict
    sessions = tuple(before)
    for field, told in _WORKLOADS.items():
        slowed = slowdown(sessions, now, field)
        if slowed is not None and slowed >= SHARE * change:
            alone = held.aside is None and held.moved is None
            verdict = msgspec.structs.replace(verdict, machine_slowed=alone)
            if verdict.kind is not VerdictKind.REGRESSED:
                return verdict
            clause = f"{told} {format_percent(math.expm1(slowed))} longer than in the baseline"
            return msgspec.structs.replace(
                verdict,
                kind=VerdictKind.INCONCLUSIVE,
                sentence=f"{verdict.sentence}, but the machine itself is slower: {clause}",
                block=(*verdict.block, ("machine", clause)),
            )
    return verdict


def machine_moved(change: float, before: Iterable[Readings], now: Readings) -> bool:
    """Whether the machine changed in the direction of *change*, by half as much at least.

    And by more than the sessions before were apart, one standard deviation.

    Args:
        change: the logarithm of how much longer something takes than before.
        before: what the machine's workloads took in the sessions that it was held against.
        now: what they take in this session.
    """
    sessions, direction = tuple(before), math.copysign(1.0, change)
    for field in _WORKLOADS:
        slowed, known = slowdown(sessions, now, field), _known(sessions, field)
        apart = stdev(map(math.log, known)) if len(known) > 1 else 0.0
        if slowed is not None and slowed * direction >= max(SHARE * abs(change), apart):
            return True
    return False


def machine_slowdown(before: Iterable[Readings], now: Readings) -> float:
    """Return the logarithm of how much longer the slower of its workloads takes, 0 at least."""
    sessions = tuple(before)
    found = (slowdown(sessions, now, field) for field in _WORKLOADS)
    return max((0.0, *(slowed for slowed in found if slowed is not None)))


def slowdown(before: Iterable[Readings], now: Readings, field: str) -> float | None:
    """Return the logarithm of how much longer the workload takes than in the median session."""
    known = _known(before, field)
    taken = getattr(now, field)
    return math.log(taken / median(known)) if known and taken else None


def _known(sessions: Iterable[Readings], field: str) -> list[float]:
    """Return the readings of *field*, of the sessions that have one."""
    return [value for readings in sessions if (value := getattr(readings, field))]
