"""One bout: the cases of one prompt, their rounds in turns over the variants, in random order.

The rounds of a turn are cut into slices that alternate, so that a slow moment hits all of them
alike and one variant ÷ another stays true. A variant alone has its bouts to itself; the steps are
the same, its rounds whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence

from pytest_llmbench.domain.case import Case
from pytest_llmbench.runner.sampled import Sampled
from pytest_llmbench.runner.slices import DEVICE_SLICE_S, SLICE_S, Focus, alternate, slice_tokens


def bout_of(case: Case) -> str:
    """Return the name of the bout of *case*: what it has in common with other variants' cases."""
    return f"{case.suite}/{case.prompt.id}-{case.parameters.label}"


def run_bout(
    members: Sequence[Sampled],
    *,
    companions: Collection[str],
    focus: Focus[Sampled],
    chance: random.Random,
    turns: Iterator[int],
    wait: Callable[[], None] = lambda: None,
) -> None:
    """Measure *members*; what one of them refuses ends that one alone.

    Args:
        members: one case a variant.
        companions: the variants that go on for as long as any other does, so that every round
            has its turn's counterpart.
        focus: makes a member's worker the only one that runs.
        chance: the order of every turn.
        turns: numbers for them.
        wait: called after a turn that other work disturbed; returns when that paused.
    """
    for member in _shuffled(members, chance):
        focus(member)
        member.warm_up()
    tokens = slice_tokens(
        [member.token_s for member in members],
        [member.output_tokens for member in members],
        _slice_s(members),
    )
    while due := _due(members, companions):
        _take_turn(_shuffled(due, chance), focus, next(turns), tokens)
        if any(member.crowded for member in due):
            wait()
    for member in members:
        focus(member)
        member.finish()


def _slice_s(members: Sequence[Sampled]) -> float:
    """Return the seconds of a slice: what is elsewhere, or a server, is never cut."""
    here = [each.device for each in members if each.worker.variant.host is None]
    return SLICE_S if all(device in {"cpu", "server"} for device in here) else DEVICE_SLICE_S


def _take_turn(due: Sequence[Sampled], focus: Focus[Sampled], turn: int, tokens: int) -> None:
    """Take one round of each; where several are on this machine, theirs in slices of *tokens*.

    Who is to have fresh buffers has them before any round begins.
    """
    for member in due:
        if member.freshens:
            focus(member)
            member.freshen()
    here = [member for member in due if member.worker.variant.host is None]
    cut = here if len(here) > 1 else []
    alternate({m: m.round(turn, slice_tokens=tokens if m in cut else None) for m in due}, focus)


def _due(members: Sequence[Sampled], companions: Collection[str]) -> list[Sampled]:
    """Return who has a round in the next turn; nobody, where nobody wants one.

    Companions go along, and with one that would be alone somebody else: all rounds of a case are
    cut, or none.
    """
    wanting = [member for member in members if member.wants_more]
    able = [member for member in members if member.error is None] if wanting else []
    due = [each for each in able if each in wanting or each.case.variant in companions]
    if len(due) == 1:
        due += [each for each in able if each not in due][:1]
    return due


def _shuffled(members: Sequence[Sampled], chance: random.Random) -> list[Sampled]:
    return chance.sample(list(members), len(members))
