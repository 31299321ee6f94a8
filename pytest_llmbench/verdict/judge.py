"""The judge: one case, one variant's life, and the cases that did not come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.gate import Gates, Limit
from pytest_llmbench.domain.metric import CATALOGUE, Kind, Metric
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    Measured,
    ModelFacts,
    VariantRecord,
)
from pytest_llmbench.domain.verdict import Verdict
from pytest_llmbench.verdict.absence import absent_from_case, absent_from_life
from pytest_llmbench.verdict.compare import compare
from pytest_llmbench.verdict.disturbance import disturbance, softened
from pytest_llmbench.verdict.explain import comparison_verdict
from pytest_llmbench.verdict.history import (
    Sample,
    kept_case,
    kept_life,
    likely_causes,
    machine_differences,
    pooled_spread,
    same_machine,
    same_work,
    work_differences,
)
from pytest_llmbench.verdict.limits import judge_limits
from pytest_llmbench.verdict.uncompared import (
    failed,
    new_metric,
    new_subject,
    not_run,
    other_machine,
    other_work,
    unmeasured,
)

_QUALITY = frozenset({"score"})


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is being judged: its name for sentences, its metrics, and the baseline's name.

    *spreads* are what this session's rounds show, *pooled* what the baseline's sessions do.
    """

    name: str
    metrics: tuple[Metric, ...]
    gates: Gates
    baseline: str | None
    absent: Callable[[str], str]
    spreads: dict[str, float]
    pooled: Callable[[str], float | None]


def judge_case(
    record: CaseRecord,
    facts: ModelFacts | None,
    environment: Environment,
    gates: Gates,
    baseline: Baseline | None,
    *,
    processors: int | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts on one case: its limits first, then what was compared.

    A case that failed has one verdict, error. A case that the baseline does not have, or that
    asks for something else than it did there, has one verdict for all comparing. Metrics are
    compared when the catalogue gates them or *gates* has a tolerance for them; informative ones
    never are, and quality is gated by default on greedy cases only.

    *processors*: see :func:`pytest_llmbench.metrics.taint.taint`.
    """
    name = f"case {record.case.key}"
    past = kept_case(baseline, record.case.key)
    if record.error is not None:
        return (failed(name, record.error, _name(baseline), len(past)),)
    now = Sample(
        environment=environment,
        workload=record.case.workload,
        identity=facts.identity if facts else {},
        settings=facts.settings if facts else {},
        metrics=_gate_values(record.metrics),
    )
    subject = _Subject(
        name=name,
        metrics=_compared("case", gates, greedy=record.case.parameters.greedy),
        gates=gates,
        baseline=_name(baseline),
        absent=partial(absent_from_case, record=record, facts=facts),
        spreads={name: measured.spread for name, measured in record.metrics.items()},
        pooled=partial(_pooled, baseline, record.case.variant, now),
    )
    held = judge_limits(record.metrics, _limits(gates, "case"), subject.absent)
    disturbed = disturbance(record.rounds, processors)
    return tuple(softened(v, disturbed) for v in (*held, *_against(now, past, subject)))


def judge_life(
    record: VariantRecord,
    environment: Environment,
    gates: Gates,
    baseline: Baseline | None,
) -> tuple[Verdict, ...]:
    """Return the verdicts on one variant's life cycle, as :func:`judge_case` does on a case."""
    name = f"variant {record.id}"
    past = kept_life(baseline, record.id)
    if record.error is not None:
        return (failed(name, record.error, _name(baseline), len(past)),)
    now = Sample(
        environment=environment,
        workload={},
        identity=record.facts.identity if record.facts else {},
        settings=record.facts.settings if record.facts else {},
        metrics=_gate_values(record.life_cycle),
    )
    subject = _Subject(
        name=name,
        metrics=_compared("variant", gates, greedy=True),
        gates=gates,
        baseline=_name(baseline),
        absent=partial(absent_from_life, record=record),
        spreads={},
        pooled=lambda _: None,
    )
    held = judge_limits(record.life_cycle, _limits(gates, "variant"), subject.absent)
    return (*held, *_against(now, past, subject))


def missing_cases(
    baseline: Baseline | None,
    expected: Collection[str],
    in_scope: Callable[[str, str], bool],
) -> tuple[tuple[str, Verdict], ...]:
    """Return a verdict for each case that any session of the baseline has and was not collected.

    *expected* are the keys that were collected. *in_scope* says of a variant and a suite whether
    this run was to measure them: what was left out on purpose is not missed. Sorted by key.
    """
    if baseline is None:
        return ()
    kept = {
        key: (case.variant, session.saved_at)
        for session in baseline.sessions
        for key, case in session.cases.items()
    }
    return tuple(
        (key, not_run(key, baseline.name, saved_at))
        for key, (variant, saved_at) in sorted(kept.items())
        if key not in expected and in_scope(variant, key.partition("/")[0])
    )


def _compared(of: Literal["case", "variant"], gates: Gates, *, greedy: bool) -> tuple[Metric, ...]:
    return tuple(
        metric
        for metric in CATALOGUE.values()
        if metric.of == of
        and metric.kind is not Kind.INFORMATIVE
        and (
            metric.name in gates.tolerances
            or (metric.gated and (greedy or metric.name not in _QUALITY))
        )
    )


def _pooled(baseline: Baseline | None, variant: str, now: Sample, metric: str) -> float | None:
    return None if baseline is None else pooled_spread(baseline, variant, metric, now)


def _name(baseline: Baseline | None) -> str | None:
    return baseline.name if baseline else None


def _limits(gates: Gates, of: Literal["case", "variant"]) -> tuple[Limit, ...]:
    return tuple(limit for name, limit in gates.limits.items() if CATALOGUE[name].of == of)


def _gate_values(metrics: dict[str, Measured]) -> dict[str, float]:
    return {name: measured.gate for name, measured in metrics.items()}


def _against(now: Sample, past: tuple[Sample, ...], subject: _Subject) -> tuple[Verdict, ...]:
    """Return the verdicts of comparing *now* with *past*."""
    if not past or subject.baseline is None:
        return (new_subject(subject.name, subject.baseline),)
    work = same_work(past, now)
    if not work:
        return (other_work(subject.name, subject.baseline, work_differences(past[-1], now)),)
    here = same_machine(work, now)
    if here:
        return _compare_each(now, here, subject, subject.metrics)
    exact = tuple(metric for metric in subject.metrics if metric.kind is Kind.EXACT)
    differ = machine_differences(work[-1], now)
    elsewhere = other_machine(subject.name, subject.baseline, differ)
    return (elsewhere, *_compare_each(now, work, subject, exact))


def _compare_each(
    now: Sample, past: tuple[Sample, ...], subject: _Subject, metrics: Iterable[Metric]
) -> tuple[Verdict, ...]:
    judged = (_compare_one(metric, now, past, subject) for metric in metrics)
    return tuple(verdict for verdict in judged if verdict is not None)


def _compare_one(
    metric: Metric, now: Sample, past: tuple[Sample, ...], subject: _Subject
) -> Verdict | None:
    """Return the verdict on one metric; ``None`` where neither side ever had it."""
    value = now.metrics.get(metric.name)
    having = [then for then in past if metric.name in then.metrics]
    name = str(subject.baseline)
    if value is None:
        reason = subject.absent(metric.name)
        return unmeasured(metric, name, reason) if having else None
    if not having:
        return new_metric(metric, name)
    tolerance = subject.gates.tolerances.get(metric.name)
    result = compare(
        metric,
        value,
        [then.metrics[metric.name] for then in having],
        tolerance,
        own_spread=subject.spreads.get(metric.name, 0.0),
        pooled=subject.pooled(metric.name) if metric.kind is Kind.NOISY else None,
    )
    causes = likely_causes(having[-1], now)
    return comparison_verdict(metric, result, tolerance, causes, name)
