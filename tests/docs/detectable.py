"""The smallest worsening that is found, as docs/verdicts.md has it: by the judge's own parts.

Sessions and launches are laid out evenly about their middle, so that they have exactly the spread
that the column says; cases have no part of their own. What comes out is the worsening whose whole
interval lies just beyond the default tolerance.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import numpy as np

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.alarms import Alarms
from pytest_llmbench.verdict.evidence import Evidence, log_bound, worsening_share
from pytest_llmbench.verdict.held import RATIO_NOISE, assumed_noise
from pytest_llmbench.verdict.noise import Grid, Spread
from pytest_llmbench.verdict.panel import Panel

SPREADS: Final = (0.005, 0.01, 0.02, 0.05)
SESSIONS: Final = (1, 2, 3, 5, 10)
LAUNCHES: Final = (1, 4, 7)
IN_TURNS: Final = (1, 2, 4, 10)
CASES: Final = 10
VARIANTS: Final = 3
GROUPS: Final = 2
TOKEN_S: Final = 0.02
METRIC: Final = CATALOGUE["itl_s"]
ALARMS: Final = Alarms(cases=CASES * VARIANTS * GROUPS, variants=(VARIANTS + 1) * GROUPS)

_COLUMNS: Final = " | ".join(format_percent(spread) for spread in SPREADS)


def absolute_table() -> str:
    """By a variant's own past."""
    return _table(_assumed, VARIANTS - 1, lasting=True)


def ratio_table() -> str:
    """As a multiple of the reference's, of which a variant less can tell the spread."""
    return _table(lambda _: RATIO_NOISE, VARIANTS - 2, lasting=False)


def _assumed(sessions: int) -> float:
    return assumed_noise(METRIC, TOKEN_S, sessions)


def side_by_side_table() -> str:
    lines = [f"| launches | {_COLUMNS} |", "|--:" * (1 + len(SPREADS)) + "|"]
    for launches in IN_TURNS:
        panels = [_panel(spread, 0, launches, RATIO_NOISE) for spread in SPREADS]
        lines.append(f"| {launches} | {' | '.join(map(_cell, panels))} |")
    return "\n".join(lines)


def _table(assumed: Callable[[int], float], others: int, *, lasting: bool) -> str:
    lines = [f"| sessions | launches | {_COLUMNS} |", "|--:" * (2 + len(SPREADS)) + "|"]
    for sessions in SESSIONS:
        for launches in LAUNCHES:
            panels = [
                _panel(spread, sessions, launches, assumed(sessions), others, lasting=lasting)
                for spread in SPREADS
            ]
            lines.append(f"| {sessions} | {launches} | {' | '.join(map(_cell, panels))} |")
    return "\n".join(lines)


def surely_found() -> list[float]:
    """By how many times a worsening that is found in nineteen of twenty sessions is larger."""
    ratios = []
    for spread, sessions, launches in itertools.product(SPREADS, SESSIONS, LAUNCHES):
        noise = assumed_noise(METRIC, TOKEN_S, sessions)
        panel = _panel(spread, sessions, launches, noise, VARIANTS - 1, lasting=True)
        for evidence, alpha in _both(panel):
            half = _found(evidence, alpha)
            margin = evidence.margin(alpha) + NormalDist().inv_cdf(0.95) * evidence.error
            ratios.append(_beyond_bound(margin) / half)
    return ratios


def _cell(panel: Panel) -> str:
    """What is found of a variant as a whole, and of a single case."""
    return " / ".join(format_percent(_found(*each)) for each in _both(panel))


def _both(panel: Panel) -> tuple[tuple[Evidence, float], tuple[Evidence, float]]:
    whole, case = panel.of_all(), panel.of_case("0")
    assert whole is not None
    assert case is not None
    return (whole, ALARMS.of_variant), (case, ALARMS.of_case)


def _panel(
    spread: float,
    sessions: int,
    launches: int,
    assumed: float,
    others: int = 0,
    *,
    lasting: bool = False,
) -> Panel:
    return Panel(
        keys=tuple(map(str, range(CASES))),
        now=_grid(launches, spread),
        past=_grid(sessions, spread),
        errors=np.zeros(CASES),
        assumed=assumed,
        others=(Spread(variance=spread**2, freedom=sessions - 1.0),) * others,
        lasting=lasting,
    )


def _grid(rows: int, spread: float) -> Grid:
    shifts = np.linspace(-1.0, 1.0, rows) if rows > 1 else np.zeros(rows)
    if rows > 1:
        shifts *= spread / np.std(shifts, ddof=1)
    return np.tile(shifts[:, None], (1, CASES))


def _found(evidence: Evidence, alpha: float) -> float:
    return _beyond_bound(evidence.margin(alpha))


def _beyond_bound(margin: float) -> float:
    bound = log_bound(METRIC.tolerance, better=METRIC.better)
    return worsening_share(bound + margin, better=METRIC.better)


if __name__ == "__main__":
    print(absolute_table(), ratio_table(), side_by_side_table(), sep="\n\n")
