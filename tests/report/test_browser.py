"""The report in real Chromium: drawn, quiet, filtered by click, and deaf to what is hostile."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmbench.report.html_report import html_text, write_html
from tests.conftest import chromium

from .studies import VARIANTS, study
from .test_html_report import hostile, read

pytestmark = [pytest.mark.browser, pytest.mark.engine("report")]

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}
DRAWN = "html[data-drawn]"


@dataclasses.dataclass
class Opened:
    """A page in the browser, and what it complained of, asked for or brought up meanwhile."""

    page: Any
    complaints: list[str]
    requests: list[str]
    dialogs: list[str]

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def shown(self, selector: str) -> int:
        """How many of *selector* are not hidden."""
        script = "s => [...document.querySelectorAll(s)].filter(e => !e.closest('[hidden]')).length"
        return int(self.page.evaluate(script, selector))

    def choose(self, dimension: str, value: str) -> None:
        """Choose *value* in the panel of filters, by clicks."""
        if not self.page.locator("#filters").evaluate("e => e.open"):
            self.page.locator("#filters > summary").click()
        self.page.locator(f'.panel button[data-filter="{dimension}"][data-value="{value}"]').click()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_html(path, study())
    return path


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    yield from open_page(browser, report.as_uri())


def open_page(browser: Any, address: str, **of: Any) -> Iterator[Opened]:
    context = browser.new_context(**{"viewport": DESKTOP, **of})
    page = context.new_page()
    found = Opened(page, [], [], [])
    page.on("console", lambda m: found.complaints.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: found.complaints.append(str(e)))
    page.on("request", lambda r: found.requests.append(r.url))
    page.on("dialog", lambda d: (found.dialogs.append(d.message), d.dismiss()))
    page.goto(address)
    if of.get("java_script_enabled", True):
        page.wait_for_selector(DRAWN, state="attached")
    yield found
    context.close()


def test_it_is_drawn_without_a_complaint_and_asks_nobody(opened: Opened) -> None:
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert len(opened.requests) <= 2
    assert opened.count(".plot[data-drawn] svg") == opened.count(".plot") == 22
    empty = "() => [...document.querySelectorAll('.plot')].filter(p => !p.querySelector("
    empty += "'.mark-rect path, .mark-symbol path, .mark-line path')).map(p => p.dataset.figure)"
    assert opened.page.evaluate(empty) == []


def test_charts_fill_their_place(opened: Opened) -> None:
    for plot in opened.page.locator(".plot").all():
        inside = plot.locator("svg").bounding_box()["width"]
        assert inside == pytest.approx(plot.bounding_box()["width"], abs=2)


def test_filters_work_by_click(opened: Opened) -> None:
    assert opened.text(".shown") == "112 cases"
    drawn = opened.count('[data-figure="latency-by-variant"] .mark-tick path, '
                         '[data-figure="latency-by-variant"] .mark-rect path')  # fmt: skip
    opened.choose("variant", "nf4")
    assert opened.text(".shown") == "28 of 112 cases"
    assert opened.shown("#all tbody tr") == 28
    assert opened.shown("#all tbody tr[data-variant='nf4']") == 28
    assert opened.shown(".output") == 28
    assert opened.shown(".summary tbody tr") == 2
    fewer = opened.count('[data-figure="latency-by-variant"] .mark-tick path, '
                         '[data-figure="latency-by-variant"] .mark-rect path')  # fmt: skip
    assert fewer * len(VARIANTS) == drawn
    opened.choose("task", "coding")
    assert opened.text(".shown") == "4 of 112 cases"
    opened.choose("variant", "float16")
    assert opened.text(".shown") == "8 of 112 cases"
    opened.page.locator(".clear").click()
    assert opened.text(".shown") == "112 cases"
    assert opened.complaints == []


def test_a_filter_that_leaves_nothing_says_so(opened: Opened) -> None:
    opened.choose("variant", "float16")
    opened.choose("verdict", "regressed")
    assert opened.text(".shown") == "0 of 112 cases"
    assert opened.page.get_by_text("No case is left by the filter.").is_visible()
    assert opened.page.get_by_text("No output is left by the filter.").is_visible()


def test_a_tile_shows_the_cases_of_its_verdict(opened: Opened) -> None:
    tile = opened.page.locator(".tile.regressed")
    tile.click()
    assert tile.get_attribute("aria-pressed") == "true"
    assert opened.shown("#all tbody tr") == opened.shown("#all tbody tr[data-verdict=regressed]")
    assert opened.shown(".finding") == opened.shown(".finding.regressed") > 0


def test_an_address_brings_back_what_was_seen(opened: Opened, browser: Any) -> None:
    opened.choose("variant", "gguf-q4_0")
    opened.choose("verdict", "inconclusive")
    address = opened.page.url
    seen = opened.text(".shown")
    assert "variant=gguf-q4_0&verdict=inconclusive" in address
    for again in open_page(browser, address):
        assert again.text(".shown") == seen


def test_a_link_to_a_case_opens_it(browser: Any, report: Path) -> None:
    for found in open_page(browser, f"{report.as_uri()}#case:tasks/nf4-qa-0-n64-t0"):
        output = found.page.locator(".output.target")
        assert output.is_visible()
        assert output.locator("h4").inner_text().startswith("nf4")
        assert output.evaluate("e => e === document.activeElement")
        found.page.locator("#all tbody tr a").nth(5).click()
        assert found.page.locator(".output.target").is_visible()
        assert found.complaints == []


def test_a_link_to_what_the_filter_hides_clears_it(opened: Opened) -> None:
    opened.choose("variant", "float16")
    opened.page.keyboard.press("Escape")
    opened.page.evaluate("location.hash = 'case:tasks/nf4-qa-0-n64-t0'")
    opened.page.wait_for_selector(".output.target")
    assert opened.page.locator(".output.target").is_visible()
    assert opened.text(".shown") == "112 cases"


def test_columns_are_sorted_by_click(opened: Opened) -> None:
    heading = opened.page.locator("#all thead th", has_text="latency")
    column = heading.evaluate("e => e.cellIndex")
    values = (
        "c => [...document.querySelector('#all tbody').rows].map(r => +r.cells[c].dataset.sort)"
    )
    heading.locator("button").click()
    rising = opened.page.evaluate(values, column)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rising == sorted(rising)
    heading.locator("button").click()
    assert opened.page.evaluate(values, column) == rising[::-1]


def test_the_keyboard_is_enough(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".panel").is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert opened.text(".shown") == "28 of 112 cases"
    page.keyboard.press("Escape")
    assert not page.locator(".panel").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_mark_tells_its_numbers(opened: Opened) -> None:
    place = opened.page.locator("#latency-by-task")
    place.scroll_into_view_if_needed()
    box = place.locator(".mark-rect path").first.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    said = opened.text("#tip")
    assert said.startswith("float16\ntask: qa\n")
    assert said.endswith(" s")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_is_wider_than_the_screen(browser: Any, report: Path, viewport: Any) -> None:
    for found in open_page(browser, report.as_uri(), viewport=viewport):
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert found.page.evaluate(wide) <= 0
        for plot in found.page.locator(".plot svg").all():
            assert plot.bounding_box()["width"] <= viewport["width"]


def test_colours_follow_the_system_and_the_button(browser: Any, report: Path) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    for found in open_page(browser, report.as_uri(), color_scheme="dark"):
        dark = found.page.evaluate(ground)
        words = "() => getComputedStyle(document.querySelector('.plot text')).fill"
        by_night = found.page.evaluate(words)
        button = found.page.locator("button.theme")
        button.click()
        assert button.get_attribute("aria-label") == "Colours: light"
        assert found.page.evaluate(ground) != dark
        assert found.page.evaluate(words) != by_night
        button.click()
        assert found.page.evaluate(ground) == dark


def test_it_can_be_printed(browser: Any, report: Path) -> None:
    for found in open_page(browser, report.as_uri(), color_scheme="dark"):
        assert found.page.pdf(format="A4").startswith(b"%PDF")
        found.page.emulate_media(media="print", color_scheme="dark")
        ground = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        assert not found.page.locator(".top").is_visible()
        assert found.page.locator("#ranking svg").is_visible()


def test_a_drawn_chart_keeps_its_words(browser: Any, report: Path) -> None:
    """Vega would put "Vega visualization" in their place, for whoever can't see it."""
    script = "() => [...document.querySelectorAll('.plot')].map(e => e.ariaLabel)"
    for found in open_page(browser, report.as_uri(), java_script_enabled=False):
        written = found.page.locator(".plot").evaluate_all("e => e.map(one => one.ariaLabel)")
    for found in open_page(browser, report.as_uri()):
        found.page.wait_for_selector(DRAWN)
        drawn = found.page.evaluate(script)
        assert drawn == written
        assert len(set(drawn)) == len(drawn), "each chart says its own"


def test_paper_has_all_of_it_whatever_was_chosen(browser: Any, report: Path) -> None:
    for found in open_page(browser, report.as_uri()):
        found.page.wait_for_selector(DRAWN)
        every, folded = found.shown("#all tbody tr"), found.count("details.more:not([open])")
        found.choose("variant", next(iter(VARIANTS)))
        few = found.shown("#all tbody tr")
        assert 0 < few < every
        found.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert found.shown("#all tbody tr") == every
        assert found.count("details.more:not([open])") == 0
        found.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert found.shown("#all tbody tr") == few
        assert found.count("details.more:not([open])") == folded


def test_without_scripts_all_words_and_tables_are_there(browser: Any, report: Path) -> None:
    for found in open_page(browser, report.as_uri(), java_script_enabled=False):
        assert found.page.get_by_text("need JavaScript, which is off").is_visible()
        assert not found.page.locator("#filters").is_visible()
        assert found.page.locator("#all tbody tr").count() == 112
        assert found.page.locator("#ranking table").is_visible()
        found.page.locator("#latency-by-task summary").click()
        assert found.page.locator("#latency-by-task table").is_visible()


def test_hostile_output_stays_text(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(html_text(read(hostile())), encoding="utf-8")
    for found in open_page(browser, path.as_uri()):
        page = found.page
        page.locator('[data-open="questions"]').click()
        for button in page.locator(".panel button").all():
            button.evaluate("e => e.click()")
        page.mouse.move(400, 400)
        assert found.dialogs == []
        assert found.complaints == []
        assert [url for url in found.requests if not url.startswith(("file:", "data:"))] == []
        page.locator(".clear").click()
        text = page.locator(".output pre", has_text="evil").first.inner_text()
        assert "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}" in text
        assert "\\u202eevil" in text
        assert page.locator("main img, main script, main iframe").count() == 0
        assert page.evaluate(
            "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
