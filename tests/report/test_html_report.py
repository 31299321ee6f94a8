"""The page: whole, its links right, its policy strict, and every word in it a word."""

from __future__ import annotations

import base64
import hashlib
import re

import msgspec
import pytest

from pytest_llmbench.domain.record import Environment, Invocation
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.html_report import SECTIONS, html_text, write_html
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.palette import DAY, NIGHT
from pytest_llmbench.report.results import results_of, study_of

from .documents import Page
from .facts import case, life, session, verdict
from .studies import VARIANTS, study

pytestmark = pytest.mark.engine("report")

BAIT = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}{% raw %}${7*7}"
    '<!--\u202eevil\u2028\x1b[31m\x00\ud800" onmouseover=\'alert(3)\' =HYPERLINK("x")'
)
MEGABYTE = "x" * 2**20


def read(record):
    return study_of([("one", results_of(session_document(record)))])


@pytest.fixture(scope="module")
def text():
    return html_text(study(prompts=2, rounds=3))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_outline_of_a_whole_report(page, golden) -> None:
    golden("page-whole", page.outline())


def test_the_outline_of_an_empty_one(golden) -> None:
    golden("page-empty", Page(html_text(read(session()))).outline())


def test_every_part_has_its_place_and_is_in_the_navigation(page) -> None:
    sections = [e.attributes["id"] for e in page.all("section") if "id" in e.attributes]
    assert sections == list(SECTIONS)
    links = [e.attributes["href"] for e in page.all("a")][1 : len(SECTIONS) + 1]
    assert links == [f"#{name}" for name in SECTIONS]


def test_places_are_unique_and_links_lead_to_them(page) -> None:
    ids = page.ids()
    assert len(set(ids)) == len(ids)
    for link in page.all("a"):
        assert link.attributes["href"].startswith("#")
        assert link.attributes["href"][1:] in ids


def test_it_asks_no_address(page) -> None:
    for element in page.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset", "background"):
            value = element.attributes.get(name, "#")
            assert value.startswith("#") or value == "data:,", (element.tag, name, value)


def test_the_policy_names_the_scripts_and_nothing_else(page, text) -> None:
    (policy,) = (e.attributes["content"] for e in page.all("meta") if "content" in e.attributes
                 and "default-src" in e.attributes["content"])  # fmt: skip
    assert policy.startswith("default-src 'none'; ")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert re.findall(r"sha256-([^']+)", policy) == digests
    assert len(digests) == 3
    assert "http" not in policy


def test_charts_say_in_words_what_they_show(page) -> None:
    plots = page.all("div", class_="plot")
    assert len(plots) == 22
    for plot in plots:
        assert plot.attributes["role"] == "img"
        title, _, says = plot.attributes["aria-label"].partition(". ")
        assert title
        assert says


def test_tables_have_captions_and_scopes(page) -> None:
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in heading.attributes for heading in page.all("th"))


def test_what_scrolls_can_be_reached_by_the_keyboard(page) -> None:
    for place in page.all("div", class_="scroll"):
        assert place.attributes["tabindex"] == "0"
        assert place.attributes["aria-label"]


def test_a_verdict_is_a_sign_and_a_word(page) -> None:
    badges = page.all("span", class_="badge")
    assert badges
    kinds = {kind.value for kind in VerdictKind}
    assert all(badge.words.split()[-1] in kinds for badge in badges)


def test_filters_are_what_there_is(page) -> None:
    panel = [e.attributes for e in page.all("button") if "data-filter" in e.attributes]
    variants = [a["data-value"] for a in panel if a["data-filter"] == "variant"]
    assert variants == list(VARIANTS)
    assert all(a["aria-pressed"] == "false" for a in panel)


def hostile():
    """A session in which everything that others write is bait."""
    bad = verdict(VerdictKind.REGRESSED, "itl_s", BAIT, ((BAIT, BAIT),))
    cases = [
        case(bad, variant=BAIT, suite=BAIT, prompt=BAIT, text=BAIT, asked=BAIT),
        case(bad, variant="long", suite=BAIT, prompt=BAIT, text=MEGABYTE, asked=BAIT),
        case(error=BAIT, variant="broken", suite=BAIT, prompt=BAIT, asked=MEGABYTE),
    ]
    cases[0] = msgspec.structs.replace(
        cases[0], record=msgspec.structs.replace(cases[0].record, original=f"other {BAIT}")
    )
    variants = [life(BAIT, bad, warnings=[BAIT]), life("broken", error=BAIT, loaded=False)]
    return msgspec.structs.replace(
        session(cases=cases, variants=variants, missing=[(BAIT, bad)]),
        environment=Environment(identity={BAIT: BAIT}, context={"git_commit": BAIT}),
        invocation=Invocation(
            command=("pytest", BAIT), started_at=BAIT, ended_at=BAIT, compared_with=BAIT
        ),
        reference="long",
    )


def test_bait_is_text_everywhere() -> None:
    found = Page(html_text(read(hostile())))
    scripts = found.all("script")
    assert [e.attributes for e in scripts] == [
        {},
        {"type": "application/json", "id": "charts"},
        {},
        {},
    ]
    assert not found.all("img")
    allowed = set("abcdefghijklmnopqrstuvwxyz-")
    for element in found.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert all(set(name) <= allowed for name in element.attributes)
    (output,) = [e for e in found.all("article", class_="output") if "evil" in e.words][:1]
    assert "</script><script>alert(1)</script><img src=x onerror=alert(2)>" in output.words
    assert "{{7*7}}{% raw %}${7*7}" in output.words


def test_what_acts_is_written_out_and_what_is_long_is_cut() -> None:
    text = html_text(read(hostile()))
    ours = re.compile(r"<script>.*?</script>|<style>.*?</style>|\n", re.DOTALL)
    assert {char for char in ours.sub("", text) if not char.isprintable()} == set()
    assert "\\u202eevil" in text
    assert "(1044576 more characters)" in text
    assert len(text) < 2**20 + 300_000


def test_an_id_is_the_same_in_every_report(page) -> None:
    assert "case:tasks/nf4-qa-0-n64-t0" in page.ids()


def test_differences_are_marked_in_both_directions() -> None:
    judged = case(variant="b", text="It is Lyon.")
    judged = msgspec.structs.replace(
        judged, record=msgspec.structs.replace(judged.record, original="It is Paris.")
    )
    found = Page(html_text(read(session(cases=[judged]))))
    (text,) = [e.words for e in found.all("pre") if "It is" in e.words]
    assert text == "It is ParisLyon."
    assert [e.words for e in found.all("article", class_="output")]
    assert "Paris" in [e.words for e in found.all("del")]
    assert "Lyon" in [e.words for e in found.all("ins")]


def test_writing_it_is_one_step(tmp_path) -> None:
    write_html(tmp_path / "new" / "report.html", study(prompts=1, rounds=1, grid=False))
    assert (tmp_path / "new" / "report.html").read_text("utf-8").startswith("<!doctype html>\n")
    with pytest.raises(ConfigError, match=r"^--html=.* can't be written: it is a folder"):
        write_html(tmp_path, study(prompts=1, rounds=1, grid=False), flag="--html")


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DAY, NIGHT], ids=["day", "night"])
def test_colours_can_be_read(theme) -> None:
    """WCAG 2.2: 4.5 for words, 3 for what is drawn."""
    for words in (theme.ink, theme.muted, *theme.verdicts.values()):
        assert contrast(words, theme.surface) >= 4.5, words
    for drawn in theme.series:
        assert contrast(drawn, theme.surface) >= 3, drawn
    for level, cell in enumerate(theme.ramp):
        words = theme.on_strong if level >= 5 else theme.ink
        assert contrast(words, cell) >= 4.5, (level, cell)
