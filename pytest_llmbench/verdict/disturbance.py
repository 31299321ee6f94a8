"""Was this case's measuring disturbed? Then a slower time is no evidence of slower code."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.metric import CATALOGUE, Kind
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.metrics.taint import taint


class Disturbance(Fact, frozen=True, kw_only=True):
    """More than half of a case's rounds were disturbed: *sentence* says how many, and by what."""

    sentence: str


def disturbance(rounds: Sequence[Round], processors: int | None) -> Disturbance | None:
    """Return what disturbed more than half of *rounds*, or ``None``.

    Up to a half they are left out of the statistics instead
    (:func:`pytest_llmbench.metrics.case.clean_rounds`).

    *processors*: see :func:`pytest_llmbench.metrics.taint.taint`.
    """
    reasons = [taint(entry.contention, processors) for entry in rounds]
    given = [(number, reason) for number, reason in enumerate(reasons, start=1) if reason]
    if len(given) * 2 <= len(reasons):
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
