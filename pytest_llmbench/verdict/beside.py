"""Verdicts side by side on what only one of the two has.

*twin* is the name of what the subject is held against: ``base@main``.
"""

from __future__ import annotations

from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import Verdict, VerdictKind


def no_twin(subject: str, twin: str, why: str) -> Verdict:
    """Return the one verdict where the other side has no result."""
    return Verdict(
        metric="",
        kind=VerdictKind.INCOMPARABLE,
        sentence=f"{subject} can't be compared side by side, because {twin} has no result: {why}",
    )


def only_here(metric: Metric, twin: str) -> Verdict:
    """Return the verdict on a metric that the other side does not have."""
    sentence = f"{metric.name} was measured here, but {twin} has none to compare it with"
    return Verdict(metric=metric.name, kind=VerdictKind.NEW, sentence=sentence)


def only_there(metric: Metric, twin: str, reason: str) -> Verdict:
    """Return the verdict on a metric that only the other side has."""
    sentence = f"{metric.name} was measured of {twin}, but not here: {reason}"
    return Verdict(metric=metric.name, kind=VerdictKind.MISSING, sentence=sentence)
