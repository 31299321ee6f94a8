"""Latency and throughput by length of the output and by temperature, over the same questions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

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
from pytest_llmbench.report.figures.select import deviation, mean, measured, quantiles, rounds
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.units import Unit, axis_scale, format_amount

Asked = Callable[[CaseResult], float]

_BAND = (0.1, 0.5, 0.9)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    """What is varied: how the figures are called, what was asked, and what it is in words."""

    over: str
    section: str
    axis: str
    asked: Asked
    absent: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    name: str
    metric: str
    unit: Unit
    title: str


_SWEEPS = (
    _Sweep(
        over="length",
        section="length",
        axis="most new tokens",
        asked=lambda case: float(case.parameters.max_new_tokens),
        absent="Every suite has one length only. To see it, write several, as "
        "max_new_tokens = [64, 128, 256].",
    ),
    _Sweep(
        over="temperature",
        section="temperature",
        axis="temperature",
        asked=lambda case: case.parameters.temperature,
        absent="Every suite has one temperature only. To see its effect, write several, as "
        "temperature = [0.3, 0.7].",
    ),
)
_MEASURES = (
    _Measure(name="latency", metric="latency_s", unit="s", title="Latency"),
    _Measure(name="throughput", metric="output_tps", unit="tok/s", title="Throughput"),
)


def sweep_figures(study: Study) -> tuple[Figure, ...]:
    """Return latency and throughput over length and over temperature."""
    return tuple(_figure(study, sweep, measure) for sweep in _SWEEPS for measure in _MEASURES)


def varied(study: Study, asked: Asked) -> list[CaseResult]:
    """Return the cases of the suites that ask for more than one of what *asked* tells."""
    there: dict[str, set[float]] = {}
    for case in study.cases:
        there.setdefault(case.suite, set()).add(asked(case))
    return [case for case in measured(study) if len(there[case.suite]) > 1]


def _figure(study: Study, sweep: _Sweep, measure: _Measure) -> Figure:
    figure = Figure(
        name=f"{measure.name}-by-{sweep.over}",
        section=sweep.section,
        title=f"{measure.title} by {'output length' if sweep.over == 'length' else sweep.over}",
    )
    points = {
        (variant, at): several
        for variant, every in by_variant(varied(study, sweep.asked)).items()
        for cases in (_at_every_point(study, every, sweep, measure.metric),)
        for at in sorted({sweep.asked(case) for case in cases})
        if (several := rounds([c for c in cases if sweep.asked(c) == at], measure.metric))
    }
    if not points:
        return dataclasses.replace(figure, absent=sweep.absent)
    divisor, unit = axis_scale([max(several) for several in points.values()], measure.unit)
    return dataclasses.replace(
        figure,
        caption="Median of the rounds, as many of each case; the band is from the 10th to the 90th "
        "percentile, over the questions that were measured at every point.",
        says="; ".join(
            f"{name_of(variant)} at {at:g}: {_amount(quantiles(several, [0.5])[0], measure)}"
            for (variant, at), several in points.items()
        ),
        rows=tuple(_row(place, several, divisor, measure) for place, several in points.items()),
        draw=partial(charts.sweep, over=sweep.axis, title=f"{measure.name} ({unit})"),
        table=_table(points, sweep, measure),
    )


def _at_every_point(
    study: Study, cases: Sequence[CaseResult], sweep: _Sweep, metric: str
) -> list[CaseResult]:
    """Return those of a variant's *cases* whose question has *metric* wherever its suite asks it.

    Where there is no such question, all of them.
    """
    points: dict[str, set[float]] = {}
    for case in study.cases:
        points.setdefault(case.suite, set()).add(sweep.asked(case))
    having = [case for case in cases if case.value(metric) is not None]
    at: dict[tuple[object, ...], set[float]] = {}
    for case in having:
        at.setdefault(_question(case, sweep), set()).add(sweep.asked(case))
    whole = [case for case in having if at[_question(case, sweep)] == points[case.suite]]
    return whole or having


def _question(case: CaseResult, sweep: _Sweep) -> tuple[object, ...]:
    """Return what *case* asks, whatever the swept parameter is."""
    asked = case.parameters
    others = (asked.max_new_tokens, asked.temperature, asked.seed)
    return case.suite, case.prompt_id, *(v for v in others if v != sweep.asked(case))


def _row(
    place: tuple[str, float], several: Sequence[float], divisor: float, measure: _Measure
) -> Row:
    low, middle, high = quantiles(several, _BAND)
    return {
        "variant": name_of(place[0]),
        "at": f"{place[1]:g}",
        "low": low / divisor,
        "amount": middle / divisor,
        "high": high / divisor,
        "text": _amount(middle, measure),
    }


def _table(points: dict[tuple[str, float], list[float]], sweep: _Sweep, measure: _Measure) -> Table:
    return Table(
        headings=("variant", sweep.axis, "median", "mean", "deviation", "rounds"),
        words=1,
        lines=tuple(
            Line(
                cells=(
                    name_of(variant),
                    f"{at:g}",
                    _amount(quantiles(several, [0.5])[0], measure),
                    _amount(mean(several), measure),
                    _amount(deviation(several), measure),
                    str(len(several)),
                ),
                tags={"variant": name_of(variant)},
            )
            for (variant, at), several in points.items()
        ),
    )


def _amount(value: float | None, measure: _Measure) -> str:
    return ABSENT if value is None else format_amount(value, measure.unit)
