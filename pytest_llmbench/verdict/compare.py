"""One metric of this session against the baseline's sessions: how large, how sure, which verdict.

The sample is one number a session. Rounds within a session are not independent evidence (they
share its slow minute), so they sharpen the session's number and appear nowhere else.

**Worsening** is the change in the direction that is worse, in the metric's base unit; where
neither direction is better, its absolute value. **Bound** is the largest of the accepted share
of the baseline, the accepted amount and the metric's floor.

*Noisy metrics.* The centre is the median of the sessions' values. The spread between sessions is
never less than the metric's documented noise. From two sessions on it is what they show, pooled
over the cases of the metric and variant (a single case's two or three values say little) and
by the median absolute deviation (one bad session does not count); with one session the metric's
documented jitter is added instead. This session's own spread is that, or what its rounds show
where that is more: a machine that changes gear within a case will do so between sessions too.
The interval is ``worsening ± 2 · sqrt(own² + spread²/n)``: this session and the centre of *n*
both vary.

=============  ==============================================================================
verdict        when
=============  ==============================================================================
regressed      the whole interval lies beyond the bound on the worse side
improved       the whole interval lies beyond the bound on the good side
inconclusive   the worsening is beyond the bound, but the interval reaches back into it; or
               the interval's half-width is more than three times the bound
ok             otherwise: the worsening is within the bound, and four times the bound would
               have been found
=============  ==============================================================================

Why ok does not ask the whole interval to lie inside: with the documented noise of 2 %, a
baseline of one session and the default tolerance of 10 %, identical code would leave that
stricter region in one comparison of fifteen, and a session has a hundred. The best estimate
decides between ok and not ok, the interval decides whether not ok is proven. What ok still
promises is power: with a half-width up to three times the bound, a worsening measured at four
times the bound is regressed. Where it is more restless than that it is inconclusive, not ok.

*Near-exact metrics* (memory) have the same centre and no interval: tolerance and floor alone.
*Exact metrics* are held against the newest session, so that what was saved last is what counts,
and any change for the better is improved.
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

COVERAGE: Final = 2.0
"""Half-width of the interval in standard deviations: about 95 % of a normal distribution."""

BLIND: Final = 3.0
"""Half-widths beyond this many bounds can't carry an ok."""

MOST_JITTER: Final = 0.1
"""The assumed jitter is never more than this share of the baseline: what is only assumed must not
make every comparison of a fast model inconclusive."""

_MAD_TO_SD: Final = 1.4826
"""A normal distribution's standard deviation in median absolute deviations."""

_ROUNDING: Final = 1e-12


class Comparison(Fact, frozen=True, kw_only=True):
    """One metric compared; all amounts in the metric's base unit.

    Attributes:
        metric: the metric's name.
        kind: ok, regressed, improved or inconclusive.
        baseline: the baseline's number: the sessions' median, or the newest one's if exact.
        now: this session's number.
        sessions: number of baseline sessions behind *baseline*.
        worsening: the change in the worse direction; negative is better.
        half_width: half of the interval around *worsening*; 0 where no noise is assumed.
        bound: worsening that is accepted.
    """

    metric: str
    kind: VerdictKind
    baseline: float
    now: float
    sessions: int
    worsening: float
    half_width: float
    bound: float

    @property
    def low(self) -> float:
        """Lower end of the interval of the worsening."""
        return self.worsening - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval of the worsening."""
        return self.worsening + self.half_width

    @property
    def detectable(self) -> float:
        """The smallest worsening that this baseline can prove to be a regression."""
        return self.bound + self.half_width

    def share(self, amount: float) -> float | None:
        """Return *amount* as a share of the baseline; ``None`` where the baseline is 0."""
        return amount / abs(self.baseline) if self.baseline else None


def compare(
    metric: Metric,
    now: float,
    history: Sequence[float],
    tolerance: Tolerance | None,
    *,
    own_spread: float = 0.0,
    pooled: float | None = None,
) -> Comparison:
    """Return how *now* compares with *history*, one value a session, oldest first.

    Args:
        metric: what is compared.
        now: this session's statistic, in the base unit.
        history: the baseline's, one value a session, oldest first.
        tolerance: the user's, in place of the metric's default; the metric's floor holds in
            either case.
        own_spread: standard deviation that this session's rounds show, in the base unit.
        pooled: standard deviation between the baseline's sessions as a share, pooled over the
            variant's cases; ``None`` takes what *history* alone shows.

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
    half_width = 0.0
    if metric.kind is Kind.NOISY:
        half_width = _half_width(session_spread(metric, history, pooled), own_spread, len(history))
    bound = max(accepted_amounts(metric, baseline, tolerance))
    edge = bound + _ROUNDING * max(abs(baseline), abs(now), bound)
    return Comparison(
        metric=metric.name,
        kind=_kind(metric, worsening, half_width, edge),
        baseline=baseline,
        now=now,
        sessions=len(history),
        worsening=worsening,
        half_width=half_width,
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


def session_spread(metric: Metric, history: Sequence[float], pooled: float | None = None) -> float:
    """Return the standard deviation between sessions of unchanged code, in the base unit."""
    centre = abs(float(np.median(history)))
    assumed = metric.noise * centre
    if len(history) == 1:
        return math.hypot(assumed, min(metric.jitter, MOST_JITTER * centre))
    return max(assumed, _observed_spread(history) if pooled is None else pooled * centre)


def _observed_spread(history: Sequence[float]) -> float:
    values = np.asarray(history, dtype=float)
    if len(values) == 2:
        return float(np.std(values, ddof=1))
    return float(np.median(np.abs(values - np.median(values)))) * _MAD_TO_SD


def _half_width(spread: float, own_spread: float, sessions: int) -> float:
    own = max(spread, own_spread)
    return COVERAGE * math.hypot(own, spread / math.sqrt(sessions))


def _worsening(metric: Metric, change: float) -> float:
    return {"lower": change, "higher": -change, None: abs(change)}[metric.better]


def _kind(metric: Metric, worsening: float, half_width: float, bound: float) -> VerdictKind:
    """Return the verdict of the table above; *bound* includes the grain of the arithmetic."""
    if worsening - half_width > bound:
        return VerdictKind.REGRESSED
    good_enough = 0.0 if metric.kind is Kind.EXACT else bound
    if worsening + half_width < -good_enough:
        return VerdictKind.IMPROVED
    if worsening > bound or half_width > BLIND * bound:
        return VerdictKind.INCONCLUSIVE
    return VerdictKind.OK
