"""Rankings by task and overall, the weights beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from pytest_llmbench.metrics.ranking import (
    WEIGHTS,
    Better,
    geometric_mean,
    shares_of_best,
    weighted,
)
from pytest_llmbench.report import charts
from pytest_llmbench.report.columns import ABSENT
from pytest_llmbench.report.figures.facts import (
    Figure,
    Line,
    Row,
    Table,
    by_task,
    by_variant,
    name_of,
)
from pytest_llmbench.report.figures.quality import QUALITIES, quality_metric, quality_of
from pytest_llmbench.report.figures.select import (
    DEVICE,
    RESIDENT,
    highest,
    measured,
    shared,
    values,
)
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.units import format_amount, format_bytes, format_percent

EVERYTHING = "all tasks"
_SPEED = "output_tps"

_NEARLY = 1 + 1e-9
"""What is no further apart is the same: the arithmetic of means rounds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """A variant's place on one task, or on all of them.

    Attributes:
        task: the task, or :data:`EVERYTHING`.
        place: from 1; those with the same index share it.
        index: weighted geometric mean of *shares*.
        shares: of each part that all variants have, the share of the best one.
        amounts: the same in units, as people read them.
    """

    task: str
    variant: str
    place: int
    index: float
    shares: Mapping[str, float]
    amounts: Mapping[str, str]


def ranks(study: Study) -> tuple[Rank, ...]:
    """Return the ranking of all tasks together, then task by task, best first.

    Variants are compared on what all of them were asked. A part that one of them lacks is left
    out for all.
    """
    cases = shared(measured(study))
    tasks = by_task(cases)
    groups = {EVERYTHING: list(cases), **(tasks if len(tasks) > 1 else {})}
    return tuple(rank for task, group in groups.items() for rank in _ranked(study, task, group))


def ranking_figures(study: Study) -> tuple[Figure, ...]:
    """Return the ranking over all tasks, with the tasks in its table."""
    found = ranks(study)
    overall = [rank for rank in found if rank.task == EVERYTHING]
    figure = Figure(name="ranking", section="rankings", title="Ranking over all tasks")
    if len(overall) < 2:
        absent = "A ranking needs two variants that were measured and have a speed in common."
        return (dataclasses.replace(figure, absent=absent),)
    return (
        dataclasses.replace(
            figure,
            caption=_caption(study, overall),
            says="; ".join(
                f"{rank.place}. {name_of(rank.variant)} at {format_percent(rank.index)}"
                for rank in overall
            ),
            rows=tuple(row for rank in overall for row in _rows(rank)),
            draw=charts.ranking,
            table=_table(found),
        ),
    )


def _ranked(study: Study, task: str, cases: Sequence[CaseResult]) -> list[Rank]:
    variants = by_variant(cases)
    parts = {
        "quality": _qualities(study, variants),
        "speed": _speeds(variants),
        "memory": _memories(variants),
    }
    whole = {part: found for part, found in parts.items() if found.keys() == variants.keys()}
    if not whole:
        return []
    better: dict[str, Better] = {"quality": "higher", "speed": "higher", "memory": "lower"}
    shares = {part: shares_of_best(found, better[part]) for part, found in whole.items()}
    index = {
        variant: weighted({part: shares[part][variant] for part in whole}) for variant in variants
    }
    return [
        Rank(
            task=task,
            variant=variant,
            place=1 + sum(other > index[variant] * _NEARLY for other in index.values()),
            index=index[variant],
            shares={part: shares[part][variant] for part in whole},
            amounts={
                part: _amount(part, found[variant])
                for part, found in parts.items()
                if variant in found
            },
        )
        for variant in sorted(variants, key=lambda name: -index[name])
    ]


def _qualities(study: Study, variants: Mapping[str, Sequence[CaseResult]]) -> dict[str, float]:
    metric = quality_metric(study)
    if metric is None:
        return {}
    found = {name: quality_of(study, name, cases, metric) for name, cases in variants.items()}
    return {name: max(0.0, value) for name, value in found.items() if value is not None}


def _speeds(variants: Mapping[str, Sequence[CaseResult]]) -> dict[str, float]:
    rates = {name: [v for v in values(c, _SPEED) if v > 0] for name, c in variants.items()}
    return {name: geometric_mean(several) for name, several in rates.items() if several}


def _memories(variants: Mapping[str, Sequence[CaseResult]]) -> dict[str, float]:
    found = {}
    for name, cases in variants.items():
        parts = [peak for each in (RESIDENT, DEVICE) if (peak := highest(cases, each)) is not None]
        if parts:
            found[name] = sum(parts)
    return found


def _amount(part: str, value: float) -> str:
    if part == "quality":
        return format_percent(value)
    return format_bytes(value) if part == "memory" else format_amount(value, "tok/s")


def _caption(study: Study, overall: Sequence[Rank]) -> str:
    parts = list(overall[0].shares)
    metric = quality_metric(study)
    what = {
        "quality": f"quality (mean {QUALITIES.get(metric or '', '')})",
        "speed": "speed (output tokens per second, geometric mean)",
        "memory": "memory (peak, resident and device together)",
    }
    counted = ", ".join(f"{what[part]} × {WEIGHTS[part]}" for part in parts)
    left_out = [part for part in WEIGHTS if part not in parts]
    lacking = f" Not known of every variant: {', '.join(left_out)}." if left_out else ""
    return (
        f"Overall is the weighted geometric mean of {counted}; each is a share of the best one's, "
        f"over the questions that all variants were asked.{lacking}"
    )


def _rows(rank: Rank) -> Iterator[Row]:
    name = name_of(rank.variant)
    overall = format_percent(rank.index)
    yield {"variant": name, "part": "overall", "share": rank.index, "text": overall}
    for part, share in rank.shares.items():
        text = f"{rank.amounts[part]}, {format_percent(share)} of the best"
        yield {"variant": name, "part": part, "share": share, "text": text}


def _table(found: Sequence[Rank]) -> Table:
    parts = [part for part in WEIGHTS if any(part in rank.amounts for rank in found)]
    return Table(
        headings=("task", "place", "variant", "overall", *parts),
        words=3,
        lines=tuple(
            Line(
                cells=(
                    rank.task,
                    f"{rank.place}.",
                    name_of(rank.variant),
                    format_percent(rank.index),
                    *(rank.amounts.get(part, ABSENT) for part in parts),
                ),
                tags={"variant": name_of(rank.variant)}
                | ({} if rank.task == EVERYTHING else {"task": rank.task}),
            )
            for rank in found
        ),
    )
