"""A metric that repeats against the baseline: how large is the change, and is it accepted?

*Near-exact metrics* (memory) are held against the median of the sessions; tolerance and the
metric's floor decide alone. *Exact metrics* are held against the newest session, so that what was
saved last is what counts, and any change for the better beyond the floor, which most of them don't
have, is improved. Noisy metrics are judged in
:mod:`.noisy`.

**Worsening** is the change in the direction that is worse, in the metric's base unit; where
neither direction is better, its absolute value. **Bound** is the largest of the accepted share
of the baseline, the accepted amount and the metric's floor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.gate import Tolerance
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.verdict import VerdictKind

_ROUNDING: Final = 1e-12


class Comparison(Fact, frozen=True, kw_only=True):
    """One metric compared; all amounts in the metric's base unit.

    Attributes:
        metric: the metric's name.
        kind: ok, regressed or improved.
        baseline: the baseline's number: the sessions' median, or the newest one's if exact.
        now: this session's number.
        sessions: number of baseline sessions behind *baseline*.
        worsening: the change in the worse direction; negative is better.
        bound: worsening that is accepted.
    """

    metric: str
    kind: VerdictKind
    baseline: float
    now: float
    sessions: int
    worsening: float
    bound: float


def compare(
    metric: Metric, now: float, history: Sequence[float], tolerance: Tolerance | None
) -> Comparison:
    """Return how *now* compares with *history*, one value a session, oldest first.

    Args:
        metric: what is compared; it repeats.
        now: this session's statistic, in the base unit.
        history: the baseline's, one value a session, oldest first.
        tolerance: the user's, in place of the metric's default; the metric's floor holds in
            either case.

    Raises:
        ValueError: *history* is empty (without a baseline there is nothing to compare), or a
            number is not finite (it would be neither better nor worse, and so pass).
    """
    if not history:
        raise ValueError(f"{metric.name} has no baseline value to be compared with")
    if not all(map(math.isfinite, (now, *history))):
        raise ValueError(f"{metric.name} is not finite: {now} now, {list(history)} before")
    baseline = history[-1] if metric.kind is Kind.EXACT else float(np.median(history))
    worsening = _worsening(metric, now - baseline)
    bound = max(accepted_amounts(metric, baseline, tolerance))
    edge = bound + _ROUNDING * max(abs(baseline), abs(now), bound)
    return Comparison(
        metric=metric.name,
        kind=_kind(metric, worsening, edge),
        baseline=baseline,
        now=now,
        sessions=len(history),
        worsening=worsening,
        bound=bound,
    )


def accepted_amounts(
    metric: Metric, baseline: float, tolerance: Tolerance | None
) -> tuple[float, float, float]:
    """Return the worsening accepted by share, by amount and by floor; the largest is the bound.

    A share of a baseline of 0 is nothing: there amount and floor alone decide.
    """
    share, amount = (metric.tolerance, None)
    if tolerance is not None:
        share, amount = tolerance.share or 0.0, tolerance.amount
    return share * abs(baseline), amount or 0.0, metric.floor


def _worsening(metric: Metric, change: float) -> float:
    return {"lower": change, "higher": -change, None: abs(change)}[metric.better]


def _kind(metric: Metric, worsening: float, bound: float) -> VerdictKind:
    """Return the verdict; *bound* includes the grain of the arithmetic."""
    if worsening > bound:
        return VerdictKind.REGRESSED
    good_enough = metric.floor if metric.kind is Kind.EXACT else bound
    return VerdictKind.IMPROVED if worsening < -good_enough else VerdictKind.OK
