"""How large a change is and how sure: an estimate, its standard error, and what they prove.

Everything is in logarithms, where a slowdown is a sum and twice as slow weighs as much as half.
Student's t with the degrees of freedom that stand behind the standard error decides, so that a
baseline of two sessions proves less than one of ten.
"""

from __future__ import annotations

import math

from pytest_llmbench.domain.fact import Fact


class Evidence(Fact, frozen=True, kw_only=True):
    """A change for the worse, estimated.

    Attributes:
        change: ``ln(now ÷ before)`` where lower is better, else its negative: above zero is worse.
        error: its standard error, above zero.
        freedom: degrees of freedom behind *error*.
    """

    change: float
    error: float
    freedom: float

    def p_worse(self, bound: float) -> float:
        """Return how probable such an estimate is, at most, where it is no worse than *bound*."""
        return self._tail((self.change - bound) / self.error)

    def p_better(self, bound: float) -> float:
        """Return the same of an estimate so good where it is no more than *bound* better.

        *bound* is positive.
        """
        return self._tail((-self.change - bound) / self.error)

    def margin(self, alpha: float) -> float:
        """Return the half-width of the interval that *alpha* of the estimates miss on one side."""
        return quantile(alpha, self.freedom) * self.error

    def _tail(self, t: float) -> float:
        return student_tail(t, self.freedom)


def student_tail(t: float, freedom: float) -> float:
    """Return how probable it is that Student's t with *freedom* exceeds *t*."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def quantile(alpha: float, freedom: float) -> float:
    """Return the value that Student's t with *freedom* exceeds with the probability *alpha*."""
    from scipy.special import stdtrit

    return -float(stdtrit(freedom, alpha))


def log_bound(share: float, *, better: str | None) -> float:
    """Return *share* of worsening as a logarithm: 10 % more time, or 10 % fewer tokens a second.

    A rate can't fall by more than all of it: from a share of 1 on nothing is a regression.
    """
    if better == "higher":
        return -math.log1p(-share) if share < 1 else math.inf
    return math.log1p(share)


def worsening_share(change: float, *, better: str | None) -> float:
    """Return the logarithm *change* as a share of what it was: the inverse of log_bound."""
    return -math.expm1(-change) if better == "higher" else math.expm1(change)
