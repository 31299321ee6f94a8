"""A case about to fail for its times is measured again: a slow minute passes, slow code stays.

What slows a machine from outside (another guest on the same processor, say) often shows in no
counter that this machine has, and lasts for seconds. So a regression has to be found every time,
with pauses between: a case that is within its bounds once was not slower code. Numbers that
repeat (memory, scores, tokens) need no confirmation.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.metric import CATALOGUE, Kind
from pytest_llmbench.domain.record import CaseRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.judged import Judged
from pytest_llmbench.runner.progress import Progress

PAUSES_S: Final = (1.0, 4.0, 10.0)
"""Seconds before each further measurement."""

ENOUGH: Final = 3
"""Once so many cases of a variant are confirmed, its others are measured again without pauses:
the variant is slower, and a suite of a hundred cases must not take ten minutes more to say so."""


class Confirming:
    """Measures and judges cases, those that are about to fail for their times more than once.

    Args:
        bench: measures.
        judged: judges, and keeps the verdicts that stand.
        progress: told of pauses.
        pauses_s: seconds before each further measurement; none turns confirming off.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        bench: Bench,
        judged: Judged,
        progress: Progress,
        *,
        pauses_s: tuple[float, ...] = PAUSES_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bench = bench
        self._judged = judged
        self._progress = progress
        self._pauses_s = pauses_s
        self._sleep = sleep
        self._confirmed: Counter[str] = Counter()

    def case(self, case: Case, *gates: Gates) -> tuple[CaseRecord, tuple[Verdict, ...]]:
        """Return *case*, measured, and the verdicts that stand, under *gates* besides its own.

        Raises:
            EngineNotInstalledError: as :meth:`.Bench.measure`.
        """
        record = self._bench.measure(case)
        verdicts = self._look(record, gates)
        if is_slow(verdicts):
            record, verdicts = self._confirm(record, verdicts, gates)
        self._judged.keep(case.key, verdicts)
        return record, verdicts

    def _confirm(
        self, first: CaseRecord, verdicts: tuple[Verdict, ...], gates: tuple[Gates, ...]
    ) -> tuple[CaseRecord, tuple[Verdict, ...]]:
        case = first.case
        for pause_s in self._pauses_s:
            self._pause(case, pause_s)
            again = self._bench.measure_again(case)
            judged = self._look(again, gates)
            if not is_slow(judged):
                return again, judged
        self._bench.cases[case.key] = first
        self._confirmed[case.variant] += 1
        return first, tuple(_marked(verdict, len(self._pauses_s)) for verdict in verdicts)

    def _pause(self, case: Case, pause_s: float) -> None:
        if self._confirmed[case.variant] < ENOUGH:
            self._progress.say(f"{case.key}: slower; measured again in {pause_s:g} s")
            self._sleep(pause_s)
            self._progress.clear()

    def _look(self, record: CaseRecord, gates: tuple[Gates, ...]) -> tuple[Verdict, ...]:
        life = self._bench.variants.get(record.case.variant)
        return self._judged.look(record, life, *gates)


def is_slow(verdicts: Iterable[Verdict]) -> bool:
    """Whether any of *verdicts* is a regression of something that does not repeat exactly."""
    return any(_is_slow(verdict) for verdict in verdicts)


def _is_slow(verdict: Verdict) -> bool:
    noisy = verdict.metric in CATALOGUE and CATALOGUE[verdict.metric].kind is Kind.NOISY
    return verdict.kind is VerdictKind.REGRESSED and noisy


def _marked(verdict: Verdict, times: int) -> Verdict:
    if not times or not _is_slow(verdict):
        return verdict
    again = "once" if times == 1 else f"{times} times"
    pair = ("confirmed", f"measured again {again}, and worse every time")
    return msgspec.structs.replace(verdict, block=(*verdict.block, pair))
