"""Quality against latency, and which variants nobody beats in both."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

from pytest_llmbench.metrics.ranking import pareto_front
from pytest_llmbench.report import charts
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
from pytest_llmbench.report.figures.select import measured, median, shared, values
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.units import axis_scale, format_percent, format_seconds

_ALL = "all tasks"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    variant: str
    task: str
    cost: float
    worth: float
    front: bool = False

    @property
    def whole(self) -> bool:
        return self.task == _ALL


def tradeoff_figures(study: Study) -> tuple[Figure, ...]:
    """Return quality against latency, with the Pareto front."""
    figure = Figure(name="score-against-latency", section="tradeoff", title="Score against latency")
    metric = quality_metric(study)
    points = [] if metric is None else _points(study, metric)
    whole = [point for point in points if point.whole]
    if metric is None or len(whole) < 2:
        absent = (
            "It needs two variants with a latency and a score (or a similarity, or an agreement "
            "with the reference)."
        )
        return (dataclasses.replace(figure, absent=absent),)
    divisor, unit = axis_scale([point.cost for point in points], "s")
    front = [name_of(point.variant) for point in whole if point.front]
    return (
        dataclasses.replace(
            figure,
            title=f"{QUALITIES[metric][0].upper()}{QUALITIES[metric][1:]} against latency",
            caption="Large: a variant over all questions that every variant was asked; small: "
            "task by task. Up and to the left is better. The dashed line is the Pareto front: "
            "what no other variant beats in both.",
            says=f"Not beaten in both: {', '.join(front)}.",
            rows=tuple(_row(point, divisor) for point in points),
            draw=partial(charts.tradeoff, cost=f"median latency ({unit})", worth=QUALITIES[metric]),
            table=_table(points),
        ),
    )


def _points(study: Study, metric: str) -> list[_Point]:
    found: list[_Point] = []
    for variant, cases in by_variant(shared(measured(study))).items():
        tasks = by_task(cases)
        groups = {_ALL: cases, **(tasks if len(tasks) > 1 else {})}
        for task, group in groups.items():
            point = _point(study, variant, task, group, metric)
            found += [] if point is None else [point]
    whole = {point.variant: (point.cost, point.worth) for point in found if point.whole}
    front = pareto_front(whole)
    return [
        dataclasses.replace(point, front=point.whole and point.variant in front) for point in found
    ]


def _point(
    study: Study, variant: str, task: str, cases: Sequence[CaseResult], metric: str
) -> _Point | None:
    cost, worth = median(values(cases, "latency_s")), quality_of(study, variant, cases, metric)
    if cost is None or worth is None:
        return None
    return _Point(variant=variant, task=task, cost=cost, worth=worth)


def _row(point: _Point, divisor: float) -> Row:
    tags = {} if point.whole else {"task": point.task}
    return {
        "variant": name_of(point.variant),
        **tags,
        "cost": point.cost / divisor,
        "worth": point.worth,
        "whole": point.whole,
        "front": point.front,
        "text": f"{format_percent(point.worth)} in {format_seconds(point.cost)}",
    }


def _table(points: Sequence[_Point]) -> Table:
    return Table(
        headings=("variant", "task", "Pareto front", "quality", "latency"),
        words=3,
        lines=tuple(
            Line(
                cells=(
                    name_of(point.variant),
                    point.task,
                    "yes" if point.front else "no" if point.whole else "",
                    format_percent(point.worth),
                    format_seconds(point.cost),
                ),
                tags={"variant": name_of(point.variant)}
                | ({} if point.whole else {"task": point.task}),
            )
            for point in points
        ),
    )
