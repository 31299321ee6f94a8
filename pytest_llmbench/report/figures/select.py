"""What of the cases a figure is about, and the plain arithmetic over it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from pytest_llmbench.report.results import CaseResult, Study

DEVICE: tuple[str, ...] = (
    "device_alloc_peak_bytes",
    "device_process_bytes",
    "reported_device_bytes",
)
"""Witnesses of a device's memory, the best first, as in the terminal's table."""

RESIDENT: tuple[str, ...] = ("rss_peak_bytes", "reported_bytes")


def values(cases: Iterable[CaseResult], metric: str) -> list[float]:
    """Return *metric* of the cases that have it."""
    return [value for case in cases if (value := case.value(metric)) is not None]


def rounds(cases: Iterable[CaseResult], metric: str) -> list[float]:
    """Return *metric* of rounds of the cases that have it, of each case equally many.

    These are its last ones, as many as the case with the fewest has: rounds that something else
    disturbed are repeated at the end, and a case that was disturbed often shall not count for more.
    """
    each = [
        [v for v in case.metrics[metric].rounds if v is not None and math.isfinite(v)]
        for case in cases
        if metric in case.metrics
    ]
    there = [several for several in each if several]
    fewest = min(map(len, there), default=0)
    return [value for several in there for value in several[-fewest:]]


def median(several: Sequence[float]) -> float | None:
    """Return the median, ``None`` of nothing."""
    return statistics.median(several) if several else None


def mean(several: Sequence[float]) -> float | None:
    """Return the mean, ``None`` of nothing."""
    return statistics.fmean(several) if several else None


def deviation(several: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample, ``None`` of fewer than two."""
    return statistics.stdev(several) if len(several) > 1 else None


def quantiles(several: Sequence[float], shares: Sequence[float]) -> list[float]:
    """Return the quantiles of *several*, at least one, at *shares* (numpy's type 7)."""
    return [float(value) for value in np.quantile(np.asarray(several, dtype=float), shares)]


def highest(cases: Sequence[CaseResult], metrics: Sequence[str]) -> float | None:
    """Return the highest value of the first of *metrics* that any case has."""
    peaks = (max(values(cases, metric), default=None) for metric in metrics)
    return next((peak for peak in peaks if peak is not None), None)


def shared(cases: Sequence[CaseResult]) -> tuple[CaseResult, ...]:
    """Return the cases whose question every variant that measured any has answered.

    Where the variants have no question in common, all of *cases*.
    """
    asked: dict[str, set[tuple[str, str, str]]] = {}
    for case in cases:
        if case.error is None:
            asked.setdefault(case.variant, set()).add(case.asked)
    common = set.intersection(*asked.values()) if asked else set()
    return tuple(case for case in cases if case.asked in common) if common else tuple(cases)


def measured(study: Study) -> tuple[CaseResult, ...]:
    """Return the cases that were measured."""
    return tuple(case for case in study.cases if case.error is None)
