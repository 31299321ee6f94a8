"""What a user chooses of the table: how rows are grouped, which columns, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_llmbench.config.place import unknown
from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.columns import HISTORY, columns_named, known_columns
from pytest_llmbench.report.rows import GROUPINGS, Row
from pytest_llmbench.report.table import Shape

GROUP: Final = "--llmbench-group"
COLUMNS: Final = "--llmbench-columns"
SORT: Final = "--llmbench-sort"

_NAMES: Final = ("variant", "suite", "task")
"""What rows can be sorted by besides columns; only what a row is called by has an effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChoice:
    """How the table looks.

    Attributes:
        group: one of :data:`.rows.GROUPINGS`.
        columns: their keys; ``None`` shows the usual ones.
        added: keys of columns that are shown besides the usual ones.
        sort: a column's key, or ``variant``, ``suite`` or ``task``; ``None`` keeps the order in
            which cases were measured.
        backwards: whether the last comes first.
    """

    group: str = "suite"
    columns: tuple[str, ...] | None = None
    added: tuple[str, ...] = ()
    sort: str | None = None
    backwards: bool = False

    @property
    def under(self) -> str | None:
        """What rows are called by beside their variant."""
        return None if self.group == "variant" else self.group

    def shape(self, baseline: Baseline | None) -> Shape:
        """Return how the table is drawn; a history is of *baseline*."""
        return Shape(under=self.under, columns=self.columns, added=self.added, baseline=baseline)

    def ordered(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Return *rows* in the order asked for: the best first, those without a value last."""
        if self.sort is None:
            return tuple(rows)
        if self.sort in _NAMES:
            return tuple(sorted(rows, key=self._name, reverse=self.backwards))
        (column,) = columns_named([self.sort], stacked=False)
        valued = [(row, column.value(row)) for row in rows]
        known = [(row, value) for row, value in valued if value is not None]
        highest_first = (column.better == "higher") != self.backwards
        known.sort(key=lambda pair: pair[1], reverse=highest_first)
        return (*(row for row, _ in known), *(row for row, value in valued if value is None))

    def _name(self, row: Row) -> tuple[str, str]:
        label = row.label or ""
        return (row.variant, label) if self.sort == "variant" else (label, row.variant)


def chosen(group: str | None, columns: str | None, sort: str | None) -> TableChoice:
    """Return what was typed, ``None`` where it was not.

    Args:
        group: ``suite``, ``variant`` or ``task``.
        columns: keys, comma-separated; where each begins with ``+``, they are added to the usual
            ones.
        sort: a key; with ``-`` before it the other way round.

    Raises:
        ConfigError: any of it is unknown; says what there is.
    """
    keys, added = ((), True) if columns is None else _columns(columns)
    return TableChoice(
        group=_group(group),
        columns=None if added else keys,
        added=keys if added else (),
        sort=None if sort is None else _sort(sort.removeprefix("-")),
        backwards=sort is not None and sort.startswith("-"),
    )


def _group(text: str | None) -> str:
    if text is None:
        return "suite"
    if text not in GROUPINGS:
        raise ConfigError(f"{GROUP}={text}: allowed are {', '.join(GROUPINGS)}")
    return text


def _columns(text: str) -> tuple[tuple[str, ...], bool]:
    """Return the columns, and whether they are added to the usual ones."""
    typed = [word.strip() for word in text.split(",") if word.strip()]
    added = [word.startswith("+") for word in typed]
    if not typed or any(added) != all(added):
        raise ConfigError(
            f"{COLUMNS}={text}: write columns, such as ttft_s,decode_tps,verdict, or some to add "
            "to the usual ones, each with a plus, such as +speed,+history"
        )
    keys = [_known(word.removeprefix("+"), f"{COLUMNS}={text}") for word in typed]
    return tuple(dict.fromkeys(keys)), all(added)


def _sort(key: str) -> str:
    if key in _NAMES:
        return key
    if key.partition(":")[0] == HISTORY:
        raise ConfigError(f"{SORT}={key}: a history has no order; name another column")
    return _known(key, f"{SORT}={key}", more=_NAMES)


def _known(key: str, where: str, more: Sequence[str] = ()) -> str:
    word, colon, metric = key.partition(":")
    if word == HISTORY and colon:
        if metric not in CATALOGUE:
            raise ConfigError(f"{where}: {unknown(metric, 'metric', CATALOGUE)}")
    elif key not in known_columns():
        raise ConfigError(f"{where}: {unknown(key, 'column', (*more, *known_columns()))}")
    return key
