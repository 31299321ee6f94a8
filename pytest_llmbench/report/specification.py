"""How every chart looks, and the Vega-Lite specification that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import altair as alt

from pytest_llmbench.report.figures.facts import Row
from pytest_llmbench.report.palette import Theme

DATA: Final = "rows"
"""The data set's name in every chart: the page's filters take rows out of it."""

_PLAIN: Final = "sans-serif"

Chart = alt.Chart | alt.LayerChart


def specification(
    chart: Chart,
    rows: Sequence[Row],
    theme: Theme,
    *,
    width: int | Literal["container"],
    font: str = _PLAIN,
) -> dict[str, Any]:
    """Return *chart* of *rows* as Vega-Lite, as wide as asked, in the colours of *theme*.

    Any: a specification is JSON of any depth. Nothing is held against Vega-Lite's schema here:
    tests do that, for it takes longer than all else; so do altair's own ways to say how a chart
    looks, each of which copies all of it.
    """
    drawn: dict[str, Any] = chart.to_dict(validate=False)
    drawn["data"]["values"] = [dict(row) for row in rows]
    return {
        **drawn,
        "width": width,
        "background": "transparent",
        "autosize": {"type": "fit-x" if width == "container" else "pad", "contains": "padding"},
        "config": {
            "font": font,
            "axis": _axis(theme),
            "axisQuantitative": {"tickCount": 6},
            "title": {"anchor": "start", "color": theme.ink, "fontSize": 15, "offset": 14},
            "legend": _legend(theme),
            "view": {"stroke": None},
        },
    }


def _axis(theme: Theme) -> dict[str, Any]:
    return {
        "labelColor": theme.muted,
        "titleColor": theme.muted,
        "domainColor": theme.rule,
        "tickColor": theme.rule,
        "gridColor": theme.rule,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 150,
        "titlePadding": 10,
        "gridOpacity": 0.7,
    }


def _legend(theme: Theme) -> dict[str, Any]:
    return {
        "labelColor": theme.ink,
        "titleColor": theme.muted,
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "labelLimit": 220,
        "symbolStrokeWidth": 2,
        "columns": 4,
        "symbolOpacity": 1,
        "symbolSize": 110,
    }
