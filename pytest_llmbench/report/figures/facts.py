"""What a figure is: a picture, the numbers in it, and what it shows in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_llmbench.report.palette import Theme
from pytest_llmbench.report.results import CaseResult
from pytest_llmbench.report.text import one_line

if TYPE_CHECKING:
    from altair import Chart, LayerChart

    Drawing = Chart | LayerChart

Row = Mapping[str, str | float | bool | None]
"""One thing that is drawn: its place, and the texts beside it."""

Tags = Mapping[str, str]
"""What a filter sees: of ``variant``, ``suite``, ``task`` and ``verdict`` those that apply."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table: texts as people read them, and what filters see."""

    cells: tuple[str, ...]
    tags: Tags = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The numbers of a figure.

    Attributes:
        headings: of each column; units stand with the values.
        words: how many columns, from the left, are words; the others are numbers.
        lines: the rows.
    """

    headings: tuple[str, ...]
    words: int
    lines: tuple[Line, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One picture.

    Attributes:
        name: what it shows, as the name of a file: ``latency-by-length``.
        section: the part of the report that it belongs to.
        title: what it shows, as a heading.
        caption: how to read it, and what its numbers are.
        says: what can be seen in it, for those who don't see it.
        rows: what is drawn.
        draw: draws *rows*.
        table: the same numbers.
        absent: why there is nothing to draw, as a sentence; ``None`` where there is.
    """

    name: str
    section: str
    title: str
    caption: str = ""
    says: str = ""
    rows: tuple[Row, ...] = ()
    draw: Callable[[Sequence[Row], Theme], Drawing] | None = None
    table: Table | None = None
    absent: str | None = None

    def drawing(self, theme: Theme) -> Drawing:
        """Return the chart, in the colours of *theme*; the figure must not be absent."""
        assert self.draw is not None
        return self.draw(self.rows, theme)


def name_of(variant: str) -> str:
    """Return *variant* as it may be shown: a name that others gave."""
    return one_line(variant, 60)


def task_of(case: CaseResult) -> str:
    """Return the case's task as it may be shown."""
    return one_line(case.task, 60) if case.task else "(no task)"


def by_variant(cases: Sequence[CaseResult]) -> dict[str, list[CaseResult]]:
    """Return *cases* by variant, in the order in which they were measured."""
    groups: dict[str, list[CaseResult]] = {}
    for case in cases:
        groups.setdefault(case.variant, []).append(case)
    return groups


def by_task(cases: Sequence[CaseResult]) -> dict[str, list[CaseResult]]:
    """Return *cases* by task."""
    groups: dict[str, list[CaseResult]] = {}
    for case in cases:
        groups.setdefault(task_of(case), []).append(case)
    return groups
