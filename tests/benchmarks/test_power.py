"""The picture: whole XML, a line for each rule, its own background in light and dark."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from peers import RULES
from power import COLORS, HEIGHT, LEFT, STYLES, TOP, WIDTH, Curve, Panel, panel, svg
from replay import OURS, Rates

SVG = "{http://www.w3.org/2000/svg}"
NAMES = (OURS, *RULES)


def drawing(count: int = 3) -> ET.Element:
    curves = tuple(Curve(name, ((0.0, 0.0), (0.25, 1.0))) for name in NAMES)
    return ET.fromstring(svg([Panel(f"panel <{i}>", curves) for i in range(count)]))


def rates(detected: float) -> Rates:
    return Rates(
        draws=1, cells=1, any=0, share=0, detected=detected, found=0, others=0, by_victim={}
    )


def test_a_panel_has_each_rules_detection_by_slowdown() -> None:
    found = {("a", 0.0): rates(0), ("b", 0.0): rates(0.1), ("a", 0.1): rates(1)}
    assert panel("quiet", 14, found) == Panel(
        "quiet (14 sessions)",
        (Curve("a", ((0.0, 0), (0.1, 1))), Curve("b", ((0.0, 0.1),))),
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_everything_lies_inside_the_picture(count: int) -> None:
    root = drawing(count)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for line in root.iter(f"{SVG}polyline"):
        for point in line.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", -1)) <= width
        assert 0 <= float(text.get("y", -1)) <= height - 4


def test_a_curve_runs_from_the_lower_left_to_the_upper_right_corner() -> None:
    lines = [line.get("points", "") for line in drawing(1).iter(f"{SVG}polyline")]
    corner = f"{LEFT:.1f},{TOP + HEIGHT:.1f} {LEFT + WIDTH:.1f},{TOP:.1f}"
    assert lines.count(corner) == len(NAMES)


def test_every_panel_is_titled_and_every_rule_in_the_legend_once() -> None:
    words = [text.text for text in drawing().iter(f"{SVG}text")]
    assert {"panel <0>", "panel <1>", "panel <2>"} <= set(words)
    assert all(words.count(name) == 1 for name in NAMES)


def test_no_two_rules_look_alike_and_each_has_a_style() -> None:
    assert set(NAMES) == set(STYLES)
    assert len(set(STYLES.values())) == len(STYLES)
    assert {color for color, _ in STYLES.values()} <= set(COLORS)


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("shade", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", [name for name in COLORS if name not in ("background", "grid")])
def test_lines_and_words_stand_out_on_their_background(name: str, shade: int) -> None:
    lights = sorted(luminance(COLORS[each][shade]) for each in (name, "background"))
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def test_the_picture_changes_with_the_page() -> None:
    style = next(drawing().iter(f"{SVG}style")).text or ""
    assert "prefers-color-scheme:dark" in style
    assert COLORS["background"][0] in style
    assert COLORS["background"][1] in style
