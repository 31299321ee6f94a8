"""What several cases come to: one number for each metric, and how many times another variant's."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind


def across(name: str, values: Iterable[float | None]) -> float | None:
    """Return what the values of several cases come to, in the metric's base unit.

    Times and rates are the median, memory is the highest, counts are added up, all else is the
    mean. What is absent or not finite is no value; ``None`` where there is no value.

    Args:
        name: the metric; one that the catalogue does not know has the mean.
        values: one a case.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    metric = CATALOGUE.get(name)
    if metric is not None and metric.unit == "B":
        return max(known)
    if metric is not None and metric.unit == "count":
        return math.fsum(known)
    if metric is not None and metric.kind is Kind.NOISY:
        return statistics.median(known)
    return statistics.fmean(known)


def together(ratios: Iterable[float | None]) -> float | None:
    """Return the geometric mean of *ratios*, so that twice and half come to one.

    What is absent, not finite or not above zero is no ratio; ``None`` where there is none.
    """
    known = [ratio for ratio in ratios if ratio is not None and 0 < ratio < math.inf]
    return statistics.geometric_mean(known) if known else None


def quotients(
    mine: Mapping[str, float | None], theirs: Mapping[str, float | None]
) -> dict[str, float]:
    """Return *mine* by *theirs*, key by key, where both are above zero."""
    found = {key: (value, theirs.get(key)) for key, value in mine.items()}
    return {
        key: one / other
        for key, (one, other) in found.items()
        if one is not None and other is not None and one > 0 and other > 0
    }
