"""A noisy metric judged: magnitude, and evidence.

=============  =================================================================================
verdict        when
=============  =================================================================================
regressed      the whole interval of the worsening lies beyond what is accepted; the interval is
               as wide as the whole session's false alarms ask for (:mod:`.alarms`)
improved       the whole interval lies beyond the same on the good side
inconclusive   neither, but near it: so bad an estimate is no more than ten times as probable as
               it may be for regressed; or not even a doubling could be found; or that holds of a
               ratio that was set aside (:mod:`.yardstick`)
ok             otherwise
=============  =================================================================================

Ok does not ask the whole interval to lie inside what is accepted: with the accepted 1 % nothing
but a perfectly quiet machine would ever be ok. What ok says is told with it: the smallest
worsening that would have been found.
"""

from __future__ import annotations

import math
from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.gate import Tolerance
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.alarms import SUSPICIOUS, doubtful
from pytest_llmbench.verdict.compare import accepted_amounts
from pytest_llmbench.verdict.evidence import log_bound, worsening_share
from pytest_llmbench.verdict.held import Held

BLIND: Final = 1.0
"""Where noise alone could look so much slower, nothing can be ok."""


class NoisyComparison(Fact, frozen=True, kw_only=True):
    """One noisy metric compared; shares are of what it was, worse above zero.

    Attributes:
        metric: its name.
        kind: ok, regressed, improved or inconclusive.
        held: the evidence and its ground.
        doubted: whether a ratio that was set aside is no ok.
        now: this session's number, in the base unit.
        before: what that is held against, likewise.
        worsening: the estimate.
        low, high: ends of the interval of the worsening.
        accepted: worsening that is accepted.
        alpha: probability with which one end misses.
        p: how probable such an estimate is, at most, where the worsening is an accepted one.
        detectable: the smallest worsening that could have been found.
    """

    metric: str
    kind: VerdictKind
    held: Held
    doubted: bool
    now: float
    before: float
    worsening: float
    low: float
    high: float
    accepted: float
    alpha: float
    p: float
    detectable: float


def compare_noisy(
    metric: Metric, held: Held, now: float, *, share: float, amount: float, alpha: float
) -> NoisyComparison:
    """Return the verdict on *held* with its numbers.

    Args:
        metric: what is compared.
        held: the evidence.
        now: this session's number, above zero, in the base unit.
        share: accepted worsening as a share.
        amount: accepted worsening in the base unit, the metric's floor among them; the larger
            of the two holds.
        alpha: probability with which this one may be accused wrongly.
    """
    evidence, better = held.evidence, metric.better
    before = now / math.exp(-evidence.change if better == "higher" else evidence.change)
    accepted = max(share, amount / before)
    bound, margin = log_bound(accepted, better=better), evidence.margin(alpha)
    p = evidence.p_worse(bound)
    doubted = _is_near(held.aside, bound, alpha)
    kind = _kind(p, evidence.p_better(log_bound(accepted, better="lower")), alpha, margin)
    if kind is VerdictKind.IMPROVED and held.ground == "ratio" and held.moved is not None:
        kind = VerdictKind.OK  # beside a reference that became slower
    return NoisyComparison(
        metric=metric.name,
        kind=VerdictKind.INCONCLUSIVE if doubted and kind is not VerdictKind.REGRESSED else kind,
        held=held,
        doubted=doubted,
        now=now,
        before=before,
        worsening=worsening_share(evidence.change, better=better),
        low=worsening_share(evidence.change - margin, better=better),
        high=worsening_share(evidence.change + margin, better=better),
        accepted=accepted,
        alpha=alpha,
        p=p,
        detectable=worsening_share(bound + margin, better=better),
    )


def _is_near(aside: Held | None, bound: float, alpha: float) -> bool:
    """Whether what was set aside is no ok."""
    return aside is not None and aside.evidence.p_worse(bound) <= doubtful(alpha)


def is_plain(metric: Metric, held: Held, tolerance: Tolerance | None) -> bool:
    """Whether the evidence is plain already: no worse than accepted, or clearly worse."""
    share = accepted_amounts(metric, 1.0, tolerance)[0]
    bound = log_bound(share, better=metric.better)
    p = held.evidence.p_worse(bound)
    return p <= SUSPICIOUS / 1000 or p >= 1 - SUSPICIOUS


def _kind(p: float, p_better: float, alpha: float, margin: float) -> VerdictKind:
    if p <= alpha:
        return VerdictKind.REGRESSED
    if p_better <= alpha:
        return VerdictKind.IMPROVED
    if p <= doubtful(alpha) or margin > math.log1p(BLIND):
        return VerdictKind.INCONCLUSIVE
    return VerdictKind.OK
