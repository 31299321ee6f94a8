"""Absolute bounds that a user set, held against the value that reports show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Limit
from pytest_llmbench.domain.record import Measured
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.units import format_amount, format_percent
from pytest_llmbench.verdict.words import amount_pair


def judge_limits(
    metrics: Mapping[str, Measured],
    limits: Iterable[Limit],
    absent: Callable[[str], str],
) -> tuple[Verdict, ...]:
    """Return one verdict a limit: ok, regressed, or missing where the metric was not measured.

    *absent* says why a metric is not in *metrics*, as the end of a sentence.
    """
    return tuple(_judge(limit, metrics.get(limit.metric), absent) for limit in limits)


def _judge(limit: Limit, measured: Measured | None, absent: Callable[[str], str]) -> Verdict:
    if measured is None:
        kind, sentence = VerdictKind.MISSING, _missing(limit, absent(limit.metric))
    elif limit.holds(measured.value):
        kind, sentence = VerdictKind.OK, _sentence(limit, measured.value)
    else:
        kind, sentence = VerdictKind.REGRESSED, _sentence(limit, measured.value)
    block = () if measured is None or kind is VerdictKind.OK else _block(limit, measured)
    return Verdict(metric=limit.metric, kind=kind, sentence=sentence, block=block)


def _sentence(limit: Limit, value: float) -> str:
    """Return ``ttft_s is 620 ms; the limit is <= 500 ms: 24 % above (origin)``."""
    now, bound = amount_pair(value, limit.bound, CATALOGUE[limit.metric].unit)
    return (
        f"{limit.metric} is {now}; the limit is {limit.operator} {bound}: "
        f"{_margin(limit, value)} ({limit.origin})"
    )


def _margin(limit: Limit, value: float) -> str:
    gap = value - limit.bound
    if gap == 0:
        return "exactly at it"
    unit = CATALOGUE[limit.metric].unit
    size = abs(gap)
    text = format_percent(size / abs(limit.bound)) if limit.bound else format_amount(size, unit)
    return f"{text} {'above' if gap > 0 else 'below'}"


def _missing(limit: Limit, reason: str) -> str:
    bound = format_amount(limit.bound, CATALOGUE[limit.metric].unit)
    return (
        f"{limit.metric} has the limit {limit.operator} {bound} ({limit.origin}) but was not "
        f"measured: {reason}"
    )


def _block(limit: Limit, measured: Measured) -> tuple[tuple[str, str], ...]:
    metric = CATALOGUE[limit.metric]
    now, bound = amount_pair(measured.value, limit.bound, metric.unit)
    return (
        ("metric", f"{metric.name}: {metric.summary}"),
        ("now", now),
        ("limit", f"{limit.operator} {bound} ({limit.origin})"),
        ("margin", _margin(limit, measured.value)),
    )
