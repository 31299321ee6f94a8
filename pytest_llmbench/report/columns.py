"""The columns of the terminal table: how a row reads in each, on one line or on two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.names import folded
from pytest_llmbench.report.rows import Row
from pytest_llmbench.report.text import one_line
from pytest_llmbench.units import format_amount, format_bytes, format_percent, format_seconds
from pytest_llmbench.verdict.outcome import SEVERITY

ABSENT: Final = "–"
_LEAST_NATS: Final = 1e-6
_WELL: Final = (VerdictKind.NEW, VerdictKind.IMPROVED, VerdictKind.OK)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its heading and a row's cell, lines apart by line feeds.

    *title* is its name where it is left out; *number* columns are right-aligned.
    """

    title: str
    heading: str
    cell: Callable[[Row], str]
    number: bool = True


def name_columns(*, stacked: bool, cap: int | None) -> tuple[Column, ...]:
    """Return the columns that say whose row it is: two, or one where rows are *stacked*.

    *cap*: no name takes more columns of the terminal; ``None`` leaves names whole.
    """

    def variant(row: Row) -> str:
        return folded(one_line(row.variant), cap)

    def suite(row: Row) -> str:
        return folded(one_line(row.suite or ABSENT), cap)

    def both(row: Row) -> str:
        under = suite(row).split("\n") if row.suite is not None else ()
        return "\n  ".join((variant(row), *under))

    if stacked:
        heading = "variant\n  suite"
        return (Column(title="variant", heading=heading, cell=both, number=False),)
    return (
        Column(title="variant", heading="variant", cell=variant, number=False),
        Column(title="suite", heading="suite", cell=suite, number=False),
    )


def number_columns(*, stacked: bool) -> tuple[Column, ...]:
    """Return the columns of what was measured, from left to right."""
    of = "\nof " if stacked else " of "
    return (
        Column(title="load", heading="load", cell=lambda row: _seconds(row.load_s)),
        Column(title="TTFT", heading="TTFT", cell=lambda row: _seconds(row.ttft_s)),
        _rate("decode", lambda row: row.decode_tps),
        _rate("output", lambda row: row.output_tps),
        Column(title="latency", heading="latency", cell=lambda row: _seconds(row.latency_s)),
        _peak("RSS", lambda row: row.rss_peak_bytes),
        _peak("device", lambda row: row.device_peak_bytes),
        Column(title="score", heading="score", cell=lambda row: _score(row, of)),
        Column(title="KL", heading="KL", cell=lambda row: _divergence(row.kl)),
        Column(title="cosine", heading="cosine", cell=lambda row: _cosine(row.similarity)),
    )


def verdict_column(*, stacked: bool) -> Column:
    """Return the column of the worst verdict."""

    def cell(row: Row) -> str:
        _, words = verdict_cell(row)
        return words.replace(" ", "\n", 1) if stacked else words

    return Column(title="verdict", heading="verdict", cell=cell, number=False)


def verdict_cell(row: Row) -> tuple[VerdictKind | None, str]:
    """Return the worst that was said of a row and how it reads: ``regressed 2/5``.

    Where the variant's own life fared worse than all of its cases, the cell says so.
    """
    if row.skipped:
        return None, "skipped"
    kind, count = row.kinds[0] if row.kinds else (None, 0)
    life = row.life
    if life is not None and life not in _WELL and _worse(life, kind):
        return life, f"{life} (life)" if row.cases else life.value
    return kind, ABSENT if kind is None else f"{kind} {count}/{row.cases}"


def _worse(one: VerdictKind, other: VerdictKind | None) -> bool:
    return other is None or SEVERITY.index(one) < SEVERITY.index(other)


def _rate(word: str, value: Callable[[Row], float | None]) -> Column:
    """Return a column of a rate, its unit in the heading."""

    def cell(row: Row) -> str:
        rate = value(row)
        return ABSENT if rate is None else format_amount(rate, "count")

    return Column(title=f"{word} tok/s", heading=f"{word}\ntok/s", cell=cell)


def _peak(word: str, value: Callable[[Row], float | None]) -> Column:
    def cell(row: Row) -> str:
        peak = value(row)
        return ABSENT if peak is None else format_bytes(peak)

    return Column(title=f"{word} peak", heading=f"{word}\npeak", cell=cell)


def _seconds(value: float | None) -> str:
    return ABSENT if value is None else format_seconds(value)


def _score(row: Row, of: str) -> str:
    return ABSENT if row.score is None else f"{format_percent(row.score)}{of}{row.scored}"


def _divergence(nats: float | None) -> str:
    """Return nats in two digits; what is below a millionth is arithmetic."""
    if nats is None:
        return ABSENT
    return f"{nats:.2g}" if nats >= _LEAST_NATS else "0"


def _cosine(similarity: float | None) -> str:
    return ABSENT if similarity is None else f"{similarity:.3f}"
