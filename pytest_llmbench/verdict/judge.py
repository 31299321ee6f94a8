"""The judge: one case, one variant as a whole, its life, and the cases that did not come."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import msgspec

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates, Limit
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.record import CaseRecord, VariantRecord
from pytest_llmbench.domain.verdict import Difference, Verdict
from pytest_llmbench.verdict.absence import absent_from_case, absent_from_life
from pytest_llmbench.verdict.beside import no_twin, only_here, only_there
from pytest_llmbench.verdict.compare import accepted_amounts, compare
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.disturbance import disturbance, softened
from pytest_llmbench.verdict.explain import accepted_words, comparison_verdict
from pytest_llmbench.verdict.explain_noisy import noisy_verdict
from pytest_llmbench.verdict.held import Held
from pytest_llmbench.verdict.history import (
    Sample,
    likely_causes,
    machine_differences,
    same_machine,
    same_work,
    work_differences,
)
from pytest_llmbench.verdict.limits import judge_limits
from pytest_llmbench.verdict.noisy import compare_noisy
from pytest_llmbench.verdict.samples import (
    past_of_case,
    past_of_life,
    sample_of_case,
    sample_of_life,
    why_no_twin,
)
from pytest_llmbench.verdict.slow_machine import softened_by_machine
from pytest_llmbench.verdict.together import told_of_others
from pytest_llmbench.verdict.uncompared import (
    failed,
    new_metric,
    new_subject,
    not_run,
    other_machine,
    other_original,
    other_work,
    unmeasured,
)
from pytest_llmbench.verdict.yardstick import held_of_case, held_of_variant

NOISE_TIMES: Final = 3.0
"""Drift counts beyond so many times what the reference drifts from itself."""

_QUALITY = frozenset({"faults", "score"})

FEWEST_CASES = 2
"""A variant as a whole is judged from so many cases on."""


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is being judged: its name for sentences, its metrics, and the baseline's name.

    *held* gives the evidence on a noisy metric, where there is any; *twin* is what it is held
    against side by side, and *why* that has no result, where it has none; *drifts* says whether
    there is a text that it could drift from.
    """

    name: str
    metrics: tuple[Metric, ...]
    gates: Gates
    baseline: str | None
    absent: Callable[[str], str]
    held: Callable[[Metric], Held | None]
    context: Context
    alpha: float
    twin: str | None
    why: Callable[[], str]
    drifts: bool = False


def judge_case(record: CaseRecord, context: Context, gates: Gates) -> tuple[Verdict, ...]:
    """Return the verdicts on one case: its limits first, then what was compared.

    A case that failed has one verdict, error. A case that the baseline does not have, or that
    asks for something else than it did there, has one verdict for all comparing. Metrics are
    compared when the catalogue gates them or *gates* has a tolerance for them; informative ones
    never are, and quality is gated by default on greedy cases only.
    """
    case = record.case
    name = f"case {case.key}"
    past = past_of_case(case, context)
    if record.error is not None:
        return (failed(name, record.error, _name(context), len(past)),)
    life = context.lives.get(case.variant)
    facts = life.facts if life else None
    subject = _Subject(
        name=name,
        metrics=tuple(
            _beyond_noise(metric, record)
            for metric in compared_metrics("case", gates, greedy=case.parameters.greedy)
        ),
        gates=gates,
        baseline=_name(context),
        absent=partial(absent_from_case, record=record, facts=facts),
        held=lambda metric: held_of_case(metric, record, context),
        context=context,
        alpha=context.alarms.of_case,
        twin=context.twins.get(case.variant),
        why=lambda: why_no_twin(case.variant, case, context),
        drifts=record.original is not None or record.no_drift is not None,
    )
    limits = _limits(gates, "case")
    if record.original is None and record.no_drift is None:  # nothing that it could drift from
        limits = tuple(limit for limit in limits if not CATALOGUE[limit.metric].of_drift)
    held = judge_limits(record.metrics, limits, subject.absent)
    disturbed = disturbance(record.rounds, context.machine(case.variant))
    now = sample_of_case(record, context)
    return tuple(softened(v, disturbed) for v in (*held, *_against(now, past, subject)))


def _beyond_noise(metric: Metric, record: CaseRecord) -> Metric:
    """Return *metric* with a floor above what the reference's own computing makes of it."""
    floor = max(metric.floor, NOISE_TIMES * record.drift_noise.get(metric.name, 0.0))
    return msgspec.structs.replace(metric, floor=floor)


def judge_variant(variant: str, context: Context, gates: Gates) -> tuple[Verdict, ...]:
    """Return the verdicts on the noisy metrics of all cases of *variant* together.

    This is where a small change shows first: what each case has for itself averages out. There
    is a verdict for each noisy metric that two cases or more can be compared in.
    """
    verdicts = []
    for metric in compared_metrics("case", gates, greedy=True):
        if metric.kind is not Kind.NOISY:
            continue
        held = held_of_variant(metric, variant, context)
        if held is not None and held.cases >= FEWEST_CASES:
            verdicts.append(_judge_whole(metric, variant, held, context, gates))
    return tuple(verdicts)


def _judge_whole(
    metric: Metric, variant: str, held: Held, context: Context, gates: Gates
) -> Verdict:
    records = [context.records[c.key] for c in context.cases if c.key in context.records]
    mine = [r for r in records if r.case.variant == variant and metric.name in r.metrics]
    gate = [r.metrics[metric.name].gate for r in mine if r.metrics[metric.name].gate > 0]
    now = math.exp(sum(map(math.log, gate)) / len(gate))
    causes = _causes_of(mine[-1], context)
    verdict = _judged(metric, held, now, gates, context, context.alarms.of_variant, causes)
    if held.ground != "absolute":
        return verdict
    return told_of_others(verdict, metric, variant, held.evidence.change, context)


def judge_life(record: VariantRecord, context: Context, gates: Gates) -> tuple[Verdict, ...]:
    """Return the verdicts on one variant's life cycle, as :func:`judge_case` does on a case."""
    name = f"variant {record.id}"
    past = past_of_life(record.id, context)
    if record.error is not None:
        return (failed(name, record.error, _name(context), len(past)),)
    subject = _Subject(
        name=name,
        metrics=compared_metrics("variant", gates, greedy=True),
        gates=gates,
        baseline=_name(context),
        absent=partial(absent_from_life, record=record),
        held=lambda metric: context.life(metric, record),
        context=context,
        alpha=context.alarms.of_variant,
        twin=context.twins.get(record.id),
        why=lambda: why_no_twin(record.id, None, context),
        drifts=record.answers_key is not None,
    )
    limits = _limits(gates, "variant")
    if context.reference in (None, record.id) and record.id not in context.twins:
        limits = tuple(limit for limit in limits if not CATALOGUE[limit.metric].of_answers)
    held = judge_limits(record.life_cycle, limits, subject.absent)
    return (*held, *_against(sample_of_life(record, context), past, subject))


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


def compared_metrics(
    of: Literal["case", "variant"], gates: Gates, *, greedy: bool
) -> tuple[Metric, ...]:
    """Return the metrics that are compared with the baseline under *gates*."""
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


def _name(context: Context) -> str | None:
    return context.baseline.name if context.baseline else None


def _limits(gates: Gates, of: Literal["case", "variant"]) -> tuple[Limit, ...]:
    return tuple(limit for name, limit in gates.limits.items() if CATALOGUE[name].of == of)


def _against(now: Sample, past: tuple[Sample, ...], subject: _Subject) -> tuple[Verdict, ...]:
    """Return the verdicts of comparing *now* with *past*."""
    if subject.twin is not None:
        if not past:
            return (no_twin(subject.name, subject.twin, subject.why()),)
        return _compare_each(now, past, subject, subject.metrics)
    if not past or subject.baseline is None:
        return (new_subject(subject.name, subject.baseline),)
    work = same_work(past, now)
    if not work:
        return (other_work(subject.name, subject.baseline, work_differences(past[-1], now)),)
    here = same_machine(work, now)
    if here:
        return _compare_each(now, here, subject, subject.metrics)
    differ = machine_differences(work[-1], now)
    portable = tuple(metric for metric in subject.metrics if _portable(metric, subject))
    elsewhere = other_machine(subject.name, subject.baseline, differ)
    return (elsewhere, *_compare_each(now, work, subject, portable))


def _portable(metric: Metric, subject: _Subject) -> bool:
    """Whether a metric can be compared with another machine's: it repeats, or is a ratio."""
    if metric.kind is not Kind.NOISY:
        return metric.kind is Kind.EXACT
    held = subject.held(metric)
    return held is not None and held.ground == "ratio"


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
    if metric.of_drift or metric.of_answers:
        return _compare_drift(metric, value, now, past, subject)
    having = [then for then in past if metric.name in then.metrics]
    if value is None:
        return _unmeasured(metric, subject) if having else None
    if not having:
        return _unknown(metric, subject)
    causes = likely_causes(having[-1], now)
    if metric.kind is Kind.NOISY:
        held = subject.held(metric)
        if held is None:  # a time of zero has no ratio
            return _repeated(metric, value, having, subject, causes)
        return _judged(metric, held, value, subject.gates, subject.context, subject.alpha, causes)
    return _repeated(metric, value, having, subject, causes)


def _compare_drift(
    metric: Metric,
    value: float | None,
    now: Sample,
    past: tuple[Sample, ...],
    subject: _Subject,
) -> Verdict | None:
    """Return the verdict on drift; ``None`` where there is nothing to drift from.

    Side by side the twin is what a variant drifts from: it is held against none at all.
    """
    if subject.twin is not None:
        if value is None or metric.undrifted is None:
            return None
        none = msgspec.structs.replace(past[-1], metrics={metric.name: metric.undrifted})
        return _repeated(metric, value, [none], subject, likely_causes(past[-1], now))
    having = [then for then in past if metric.name in then.metrics]
    if value is None:
        return _unmeasured(metric, subject) if having and subject.drifts else None
    alike = [then for then in having if then.original == now.original]
    if alike:
        return _repeated(metric, value, alike, subject, likely_causes(alike[-1], now))
    return other_original(metric, str(subject.baseline)) if having else _unknown(metric, subject)


def _unmeasured(metric: Metric, subject: _Subject) -> Verdict:
    reason = subject.absent(metric.name)
    if subject.twin is not None:
        return only_there(metric, subject.twin, reason)
    return unmeasured(metric, str(subject.baseline), reason)


def _unknown(metric: Metric, subject: _Subject) -> Verdict:
    if subject.twin is not None:
        return only_here(metric, subject.twin)
    return new_metric(metric, str(subject.baseline))


def _repeated(
    metric: Metric,
    value: float,
    having: list[Sample],
    subject: _Subject,
    causes: tuple[Difference, ...],
) -> Verdict:
    tolerance = subject.gates.tolerances.get(metric.name)
    result = compare(metric, value, [then.metrics[metric.name] for then in having], tolerance)
    return comparison_verdict(metric, result, tolerance, causes, subject.baseline, subject.twin)


def _judged(
    metric: Metric,
    held: Held,
    now: float,
    gates: Gates,
    context: Context,
    alpha: float,
    causes: Iterable[Difference],
) -> Verdict:
    """Return the verdict on a noisy metric of one case, or of all cases together."""
    tolerance = gates.tolerances.get(metric.name)
    share, amount, floor = accepted_amounts(metric, 1.0, tolerance)
    result = compare_noisy(metric, held, now, share=share, amount=max(amount, floor), alpha=alpha)
    _, origin = accepted_words(metric, result.before, tolerance)
    name = None if held.ground == "side by side" else _name(context)
    verdict = noisy_verdict(metric, result, origin, causes, name)
    if held.ground != "absolute":
        return verdict
    return softened_by_machine(verdict, held, context.past.readings, context.readings())


def _causes_of(record: CaseRecord, context: Context) -> tuple[Difference, ...]:
    now, past = sample_of_case(record, context), past_of_case(record.case, context)
    if record.case.variant not in context.twins:
        past = same_work(past, now)
    return likely_causes(past[-1], now) if past else ()
