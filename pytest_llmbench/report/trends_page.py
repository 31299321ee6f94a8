"""A page of trends: one self-contained HTML file with a drawing for each variant and case.

It is built as a tree and then written, so that whatever a name holds is text. There is no script in
it and nothing is fetched; colours follow the reader's setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.report.sparkline import LEAST_SPAN
from pytest_llmbench.report.text import one_line
from pytest_llmbench.report.trends import Trend, Trends, Turn
from pytest_llmbench.units import format_amount
from pytest_llmbench.verdict.words import movement, plural

_WIDTH: Final = 640
_HEIGHT: Final = 150
_LEFT: Final = 84
_EDGE: Final = 18
_BOTTOM: Final = 26

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #6b7480;
  --rule: #d5dae1; --line: #0b62a4; --mark: #b3470a }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --paper: #14171b; --faint: #9aa4b0;
  --rule: #333a43; --line: #6cb2ee; --mark: #f0985a } }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
p.about { color: var(--faint) }
figure { margin: 1.2rem 0; break-inside: avoid }
figcaption, code, li, p { overflow-wrap: anywhere }
figcaption { font-weight: 600 }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: var(--faint) }
.axis { stroke: var(--rule) } .values { fill: none; stroke: var(--line); stroke-width: 2 }
.value { fill: var(--line) }
.level { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 6 4 }
.turn { stroke: var(--mark); stroke-dasharray: 2 3 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--rule); text-align: right }
th:first-child, td:first-child { text-align: left }
.scroll { overflow-x: auto }
"""


def trends_page(found: Trends) -> str:
    """Return the page."""
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    policy = {"http-equiv": "Content-Security-Policy", "content": _POLICY}
    SubElement(head, "meta", policy)
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = f"{found.metric.name} over time"
    SubElement(head, "style").text = _STYLE
    main = SubElement(SubElement(page, "body"), "main")
    _about(main, found)
    _changes(main, found)
    for word, each in (("Variants", found.variants), ("Cases", found.cases)):
        if each:
            SubElement(main, "h2").text = word
            for trend in each:
                _figure(main, trend, found)
    return f"<!doctype html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _about(main: Element, found: Trends) -> None:
    metric = found.metric
    SubElement(main, "h1").text = f"{metric.name} over time"
    better = "" if metric.better is None else f" {metric.better.capitalize()} is better."
    sessions = plural(len(found.saved_at), "session")
    SubElement(main, "p", {"class": "about"}).text = (
        f"{metric.summary.capitalize()}.{better} Baseline {one_line(found.baseline)} of machine "
        f"{one_line(found.machine)}, {sessions}."
    )


def _changes(main: Element, found: Trends) -> None:
    SubElement(main, "h2").text = "Changes"
    turns = [(trend, turn) for trend in (*found.variants, *found.cases) for turn in trend.turns]
    if not turns:
        SubElement(
            main, "p"
        ).text = "None that noise does not explain, or too few sessions to tell."
        return
    items = SubElement(main, "ul")
    for trend, turn in sorted(turns, key=lambda pair: pair[1].change.at):
        item = SubElement(items, "li")
        SubElement(item, "code").text = one_line(trend.name)
        item[-1].tail = f": {_words(found, turn)}"


def _words(found: Trends, turn: Turn) -> str:
    change = turn.change
    when = one_line(found.saved_at[change.at])
    said = f"{movement(found.metric, change.before, change.after)}, with session {change.at + 1}"
    causes = ", ".join(f"{each.field} {each.then} -> {each.now}" for each in turn.causes)
    return f"{said} ({when})" + (f"; changed: {one_line(causes)}" if causes else "")


def _figure(main: Element, trend: Trend, found: Trends) -> None:
    figure = SubElement(main, "figure")
    SubElement(figure, "figcaption").text = one_line(trend.name)
    _drawing(figure, trend, found)
    details = SubElement(figure, "details")
    SubElement(details, "summary").text = "values"
    table = SubElement(SubElement(details, "div", {"class": "scroll"}), "table")
    _row(table, "th", ("session", "saved at", found.metric.name))
    for number, (when, value) in enumerate(zip(found.saved_at, trend.values, strict=True), start=1):
        _row(table, "td", (str(number), one_line(when), _amount(value, found.metric)))


def _row(table: Element, tag: str, cells: Sequence[str]) -> None:
    row = SubElement(table, "tr")
    for cell in cells:
        SubElement(row, tag).text = cell


class _Scale:
    """Where a session and a value are in the drawing."""

    def __init__(self, values: Sequence[float | None]) -> None:
        known = [value for value in values if value is not None]
        middle = (min(known) + max(known)) / 2
        half = max(max(known) - min(known), LEAST_SPAN * abs(middle)) / 2 or 1.0
        self.low, self.high = middle - half, middle + half
        self._count = len(values)

    def x(self, session: float) -> float:
        share = 0.5 if self._count == 1 else session / (self._count - 1)
        return round(_LEFT + _EDGE + share * (_WIDTH - _LEFT - 2 * _EDGE), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _EDGE), 1)


def _drawing(figure: Element, trend: Trend, found: Trends) -> None:
    scale = _Scale(trend.values)
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    svg = SubElement(figure, "svg", {"viewBox": box, "role": "img"})
    SubElement(svg, "title").text = _alternative(trend, found)
    for edge in (scale.low, scale.high):
        _line(svg, "axis", (_LEFT, scale.y(edge)), (_WIDTH, scale.y(edge)))
        _label(svg, _LEFT - 8, scale.y(edge) + 4, "end", _amount(edge, found.metric))
    for number in range(len(trend.values)):
        _label(svg, scale.x(number), _HEIGHT - 6, "middle", str(number + 1))
    _levels(svg, trend, scale)
    points = [(scale.x(n), scale.y(v)) for n, v in enumerate(trend.values) if v is not None]
    drawn = " ".join(f"{x},{y}" for x, y in points)
    SubElement(svg, "polyline", {"class": "values", "points": drawn})
    for number, value in enumerate(trend.values):
        if value is not None:
            _point(svg, scale, number, value, found)


def _point(svg: Element, scale: _Scale, number: int, value: float, found: Trends) -> None:
    place = {"cx": str(scale.x(number)), "cy": str(scale.y(value)), "r": "4", "class": "value"}
    circle = SubElement(svg, "circle", place)
    when = one_line(found.saved_at[number])
    SubElement(
        circle, "title"
    ).text = f"session {number + 1}, {when}: {_amount(value, found.metric)}"


def _levels(svg: Element, trend: Trend, scale: _Scale) -> None:
    """Draw the level before and after each change, and where it is."""
    if not trend.turns:
        return
    changes = [turn.change for turn in trend.turns]
    starts = [-0.4, *(change.at - 0.5 for change in changes)]
    ends = [*starts[1:], len(trend.values) - 0.6]
    levels = [changes[0].before, *(change.after for change in changes)]
    for start, end, level in zip(starts, ends, levels, strict=True):
        y = scale.y(level)
        _line(svg, "level", (scale.x(start), y), (scale.x(end), y))
    for start in starts[1:]:
        x = scale.x(start)
        _line(svg, "turn", (x, _EDGE / 2), (x, _HEIGHT - _BOTTOM))


def _alternative(trend: Trend, found: Trends) -> str:
    """Return what the drawing shows, in words."""
    known = [value for value in trend.values if value is not None]
    first, last = (_amount(value, found.metric) for value in (known[0], known[-1]))
    said = f"{found.metric.name} of {one_line(trend.name)}: {first} at first, {last} in the end"
    return f"{said}; {plural(len(trend.turns), 'change')}"


def _line(svg: Element, kind: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x1, y1), (x2, y2) = start, end
    place = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    SubElement(svg, "line", {"class": kind, **{name: str(at) for name, at in place.items()}})


def _label(svg: Element, x: float, y: float, anchor: str, text: str) -> None:
    SubElement(svg, "text", {"x": str(x), "y": str(y), "text-anchor": anchor}).text = text


def _amount(value: float | None, metric: Metric) -> str:
    return "–" if value is None else format_amount(value, metric.unit)
