"""Score, latency and memory of each variant on each task: where it is good, and where it is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

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
    median,
    values,
)
from pytest_llmbench.report.palette import LEVELS
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.units import format_bytes, format_percent, format_seconds

_STRONG = 5
"""From this level on the colour is strong."""

Measure = Callable[[str, Sequence[CaseResult]], float | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Map:
    """What a heat map shows: a name, in words, how it is measured and written."""

    name: str
    title: str
    what: str
    measure: Measure
    shown: Callable[[float], str]
    lower: bool
    absent: str


def heat_figures(study: Study) -> tuple[Figure, ...]:
    """Return the heat maps of score, latency and memory."""
    return tuple(_figure(study, each) for each in _maps(study))


def _maps(study: Study) -> tuple[_Map, ...]:
    metric = quality_metric(study)

    def quality(variant: str, cases: Sequence[CaseResult]) -> float | None:
        return None if metric is None else quality_of(study, variant, cases, metric)

    return (
        _Map(
            name="score-by-task",
            title="Score by task",
            what=f"Mean {QUALITIES.get(metric or '', 'score')} of the cases.",
            measure=quality,
            shown=format_percent,
            lower=False,
            absent="No case has a score: no prompt says what is expected, and no text is held "
            "against a reference's.",
        ),
        _Map(
            name="latency-by-task",
            title="Latency by task",
            what="Median of the cases, from the start to the last token.",
            measure=lambda _, cases: median(values(cases, "latency_s")),
            shown=format_seconds,
            lower=True,
            absent="No case has a latency.",
        ),
        _Map(
            name="memory-by-task",
            title="Resident memory by task",
            what="Highest peak of the cases, of the processes that hold the model.",
            measure=lambda _, cases: highest(cases, RESIDENT),
            shown=format_bytes,
            lower=True,
            absent="The memory of no case is known.",
        ),
        _Map(
            name="device-memory-by-task",
            title="Device memory by task",
            what="Highest peak of the cases.",
            measure=lambda _, cases: highest(cases, DEVICE),
            shown=format_bytes,
            lower=True,
            absent="No case says what memory it took on a device (VRAM): no variant ran on one.",
        ),
    )


def _figure(study: Study, of: _Map) -> Figure:
    figure = Figure(name=of.name, section="tasks", title=of.title)
    cells = {
        (variant, task): value
        for variant, cases in by_variant(measured(study)).items()
        for task, group in by_task(cases).items()
        if (value := of.measure(variant, group)) is not None
    }
    if not cells:
        return dataclasses.replace(figure, absent=of.absent)
    levels = _levels(cells, lower=of.lower)
    best = max(levels, key=lambda place: (levels[place], place))
    return dataclasses.replace(
        figure,
        caption=f"{of.what} The stronger the colour, the better.",
        says=f"Best: {name_of(best[0])} on {best[1]}, {of.shown(cells[best])}.",
        rows=tuple(_row(place, of.shown(value), levels[place]) for place, value in cells.items()),
        draw=charts.heat,
        table=_table(cells, of.shown),
    )


def _levels(cells: dict[tuple[str, str], float], *, lower: bool) -> dict[tuple[str, str], int]:
    """Return how good each cell is, from 0 to the top level; where all are alike, the middle."""
    low, high = min(cells.values()), max(cells.values())
    if high <= low:
        return dict.fromkeys(cells, LEVELS // 2)

    def level(value: float) -> int:
        share = (value - low) / (high - low)
        return min(LEVELS - 1, int((1 - share if lower else share) * LEVELS))

    return {place: level(value) for place, value in cells.items()}


def _row(place: tuple[str, str], text: str, level: int) -> Row:
    variant, task = place
    return {
        "variant": name_of(variant),
        "task": task,
        "text": text,
        "level": level,
        "strong": level >= _STRONG,
    }


def _table(cells: dict[tuple[str, str], float], shown: Callable[[float], str]) -> Table:
    tasks = list(dict.fromkeys(task for _, task in cells))
    variants = list(dict.fromkeys(variant for variant, _ in cells))
    return Table(
        headings=("variant", *tasks),
        words=1,
        lines=tuple(
            Line(
                cells=(
                    name_of(variant),
                    *(
                        shown(cells[variant, task]) if (variant, task) in cells else ABSENT
                        for task in tasks
                    ),
                ),
                tags={"variant": name_of(variant)},
            )
            for variant in variants
        ),
    )
