"""A ratio changed: was it the variant, or the reference that it is a multiple of?

The ratio of two variants that took turns is steady, but it does not say which of them changed.
Their own times do, less surely: the machine moves them too. Where the times would be six times as
likely if the reference had changed and the variant had not, it is taken to be the reference. A
reference that changed changes all ratios to it alike: where another variant's surely did not, it is
none. Else the one that looks most like it stayed counts with what it is worth; where all look
changed, one reference is as plausible as all the others, and the likelier of both is taken.

That one change explains everything is plain where the variant's own times are as they were, and
the machine's own workload is too. Then the variant is judged by its own past, and the reference by
the ratio, which is the finer measure. Else it may have been the machine, and a variant besides:

=================  =============================================================================
the ratio          then
=================  =============================================================================
got worse          its own past may accuse the variant; where it does not, and by the ratio it
                   would be no ok, nothing is decided
got better         the ratio stands: another one's change is no reason to accuse a variant
=================  =============================================================================

A reference that may have become slower, while it may as well be the others that became faster, is
no ok either. But it is what changed, also on a machine that reads slower, where all others became
faster beside it by about as much, on its device and under several engines, its own among them: no
one engine's change does that. Then what the others gained is no praise.

How likely a change is that is none: the density of Student's t at the estimate; of times the one
with the heaviest tails, Cauchy's, whatever is known of their spread. A machine that others share is
at times another one altogether, on which all is a quarter faster. Where both variants
moved far, their times tell next to nothing of which of them changed, and the ratio stands.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import CaseRecord
from pytest_llmbench.verdict.alarms import SUSPICIOUS
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.evidence import Evidence
from pytest_llmbench.verdict.held import Grounds, Held
from pytest_llmbench.verdict.slow_machine import SHARE, machine_moved, machine_slowdown

TIMES_AS_LIKELY: Final = 6.0
"""The variant is what is tested, and the reference what others are held against: so many times as
likely it has to be that the reference is what changed. Where the machine alone moved its times,
that takes two and a quarter standard errors: one session of 26 (Student's t, five degrees of
freedom)."""

ALIKE: Final = 0.5
"""A variant's ratio changed alike from this share of another one's change on."""

SHARED: Final = 0.5
"""Of the reference's cases its companion has more than this share."""

_CAUCHY: Final = 1.0
"""Degrees of freedom of Student's t with which a machine's times are taken to move."""

_UNFELT: Final = 0.5
"""Of what a machine that reads slower may do to one engine and not to another, so much is left
where nobody else's times show it."""

_Times = tuple[Held | None, Held | None]
"""What a variant and the reference show by their own times."""

_STILL: Final = 1.5
"""Standard errors: what changed by less may not have changed at all."""


def held_of_case(metric: Metric, record: CaseRecord, context: Context) -> Held | None:
    """Return what decides on a noisy metric of *record*; ``None`` where it can't be compared."""
    case = record.case
    grounds = context.grounds(metric, case.variant, record)
    held = grounds.of_case(case.key)
    if held is None or held.ground != "ratio" or _is_still(held.evidence):
        return held
    times = _own_times(metric, held, grounds, case, context)
    if has_moved(held.evidence, *times, _ratios(metric, case.variant, case, context)):
        return _instead(metric, held, times, context)
    whole = grounds.beside()
    if whole is not None and _is_alike(held.evidence, whole.evidence):
        of_all = _own_times(metric, held, grounds, None, context)
        if has_moved(held.evidence, *of_all, _ratios(metric, case.variant, None, context)):
            return _instead(metric, held, (times[0], of_all[1]), context)
    return _told_of(held, times)


def held_of_variant(metric: Metric, variant: str, context: Context) -> Held | None:
    """Return what decides on a noisy metric of all cases of *variant* together."""
    grounds = context.grounds(metric, variant)
    held = grounds.of_variant()
    if held is not None and variant == context.reference:
        return _by_others(metric, held, context) or held
    if held is None or held.ground != "ratio" or _is_still(held.evidence):
        return held
    times = _own_times(metric, held, grounds, None, context)
    if has_moved(held.evidence, *times, _ratios(metric, variant, None, context)):
        return _instead(metric, held, times, context)
    return _told_of(held, times)


def companion(metric: Metric, context: Context) -> str | None:
    """Return the variant whose ratio tells of the reference.

    That is the first which took turns with it, now and in the baseline, in more than
    :data:`SHARED` of its cases.
    """
    if context.reference is None:
        return None
    held = context.grounds(metric, context.reference).of_variant()
    least = 0.0 if held is None else SHARED * held.cases
    for name in _others(context):
        ratio = context.grounds(metric, name).beside()
        if ratio is not None and ratio.to == context.reference and ratio.cases > least:
            return name
    return None


def _by_others(metric: Metric, held: Held, context: Context) -> Held | None:
    """Return the reference by its companion's ratio, where that changed.

    It is judged by it where it alone is what changed. Where it looks slower that way, and neither
    its own times nor the companion's say which of them changed, the ratio is a doubt.

    Args:
        metric: a noisy one.
        held: the reference by its own past.
        context: the session.
    """
    name = companion(metric, context)
    if name is None:
        return None
    grounds = context.grounds(metric, name)
    ratio, mine = grounds.beside(), grounds.own()
    if ratio is None or mine is None or _is_still(ratio.evidence):
        return None
    change = -ratio.evidence.change
    turned = dataclasses.replace(
        ratio, evidence=msgspec.structs.replace(ratio.evidence, change=change), to=name
    )
    worse = held.evidence.change > 0
    more = _may_be_more(mine.evidence, held.evidence, context, worse=worse)
    more = more and not _is_alone(metric, context)
    if not more and has_moved(ratio.evidence, mine, held, _ratios(metric, name, None, context)):
        return _told_of(turned, (held, mine))
    if change <= 0 or _favours(held, mine) >= math.log(TIMES_AS_LIKELY):
        return None
    return dataclasses.replace(held, aside=_told_of(turned, (held, mine)))


def _own_times(
    metric: Metric, held: Held, grounds: Grounds, case: Case | None, context: Context
) -> _Times:
    """Return the variant and the reference by their own pasts, as far as there are any."""
    assert held.to is not None, "it is a ratio"
    reference = context.grounds(metric, held.to)
    if case is None:
        return grounds.own(), reference.own()
    its = msgspec.structs.replace(case, variant=held.to).key
    return grounds.own(case.key), reference.own(its) if reference.has(its) else None


def _told_of(held: Held, times: _Times) -> Held:
    """Return *held*, a ratio, with what the two did by their own times."""
    mine, other = times
    if mine is None or other is None:
        return held
    return dataclasses.replace(held, alone=(mine.evidence, other.evidence))


def _instead(metric: Metric, held: Held, times: _Times, context: Context) -> Held:
    """Return what decides in place of the ratio *held*, which the reference changed.

    *times* are the variant's and the reference's own.
    """
    own, other = times
    if own is None or other is None or held.to is None:
        return held
    if not _may_be_more(own.evidence, other.evidence, context):
        return dataclasses.replace(own, moved=(held.to, other.evidence))
    told = _told_of(held, times)
    if held.evidence.change > 0:
        return dataclasses.replace(own, aside=told)
    alone = _is_alone(metric, context)
    return dataclasses.replace(told, moved=(held.to, other.evidence)) if alone else told


def _may_be_more(
    own: Evidence, reference: Evidence, context: Context, *, worse: bool = True
) -> bool:
    """Whether more than the reference may have changed: the machine, or the variant for the worse.

    Args:
        own: the variant by its own past.
        reference: the reference by its own past.
        context: the session.
        worse: whether a change for the worse of the variant is asked for, or one for the better.
    """
    chance = own.p_worse(0.0) if worse else own.p_better(0.0)
    return chance <= SUSPICIOUS or machine_moved(
        reference.change, context.past.readings, context.readings()
    )


def _is_alone(metric: Metric, context: Context) -> bool:
    """Whether the reference is what became slower, whatever else its machine did.

    All others became faster beside it, by about as much: each pair of their ratios is so much
    likelier alike than that one of them stayed. They ran on its device, over more than
    :data:`SHARED` of its cases, and under several engines, its own among them. And they changed by
    more than what a slow machine does to one engine and not to another: by a share of what it
    reads, or by half of that share where it is also more than it can have slowed any of them.
    """
    ratios = _witnesses(metric, context)
    names = (context.reference, *ratios)
    lives = [life for name in names if name and (life := context.lives.get(name)) is not None]
    places = {(life.facts.device, life.facts.host_processors) for life in lives if life.facts}
    engine, *others = [life.config.get("engine") for life in lives] or [None]
    if len(lives) < len(names) or len(places) != 1:
        return False
    if engine is None or engine not in others or len({*others} - {None}) < 2:
        return False
    reads = SHARE * machine_slowdown(context.past.readings, context.readings())
    least = min(reads, max(_UNFELT * reads, _slowed_at_most(metric, ratios, context)))
    return all(-ratio.change > least for ratio in ratios.values()) and all(
        _tells(one, other) >= math.log(TIMES_AS_LIKELY)
        for one, other in itertools.permutations(ratios.values(), 2)
    )


def _witnesses(metric: Metric, context: Context) -> dict[str, Evidence]:
    """Return the ratios to the reference of all that have most of its cases, by variant."""
    if context.reference is None:
        return {}
    own = context.grounds(metric, context.reference).own()
    least = 0.0 if own is None else SHARED * own.cases
    found = {name: context.grounds(metric, name).beside() for name in _others(context)}
    return {
        name: held.evidence
        for name, held in found.items()
        if held is not None and held.cases > least
    }


def _slowed_at_most(metric: Metric, variants: Iterable[str], context: Context) -> float:
    """Return the logarithm of how much slower any of *variants* can have become by its own times.

    Without any bound where one has no times of its own before.
    """
    found = [context.grounds(metric, name).own() for name in variants]
    evidence = [held.evidence for held in found if held is not None]
    if len(evidence) < len(found):
        return math.inf
    return max((0.0, *(one.change + _STILL * one.error for one in evidence)))


def _ratios(metric: Metric, variant: str, case: Case | None, context: Context) -> list[Evidence]:
    """Return what the ratios to the reference show of all but *variant*."""
    found = []
    for name in _others(context):
        grounds = context.grounds(metric, name)
        key = None if case is None else msgspec.structs.replace(case, variant=name).key
        known = name != variant and (key is None or grounds.has(key))
        held = grounds.beside(key) if known else None
        found += [] if held is None else [held.evidence]
    return found


def _others(context: Context) -> Iterator[str]:
    names = dict.fromkeys(case.variant for case in context.cases)
    yield from (name for name in names if name != context.reference)


def _is_still(evidence: Evidence) -> bool:
    return abs(evidence.change) < _STILL * evidence.error


def has_moved(
    ratio: Evidence, mine: Held | None, reference: Held | None, others: Sequence[Evidence]
) -> bool:
    """Whether the reference is what changed: the other way, and so much likelier.

    Args:
        ratio: the variant's as a multiple of the reference's.
        mine: the variant's own times.
        reference: the reference's.
        others: the other variants' ratios: a reference that changed changes them alike.
    """
    if mine is None or reference is None or reference.evidence.change * ratio.change >= 0:
        return False
    if any(stayed(ratio, other) for other in others):
        return False
    needed = math.log(TIMES_AS_LIKELY)
    told = min((needed, *(_tells(ratio, other) for other in others))) if others else 0.0
    return _favours(mine, reference) + told >= needed


def _favours(one: Held, other: Held) -> float:
    """Return how much likelier it is that *one* stayed as it was than *other*, as a logarithm."""
    stayed_one = _likely(one.evidence, freedom=_CAUCHY)
    return stayed_one - _likely(other.evidence, freedom=_CAUCHY)


def stayed(one: Evidence, other: Evidence) -> bool:
    """Whether *other* surely did not change as *one* did."""
    along = math.copysign(1.0, one.change) * other.change
    return along + _STILL * other.error < ALIKE * abs(one.change)


def _is_alike(one: Evidence, other: Evidence) -> bool:
    return other.change * one.change > 0 and abs(other.change) >= ALIKE * abs(one.change)


def _tells(ratio: Evidence, other: Evidence) -> float:
    """Return how much likelier *other* is where it changed as *ratio* did than where it stayed."""
    moved = msgspec.structs.replace(other, change=other.change - ratio.change)
    return _likely(moved, freedom=other.freedom) - _likely(other, freedom=other.freedom)


def _likely(evidence: Evidence, *, freedom: float) -> float:
    """Return the log-likelihood of the estimate where nothing changed, up to a constant."""
    t = evidence.change / evidence.error
    return -(freedom + 1) / 2 * math.log1p(t**2 / freedom)
