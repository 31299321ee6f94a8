"""Pages as data: their fences, in order, with the words around them, and their tables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = tuple(sorted(DOCS.glob("*.md")))
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Fence:
    """A fenced block: *before* and *after* are the paragraphs around it."""

    page: Path
    line: int
    info: str
    text: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences(page: Path, *infos: str) -> list[Fence]:
    """The fences of *page* with one of *infos* (``"toml"``, ``"python"`` …); all without any."""
    text = page.read_text(encoding="utf-8")
    return [fence for fence in _fences(page, text) if not infos or fence.info in infos]


def fences_of_all(*infos: str) -> list[Fence]:
    pages = (*PAGES, ROOT / "README.md")
    return [fence for page in pages for fence in fences(page, *infos)]


def _fences(page: Path, text: str) -> Iterator[Fence]:
    for match in _FENCE.finditer(text):
        yield Fence(
            page=page,
            line=text.count("\n", 0, match.start()) + 1,
            info=match["info"].strip(),
            text=match["text"],
            before=text[: match.start()].rstrip().rpartition("\n\n")[2],
            after=text[match.end() :].lstrip().partition("\n\n")[0],
        )


def section(page: Path, heading: str) -> str:
    """What stands under the heading whose words are *heading*, up to the next heading."""
    text = re.sub(_FENCE, "", page.read_text(encoding="utf-8"))
    start = re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"{page.name} has no heading {heading!r}"
    return re.split(r"^#", text[start.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row in *text*, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    bodies = [i for i, line in enumerate(lines) if set(line) <= set("|-: ")]
    skipped = {n for i in bodies for n in (i - 1, i)}
    kept = [line for n, line in enumerate(lines) if n not in skipped]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in kept]


def code(cell: str) -> str:
    """The first code span of a cell: what it names."""
    match = re.search(r"`([^`]+)`", cell)
    assert match is not None, f"{cell!r} names nothing"
    return match[1].replace("\\|", "|")
