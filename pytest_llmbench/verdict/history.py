"""Which of a baseline's sessions can be compared with what was measured now."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import median
from typing import Final

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.verdict.words import differences

_MAD_TO_SD: Final = (2.10, 3.19, 2.06, 2.04, 1.90, 1.82, 1.78, 1.72, 1.70)
"""Standard deviations in a median absolute deviation of 2, 3 … 10 normal values from their own
median, by simulation (400,000 samples each); it tends to 1.4826 for many."""


_FEWEST: Final = 10
"""Deviations that make a pool: five cases of two sessions, say."""


class Sample(Fact, frozen=True, kw_only=True):
    """One session's numbers of one case, or of one variant's life, with all they depend on.

    *workload* is empty for a life; *metrics* are session statistics in base units.
    """

    environment: Environment
    workload: dict[str, str]
    identity: dict[str, str]
    settings: dict[str, str]
    metrics: dict[str, float]


def kept_case(baseline: Baseline | None, key: str) -> tuple[Sample, ...]:
    """Return the case *key* in every session that has it, oldest first."""
    kept = []
    for session in baseline.sessions if baseline else ():
        case = session.cases.get(key)
        if case is None:
            continue
        variant = session.variants.get(case.variant)
        kept.append(
            Sample(
                environment=session.environment,
                workload=case.workload,
                identity=variant.identity if variant else {},
                settings=variant.settings if variant else {},
                metrics=case.metrics,
            )
        )
    return tuple(kept)


def kept_life(baseline: Baseline | None, variant: str) -> tuple[Sample, ...]:
    """Return the life of *variant* in every session that has it, oldest first."""
    return tuple(
        Sample(
            environment=session.environment,
            workload={},
            identity=session.variants[variant].identity,
            settings=session.variants[variant].settings,
            metrics=session.variants[variant].metrics,
        )
        for session in (baseline.sessions if baseline else ())
        if variant in session.variants
    )


def pooled_spread(baseline: Baseline, variant: str, metric: str, now: Sample) -> float | None:
    """Return how far apart the baseline's sessions are in *metric*, as a share.

    The median absolute deviation of the logarithms from their case's median, scaled to a
    standard deviation, over all cases of *variant* that two or more sessions have: one bad
    session of three does not count. Only sessions of the same machine and the same model as
    *now* count. ``None`` where there are too few of them to pool.
    """
    values: dict[tuple[str, tuple[str, ...]], list[float]] = defaultdict(list)
    for session in baseline.sessions:
        kept = session.variants.get(variant)
        same = session.environment.identity == now.environment.identity
        if not same or kept is None or kept.identity != now.identity:
            continue
        for key, case in session.cases.items():
            value = case.metrics.get(metric, 0.0)
            if case.variant == variant and value > 0:
                values[key, tuple(case.workload.values())].append(math.log(value))
    deviations = [d for group in values.values() for d in _deviations(group)]
    return median(deviations) if len(deviations) >= _FEWEST else None


def _deviations(values: list[float]) -> list[float]:
    """Return how far each value is from their median, scaled to standard deviations."""
    if len(values) < 2:
        return []
    centre, scale = median(values), _MAD_TO_SD[min(len(values), len(_MAD_TO_SD) + 1) - 2]
    return [scale * abs(value - centre) for value in values]


def same_work(past: tuple[Sample, ...], now: Sample) -> tuple[Sample, ...]:
    """Return the samples of the same workload by the same model."""
    return tuple(
        then for then in past if then.workload == now.workload and then.identity == now.identity
    )


def same_machine(past: tuple[Sample, ...], now: Sample) -> tuple[Sample, ...]:
    """Return the samples from a machine of the same identity."""
    return tuple(then for then in past if then.environment.identity == now.environment.identity)


def work_differences(then: Sample, now: Sample) -> tuple[Difference, ...]:
    """Return what makes the two incomparable: fields of the workload and the model."""
    return differences(then.workload, now.workload) + differences(then.identity, now.identity)


def machine_differences(then: Sample, now: Sample) -> tuple[Difference, ...]:
    """Return what makes the machines incomparable."""
    return differences(then.environment.identity, now.environment.identity)


def likely_causes(then: Sample, now: Sample) -> tuple[Difference, ...]:
    """Return what else is not as it was: machine, its context, and the variant's settings."""
    return (
        machine_differences(then, now)
        + differences(then.environment.context, now.environment.context)
        + differences(then.settings, now.settings)
    )
