"""A report that fits: sections in order of importance, cut from the end, with a word on what went.

Lengths are bytes of UTF-8, which are no fewer than characters: what fits by bytes fits by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NOTE: Final = 400
"""Bytes that are kept for the word on what was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the report.

    Attributes:
        title: its heading.
        lead: lines that always stand, as a table's heading.
        body: what may be cut from the end, each a line or a block.
        folded: whether it is shown on a click only.
    """

    title: str
    lead: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    folded: bool = False

    def text(self, most: int | None = None) -> str:
        """Return it, with *most* parts of its body."""
        shown = self.body if most is None else self.body[:most]
        left = len(self.body) - len(shown)
        lines = [*self.lead, *shown]
        if left:
            lines += ["", f"… and {left} more, left out to fit"]
        body = "\n".join(lines)
        if self.folded:
            return f"\n<details><summary>{self.title}</summary>\n\n{body}\n\n</details>\n"
        return f"\n### {self.title}\n\n{body}\n"


def fitted(head: str, sections: Sequence[Section], limit: int) -> str:
    """Return *head* and as much of *sections* as fits into *limit* bytes.

    The first that does not fit is shortened, those after it are left out and named.
    """
    text = head
    for number, section in enumerate(sections):
        rest = sections[number + 1 :]
        room = limit - _size(text) - (_NOTE if rest else 0)
        if _size(section.text()) <= room:
            text += section.text()
            continue
        most = _most(section, limit - _size(text) - _NOTE)
        kept = f"{section.text(most)}" if most else ""
        gone = [each.title for each in (rest if most else sections[number:])]
        return text + kept + _left_out(gone, limit)
    return text


def _most(section: Section, room: int) -> int:
    """Return how many parts of *section* fit into *room* bytes; 0 where that is none."""
    low, high = 0, len(section.body)
    while low < high:
        middle = (low + high + 1) // 2
        if _size(section.text(middle)) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _left_out(titles: Sequence[str], limit: int) -> str:
    if not titles:
        return ""
    named = ", ".join(title.lower() for title in titles)
    return f"\nLeft out to fit {limit:,} bytes: {named}. All of it is in `--llmbench-json`.\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="backslashreplace"))
