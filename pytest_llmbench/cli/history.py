"""``llmbench show --history METRIC``: a metric over the sessions of a baseline."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.configuration import as_typed, baselines_folder, look_for_config
from pytest_llmbench.cli.output import column_widths, heading, say, say_table
from pytest_llmbench.cli.show_baseline import absent_baseline, this_machine
from pytest_llmbench.config.place import unknown
from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.errors import BaselineError, ConfigError
from pytest_llmbench.report.files import write_file
from pytest_llmbench.report.names import cells
from pytest_llmbench.report.sparkline import GAP, sparkline
from pytest_llmbench.report.text import one_line
from pytest_llmbench.report.trends import Trend, Trends, Turn, trends
from pytest_llmbench.units import format_amount
from pytest_llmbench.verdict.changes import FEWEST, enough
from pytest_llmbench.verdict.words import movement, plural

_PIPE: Final = 1000
"""Columns of what is no terminal: nothing is left out there."""


def show_history(arguments: argparse.Namespace) -> None:
    """Print a metric over the sessions, and write it as a page where that is asked for.

    Raises:
        ConfigError: there is no such metric, or baselines do not keep it.
        BaselineError: there is no such baseline, or nothing of the metric in it.
    """
    metric = _metric(arguments.history)
    found = trends(_baseline(arguments), metric, arguments.of)
    if not found.variants and not found.cases:
        raise BaselineError(_nothing(found, arguments.of))
    if arguments.html is not None:
        from pytest_llmbench.report.trends_page import trends_page

        write_file(arguments.html, trends_page(found).encode(), flag="--html")
    _say(found)
    if arguments.html is not None:
        say()
        say(f"wrote {as_typed(arguments.html)}")


def _metric(name: str) -> Metric:
    if name not in CATALOGUE:
        raise ConfigError(f"--history={name}: {unknown(name, 'metric', CATALOGUE)}")
    if CATALOGUE[name].kind is Kind.INFORMATIVE:
        raise ConfigError(
            f"--history={name}: baselines do not keep it, because it is the machine's and not the "
            "variant's; llmbench show metrics says of which metrics they do"
        )
    return CATALOGUE[name]


def _baseline(arguments: argparse.Namespace) -> Baseline:
    found = look_for_config(arguments.config)
    store = Store(baselines_folder(arguments.baselines, found))
    machine = arguments.machine or this_machine()
    baseline = store.read(machine, arguments.baseline)
    if baseline is None or not baseline.sessions:
        raise BaselineError(absent_baseline(store, machine, arguments.baseline))
    return baseline


def _nothing(found: Trends, globs: Sequence[str]) -> str:
    which = f" of {','.join(globs)}" if globs else ""
    return (
        f"the baseline {found.baseline!r} of machine {found.machine} has no "
        f"{found.metric.name}{which}; llmbench show baseline lists what it has"
    )


def _say(found: Trends) -> None:
    metric = found.metric
    sessions = plural(len(found.saved_at), "session")
    direction = "" if metric.better is None else f" ({metric.better} is better)"
    say(f"{metric.name} over {sessions} of baseline {found.baseline}, machine {found.machine}")
    say(f"{metric.summary}{direction}")
    heading("sessions")
    say_table((str(n), one_line(when)) for n, when in enumerate(found.saved_at, start=1))
    rows = {"variants": found.variants, "cases": found.cases}
    shown = {word: _rows(each, metric) for word, each in rows.items() if each}
    left_out = _fit(shown)
    for word, lines in shown.items():
        heading(word)
        say_table([line[:2] + line[2 + left_out :] for line in lines])
    if left_out:
        say(f"(the values of the {plural(left_out, 'oldest session')} have no room here)")
    _say_changes(found)


def _rows(each: Sequence[Trend], metric: Metric) -> list[tuple[str, ...]]:
    """Return a heading and a row a series: name, sparkline, a value a session."""
    count = len(each[0].values)
    lines = [
        (one_line(trend.name), sparkline(trend.values), *(_amount(v, metric) for v in trend.values))
        for trend in each
    ]
    return _right_aligned([("", "", *(str(n) for n in range(1, count + 1))), *lines])


def _right_aligned(lines: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        (*line[:2], *(c.rjust(w) for c, w in zip(line[2:], widths[2:], strict=True)))
        for line in lines
    ]


def _amount(value: float | None, metric: Metric) -> str:
    return GAP if value is None else format_amount(value, metric.unit)


def _fit(shown: dict[str, list[tuple[str, ...]]]) -> int:
    """Return how many of the oldest sessions have no room on the terminal."""
    every = [line for lines in shown.values() for line in lines]
    name, bars, *values = (*column_widths([(*line, "") for line in every]),)[:-1]
    names = max((cells(line[0]) for line in every), default=name)
    room = shutil.get_terminal_size(fallback=(_PIPE, 24)).columns - 2 - names - bars - 4
    left_out = 0
    while left_out < len(values) - 1 and sum(w + 2 for w in values[left_out:]) > room:
        left_out += 1
    return left_out


def _say_changes(found: Trends) -> None:
    heading("changes")
    turns = [(trend, turn) for trend in (*found.variants, *found.cases) for turn in trend.turns]
    if not enough(found.metric, len(found.saved_at)):
        say(
            f"  none can be told yet: it takes {2 * FEWEST} sessions to tell a change of a time "
            f"from noise, and there are {len(found.saved_at)}"
        )
    elif not turns:
        say("  none")
    for place in sorted({turn.change.at for _, turn in turns}):
        say(f"  with session {place + 1} ({one_line(found.saved_at[place])})")
        for trend, turn in turns:
            if turn.change.at == place:
                say(f"    {one_line(trend.name)}: {_words(found.metric, turn)}")


def _words(metric: Metric, turn: Turn) -> str:
    """Return what changed, and what else did at the same time."""
    return "; ".join((movement(metric, turn.change.before, turn.change.after), *_causes(turn)))


def _causes(turn: Turn) -> Iterator[str]:
    if turn.causes:
        told = (f"{each.field} {each.then} -> {each.now}" for each in turn.causes)
        yield f"changed: {one_line(', '.join(told))}"
