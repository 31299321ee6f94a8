"""What of a session is kept in a baseline: the numbers that gates compare, and their ground."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from pytest_llmbench.domain.baseline import BaselineCase, BaselineSession, BaselineVariant
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    Measured,
    Readings,
    VariantRecord,
)


def baseline_session(
    saved_at: str,
    environment: Environment,
    variants: Iterable[VariantRecord],
    cases: Iterable[CaseRecord],
    *,
    reference: str | None = None,
    readings: Readings = Readings(),  # noqa: B008 — a frozen fact
    untimed: Collection[str] = (),
) -> BaselineSession:
    """Return what a baseline keeps of a session; *saved_at* is its time in ISO 8601.

    Kept are the session statistics of all metrics that can be compared: no rounds, no text, no
    informative metrics. Cases with an error are left out. A variant with an error is kept
    without metrics where it has cases that succeeded, and left out where it has none.

    *untimed* are keys of cases whose noisy metrics are left out, because their measuring was
    disturbed: a slow baseline would hide the next regression and praise the next quiet session.
    *reference* and *readings* are kept as they are.
    """
    kept = {
        record.case.key: _case(record, timed=record.case.key not in untimed)
        for record in cases
        if record.error is None
    }
    alive = {case.variant for case in kept.values()}
    return BaselineSession(
        saved_at=saved_at,
        environment=environment,
        variants={
            record.id: variant
            for record in variants
            if (record.error is None or record.id in alive)
            and (variant := _variant(record)) is not None
        },
        cases=kept,
        reference=reference,
        readings=readings,
    )


def _case(record: CaseRecord, *, timed: bool) -> BaselineCase:
    metrics = _compared(record.metrics)
    ratios = {name: ratio.value for name, ratio in record.relative.items()}
    relative = {name: value for name, value in ratios.items() if math.isfinite(value)}
    if not timed:
        metrics = {n: v for n, v in metrics.items() if CATALOGUE[n].kind is not Kind.NOISY}
        relative = {}
    return BaselineCase(
        variant=record.case.variant,
        workload=record.case.workload,
        metrics=metrics,
        relative=relative,
        original=record.original_key,
        launches=_launches(record),
    )


def _launches(record: CaseRecord) -> int:
    """Return of how many launches every ratio is, of a case without any how many it had."""
    of_ratios = [len(ratio.launches) for ratio in record.relative.values()]
    return max(1, min(of_ratios, default=len({entry.launch for entry in record.rounds})))


def _variant(record: VariantRecord) -> BaselineVariant | None:
    if record.facts is None:
        return None
    return BaselineVariant(
        identity=record.facts.identity,
        settings=record.facts.settings,
        metrics=_compared(record.life_cycle) if record.error is None else {},
        answers=record.answers_key,
    )


def _compared(metrics: Mapping[str, Measured]) -> dict[str, float]:
    return {
        name: measured.gate
        for name, measured in metrics.items()
        if CATALOGUE[name].kind is not Kind.INFORMATIVE and math.isfinite(measured.gate)
    }
