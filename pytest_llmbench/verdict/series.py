"""One metric over the sessions of a baseline: of a case, of a variant's life, of many cases.

Only sessions that can be compared with the newest one have a value: the same work by the same
model and, where the metric is a time or memory, on the same machine. The others are gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.metrics.across import across

Series = tuple[float | None, ...]
"""A value a session, oldest first; ``None`` where there is none to be compared."""


def case_series(baseline: Baseline, key: str, metric: Metric) -> Series:
    """Return *metric* of the case *key*, in its base unit."""
    found = [_of_case(session, key, metric) for session in baseline.sessions]
    return _comparable(found)


def life_series(baseline: Baseline, variant: str, metric: Metric) -> Series:
    """Return *metric* of the life of *variant*, in its base unit."""
    found = [_of_life(session, variant, metric) for session in baseline.sessions]
    return _comparable(found)


def series_across(metric: Metric, cases: Sequence[Series]) -> Series:
    """Return what several cases come to, session by session.

    Of the cases those count that have a value in every session in which any has one, so that a
    session in which only some of them ran is no step. Where no case has, all count.
    """
    there = [any(value is not None for value in column) for column in zip(*cases, strict=True)]
    whole = [
        series
        for series in cases
        if all(value is not None for value, any_has in zip(series, there, strict=True) if any_has)
    ]
    columns = zip(*(whole or cases), strict=True)
    return tuple(across(metric.name, column) for column in columns)


def cases_of(baseline: Baseline) -> dict[str, str]:
    """Return every case that a session has, with its variant, the newest session's first."""
    newest_first = reversed(baseline.sessions)
    return {key: case.variant for session in newest_first for key, case in session.cases.items()}


def variants_of(baseline: Baseline) -> tuple[str, ...]:
    """Return every variant that a session has, the newest session's first."""
    newest_first = reversed(baseline.sessions)
    return tuple(dict.fromkeys(name for session in newest_first for name in session.variants))


_Found = tuple[float, tuple[Mapping[str, str], ...]] | None
"""A value, and what it can be compared under."""


def _of_case(session: BaselineSession, key: str, metric: Metric) -> _Found:
    case = session.cases.get(key)
    if case is None or metric.name not in case.metrics:
        return None
    variant = session.variants.get(case.variant)
    identity = {} if variant is None else variant.identity
    return case.metrics[metric.name], (case.workload, identity, _machine(session, metric))


def _of_life(session: BaselineSession, name: str, metric: Metric) -> _Found:
    variant = session.variants.get(name)
    if variant is None or metric.name not in variant.metrics:
        return None
    return variant.metrics[metric.name], (variant.identity, _machine(session, metric))


def _machine(session: BaselineSession, metric: Metric) -> Mapping[str, str]:
    """Return what has to match of the machine: nothing where the metric repeats anywhere."""
    return {} if metric.kind is Kind.EXACT else session.environment.identity


def _comparable(found: Iterable[_Found]) -> Series:
    every = list(found)
    newest = next((each for each in reversed(every) if each is not None), None)
    if newest is None:
        return (None,) * len(every)
    return tuple(each[0] if each is not None and each[1] == newest[1] else None for each in every)
