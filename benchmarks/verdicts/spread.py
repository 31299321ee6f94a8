"""How far apart recorded sessions of unchanged code are.

    python benchmarks/verdicts/spread.py [--recordings FOLDER …] [--metric itl_s]

Of each variant's own times, and of the ratio of each two that took turns: the standard deviation
of a session's shift, which all its prompts share, and how far a session is from the one right
before it in the recording, as the standard deviation that such differences would come of. Where
the second is as large as the first, sessions differ from one to the next, not from hour to hour.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ours import readings_of, rounds_of
from sessions import METRICS, RECORDINGS, Session, recordings, twin_of
from table import Block, as_markdown

from pytest_llmbench.metrics.relative import relative_metrics
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.verdict.noise import Grid, parts

NOTHING = float("nan")


class Spread(NamedTuple):
    """Standard deviations of sessions' shifts, shares of 1."""

    apart: float
    successive: float


def spread_of(grid: Grid) -> Spread:
    """Return how far apart the rows of *grid* are; NaN where no two in a row show anything.

    Args:
        grid: logarithms of a metric, shape ``(sessions, prompts)``; NaN where there is none.
    """
    shifts: NDArray[np.float64] = parts(grid)[0]
    steps = np.diff(shifts)
    known, steps = shifts[np.isfinite(shifts)], steps[np.isfinite(steps)]
    if len(known) < 2 or not len(steps):
        return Spread(NOTHING, NOTHING)
    return Spread(float(np.std(known, ddof=1)), float(np.sqrt(np.mean(steps**2) / 2)))


def own_times(sessions: Sequence[Session], variant: str, metric: str) -> Grid:
    """Return the logarithms of the median round of *variant*, shape ``(sessions, prompts)``."""
    return np.array(
        [
            [np.log(np.median(s.figures[variant, prompt, metric])) for prompt in _prompts(sessions)]
            for s in sessions
        ]
    )


def ratios(sessions: Sequence[Session], one: str, other: str, metric: str) -> Grid:
    """Return the logarithms of *one* as a multiple of *other*, shape ``(sessions, prompts)``."""
    paces = [pace for s in sessions if (pace := readings_of(s).pace_s) is not None]
    machine = Machine(processors=2, pace_s=float(np.median(paces)) if paces else None)

    def ratio(session: Session, prompt: str) -> float:
        rounds = rounds_of(session)
        found = relative_metrics(rounds[one, prompt], rounds[other, prompt], other, machine)
        return float(np.log(found[metric].value)) if metric in found else NOTHING

    return np.array([[ratio(s, prompt) for prompt in _prompts(sessions)] for s in sessions])


def rows(sessions: Sequence[Session], metric: str) -> Iterator[tuple[str, Spread]]:
    """Yield what is compared, and how far apart the sessions are in it."""
    names = list(dict.fromkeys(cell.variant for cell in sessions[0].cells))
    twins = bool(sessions[0].other_side.figures)
    for name in names:
        yield name, spread_of(own_times(sessions, name, metric))
    pairs = [(n, twin_of(n)) for n in names] if twins else list(itertools.combinations(names, 2))
    for other, one in pairs:
        yield f"{one} ÷ {other}", spread_of(ratios(sessions, one, other, metric))


def _prompts(sessions: Sequence[Session]) -> list[str]:
    return list(dict.fromkeys(prompt for _, prompt, _ in sessions[0].figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recordings", type=Path, nargs="+", default=[RECORDINGS])
    parser.add_argument("--metric", choices=METRICS, default=METRICS[0])
    asked = parser.parse_args()
    try:
        found = recordings(*asked.recordings)
    except ValueError as exc:
        sys.exit(str(exc))
    for condition, sessions in found.items():
        shown = tuple(
            (what, f"{100 * spread.apart:.1f} %", f"{100 * spread.successive:.1f} %")
            for what, spread in rows(sessions, asked.metric)
        )
        title = f"{condition}: {len(sessions)} sessions, {asked.metric}"
        print(as_markdown(Block(title, ("of", "apart", "successive"), shown)), end="\n\n")


if __name__ == "__main__":
    main()
