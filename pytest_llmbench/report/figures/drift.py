"""How far each variant is from the reference: its probabilities, its texts and their meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from pytest_llmbench.report import charts
from pytest_llmbench.report.columns import ABSENT
from pytest_llmbench.report.figures.facts import (
    Figure,
    Line,
    Row,
    Table,
    by_variant,
    name_of,
)
from pytest_llmbench.report.figures.select import mean, measured, values
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.units import format_percent

_LEAST: Final = 1e-6
"""Nats that an axis in equal ratios begins with: below is arithmetic."""


def divergence(nats: float) -> str:
    """Return nats in two digits; what is below a millionth is arithmetic."""
    return f"{nats:.2g} nats" if nats >= _LEAST else "0 nats"


def token_divergence(cases: Sequence[CaseResult]) -> list[float]:
    """Return the divergence of every token of *cases*, nats."""
    drifts = [case.drift for case in cases if case.drift is not None]
    return [nats for drift in drifts for nats in drift.kl if nats is not None]


def agreement(cases: Sequence[CaseResult]) -> float | None:
    """Return the share of all tokens at which both find the same one most probable."""
    drifts = [case.drift for case in cases if case.drift is not None]
    return mean([float(agrees) for drift in drifts for agrees in drift.agrees])


def drift_figures(study: Study) -> tuple[Figure, ...]:
    """Return divergence case by case, and what is still alike as shares."""
    return (_divergence(study), _alike(study))


def _divergence(study: Study) -> Figure:
    figure = Figure(
        name="drift-divergence", section="drift", title="Divergence from the reference (KL)"
    )
    held = {
        variant: [case for case in cases if case.value("kl_mean") is not None]
        for variant, cases in by_variant(measured(study)).items()
    }
    held = {variant: cases for variant, cases in held.items() if cases}
    if not held:
        return dataclasses.replace(figure, absent=_why_not(study))
    whole = {variant: mean(token_divergence(cases)) for variant, cases in held.items()}
    return dataclasses.replace(
        figure,
        caption="How far a variant's probabilities are from the reference's, token by token on the "
        "reference's text. A stroke is a case, the dot the mean over all tokens. Further left is "
        "nearer to the reference; each step of the axis is ten times as far.",
        says="; ".join(
            f"{name_of(variant)}: mean {divergence(nats)}"
            for variant, nats in whole.items()
            if nats is not None
        ),
        rows=tuple(row for variant, cases in held.items() for row in _ticks(variant, cases, whole)),
        draw=partial(charts.ticks, title="divergence (nats)"),
        table=_table(study),
    )


def _ticks(
    variant: str, cases: Sequence[CaseResult], whole: Mapping[str, float | None]
) -> list[Row]:
    name = name_of(variant)
    rows: list[Row] = [
        {
            "variant": name,
            "suite": case.suite,
            **({"task": case.task} if case.task else {}),
            "amount": max(_LEAST, case.value("kl_mean") or 0.0),
            "whole": False,
            "text": f"{case.prompt_id}: {divergence(case.value('kl_mean') or 0.0)}",
        }
        for case in cases
    ]
    nats = whole[variant]
    if nats is not None:
        text = f"mean of all tokens: {divergence(nats)}"
        rows.append({"variant": name, "amount": max(_LEAST, nats), "whole": True, "text": text})
    return rows


def _alike(study: Study) -> Figure:
    figure = Figure(
        name="drift-alike", section="drift", title="What is still as the reference has it"
    )
    parts = {
        variant: {part: share for part, share in _shares(cases).items() if share is not None}
        for variant, cases in by_variant(measured(study)).items()
    }
    parts = {variant: found for variant, found in parts.items() if found}
    if not parts:
        return dataclasses.replace(figure, absent=_why_not(study))
    return dataclasses.replace(
        figure,
        caption="Tokens of the reference's text that both find most probable, texts that are the "
        "same letter for letter, and the cosine of the embeddings of both texts. Further right is "
        "nearer to the reference.",
        says="; ".join(
            f"{name_of(variant)}: "
            + ", ".join(f"{part} {format_percent(share)}" for part, share in found.items())
            for variant, found in parts.items()
        ),
        rows=tuple(
            {
                "variant": name_of(variant),
                "part": part,
                "amount": share,
                "text": format_percent(share),
            }
            for variant, found in parts.items()
            for part, share in found.items()
        ),
        draw=partial(charts.dots, title="share, or cosine"),
        table=_table(study),
    )


def _shares(cases: Sequence[CaseResult]) -> dict[str, float | None]:
    cosines = values(cases, "similarity")
    return {
        "same most probable token": agreement(cases),
        "same text": mean(values(cases, "exact_match")),
        "cosine, mean": mean(cosines),
        "cosine, least": min(cosines, default=None),
    }


def _why_not(study: Study) -> str:
    reasons = dict.fromkeys(case.no_drift for case in study.cases if case.no_drift)
    if reasons:
        return f"Drift is not known: {next(iter(reasons))}."
    if not study.references:
        return 'There is no reference: name one, as reference = "float16" in llmbench.toml.'
    return "Drift is not known: the reference has no variant beside it, or was not measured."


def _table(study: Study) -> Table:
    columns = (
        "KL, mean (nats)",
        "KL, highest 99 %",
        "KL, most",
        "same top token",
        "same text",
        "cosine",
        "least",
    )
    lines = []
    for variant, cases in by_variant(measured(study)).items():
        shares = _shares(cases)
        if all(share is None for share in shares.values()) and not values(cases, "kl_mean"):
            continue
        life = study.variants.get(variant)
        flips = None if life is None else life.value("flips")
        by_chance = None if life is None else life.value("flips_p")
        lines.append(
            Line(
                cells=(
                    name_of(variant),
                    _nats(mean(token_divergence(cases))),
                    _nats(max(values(cases, "kl_p99"), default=None)),
                    _nats(max(values(cases, "kl_max"), default=None)),
                    *(_share(share) for share in shares.values()),
                    ABSENT if flips is None else f"{flips:g}",
                    ABSENT if by_chance is None else f"{by_chance:.2g}",
                ),
                tags={"variant": name_of(variant)},
            )
        )
    headings = ("variant", *columns, "flips", "flips by chance, p")
    return Table(headings=headings, words=1, lines=tuple(lines))


def _nats(value: float | None) -> str:
    return ABSENT if value is None else divergence(value).removesuffix(" nats")


def _share(value: float | None) -> str:
    return ABSENT if value is None else format_percent(value)
