"""Trends of a baseline, and the page that shows them."""

from __future__ import annotations

import math
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.report.trends import trends
from pytest_llmbench.report.trends_page import trends_page

from .facts import HOSTILE

ITL, LOAD = CATALOGUE["itl_s"], CATALOGUE["load_s"]
EVIL = "<script>alert(1)</script>&<svg onload=x>'\""


def session(day: int, *, slower: float, names: tuple[str, ...]) -> BaselineSession:
    rng = random.Random(day)

    def itl(name: str) -> float:
        level = 0.02 * (slower if name == names[0] else 1.0)
        return level * math.exp(rng.gauss(0, 0.003))

    return BaselineSession(
        saved_at=f"2026-01-{day:02}T12:00:00+00:00",
        environment=Environment(
            identity={}, context={"torch": "2.13" if slower > 1 else "2.12", "python": "3.11"}
        ),
        variants={
            name: BaselineVariant(
                identity={}, settings={"threads": "2" if slower > 1 else "4"}, metrics={"load_s": 1}
            )
            for name in names
        },
        cases={
            f"s/{name}-{prompt}": BaselineCase(
                variant=name, workload={}, metrics={"itl_s": itl(name)}
            )
            for name in names
            for prompt in ("p", "q")
        },
    )


def baseline(names=("fast", "other"), days: int = 10, name: str = "main") -> Baseline:
    sessions = (session(d, slower=1.2 if d > 6 else 1.0, names=names) for d in range(1, days + 1))
    return Baseline(schema_version=2, machine="box", name=name, sessions=tuple(sessions))


def test_a_change_is_found_with_what_else_changed() -> None:
    found = trends(baseline(), ITL)
    fast, other = found.variants
    (turn,) = fast.turns
    assert (fast.name, turn.change.at) == ("fast", 6)
    assert turn.change.after / turn.change.before == pytest.approx(1.2, rel=0.01)
    assert turn.causes == (
        Difference(field="torch", then="2.12", now="2.13"),
        Difference(field="threads", then="4", now="2"),
    )
    assert other.turns == ()
    assert [trend.name for trend in found.cases if trend.turns] == ["s/fast-p", "s/fast-q"]


def test_a_life_has_no_cases() -> None:
    found = trends(baseline(), LOAD)
    assert [trend.values for trend in found.variants] == [(1.0,) * 10] * 2
    assert found.cases == ()


def test_a_part_of_it() -> None:
    found = trends(baseline(), ITL, ["*other*"])
    assert [trend.name for trend in found.variants] == ["other"]
    assert [trend.name for trend in found.cases] == ["s/other-p", "s/other-q"]


def test_what_no_session_has_is_absent() -> None:
    found = trends(baseline(), CATALOGUE["score"])
    assert (found.variants, found.cases) == ((), ())


class Reader(HTMLParser):
    """What a browser makes of a page: its elements, and the words outside of style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_shows_every_series() -> None:
    page = trends_page(trends(baseline(), ITL))
    read = Reader(page)
    assert page.startswith('<!doctype html>\n<html lang="en">')
    assert read.tags.count("svg") == read.tags.count("figure") == 2 + 4
    assert read.tags.count("circle") == 6 * 10
    assert "itl_s rose by" in read.words
    assert "changed: torch 2.12 -> 2.13, threads 4 -> 2" in read.words


def test_the_page_needs_nothing_else() -> None:
    page = trends_page(trends(baseline(), ITL))
    assert not re.search(r"https?:|//|url\(|@import|<script|<link|<img|<iframe", page)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page


def test_what_others_wrote_is_text() -> None:
    read = Reader(trends_page(trends(baseline((EVIL, HOSTILE), name=EVIL), ITL)))
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li"),
        *("code", "figure", "figcaption", "svg", "line", "text", "polyline", "circle"),
        *("details", "summary", "div", "table", "tr", "th", "td"),
    }
    assert set(read.tags) <= allowed
    assert not {name for name in read.attributes if name.startswith("on")}
    assert EVIL in read.words
    assert not set("\x1b\x00\u202e\ud800") & set(read.words)


def test_drawings_are_inside_their_frames() -> None:
    page = trends_page(trends(baseline(), ITL))
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        svg = ElementTree.fromstring(drawing)
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        assert svg.find("title").text.startswith("itl_s of ")
        for circle in svg.iter("circle"):
            assert 0 < float(circle.attrib["cx"]) < width
            assert 0 < float(circle.attrib["cy"]) < height


@pytest.mark.parametrize("days", [1, 2, 3])
def test_few_sessions_have_a_page(days: int, tmp_path: Path) -> None:
    page = trends_page(trends(baseline(days=days), ITL))
    assert "too few sessions to tell" in page
    (tmp_path / "page.html").write_text(page, encoding="utf-8")


def test_a_thousand_cases_are_one_page_of_a_few_megabytes() -> None:
    names = tuple(f"v{number}" for number in range(100))
    assert len(trends_page(trends(baseline(names), ITL)).encode()) < 4e6
