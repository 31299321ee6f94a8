"""Text in Markdown that stays text, and tables.

What others wrote stands in code: a span in a line or a cell, a fenced block where it has lines. In
code neither Markdown nor HTML is read, no address becomes a link and no name calls anybody: GitHub
looks for mentions outside of code only. The delimiter is longer than any run of backticks inside.
Source: GitHub Flavored Markdown 0.29, 4.5 fenced code blocks, 4.10 tables, 6.3 code spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pytest_llmbench.report.text import cut, one_line, plain

ABSENT: Final = "–"
LONGEST: Final = 400
"""Characters of a text that are shown at most."""

_MOST_LINES: Final = 12
_TICKS: Final = re.compile(r"`+")
_BEFORE_BAR: Final = re.compile(r"\\(?=\|)")


def code(text: str, limit: int | None = LONGEST) -> str:
    """Return *text* as a code span on one line; a dash where it is empty."""
    shown = one_line(text, limit)
    if not shown:
        return ABSENT
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def code_cell(text: str, limit: int | None = LONGEST) -> str:
    """Return *text* as a code span that stays in its cell of a table.

    A bar is escaped there even in code; a backslash before one gets a space after it, since no
    number of backslashes means both.
    """
    return _BEFORE_BAR.sub(r"\\ ", code(text, limit)).replace("|", r"\|")


def number(text: str) -> str:
    """Return an amount so that it is not broken between number and unit."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def block(text: str, limit: int = LONGEST) -> str:
    """Return *text* as a fenced block, cut at *limit* characters and twelve lines."""
    lines = cut(plain(text), limit).split("\n")
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… ({len(lines) - _MOST_LINES} more lines)"]
    body = "\n".join(line.rstrip() for line in lines)
    ticks = "`" * max(3, _longest_run(body) + 1)
    return f"{ticks}text\n{body}\n{ticks}"


def table(headings: Sequence[str], numbers: Iterable[bool]) -> tuple[str, str]:
    """Return the two lines that a table begins with; columns of *numbers* are right-aligned."""
    rules = "|".join("--:" if number else "---" for number in numbers)
    return row(headings), f"|{rules}|"


def row(cells: Iterable[str]) -> str:
    """Return one line of a table; cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
