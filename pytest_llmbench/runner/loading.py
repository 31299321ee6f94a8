"""In which order variants are loaded that take turns: it shifts their times."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TypeVar

from pytest_llmbench.runner.plan import Plan

T = TypeVar("T")


class Loading:
    """The order in which the variants of a crew are loaded.

    Of two processes of one model the one that was loaded first was 0.75 % slower (standard error
    0.18 %), presumably for the pages of memory that it got. So a launch begins as those of the
    baseline did, in the order of the configuration. Side by side there is no baseline that it could
    cancel out against: there a variant and its twin go first by turns, and who begins is chance.

    Args:
        plan: the crews.
        chance: who begins.
    """

    def __init__(self, plan: Plan, chance: random.Random) -> None:
        self._plan = plan
        self._twin_first = bool(plan.twins) and chance.random() < 1 / 2

    def turn(self) -> None:
        """Let a variant go first where its twin did, and the other way round."""
        self._twin_first = bool(self._plan.twins) and not self._twin_first

    def order(self, things: Iterable[T], variant: Callable[[T], str]) -> list[T]:
        """Return *things* in the order in which their variants are to be loaded."""
        return sorted(things, key=lambda thing: self._place(variant(thing)))

    def _place(self, name: str) -> tuple[int, int]:
        crew = self._plan.crew(name)
        place = self._plan.members(crew).index(name)
        return crew, -place if self._twin_first else place
