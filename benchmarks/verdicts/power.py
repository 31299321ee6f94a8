"""Draws how often each rule accuses a variant, against how much it was slowed.

    python benchmarks/verdicts/power.py [--out FILE]

The picture is docs/images/power.svg, written as text by what stands below. At 0 % a curve shows
false alarms.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from replay import OURS, Rates, add_launches, add_options, replayed, rules
from sessions import HERE

OUT = HERE.parent.parent / "docs" / "images" / "power.svg"
SLOWDOWNS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25)


class Curve(NamedTuple):
    """One rule's line: points are (slowdown, detected), shares of 1."""

    name: str
    points: tuple[tuple[float, float], ...]


class Panel(NamedTuple):
    """One condition's chart."""

    title: str
    curves: tuple[Curve, ...]


def panel(condition: str, sessions: int, rates: dict[tuple[str, float], Rates]) -> Panel:
    """Return the chart of what replaying *condition* showed."""
    points: dict[str, list[tuple[float, float]]] = {}
    for (name, slowdown), found in rates.items():
        points.setdefault(name, []).append((slowdown, found.detected))
    curves = tuple(Curve(name, tuple(line)) for name, line in points.items())
    return Panel(f"{condition} ({sessions} sessions)", curves)


# --- the picture --------------------------------------------------------------------------------

ACROSS, WIDTH, HEIGHT = 2, 330, 200  # panels side by side; a panel's frame in pixels, as below
LEFT, TOP, GAP, BELOW, ROW, ENTRY = 52, 34, 40, 56, 20, 185
X_TICKS, Y_TICKS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25), (0.0, 0.25, 0.5, 0.75, 1.0)

COLORS = {
    "background": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#f0f3f6"),
    "grid": ("#d9dee3", "#343b43"),
    "orange": ("#b35900", "#f0a45d"),
    "blue": ("#1a62c9", "#6cb0ff"),
    "teal": ("#00796b", "#4fd1bd"),
    "purple": ("#7b3fb5", "#c89bf5"),
    "pink": ("#b3266b", "#ff8cc0"),
}
"""Each colour on a light and on a dark page; the background goes with them."""

STYLES = {
    OURS: ("ink", ""),
    "pytest-benchmark-mean": ("orange", ""),
    "pytest-benchmark-min": ("orange", "5 3"),
    "mann-whitney-one-sided": ("blue", ""),
    "mann-whitney-two-sided": ("blue", "5 3"),
    "benchstat": ("teal", "2 3"),
    "asv": ("purple", "8 3 2 3"),
    "criterion": ("pink", ""),
}
"""Colour and dashes of each rule: related rules share a colour, no two share both."""


def svg(panels: Sequence[Panel]) -> str:
    """Return the picture: a panel a condition, one legend; it holds all that it needs."""
    width = LEFT + min(len(panels), ACROSS) * (WIDTH + GAP)
    foot = math.ceil(len(panels) / ACROSS) * (TOP + HEIGHT + BELOW)
    legend = list(_legend([curve.name for curve in panels[0].curves], width, foot))
    height = foot + ROW * (1 + max(row for row, _ in legend))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
            f' width="{width}" height="{height}" role="img" font-family="sans-serif"',
            ' font-size="12">',
            "<title>How often each rule finds a planted slowdown</title>",
            f"<style>{_style()}</style>",
            f'<rect width="{width}" height="{height}"/>',
            *(part for place, each in enumerate(panels) for part in _panel(each, place)),
            *(line for _, line in legend),
            "</svg>\n",
        ]
    )


def _style() -> str:
    light, dark = map(_colored, (0, 1))
    return f"polyline{{fill:none}}{light}@media(prefers-color-scheme:dark){{{dark}}}"


def _colored(shade: int) -> str:
    strokes = (f".{name}{{stroke:{pair[shade]}}}" for name, pair in COLORS.items())
    ink, background = COLORS["ink"][shade], COLORS["background"][shade]
    return f"rect{{fill:{background}}}text{{fill:{ink}}}{''.join(strokes)}"


def _panel(panel: Panel, place: int) -> Iterator[str]:
    row, column = divmod(place, ACROSS)
    left, top = LEFT + column * (WIDTH + GAP), TOP + row * (TOP + HEIGHT + BELOW)
    yield _text(left + WIDTH / 2, top - 12, panel.title, 'font-weight="bold"')
    for tick in X_TICKS:
        x = left + tick / X_TICKS[-1] * WIDTH
        yield _line([(x, top), (x, top + HEIGHT)], "grid", width=1)
        yield _text(x, top + HEIGHT + 16, _percent(tick))
    for tick in Y_TICKS:
        y = top + HEIGHT * (1 - tick)
        yield _line([(left, y), (left + WIDTH, y)], "grid", width=1)
        if not column:
            yield _text(left - 6, y + 4, _percent(tick), anchor="end")
    if not column:
        x, y = 12, top + HEIGHT / 2
        yield _text(x, y, "draws in which it is accused", f'transform="rotate(-90 {x} {y})"')
    yield _text(left + WIDTH / 2, top + HEIGHT + 34, "planted slowdown of one variant")
    for curve in sorted(panel.curves, key=lambda curve: curve.name == OURS):
        points = [(left + x / X_TICKS[-1] * WIDTH, top + HEIGHT * (1 - y)) for x, y in curve.points]
        yield _curve(curve.name, points)


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _legend(names: Sequence[str], width: int, foot: int) -> Iterator[tuple[int, str]]:
    """Yield the row and the drawing of each entry, as many a row as there is room for."""
    columns = max(1, (width - LEFT) // ENTRY)
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        x, y = LEFT + column * ENTRY, foot + ROW * row
        yield row, _curve(name, [(x, y), (x + 28, y)]) + _text(x + 34, y + 4, name, anchor="start")


def _curve(name: str, points: Sequence[tuple[float, float]]) -> str:
    color, dashes = STYLES.get(name, ("ink", "1 3"))
    return _line(points, color, width=3 if name == OURS else 1.75, dashes=dashes)


def _line(
    points: Sequence[tuple[float, float]], color: str, *, width: float, dashes: str = ""
) -> str:
    where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline class="{color}" stroke-width="{width}"{dashed} points="{where}"/>'


def _text(x: float, y: float, words: str, more: str = "", *, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        f"{' ' * bool(more)}{more}>{escape(words)}</text>"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    add_options(parser, count=100, planted=100)
    add_launches(parser)
    asked = parser.parse_args()
    try:
        judges = rules(asked.rule)
        panels = [panel(*each) for each in replayed(asked, judges, SLOWDOWNS)]
    except ValueError as exc:
        sys.exit(str(exc))
    if not panels:
        sys.exit("no condition has enough sessions; nothing was drawn")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(svg(panels), "utf-8")
    print(f"{asked.out} ({len(panels)} conditions, {asked.draws} draws each)")


if __name__ == "__main__":
    main()
