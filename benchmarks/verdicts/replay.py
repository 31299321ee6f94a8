"""Recorded sessions of unchanged code, drawn anew, slowed on purpose and shown to rules.

A session is one launch of every variant, and launches are the independent unit: a draw takes
whole sessions of one condition, none twice. What is planted in this session is planted in the
fresh ones too, as a slower engine would be slower in every further launch.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from peers import RULES, Judge
from sessions import (
    EVERY,
    HERE,
    RECORDINGS,
    SIDE_BY_SIDE,
    Cell,
    Plant,
    Session,
    among,
    recordings,
    slowed,
    together,
)


class Score(NamedTuple):
    """One draw's part of each of :class:`Rates`, and the variant that was slowed."""

    victim: str
    any: float
    share: float
    detected: float
    found: float
    others: float


Scores = dict[tuple[str, float], list[Score]]
"""All draws' scores by rule and slowdown."""

OURS = "ours"
"""The rule of ours.py beside this file, which holds a class ``Ours``."""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Sessions of one condition: the baseline's, this one, the others; and whom to slow down.

    Side by side there is no baseline: what a variant is held against is in each session.
    """

    baseline: tuple[Session, ...]
    now: Session
    fresh: tuple[Session, ...]
    variant: str
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What one rule made of all draws with one slowdown; shares of 1.

    Attributes:
        draws: how many.
        cells: cells of a session.
        any: draws in which anything was accused.
        share: cells accused.
        detected: draws in which any slowed cell was accused.
        found: slowed cells accused.
        others: draws in which a cell was accused that was not slowed.
        by_victim: by the variant that was slowed, in which draws it was detected.
    """

    draws: int
    cells: int
    any: float
    share: float
    detected: float
    found: float
    others: float
    by_victim: Mapping[str, Sequence[float]]


Task = tuple[Draw, tuple[float, ...]]
"""A draw and the slowdowns that are planted in it, one after the other."""


class Rule(Protocol):
    """Decides who got slower."""

    def judge(
        self, baseline: Sequence[Session], now: Session, fresh: Sequence[Session]
    ) -> set[Cell]:
        """Return the accused cells; ``*`` as a prompt accuses all of a variant's.

        Args:
            baseline: earlier sessions of unchanged code, the last saved one last; none where the
                variants of *now* are held against their twins.
            now: the session in question.
            fresh: further launches of the code in question, to confirm with.
        """


class PerCell:
    """A peer's rule: every cell by itself, nothing confirmed."""

    def __init__(self, decide: Judge) -> None:
        # The cells that nothing was planted in are the same in every slowdown of a draw.
        self._decide = functools.lru_cache(maxsize=4096)(decide)

    def judge(
        self, baseline: Sequence[Session], now: Session, fresh: Sequence[Session]
    ) -> set[Cell]:
        """Return the cells that the rule accuses one by one; twins are the run before this one."""
        del fresh
        baseline = baseline or (now.other_side,)
        return {
            cell
            for cell in now.cells
            if self._decide(tuple(s.figures[cell] for s in baseline), now.figures[cell])
        }


def rules(names: Sequence[str] | None = None) -> dict[str, Rule]:
    """Return the rules *names*, or all that there are, by name.

    Raises:
        ValueError: there is no rule of that name.
    """
    known = (*RULES, *([OURS] if (HERE / f"{OURS}.py").exists() else []))
    for name in names or ():
        if name not in known:
            raise ValueError(f"there is no rule {name!r}; write one of: {', '.join(known)}")
    return {name: _rule(name) for name in names or known}


def _rule(name: str) -> Rule:
    if name == OURS:
        ours: Rule = importlib.import_module(OURS).Ours()
        return ours
    return PerCell(RULES[name])


def draws(
    condition: str,
    sessions: Sequence[Session],
    *,
    count: int,
    baseline: int,
    seed: int,
    launches: int = 1,
) -> list[Draw]:
    """Return *count* draws of *baseline* sessions, one session in question and all others.

    The same arguments give the same draws.

    Args:
        condition: of *sessions*.
        sessions: recorded ones.
        count: of draws.
        baseline: sessions of it; 0 where variants are held against their twins.
        seed: of chance.
        launches: recorded sessions that make one, as with ``--llmbench-launches``.

    Raises:
        ValueError: fewer sessions are recorded than one draw takes, or no twins and no baseline
            is asked for.
    """
    if not baseline and not sessions[0].other_side.figures:
        raise ValueError(
            f"{condition}: these sessions hold no twins, so that a baseline is needed; type: "
            f"--recordings {SIDE_BY_SIDE} --baseline 0"
        )
    needed = (baseline + 1) * launches
    if len(sessions) < needed:
        raise ValueError(
            f"{condition}: {len(sessions)} sessions are recorded, {needed} are needed; "
            f"type: python {HERE / 'record.py'} {condition} {needed - len(sessions)}"
        )
    chance = np.random.default_rng([seed, *condition.encode()])
    return [_draw(sessions, baseline, launches, chance) for _ in range(count)]


def _draw(
    sessions: Sequence[Session], baseline: int, launches: int, chance: np.random.Generator
) -> Draw:
    order = [sessions[place] for place in chance.permutation(len(sessions))]
    used = (baseline + 1) * launches
    *before, now = (together(order[at : at + launches]) for at in range(0, used, launches))
    target = now.cells[chance.integers(len(now.cells))]
    return Draw(
        baseline=tuple(before),
        now=now,
        fresh=tuple(order[used:]),
        variant=target.variant,
        prompt=target.prompt,
    )


def replay(
    judges: Mapping[str, Rule],
    drawn: Sequence[Draw],
    slowdowns: Sequence[float],
    *,
    one_case: bool,
) -> dict[tuple[str, float], Rates]:
    """Return each rule's rates by its name and the slowdown.

    Args:
        judges: the rules.
        drawn: what they are shown; the same victims are slowed by each slowdown in turn.
        slowdowns: shares that times grow by; 0 is unchanged code.
        one_case: whether one prompt's rounds are slowed, not all of the variant.
    """
    tasks = [(draw, tuple(slowdowns)) for draw in drawn]
    return _rates(_scores(judges, tasks, one_case=one_case), len(drawn[0].now.cells))


def _scores(judges: Mapping[str, Rule], tasks: Sequence[Task], *, one_case: bool) -> Scores:
    seen: Scores = {}
    for draw, slowdowns in tasks:
        for slowdown in slowdowns:
            for name, score in _shown(judges, draw, slowdown, one_case=one_case):
                seen.setdefault((name, slowdown), []).append(score)
    return seen


def _shown(
    judges: Mapping[str, Rule], draw: Draw, slowdown: float, *, one_case: bool
) -> Iterator[tuple[str, Score]]:
    prompt = draw.prompt if one_case else None
    plant = Plant(variant=draw.variant, prompt=prompt, slowdown=slowdown)
    now = slowed(draw.now, plant)
    fresh = tuple(slowed(session, plant) for session in draw.fresh)
    for name, rule in judges.items():
        yield name, _score(rule.judge(draw.baseline, now, fresh), now.cells, plant)


def _score(accused: set[Cell], cells: Sequence[Cell], plant: Plant) -> Score:
    """Return the fields of ``Rates`` after the first two, for one draw."""
    told = {
        cell: cell in accused or Cell(cell.variant, EVERY, cell.metric) in accused for cell in cells
    }
    hit = [said for cell, said in told.items() if plant.hits(cell.variant, cell.prompt)]
    others = [said for cell, said in told.items() if not plant.hits(cell.variant, cell.prompt)]
    share, found = sum(told.values()) / len(told), sum(hit) / len(hit)
    return Score(
        victim=plant.variant,
        any=float(any(told.values())),
        share=share,
        detected=float(any(hit)),
        found=found,
        others=float(any(others)),
    )


def _rates(seen: Scores, cells: int) -> dict[tuple[str, float], Rates]:
    return {key: _mean(scores, cells) for key, scores in seen.items()}


def _mean(scores: Sequence[Score], cells: int) -> Rates:
    _, *columns = zip(*scores, strict=True)
    overall, share, detected, found, others = (sum(column) / len(scores) for column in columns)
    by_victim: dict[str, list[float]] = {}
    for score in scores:
        by_victim.setdefault(score.victim, []).append(score.detected)
    return Rates(
        draws=len(scores),
        cells=cells,
        any=overall,
        share=share,
        detected=detected,
        found=found,
        others=others,
        by_victim=by_victim,
    )


def at_least_one(typed: str) -> int:
    """Return the number *typed*.

    Raises:
        argparse.ArgumentTypeError: it is less than one.
    """
    if int(typed) < 1:
        raise argparse.ArgumentTypeError(f"{typed} is less than 1, which is needed at least")
    return int(typed)


def add_options(parser: argparse.ArgumentParser, *, count: int, planted: int) -> None:
    """Add what to replay and how: by default *count* draws, slowed in *planted* of them."""
    parser.add_argument("--rule", action="append", help="one rule's name; again for more")
    parser.add_argument("--condition", action="append", help="one condition; again for more")
    parser.add_argument("--variant", action="append", help="one variant alone; again for more")
    parser.add_argument("--reference", help="what ratios are to, in place of the recorded one")
    parser.add_argument(
        "--draws", type=at_least_one, default=count, help=f"of unchanged code ({count})"
    )
    parser.add_argument(
        "--planted", type=at_least_one, default=planted, help=f"of them slowed ({planted})"
    )
    parser.add_argument(
        "--baseline", type=int, default=5, help="sessions of it (5); 0: side by side with twins"
    )
    parser.add_argument("--one-case", action="store_true", help="plant in one prompt alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--recordings", type=Path, nargs="+", default=[RECORDINGS])


def add_launches(parser: argparse.ArgumentParser) -> None:
    """Add how many recorded launches make one session."""
    parser.add_argument(
        "--launches", type=int, choices=range(1, 10), default=1, help="in each session (1)"
    )


def sessions_asked(asked: argparse.Namespace) -> Iterator[tuple[str, tuple[Session, ...]]]:
    """Yield each condition that the options ask for, and its sessions, of the variants asked for.

    Raises:
        ValueError: nothing is recorded, not of such a variant, or a recording is damaged.
    """
    for condition, sessions in recordings(*asked.recordings).items():
        if condition in (asked.condition or [condition]):
            yield condition, tuple(among(s, asked.variant, asked.reference) for s in sessions)


def replayed(
    asked: argparse.Namespace, judges: Mapping[str, Rule], slowdowns: Sequence[float]
) -> Iterator[tuple[str, int, dict[tuple[str, float], Rates]]]:
    """Yield each condition that the options ask for, its number of sessions and the rates.

    A condition with too few sessions is said on the error stream and left out.

    Raises:
        ValueError: as :func:`sessions_asked`.
    """
    for condition, sessions in sessions_asked(asked):
        try:
            drawn = draws(
                condition, sessions, count=asked.draws, baseline=asked.baseline, seed=asked.seed,
                launches=asked.launches,
            )  # fmt: skip
        except ValueError as exc:
            print(exc, file=sys.stderr)
        else:
            shares = [tuple(slowdowns) if n < asked.planted else (0.0,) for n in range(len(drawn))]
            tasks = list(zip(drawn, shares, strict=True))
            seen = _in_processes(tuple(judges), tasks, asked.jobs, one_case=asked.one_case)
            yield condition, len(sessions), _rates(seen, len(sessions[0].cells))


def _in_processes(
    names: Sequence[str], tasks: Sequence[Task], jobs: int, *, one_case: bool
) -> Scores:
    """Return the scores of *tasks*, dealt out to *jobs* processes; their number changes nothing."""
    hands = [tasks[first::jobs] for first in range(min(jobs, len(tasks)))]
    seen: Scores = {}
    with ProcessPoolExecutor(len(hands)) as pool:
        for found in pool.map(functools.partial(_hand, names, one_case=one_case), hands):
            for key, scores in found.items():
                seen.setdefault(key, []).extend(scores)
    return seen


def _hand(names: Sequence[str], tasks: Sequence[Task], *, one_case: bool) -> Scores:
    return _scores(rules(names), tasks, one_case=one_case)
