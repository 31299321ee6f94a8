"""Was this case's measuring disturbed? Then a slower time is no evidence of slower code."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.metrics.case import enough_clean
from pytest_llmbench.metrics.taint import Machine, taint


class Disturbance(Fact, frozen=True, kw_only=True):
    """Too many of a case's rounds were disturbed: *sentence* says how many, and by what."""

    sentence: str


def disturbance(rounds: Sequence[Round], machine: Machine) -> Disturbance | None:
    """Return what disturbed so many of *rounds* that too few are left, or ``None``.

    Where enough are left the others are not counted instead
    (:func:`pytest_llmbench.metrics.case.clean_rounds`).

    *machine*: see :func:`pytest_llmbench.metrics.taint.taint`.
    """
    reasons = [taint(entry.contention, machine) for entry in rounds]
    given = [(number, reason) for number, reason in enumerate(reasons, start=1) if reason]
    if not given or enough_clean([reason is None for reason in reasons]):
        return None
    number, reason = given[0]
    return Disturbance(
        sentence=f"{len(given)} of {len(reasons)} rounds were disturbed (round {number}: {reason})"
    )


def softened(verdict: Verdict, disturbed: Disturbance | None) -> Verdict:
    """Return *verdict*, made inconclusive where *disturbed* took its ground away.

    Contention makes times longer: it takes the ground from a regressed noisy metric only.
    """
    if disturbed is None or not _grounded_on_time(verdict):
        return verdict
    return Verdict(
        metric=verdict.metric,
        kind=VerdictKind.INCONCLUSIVE,
        sentence=f"{verdict.sentence}, but {disturbed.sentence}",
        block=verdict.block,
    )


def _grounded_on_time(verdict: Verdict) -> bool:
    metric = CATALOGUE.get(verdict.metric)
    noisy = metric is not None and metric.kind is Kind.NOISY
    return noisy and verdict.kind is VerdictKind.REGRESSED
