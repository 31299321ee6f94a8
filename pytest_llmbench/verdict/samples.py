"""What a case or a life is judged by: its numbers now, and what they are held against.

That is the baseline's sessions, or side by side the twin in this very session.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.record import CaseRecord, Environment, Measured, VariantRecord
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.history import Sample, kept_case, kept_life


def sample_of_case(record: CaseRecord, context: Context) -> Sample:
    """Return what was measured of a case in this session."""
    life = context.lives.get(record.case.variant)
    sample = _sample(record.case.variant, record.case.workload, life, record.metrics, context)
    return msgspec.structs.replace(sample, original=record.original_key)


def sample_of_life(record: VariantRecord, context: Context) -> Sample:
    """Return what was measured of a variant's life in this session."""
    sample = _sample(record.id, {}, record, record.life_cycle, context)
    return msgspec.structs.replace(sample, original=record.answers_key)


def past_of_case(case: Case, context: Context) -> tuple[Sample, ...]:
    """Return what *case* is held against; nothing where that is not there, or failed."""
    if case.variant not in context.twins:
        return kept_case(context.baseline, case.key)
    other = context.records.get(context.twin_of(case).key)
    return () if other is None or other.error is not None else (sample_of_case(other, context),)


def past_of_life(variant: str, context: Context) -> tuple[Sample, ...]:
    """Return what the life of *variant* is held against, likewise."""
    if variant not in context.twins:
        return kept_life(context.baseline, variant)
    life = context.lives.get(context.twins[variant])
    there = life is not None and life.error is None and life.skipped is None
    return (sample_of_life(life, context),) if life is not None and there else ()


def why_no_twin(variant: str, case: Case | None, context: Context) -> str:
    """Return why there is nothing that *variant*, or one of its cases, is held against."""
    record = None if case is None else context.records.get(context.twin_of(case).key)
    life = context.lives.get(context.twins[variant])
    told = (record and record.error, life and life.error, life and life.skipped)
    return next((why for why in told if why), "it was not measured")


def _sample(
    variant: str,
    workload: dict[str, str],
    life: VariantRecord | None,
    metrics: Mapping[str, Measured],
    context: Context,
) -> Sample:
    facts = life.facts if life is not None else None
    settings = facts.settings if facts else {}
    return Sample(
        environment=_environment(variant, context),
        workload=workload,
        identity=facts.identity if facts else {},
        settings={**_python(context), **settings},
        metrics={name: measured.gate for name, measured in metrics.items()},
    )


def _environment(variant: str, context: Context) -> Environment:
    here = context.environment
    if variant not in context.twins.values():
        return here
    return msgspec.structs.replace(here, context={**here.context, **context.other_context})


def _python(context: Context) -> dict[str, str]:
    """Return the session's Python, so that side by side another one is a difference."""
    python = context.environment.context.get("python")
    return {"python": python} if context.twins and python else {}
