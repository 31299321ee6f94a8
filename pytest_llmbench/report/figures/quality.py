"""Which metric says how good the answers are: the strongest witness that there is."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.report.figures.select import mean, values
from pytest_llmbench.report.results import CaseResult, Study

QUALITIES = {
    "score": "score",
    "similarity": "cosine similarity to the reference's text",
    "top1_agreement": "agreement with the reference on the most probable token",
}
"""Metrics of quality, the strongest witness first, and what they are called."""


def quality_metric(study: Study) -> str | None:
    """Return the metric of quality that the cases have; ``None`` where they have none."""
    return next((name for name in QUALITIES if values(study.cases, name)), None)


def quality_of(
    study: Study, variant: str, cases: Sequence[CaseResult], metric: str
) -> float | None:
    """Return the mean of *metric* over *cases* of *variant*.

    The reference is held against itself nowhere: it is as near to itself as can be.
    """
    found = mean(values(cases, metric))
    if found is None and variant in study.references and metric != "score":
        return CATALOGUE[metric].undrifted
    return found
