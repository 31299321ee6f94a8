"""How often each rule cries wolf on unchanged code, and how often it finds a planted slowdown.

    python benchmarks/verdicts/table.py [--rule benchstat --rule ours] [--markdown | --page]

Sessions are those of recordings/; see replay.py for how they are drawn and slowed.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from replay import OURS, PerCell, Rates, Rule, add_launches, add_options, replayed, rules

SLOWDOWNS = (0.0, 0.03, 0.05, 0.1, 0.2)
LARGE = 120
"""Cells of a session of 30 cases with four metrics each."""

Z95 = 1.959964
ByRule = Mapping[tuple[str, float], Rates]

NOTES = f"""\
In brackets: Wilson's 95 % interval with a draw as one observation, for a draw's cells are not
independent. It says how exactly the replay knows its rate, not how well so few recorded
sessions stand for all others.
per comparison: cells accused. per session: draws in which any cell was accused.
per {LARGE} cells: for rules that judge each cell by itself, the chance that any of so many is
accused, from the chance p per session: 1 - (1 - p)^({LARGE} / cells). Rules that judge a
session as a whole (marked =) keep their measured chance.
Slowdown detected: draws in which any slowed cell was accused; at +0 % that is a false alarm.
Slowed cells found: share of the slowed cells that was accused.
Others wrongly accused: draws in which a cell was accused that was not slowed."""


class Block(NamedTuple):
    """One small table: its title, its headings, its rows; the first column names the rule."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def wilson(rate: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of *rate*, found in *count* observations."""
    weight = Z95**2 / count
    centre = (rate + weight / 2) / (1 + weight)
    half = Z95 / (1 + weight) * math.sqrt(rate * (1 - rate) / count + weight / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def scaled(rate: float, cells: int) -> float:
    """Return the chance of any accusation in a large session, from that in one of *cells*."""
    return 1 - math.pow(1 - rate, LARGE / cells)


def blocks(judges: Mapping[str, Rule], rates: ByRule) -> Iterator[Block]:
    """Yield the tables of one condition."""
    cells = next(iter(rates.values())).cells
    yield Block(
        "False alarms on unchanged code",
        ("rule", "per comparison", f"per session ({cells} cells)", f"per {LARGE} cells"),
        tuple(_alarms(name, rule, rates[name, 0.0]) for name, rule in judges.items()),
    )
    for title, field in (
        ("Slowdown detected", "detected"),
        ("Slowed cells found", "found"),
        ("Others wrongly accused", "others"),
    ):
        rows = [
            (name, *(_shown(rates[name, share], field) for share in SLOWDOWNS)) for name in judges
        ]
        headings = ("rule", *(f"+{100 * share:.0f} %" for share in SLOWDOWNS))
        yield Block(title, headings, tuple(rows))


def by_victim(found: Mapping[str, ByRule], names: Sequence[str]) -> Block:
    """Return in how many draws each variant was detected, of those in which it was slowed."""
    slower = [share for share in SLOWDOWNS if share]
    return Block(
        "Find a slowdown, by the slowed variant",
        ("rule", "condition", "variant", *(f"+{100 * share:.0f} %" for share in slower)),
        tuple(
            (_named(name), condition, victim, *(_count(rates[name, s], victim) for s in slower))
            for condition, rates in found.items()
            for name in names
            for victim in sorted(rates[name, slower[0]].by_victim)
        ),
    )


def _count(rates: Rates, victim: str) -> str:
    hits = rates.by_victim[victim]
    return f"{sum(hits):.0f} of {len(hits)}"


def of_page(found: Mapping[str, ByRule], names: Sequence[str]) -> Iterator[Block]:
    """Yield three tables of all conditions together, as docs/verdicts.md has them."""
    yield Block(
        "Accuse unchanged code",
        ("rule", *(f"{condition}: accuses unchanged code" for condition in found)),
        tuple(
            (_named(name), *(_shown(rates[name, 0.0], "any") for rates in found.values()))
            for name in names
        ),
    )
    slower = [share for share in SLOWDOWNS if share]
    yield Block(
        "Find a slowdown",
        ("rule", "condition", "others accused", *(f"+{100 * share:.0f} %" for share in slower)),
        tuple(
            (
                _named(name),
                condition,
                f"{100 * max(rates[name, share].others for share in slower):.1f} %",
                *(f"{100 * rates[name, share].detected:.1f} %" for share in slower),
            )
            for condition, rates in found.items()
            for name in names
        ),
    )
    yield by_victim(found, names)


def _named(rule: str) -> str:
    return f"**{rule}**" if rule == OURS else rule


def _alarms(name: str, rule: Rule, rates: Rates) -> tuple[str, ...]:
    low, high = wilson(rates.any, rates.draws)
    large = [scaled(rate, rates.cells) for rate in (rates.any, low, high)]
    whole = f"= {_percent(rates.any, low, high)}"
    per_large = _percent(*large) if isinstance(rule, PerCell) else whole
    return name, _shown(rates, "share"), _shown(rates, "any"), per_large


def _shown(rates: Rates, field: str) -> str:
    rate: float = getattr(rates, field)
    return _percent(rate, *wilson(rate, rates.draws))


def _percent(rate: float, low: float, high: float) -> str:
    return f"{100 * rate:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def as_text(block: Block) -> str:
    """Return *block* with aligned columns, figures to the right."""
    lines = (block.headings, *block.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join([block.title, *("  " + _aligned(line, widths) for line in lines)])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures = line
    first, *others = widths
    cells = [name.ljust(first), *map(str.rjust, figures, others)]
    return "  ".join(cells)


def as_markdown(block: Block) -> str:
    """Return *block* as a table of a Markdown page."""
    rule = ("---", *("--:" for _ in block.headings[1:]))
    lines = (block.headings, rule, *block.rows)
    return "\n".join([f"**{block.title}**", "", *("| " + " | ".join(row) + " |" for row in lines)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--markdown", action="store_true", help="tables of a Markdown page")
    parser.add_argument(
        "--page", action="store_true", help="three tables of all conditions together"
    )
    add_options(parser, count=400, planted=100)
    add_launches(parser)
    asked = parser.parse_args()
    try:
        judges = rules(asked.rule)
        if asked.page:
            found = {name: rates for name, _, rates in replayed(asked, judges, SLOWDOWNS)}
            print("\n\n".join(as_markdown(block) for block in of_page(found, tuple(judges))))
            return
        for condition, sessions, rates in replayed(asked, judges, SLOWDOWNS):
            print(f"{'### ' if asked.markdown else ''}{condition.capitalize()}\n")
            print(_drawn(asked, sessions), end="\n\n")
            for block in blocks(judges, rates):
                print((as_markdown if asked.markdown else as_text)(block), end="\n\n", flush=True)
    except ValueError as exc:
        sys.exit(str(exc))
    print(NOTES)


def _drawn(asked: argparse.Namespace, sessions: int) -> str:
    where = "one case" if asked.one_case else "one variant"
    each = f", {asked.launches} of them to a session" if asked.launches > 1 else ""
    return (
        f"{asked.draws} draws from {sessions} sessions{each}: {asked.baseline} as baseline, one in "
        f"question, the others to confirm with; in {min(asked.planted, asked.draws)} of them "
        f"{where} slowed."
    )


if __name__ == "__main__":
    main()
