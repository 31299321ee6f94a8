"""How long a verdict takes: rounds until it is decided, beside so many rounds always.

    python benchmarks/verdicts/time_to_verdict.py --draws 200

Recorded sessions are cut short: after a fixed number of rounds a case, or where the runner would
have stopped. Beside what each costs in seconds of generating stands what it makes of unchanged
code and of a planted slowdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ours import Ours, stopped_after
from replay import Draw, add_options, draws
from sessions import Plant, Session, recordings, slowed

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.runner.sampled import LEAST_ROUNDS

FIXED = (2, 3, 4, 5, 6)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one way to stop costs, and what it makes of the draws; rates are shares of 1."""

    rounds: float
    seconds: float
    alarms: float
    found: float


def cut(session: Session, counts: dict[tuple[str, str], int]) -> Session:
    """Return *session* with the first rounds of each case only."""
    return Session(
        figures={
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


def seconds(session: Session) -> float:
    """Return the seconds that all rounds took."""
    return sum(
        sum(column) for (_, _, field), column in session.figures.items() if field == "latency_s"
    )


def cost_of(rounds: int | None, drawn: Sequence[Draw], slowdown: float) -> Cost:
    """Return what *rounds* a case cost (``None``: until decided), over all draws."""
    rule, rows = Ours(), []
    for draw in drawn:
        plant = Plant(variant=draw.variant, prompt=None, slowdown=slowdown)
        sides = []
        for planted in (Plant(variant=draw.variant, prompt=None, slowdown=0.0), plant):
            now = slowed(draw.now, planted)
            count = rounds or LEAST_ROUNDS
            before = [cut(session, every(session, count)) for session in draw.baseline]
            counts = every(now, rounds) if rounds else stopped_after(before, now)
            short = cut(now, counts)
            fresh = [slowed(cut(s, every(s, count)), planted) for s in draw.fresh]
            said = rule.told(before, short, fresh)
            bad = {cell.variant for cell, kind in said.items() if kind is VerdictKind.REGRESSED}
            sides.append((bad, np.mean(list(counts.values())), seconds(short)))
        (wrong, count, spent), (right, _, _) = sides
        rows.append((count, spent, bool(wrong), draw.variant in right))
    found = np.mean(np.array(rows, dtype=float), axis=0)
    count, spent, alarms, told = map(float, found)
    return Cost(rounds=count, seconds=spent, alarms=alarms, found=told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser, count=100, planted=100)
    parser.add_argument("--slowdown", type=float, default=0.10, help="planted (default 0.1)")
    asked = parser.parse_args()
    heads = f"{'of a case':>9} {'seconds':>8} {'alarms':>7} {'found':>6}"
    print(f"{'condition':<10} {'rounds':<14} {heads}")
    for condition, sessions in recordings(asked.recordings).items():
        if condition not in (asked.condition or [condition]):
            continue
        drawn = draws(
            condition, sessions, count=asked.draws, baseline=asked.baseline, seed=asked.seed
        )
        for rounds in (*FIXED, None):
            cost = cost_of(rounds, drawn, asked.slowdown)
            name = "until decided" if rounds is None else f"always {rounds}"
            print(
                f"{condition:<10} {name:<14} {cost.rounds:>9.1f} {cost.seconds:>8.1f} "
                f"{cost.alarms:>7.1%} {cost.found:>6.0%}"
            )


if __name__ == "__main__":
    main()
