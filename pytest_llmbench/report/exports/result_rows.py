"""The rows of tables from a results file: the same arithmetic as at a session's end."""

from __future__ import annotations

from pytest_llmbench.report.exports.kinds import kind_of
from pytest_llmbench.report.results import CaseResult, Results, VariantResult
from pytest_llmbench.report.rows import Grouping, Lived, Row, Seen, rows


def result_rows(results: Results, by: Grouping) -> tuple[Row, ...]:
    """Return a row for each variant and what *by* makes of its cases, in the order measured."""
    cases = [_seen(case) for case in results.cases]
    lives = {name: _lived(variant) for name, variant in results.variants.items()}
    return rows(cases, lives, by, results.reference)


def _seen(case: CaseResult) -> Seen:
    drift = case.drift
    return Seen(
        key=case.id,
        variant=case.variant,
        suite=case.suite,
        task=case.task,
        prompt=case.prompt_id,
        parameters=case.parameters,
        values={name: measured.value for name, measured in case.metrics.items()},
        ratios={name: ratio.value for name, ratio in case.relative.items()},
        kl=() if drift is None else drift.kl,
        agrees=() if drift is None else drift.agrees,
        kind=kind_of(case),
    )


def _lived(variant: VariantResult) -> Lived:
    return Lived(
        values={name: measured.value for name, measured in variant.life_cycle.items()},
        kind=kind_of(variant),
        skipped=variant.skipped is not None,
    )
