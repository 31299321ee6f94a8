"""The columns of tables: how a row reads in each, on one line or on two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.names import folded
from pytest_llmbench.report.rows import SPEED, Row
from pytest_llmbench.report.sparkline import sparkline
from pytest_llmbench.report.text import one_line
from pytest_llmbench.units import (
    format_amount,
    format_bytes,
    format_percent,
    format_seconds,
    format_times,
)
from pytest_llmbench.verdict.outcome import SEVERITY
from pytest_llmbench.verdict.series import Series, case_series, life_series, series_across

ABSENT: Final = "–"
HISTORY: Final = "history"
DEFAULT: Final = (
    "load_s",
    "ttft_s",
    "decode_tps",
    "output_tps",
    "latency_s",
    "rss_peak_bytes",
    "device",
    "score",
    "kl_mean",
    SIMILARITY,
    "verdict",
)
"""The columns of a table whose columns nobody chose, those without any value left out."""

_LEAST_NATS: Final = 1e-6
_WELL: Final = (VerdictKind.NEW, VerdictKind.IMPROVED, VerdictKind.OK)

Better = Literal["lower", "higher"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its heading and a row's cell, lines apart by line feeds.

    *key* is what a user types for it, *title* its name where it is left out; *number* columns are
    right-aligned. *value* is what rows are sorted by, *better* which way comes first.
    """

    key: str
    title: str
    heading: str
    cell: Callable[[Row], str]
    value: Callable[[Row], float | None] = lambda _: None
    better: Better | None = None
    number: bool = True


def name_columns(
    *, stacked: bool, cap: int | None, under: str | None = "suite"
) -> tuple[Column, ...]:
    """Return the columns that say whose row it is: two, or one where rows are *stacked*.

    *cap*: no name takes more columns of the terminal; ``None`` leaves names whole. *under*: what
    rows are grouped by beside the variant; ``None`` where a variant has one row.
    """

    def variant(row: Row) -> str:
        return folded(one_line(row.variant), cap)

    def label(row: Row) -> str:
        return folded(one_line(row.label or ABSENT), cap)

    def both(row: Row) -> str:
        below = label(row).split("\n") if row.label is not None else ()
        return "\n  ".join((variant(row), *below))

    if under is None:
        return (_name("variant", variant),)
    if stacked:
        heading = f"variant\n  {under}"
        return (Column(key="variant", title="variant", heading=heading, cell=both, number=False),)
    return _name("variant", variant), _name(under, label)


def known_columns() -> tuple[str, ...]:
    """Return every column that a user may type: those of the table, then all metrics."""
    special = ("device", "speed", HISTORY, "cases", "verdict")
    return tuple(dict.fromkeys((*DEFAULT, *special, *CATALOGUE)))


def columns_named(
    keys: Sequence[str], *, stacked: bool, baseline: Baseline | None = None
) -> tuple[Column, ...]:
    """Return the columns *keys*, each of which is known, or ``history:METRIC``.

    Args:
        keys: in the order in which they are shown.
        stacked: whether a row may take two lines.
        baseline: what a history is of; without one it has nothing to show.
    """
    of = "\nof " if stacked else " of "
    fixed = {column.key: column for column in _fixed(of)}
    fixed["verdict"] = verdict_column(stacked=stacked)
    return tuple(fixed.get(key) or _made(key, baseline) for key in keys)


def verdict_column(*, stacked: bool) -> Column:
    """Return the column of the worst verdict."""

    def cell(row: Row) -> str:
        _, words = verdict_cell(row)
        return words.replace(" ", "\n", 1) if stacked else words

    def severity(row: Row) -> float | None:
        kind, _ = verdict_cell(row)
        return None if kind is None else float(SEVERITY.index(kind))

    return Column(
        key="verdict",
        title="verdict",
        heading="verdict",
        cell=cell,
        value=severity,
        better="lower",
        number=False,
    )


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


def _fixed(of: str) -> tuple[Column, ...]:
    """Return the columns whose headings are shorter than their metric's name."""
    return (
        _metric("load_s", "load", format_seconds),
        _metric("ttft_s", "TTFT", format_seconds),
        _metric("decode_tps", "decode tok/s", _rate),
        _metric("output_tps", "output tok/s", _rate),
        _metric("latency_s", "latency", format_seconds),
        _metric("rss_peak_bytes", "RSS peak", format_bytes),
        _special("device", "device peak", lambda row: row.device_peak_bytes, format_bytes, "lower"),
        Column(
            key="score",
            title="score",
            heading="score",
            cell=lambda row: _score(row, of),
            value=lambda row: row.value("score"),
            better="higher",
        ),
        _special("kl_mean", "KL", lambda row: row.kl, _divergence, "lower"),
        _metric(SIMILARITY, "cosine", lambda cosine: f"{cosine:.3f}"),
        _special("speed", "speed", lambda row: row.speed, format_times, "higher"),
        _special("cases", "cases", lambda row: float(row.cases), _rate, "higher"),
    )


def _made(key: str, baseline: Baseline | None) -> Column:
    """Return the column of a metric under its own name, or of a history."""
    word, _, name = key.partition(":")
    if word == HISTORY:
        return _history(key, CATALOGUE[name or SPEED], baseline)
    metric = CATALOGUE[key]
    return _metric(key, key, lambda value: format_amount(value, metric.unit))


def _history(key: str, metric: Metric, baseline: Baseline | None) -> Column:
    """Return the column of a metric over the baseline's sessions, this one's bar last."""

    def cell(row: Row) -> str:
        past = () if baseline is None else _past(row, metric, baseline)
        return sparkline((*past, row.value(metric.name))) if past else ABSENT

    title = HISTORY if metric.name == SPEED else f"{HISTORY} of {metric.name}"
    return Column(key=key, title=title, heading=_heading(title), cell=cell, number=False)


def _past(row: Row, metric: Metric, baseline: Baseline) -> Series:
    if metric.of == "variant":
        return life_series(baseline, row.variant, metric)
    return series_across(metric, [case_series(baseline, key, metric) for key in row.keys])


def _name(title: str, cell: Callable[[Row], str]) -> Column:
    return Column(key=title, title=title, heading=title, cell=cell, number=False)


def _metric(name: str, title: str, show: Callable[[float], str]) -> Column:
    return _special(name, title, lambda row: row.value(name), show, CATALOGUE[name].better)


def _special(
    key: str,
    title: str,
    value: Callable[[Row], float | None],
    show: Callable[[float], str],
    better: Better | None,
) -> Column:
    """Return a column of one number."""

    def cell(row: Row) -> str:
        number = value(row)
        return ABSENT if number is None else show(number)

    return Column(
        key=key, title=title, heading=_heading(title), cell=cell, value=value, better=better
    )


def _heading(title: str) -> str:
    """Return *title* on two lines where it has two words."""
    return title.replace(" ", "\n", 1)


def _rate(value: float) -> str:
    return format_amount(value, "count")


def _score(row: Row, of: str) -> str:
    score = row.value("score")
    return ABSENT if score is None else f"{format_percent(score)}{of}{row.scored}"


def _divergence(nats: float) -> str:
    """Return nats in two digits; what is below a millionth is arithmetic."""
    return f"{nats:.2g}" if nats >= _LEAST_NATS else "0"
