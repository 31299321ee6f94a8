"""The terminal table: drawing only, no arithmetic on what was measured.

Where it is too wide, long names are broken at their joints, then each row takes two lines, and
only then columns are left out, the least missed first; a line below says which. No cell is cut.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.columns import (
    ABSENT,
    DEFAULT,
    Column,
    columns_named,
    name_columns,
    verdict_cell,
)
from pytest_llmbench.report.names import cells
from pytest_llmbench.report.rows import Row

if TYPE_CHECKING:
    from rich.table import Table

_GAP: Final = 2
_LEAVING: Final = (
    "output_tps",
    "load_s",
    "latency_s",
    "device",
    "rss_peak_bytes",
    "ttft_s",
    SIMILARITY,
    "kl_mean",
    "score",
)
"""Columns that a narrow terminal does without, the first to go first."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a table looks.

    Attributes:
        under: what rows are grouped by beside the variant; ``None`` where a variant has one row.
        columns: keys of the columns that a user chose, in this order; ``None`` shows the usual
            ones, those without any value left out.
        added: keys of columns that are shown besides the usual ones.
        baseline: what a history is of.
    """

    under: str | None = "suite"
    columns: tuple[str, ...] | None = None
    added: tuple[str, ...] = ()
    baseline: Baseline | None = None


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


def render_table(
    rows: Sequence[Row],
    *,
    width: int,
    color: bool,
    shape: Shape = Shape(),
) -> str:
    """Return the table as text, without a line end after its last line.

    Args:
        rows: what it says; without any, the text is empty.
        width: columns of the terminal. A table that can't be made that narrow stays wider.
        color: whether verdicts are coloured with escape sequences.
        shape: how it looks.
    """
    if not rows:
        return ""
    layout = _fitting(rows, shape, width)
    drawn = _drawn(_table(rows, layout), max(width, layout.width), color=color)
    lines = [line.rstrip() for line in drawn.splitlines()]
    if layout.dropped:
        lines.append(f"(left out here: {', '.join(layout.dropped)})")
    return "\n".join(lines)


def _fitting(rows: Sequence[Row], shape: Shape, width: int) -> _Layout:
    """Return the fullest layout that is no wider than *width*, else the narrowest there is."""
    layouts = _layouts(rows, shape)
    layout = next(layouts)
    while layout.width > width:
        narrower = next(layouts, None)
        if narrower is None:
            break
        layout = narrower
    return layout


def _layouts(rows: Sequence[Row], shape: Shape) -> Iterator[_Layout]:
    """Yield ways to show *rows*, from the fullest to the narrowest."""
    keys = _keys(rows, shape)
    leaving = _leaving(keys, shape)
    for cap in (None, 28, 20):
        yield _layout(rows, shape, keys, (), stacked=False, cap=cap)
    for count in range(len(leaving) + 1):
        for cap in (28, 18, 12):
            yield _layout(rows, shape, keys, leaving[:count], stacked=True, cap=cap)
    yield _layout(rows, shape, keys, leaving, stacked=True, cap=10)


def _keys(rows: Sequence[Row], shape: Shape) -> tuple[str, ...]:
    """Return the columns to show: those chosen, else the usual ones in which a row has a value."""
    if shape.columns is not None:
        return shape.columns
    usual = [
        column.key
        for column in columns_named(DEFAULT[:-1], stacked=False)
        if any(column.cell(row) != ABSENT for row in rows)
    ]
    return tuple(dict.fromkeys((*usual, *shape.added, DEFAULT[-1])))


def _leaving(keys: Sequence[str], shape: Shape) -> tuple[str, ...]:
    """Return the columns that may go, the first to go first: of chosen ones the last typed."""
    if shape.columns is not None:
        return tuple(key for key in reversed(keys) if key != "verdict")
    usual = [key for key in _LEAVING if key in keys and key not in shape.added]
    return (*usual, *(key for key in reversed(shape.added) if key != DEFAULT[-1]))


def _layout(
    rows: Sequence[Row],
    shape: Shape,
    keys: Sequence[str],
    dropped: Sequence[str],
    *,
    stacked: bool,
    cap: int | None,
) -> _Layout:
    every = columns_named(keys, stacked=stacked, baseline=shape.baseline)
    columns = (
        *name_columns(stacked=stacked, cap=cap, under=shape.under),
        *(column for column in every if column.key not in dropped),
    )
    titles = {column.key: column.title for column in every}
    return _Layout(
        columns=columns,
        texts=tuple(tuple(column.cell(row) for row in rows) for column in columns),
        dropped=tuple(titles[key] for key in dropped),
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
    verdicts = [column.key == "verdict" for column in layout.columns]
    for row, texts in zip(rows, zip(*layout.texts, strict=True), strict=True):
        kind, _ = verdict_cell(row)
        style = _STYLES[kind] if kind else ""
        cells = zip(texts, verdicts, strict=True)
        table.add_row(*(Text(text, style=style if coloured else "") for text, coloured in cells))
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
