"""A study's checklist, and what of it a report lacks.

A line of it has four cells: what the document shows, and where that stands in the page, in Markdown
and among the figures. In the page's cell the first code span is a place (``#latency-by-task``), in
Markdown's the heading of a section; what follows names columns, lines or headings there, each of
which has to hold a value.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.docs.pages import rows, section
from tests.report.documents import Element, Page

NOTHING = {"", "–"}
Table = list[list[str]]


@dataclasses.dataclass(frozen=True)
class Line:
    """What a document shows, and the names of what shows it in a report."""

    what: str
    page: tuple[str, ...]
    markdown: tuple[str, ...]
    figures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """One report in all its forms."""

    page: Page
    markdown: str
    figures: Path


def checklist(readme: Path) -> list[Line]:
    """The lines under the heading "Checklist"."""
    return [
        Line(what, *(tuple(re.findall(r"`([^`]+)`", cell)) for cell in places))
        for what, *places in rows(section(readme, "Checklist"))
    ]


def lacking(line: Line, report: Report) -> list[str]:
    """What of *line* the report does not have, in words; empty where all is there."""
    found = [*_lacking_in_page(line.page, report.page)]
    if line.markdown:
        found += _lacking_in_markdown(line.markdown, report.markdown)
    found += [f"no figure {name}" for name in line.figures if not drawn(report.figures / name)]
    return [f"{line.what}: {each}" for each in found]


def drawn(path: Path) -> bool:
    """Whether *path* is there as PNG and as SVG, and marks are drawn in it."""
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    if not (png.is_file() and svg.is_file()):
        return False
    marks = re.findall(r'class="mark-\w+ role-mark', svg.read_text("utf-8"))
    return png.read_bytes().startswith(b"\x89PNG") and bool(marks)


def _lacking_in_page(names: Sequence[str], page: Page) -> Iterator[str]:
    anchor, *wanted = names
    region = _region(page, anchor.removeprefix("#"))
    if not region:
        yield f"the page has no {anchor}"
    elif region[0].tag == "figure" and not any("plot" in _classes(each) for each in region):
        yield f"{anchor} is not drawn"
    elif region[0].tag == "li":
        yield f"{anchor}: {region[0].words}"
    elif region:
        tables = [*_tables(region)]
        for name in wanted:
            if not (_held(tables, name) or _has_heading(region, name)):
                yield f"{anchor} has no {name!r} with a value"


def _region(page: Page, anchor: str) -> list[Element]:
    """The element *anchor* with all that is in it; of a heading, what comes right after it."""
    every = page.elements
    start = next((n for n, e in enumerate(every) if e.attributes.get("id") == anchor), None)
    if start is None:
        return []
    if every[start].tag in ("h2", "h3"):
        start += 1
    return every[start : _end(every, start)]


def _end(elements: Sequence[Element], start: int) -> int:
    """Where what is in the element at *start* ends."""
    depth = elements[start].depth
    after = range(start + 1, len(elements))
    return next((n for n in after if elements[n].depth <= depth), len(elements))


def _tables(region: Sequence[Element]) -> Iterator[Table]:
    for number, element in enumerate(region):
        if element.tag == "table":
            lines: Table = []
            for each in region[number + 1 : _end(region, number)]:
                if each.tag == "tr":
                    lines.append([])
                elif each.tag in ("th", "td"):
                    lines[-1].append(" ".join(each.words.split()))
            yield lines


def _held(tables: Sequence[Table], name: str) -> bool:
    """Whether a column or a line of that *name* holds a value."""
    for headings, *lines in (table for table in tables if table):
        columns = [n for n, heading in enumerate(headings) if heading == name]
        if any(line[n] not in NOTHING for n in columns for line in lines):
            return True
        if any(cell not in NOTHING for line in lines if line[0] == name for cell in line[1:]):
            return True
    return False


def _has_heading(region: Sequence[Element], name: str) -> bool:
    """Whether something that is not a word of absence follows the heading *name*."""
    for element, after in itertools.pairwise(region):
        if element.tag in ("h3", "h4") and element.words.strip() == name:
            return "absent" not in _classes(after) and bool(after.words.strip())
    return False


def _classes(element: Element) -> list[str]:
    return element.attributes.get("class", "").split()


def _lacking_in_markdown(names: Sequence[str], text: str) -> Iterator[str]:
    title, *wanted = names
    body = _sections(text).get(title)
    if body is None or not body.strip():
        yield f"Markdown has no section {title!r}"
        return
    tables = [*_markdown_tables(body)]
    for name in wanted:
        if not _held(tables, name):
            yield f"Markdown's {title!r} has no {name!r} with a value"


def _sections(text: str) -> dict[str, str]:
    """What stands under each heading, and behind each summary that is clicked."""
    parts = re.split(r"^(?:### (.+)|<details><summary>(.+)</summary>)$", text, flags=re.MULTILINE)
    titles = [first or second for first, second in zip(parts[1::3], parts[2::3], strict=True)]
    bodies = (body.replace("</details>", "") for body in parts[3::3])
    return dict(zip(titles, bodies, strict=True))


def _markdown_tables(text: str) -> Iterator[Table]:
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.MULTILINE):
        headings, _, *lines = block.splitlines()
        yield [
            [cell.strip().strip("`") for cell in line[1:-1].split("|")]
            for line in (headings, *lines)
        ]
