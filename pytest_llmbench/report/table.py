"""The terminal table: drawing only, no arithmetic on what was measured.

Where it is too wide, long names are broken at their joints, then each row takes two lines, and
only then columns are left out, the least missed first; a line below says which. No cell is cut.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.columns import (
    ABSENT,
    Column,
    name_columns,
    number_columns,
    verdict_cell,
    verdict_column,
)
from pytest_llmbench.report.names import cells
from pytest_llmbench.report.rows import Row

if TYPE_CHECKING:
    from rich.table import Table

_GAP: Final = 2
_LEAVING: Final = (
    "output tok/s",
    "load",
    "latency",
    "device peak",
    "RSS peak",
    "TTFT",
    "cosine",
    "KL",
    "score",
)
"""Columns that a narrow terminal does without, the first to go first."""

_STYLES: Final = {
    VerdictKind.ERROR: "bold red",
    VerdictKind.REGRESSED: "bold red",
    VerdictKind.INCONCLUSIVE: "yellow",
    VerdictKind.INCOMPARABLE: "yellow",
    VerdictKind.MISSING: "yellow",
    VerdictKind.NEW: "cyan",
    VerdictKind.IMPROVED: "bold green",
    VerdictKind.OK: "green",
}


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """One way to show the rows: every cell's text, column by column, and what is left out."""

    columns: tuple[Column, ...]
    texts: tuple[tuple[str, ...], ...]
    dropped: tuple[str, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        shown = zip(self.columns, self.texts, strict=True)
        return tuple(
            max(cells(line) for text in (column.heading, *texts) for line in text.split("\n"))
            for column, texts in shown
        )

    @property
    def width(self) -> int:
        return sum(self.widths) + _GAP * (len(self.columns) - 1)


def render_table(rows: Sequence[Row], *, width: int, color: bool) -> str:
    """Return the table as text, without a line end after its last line.

    Args:
        rows: what it says; without any, the text is empty.
        width: columns of the terminal. A table that can't be made that narrow stays wider.
        color: whether verdicts are coloured with escape sequences.
    """
    if not rows:
        return ""
    layouts = tuple(_layouts(rows))
    layout = next((each for each in layouts if each.width <= width), layouts[-1])
    drawn = _drawn(_table(rows, layout), max(width, layout.width), color=color)
    lines = [line.rstrip() for line in drawn.splitlines()]
    if layout.dropped:
        lines.append(f"(left out here: {', '.join(layout.dropped)})")
    return "\n".join(lines)


def _layouts(rows: Sequence[Row]) -> Iterator[_Layout]:
    """Yield ways to show *rows*, from the fullest to the narrowest."""
    held = _held(rows)
    leaving = [title for title in _LEAVING if title in held]
    for cap in (None, 28, 20):
        yield _layout(rows, held, (), stacked=False, cap=cap)
    for count in range(len(leaving) + 1):
        for cap in (28, 18, 12):
            yield _layout(rows, held, leaving[:count], stacked=True, cap=cap)
    yield _layout(rows, held, leaving, stacked=True, cap=10)


def _held(rows: Sequence[Row]) -> frozenset[str]:
    """Return the titles of the columns in which any row has a value."""
    return frozenset(
        column.title
        for column in number_columns(stacked=False)
        if any(column.cell(row) != ABSENT for row in rows)
    )


def _layout(
    rows: Sequence[Row],
    held: frozenset[str],
    dropped: Sequence[str],
    *,
    stacked: bool,
    cap: int | None,
) -> _Layout:
    titles = held - frozenset(dropped)
    columns = (
        *name_columns(stacked=stacked, cap=cap),
        *(column for column in number_columns(stacked=stacked) if column.title in titles),
        verdict_column(stacked=stacked),
    )
    return _Layout(
        columns=columns,
        texts=tuple(tuple(column.cell(row) for row in rows) for column in columns),
        dropped=tuple(dropped),
    )


def _table(rows: Sequence[Row], layout: _Layout) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    tall = any("\n" in column.heading for column in layout.columns)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column, width in zip(layout.columns, layout.widths, strict=True):
        low = tall and "\n" not in column.heading
        table.add_column(
            Text(f"\n{column.heading}" if low else column.heading),
            justify="right" if column.number else "left",
            width=width,
            no_wrap=True,
        )
    for row, texts in zip(rows, zip(*layout.texts, strict=True), strict=True):
        kind, _ = verdict_cell(row)
        *others, verdict = texts
        table.add_row(*map(Text, others), Text(verdict, style=_STYLES[kind] if kind else ""))
    return table


def _drawn(table: Table, width: int, *, color: bool) -> str:
    """Return *table* as rich draws it, whatever the process's own terminal and variables say."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        height=25,
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )
    console.print(table)
    return file.getvalue()
