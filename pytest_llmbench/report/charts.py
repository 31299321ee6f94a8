"""Charts: each a pure function from rows to a Vega-Lite chart, the same for page, PNG and SVG.

A row holds what is drawn, already scaled to the axis, and ``text``, as people read it. Names that
others gave are values in the data, never names of fields, and so can't be taken for expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import altair as alt

from pytest_llmbench.report.figures.facts import Row
from pytest_llmbench.report.palette import LEVELS, PARTS_FIRST, SERIES, Theme
from pytest_llmbench.report.specification import DATA, Chart
from pytest_llmbench.verdict.outcome import SEVERITY

MOMENTS: Final = ("before", "loaded", "peak", "freed")
PARTS: Final = ("overall", "quality", "speed", "memory")

_BAR: Final = 22
_THIN: Final = 11
_HIGH: Final = 280
_ALIKE: Final = 0.05
"""Scores that are no further apart are not spread over all of an axis."""

_LEVEL: Final = 34
"""Characters of all tasks together that a phone has room for beside each other."""


def verdict_counts(rows: Sequence[Row], theme: Theme) -> Chart:
    """How many cases of each ``variant`` got which ``verdict``: ``count``, ``order``."""
    kinds = [kind for kind in SEVERITY if any(row["verdict"] == kind for row in rows)]
    colors = [theme.verdicts[kind] for kind in kinds]
    color = alt.Color("verdict:N", scale=alt.Scale(domain=[*map(str, kinds)], range=colors))
    drawn: alt.Chart = (
        _data()
        .mark_bar(height=_BAR, cornerRadius=2, stroke=theme.surface, strokeWidth=1)
        .encode(
            y=_variants(),
            x=alt.X("count:Q", title="cases", axis=alt.Axis(tickMinStep=1, format="d")),
            color=color,
            order=alt.Order("order:Q"),
            tooltip=_told("variant", "text"),
        )
        .properties(height=alt.Step(_BAR + 12))
    )
    return drawn


def ranking(rows: Sequence[Row], theme: Theme) -> Chart:
    """Each ``part`` of a ``variant``'s rank as a ``share`` of the best one."""
    parts = [part for part in PARTS if any(row["part"] == part for row in rows)]
    colors = dict(zip(PARTS, (theme.ink, *_part_colors(theme, len(PARTS))), strict=False))
    drawn: alt.Chart = (
        _data()
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=_variants(),
            yOffset=alt.YOffset("part:N", sort=parts),
            x=alt.X(
                "share:Q", title="share of the best", scale=alt.Scale(domain=[0, 1]),
                axis=_percent(),
            ),
            color=alt.Color(
                "part:N", sort=parts,
                scale=alt.Scale(domain=parts, range=[colors[part] for part in parts]),
            ),
            tooltip=_told("variant", "part", "text"),
        )
        .properties(height=alt.Step(13))
    )  # fmt: skip
    return drawn


def heat(rows: Sequence[Row], theme: Theme) -> Chart:
    """One number, its ``text``, for each ``variant`` and ``task``; ``level`` is how good it is."""
    tasks = dict.fromkeys(str(row["task"]) for row in rows)
    angle = 0 if sum(map(len, tasks)) <= _LEVEL else -30
    base = _data().encode(
        y=_variants(),
        x=alt.X(
            "task:N",
            sort=None,
            title=None,
            axis=alt.Axis(
                orient="top", labelAngle=angle, domain=False, ticks=False, labelPadding=8
            ),
        ),
        tooltip=_told("variant", "task", "text"),
    )
    levels = list(range(LEVELS))
    cells = base.mark_rect(stroke=theme.surface, strokeWidth=3, cornerRadius=4).encode(
        color=alt.Color(
            "level:O", scale=alt.Scale(domain=levels, range=list(theme.ramp)), legend=None
        )
    )
    words = base.mark_text(fontSize=12).encode(
        text="text:N",
        color=alt.condition("datum.strong", alt.value(theme.on_strong), alt.value(theme.ink)),
    )
    return _layered(cells, words, height=alt.Step(34))


def tradeoff(rows: Sequence[Row], theme: Theme, *, cost: str, worth: str) -> Chart:
    """``worth`` against ``cost``: each variant as a whole, and task by task; the front is a line.

    Rows have ``cost``, ``worth``, ``whole`` and ``front``.
    """
    base = _data().encode(
        x=alt.X("cost:Q", title=cost, scale=alt.Scale(zero=True, nice=True)),
        y=alt.Y("worth:Q", title=worth, scale=_around([float(str(row["worth"])) for row in rows])),
    )
    color = _colors(rows, theme)
    whole = base.transform_filter("datum.whole")
    front = whole.transform_filter("datum.front").mark_line(
        interpolate="step-after", strokeDash=[5, 4], color=theme.muted, strokeWidth=1.5
    )
    tasks = (
        base.transform_filter("!datum.whole")
        .mark_point(filled=True, size=45, opacity=0.4)
        .encode(color=color, tooltip=_told("variant", "task", "text"))
    )
    points = whole.mark_point(filled=True, size=190, opacity=1).encode(
        color=color,
        stroke=alt.condition("datum.front", alt.value(theme.ink), alt.value(theme.surface)),
        strokeWidth=alt.value(2),
        tooltip=_told("variant", "text"),
    )
    above, below = (
        whole.transform_filter(f"datum.series % 2 == {odd}")
        .mark_text(align="left", dx=12, dy=dy, fontSize=12, color=theme.ink)
        .encode(text="variant:N")
        for odd, dy in ((0, -9), (1, 15))
    )
    return _layered(front, tasks, points, above, below, height=_HIGH)


def bars(rows: Sequence[Row], theme: Theme, *, title: str) -> Chart:
    """``amount`` of each ``part`` of a ``variant``, beside each other, with its ``text``."""
    parts = list(dict.fromkeys(str(row["part"]) for row in rows))
    base = _data().encode(
        y=_variants(),
        yOffset=alt.YOffset("part:N", sort=parts),
        x=alt.X("amount:Q", title=title),
        tooltip=_told("variant", "part", "text"),
    )
    drawn = base.mark_bar(cornerRadiusEnd=2).encode(color=_parts(parts, theme))
    words = base.mark_text(align="left", dx=5, fontSize=11, color=theme.muted).encode(text="text:N")
    return _layered(drawn, words, height=alt.Step(20))


def phases(rows: Sequence[Row], theme: Theme, *, title: str) -> Chart:
    """``amount`` of each ``part`` of a ``variant``, one after the other."""
    parts = list(dict.fromkeys(str(row["part"]) for row in rows))
    drawn: alt.Chart = (
        _data()
        .mark_bar(height=_BAR, stroke=theme.surface, strokeWidth=1, cornerRadius=2)
        .encode(
            y=_variants(),
            x=alt.X("amount:Q", title=title),
            color=_parts(parts, theme),
            order=alt.Order("order:Q"),
            tooltip=_told("variant", "part", "text"),
        )
        .properties(height=alt.Step(_BAR + 12))
    )
    return drawn


def moments(rows: Sequence[Row], theme: Theme, *, title: str) -> Chart:
    """``amount`` of each ``variant`` from ``moment`` to moment of its life."""
    drawn: alt.Chart = (
        _data()
        .mark_line(point=alt.OverlayMarkDef(filled=True, size=60), strokeWidth=2)
        .encode(
            x=alt.X(
                "moment:O", sort=list(MOMENTS), title=None,
                axis=alt.Axis(labelAngle=0, grid=False),
            ),
            y=alt.Y("amount:Q", title=title),
            color=_colors(rows, theme, legend="lines"),
            strokeDash=_dashes(rows),
            tooltip=_told("variant", "moment", "text"),
        )
        .properties(height=_HIGH)
    )  # fmt: skip
    return drawn


def sweep(rows: Sequence[Row], theme: Theme, *, over: str, title: str) -> Chart:
    """``amount`` of each ``variant`` over what was asked, ``at``; from ``low`` to ``high``."""
    places = sorted({float(str(row["at"])) for row in rows})
    base = _data().encode(
        x=alt.X(
            "at:O", title=over, sort=[f"{place:g}" for place in places],
            axis=alt.Axis(labelAngle=0, grid=False),
        ),
        color=_colors(rows, theme, legend="lines"),
    )  # fmt: skip
    amount = alt.Y("amount:Q", title=title, scale=alt.Scale(zero=True))
    spread = base.mark_rule(strokeWidth=5, opacity=0.22, strokeCap="round").encode(
        y=alt.Y("low:Q", title=title), y2="high:Q"
    )
    lines = base.mark_line(strokeWidth=2).encode(y=amount, strokeDash=_dashes(rows))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=amount, tooltip=_told("variant", "at", "text")
    )
    return _layered(spread, lines, points, height=_HIGH)


def spread(rows: Sequence[Row], theme: Theme, *, title: str) -> Chart:
    """Where the rounds of a ``variant`` are: ``low``, ``q1``, ``middle``, ``q3``, ``high``."""
    base = _data().encode(y=_variants(), tooltip=_told("variant", "text"))
    x = alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=True))
    most = base.mark_bar(height=4, cornerRadius=2).encode(
        x=x, x2="high:Q", color=alt.value(theme.muted), opacity=alt.value(0.45)
    )
    half = base.mark_bar(height=_THIN, cornerRadius=3).encode(
        x=alt.X("q1:Q", title=title), x2="q3:Q", color=_colors(rows, theme, legend=None)
    )
    middle = base.mark_tick(thickness=3, size=_BAR, color=theme.ink, opacity=1).encode(
        x=alt.X("middle:Q", title=title)
    )
    return _layered(most, half, middle, height=alt.Step(_BAR + 12))


def histogram(rows: Sequence[Row], theme: Theme, *, title: str, share: str) -> Chart:
    """``share`` of each ``variant`` that lies from ``begin`` to the next row's, in equal ratios."""
    base = _data().encode(
        x=alt.X("begin:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=4)),
        y=alt.Y("share:Q", title=share, axis=_percent(), stack=None),
        color=_colors(rows, theme, legend="lines"),
    )
    areas = base.mark_area(interpolate="step-after", opacity=0.13)
    lines = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        strokeDash=_dashes(rows), tooltip=_told("variant", "text")
    )
    return _layered(areas, lines, height=_HIGH)


def dots(rows: Sequence[Row], theme: Theme, *, title: str) -> Chart:
    """Several measures of a ``variant`` on one axis: ``amount`` of each ``part``."""
    parts = list(dict.fromkeys(str(row["part"]) for row in rows))
    base = _data().encode(y=_variants())
    x = alt.X("amount:Q", title=title, axis=_percent(), scale=alt.Scale(zero=False, nice=True))
    line = base.mark_line(color=theme.rule, strokeWidth=2).encode(x=x, detail="variant:N")
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x,
        color=_parts(parts, theme),
        shape=alt.Shape("part:N", sort=parts, scale=alt.Scale(domain=parts)),
        tooltip=_told("variant", "part", "text"),
    )
    return _layered(line, points, height=alt.Step(_BAR + 12))


def ticks(rows: Sequence[Row], theme: Theme, *, title: str) -> Chart:
    """Each case of a ``variant`` at its ``amount``, the whole of it as a dot; in equal ratios."""
    base = _data().encode(
        y=_variants(),
        x=alt.X("amount:Q", title=title, scale=alt.Scale(type="log", nice=False, padding=12)),
        color=_colors(rows, theme, legend=None),
        tooltip=_told("variant", "text"),
    )
    cases = base.transform_filter("!datum.whole").mark_tick(size=_BAR, thickness=1.5, opacity=0.45)
    whole = base.transform_filter("datum.whole").mark_point(
        filled=True, size=120, opacity=1, stroke=theme.surface, strokeWidth=1.5
    )
    return _layered(cases, whole, height=alt.Step(_BAR + 14))


def _around(values: Sequence[float]) -> alt.Scale:
    """Return a scale that shows *values*, and room around them where they are nearly all alike."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    if high - low >= _ALIKE:
        return alt.Scale(zero=False, nice=True, padding=14)
    return alt.Scale(domain=[low - _ALIKE, high + _ALIKE], nice=False)


def _data() -> alt.Chart:
    """Return a chart of nothing yet: rows are put into it at the end, for altair copies them."""
    return alt.Chart(alt.InlineData(values=[], name=DATA))


def _layered(*charts: alt.Chart, height: int | alt.Step) -> alt.LayerChart:
    drawn: alt.LayerChart = alt.LayerChart(layer=list(charts)).properties(height=height)
    return drawn


def _variants() -> alt.Y:
    axis = alt.Axis(domain=False, ticks=False, labelPadding=8, labelFontSize=12)
    return alt.Y("variant:N", sort=None, title=None, axis=axis)


def _colors(
    rows: Sequence[Row], theme: Theme, *, legend: Literal["points", "lines"] | None = "points"
) -> alt.Color:
    names = _names(rows)
    colors = [theme.series[number % SERIES] for number in names.values()]
    scale = alt.Scale(domain=list(names), range=colors)
    if legend == "points":
        return alt.Color("variant:N", scale=scale)
    return alt.Color("variant:N", scale=scale, legend=_strokes() if legend else None)


def _strokes() -> alt.Legend:
    """Return a legend of strokes, dashed as the lines are."""
    return alt.Legend(symbolType="stroke", symbolSize=420)


def _dashes(rows: Sequence[Row]) -> alt.StrokeDash:
    """Lines differ in their dashes, too: colour alone tells nobody who does not see it."""
    patterns = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
    names = _names(rows)
    ranges = [patterns[number % len(patterns)] for number in names.values()]
    return alt.StrokeDash(
        "variant:N", scale=alt.Scale(domain=list(names), range=ranges), legend=_strokes()
    )


def _parts(parts: Sequence[str], theme: Theme) -> alt.Color:
    colors = _part_colors(theme, len(parts))
    return alt.Color("part:N", sort=list(parts), scale=alt.Scale(domain=list(parts), range=colors))


def _part_colors(theme: Theme, count: int) -> list[str]:
    """Return colours of parts, which are others than those of the first variants."""
    return [theme.series[(PARTS_FIRST - number) % SERIES] for number in range(count)]


def _percent() -> alt.Axis:
    return alt.Axis(labelExpr="round(datum.value * 1000) / 10 + ' %'")


def _names(rows: Sequence[Row]) -> dict[str, int]:
    """Return the variants in *rows* and their numbers, which are the same in every figure."""
    return {str(row["variant"]): int(str(row["series"])) for row in rows}


def _told(*fields: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:N", title="" if field == "text" else field) for field in fields]
