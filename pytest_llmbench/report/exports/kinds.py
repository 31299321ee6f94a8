"""What was said of a case or of a variant's life, as one word."""

from __future__ import annotations

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.results import CaseResult, VariantResult
from pytest_llmbench.verdict.outcome import worst_of


def kind_of(result: CaseResult | VariantResult) -> VerdictKind | None:
    """Return the worst that was said; an error where it failed, ``None`` for nothing."""
    if result.error is not None:
        return VerdictKind.ERROR
    return worst_of(verdict.kind for verdict in result.verdicts)


def better(metric: str) -> str | None:
    """Return which direction of *metric* is better; ``None`` where neither is, or nobody knows."""
    known = CATALOGUE.get(metric)
    return None if known is None else known.better
