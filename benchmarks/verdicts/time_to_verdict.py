"""How long a verdict takes: rounds until it is decided, beside so many rounds always.

    python benchmarks/verdicts/record.py quiet 14 --prompts 6 --rounds 12 --out FOLDER
    python benchmarks/verdicts/time_to_verdict.py --recordings FOLDER

Recorded sessions are cut short: after a fixed number of rounds a case, or where the runner would
have stopped. Beside what each costs in seconds of generating, fresh launches to confirm with among
them, stands what it makes of unchanged code and of planted slowdowns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from ours import Ours, stopped_after
from replay import Draw, add_options, draws, sessions_asked
from sessions import Plant, Session, slowed

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.runner.sampled import LEAST_ROUNDS

FIXED = (2, 3, 4, 6, 8, 12)
SLOWDOWNS = (0.03, 0.05, 0.1)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one way to stop makes of the draws with one slowdown.

    Attributes:
        rounds: of a case, on average.
        seconds: of generating, on average.
        accused: share of the draws in which the slowed variant was accused; of unchanged code,
            any.
    """

    rounds: float
    seconds: float
    accused: float


def cut(session: Session, counts: dict[tuple[str, str], int]) -> Session:
    """Return *session* with the first rounds of each case only."""
    return session.with_figures(
        {
            (variant, prompt, field): column[: counts[variant, prompt]]
            for (variant, prompt, field), column in session.figures.items()
        }
    )


def every(session: Session, count: int) -> dict[tuple[str, str], int]:
    """Return *count* for each case, or as many rounds as there are."""
    return {
        (variant, prompt): min(count, len(column))
        for (variant, prompt, field), column in session.figures.items()
        if field == "itl_s"
    }


def cost_of(rounds: int | None, drawn: Sequence[Draw], slowdown: float) -> Cost:
    """Return what *rounds* a case cost (``None``: until decided), over all draws."""
    rule, rows = Ours(), []
    count = rounds or LEAST_ROUNDS
    for draw in drawn:
        plant = Plant(variant=draw.variant, prompt=None, slowdown=slowdown)
        now = slowed(draw.now, plant)
        before = [cut(session, every(session, count)) for session in draw.baseline]
        counts = every(now, rounds) if rounds else stopped_after(before, now)
        fresh = [slowed(cut(session, every(session, count)), plant) for session in draw.fresh]
        said = rule.told(before, cut(now, counts), fresh)
        slow = {cell.variant for cell, kind in said.kinds.items() if kind is VerdictKind.REGRESSED}
        told = bool(slow) if not slowdown else draw.variant in slow
        rows.append((np.mean(list(counts.values())), said.seconds, told))
    found, spent, accused = map(float, np.mean(np.array(rows, dtype=float), axis=0))
    return Cost(rounds=found, seconds=spent, accused=accused)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser, count=100, planted=100)
    try:
        show(parser.parse_args())
    except ValueError as exc:
        sys.exit(str(exc))


def show(asked: argparse.Namespace) -> None:
    """Print what each way to stop costs, condition by condition.

    Raises:
        ValueError: as :func:`.draws` and :func:`.sessions_asked`.
    """
    shares = (0.0, *SLOWDOWNS)
    heads = "".join(f"{f'+{share:.0%}: accused, s':>22}" for share in shares)
    print(f"{'condition':<10} {'rounds':<14} {'of a case':>9}{heads}")
    for condition, sessions in sessions_asked(asked):
        drawn = draws(
            condition, sessions, count=asked.draws, baseline=asked.baseline, seed=asked.seed
        )
        most = max(map(len, sessions[0].figures.values()))
        ways = [*(rounds for rounds in FIXED if rounds <= most), None]
        with ProcessPoolExecutor(asked.jobs) as pool:
            tasks = {
                (way, share): pool.submit(cost_of, way, drawn, share)
                for way in ways
                for share in shares
            }
            for way in ways:
                costs = [tasks[way, share].result() for share in shares]
                name = "until decided" if way is None else f"always {way}"
                told = "".join(f"{cost.accused:>14.1%}, {cost.seconds:>4.0f} s" for cost in costs)
                print(f"{condition:<10} {name:<14} {costs[0].rounds:>9.1f}{told}", flush=True)


if __name__ == "__main__":
    main()
