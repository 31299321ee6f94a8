"""What is about to fail for its times is measured again in fresh processes before it does.

A slow minute passes, a process that landed badly in memory is gone with the next, slow code
stays. So what looks slower is launched again, variant and reference together, and judged on all
launches; with each of them its evidence has to grow. Numbers that repeat (memory, scores, tokens)
need no confirmation. Nor does what the machine explains: where it is slower itself, fresh
processes are as slow.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import CaseRecord, VariantRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.judged import Judged
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.verdict.alarms import SUSPICIOUS, Alarms
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.yardstick import companion

LAUNCHES: Final = 3
"""Fresh launches that the suspicion of a case has to survive."""

LAUNCHES_OF_VARIANT: Final = 6
"""And that of a variant as a whole: small changes show there, and what three launches leave open
six mostly decide."""

ENOUGH: Final = 2
"""Once so many cases of a variant are confirmed, its others are measured again in the process
that is there: the variant is slower, and a suite of a hundred cases must not load it a hundred
times more to say so."""

MOST_CASES: Final = 24
"""Cases of a variant that a fresh launch measures where the variant as a whole is suspected."""

LEAST_BUDGET_S: Final = 300.0
"""Seconds that confirming may take in any session. Then what is suspected is not launched again; it
is judged on what there is."""

TIMES_THE_REST: Final = 2.0
"""In a longer session it may take so many times as long as all the rest took. Few sessions come to
it: those in which something looks slower and stays open."""

CERTAIN: Final = 0.01
"""Evidence so many times as strong as a verdict needs: after one fresh launch more of them could
hardly change what is said."""

HOPELESS: Final = 0.3
"""A suspicion is dropped where the evidence fell so low: a slow minute passed."""


class Confirming:
    """Measures and judges, what is about to fail for its times more than once.

    Args:
        bench: measures.
        judged: judges, and keeps the verdicts that stand.
        progress: told of fresh launches.
        launches: how many for a case; 0 turns confirming off.
        launches_of_variant: how many for a variant as a whole, likewise.
        least_s: seconds that all of it may take in any session.
        clock: seconds, for the budget.
    """

    def __init__(
        self,
        bench: Bench,
        judged: Judged,
        progress: Progress,
        *,
        launches: int = LAUNCHES,
        launches_of_variant: int = LAUNCHES_OF_VARIANT,
        least_s: float = LEAST_BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bench = bench
        self._judged = judged
        self._progress = progress
        self._launches = launches
        self._launches_of_variant = launches_of_variant
        self._least_s = least_s
        self._clock = clock
        self._began = clock()
        self._spent_s = 0.0
        self._confirmed: Counter[str] = Counter()
        self._whole: set[str] = set()

    def case(self, case: Case, *gates: Gates) -> tuple[CaseRecord, tuple[Verdict, ...]]:
        """Return *case*, measured, and the verdicts that stand, under *gates* besides its own.

        Raises:
            EngineNotInstalledError: as :meth:`.Bench.measure`.
        """
        record = self._bench.measure(case)
        verdicts = self._judged.look(record, *gates)
        known = self._confirmed[case.variant] >= ENOUGH
        launched, most = 0, min(1, self._launches) if known else self._launches
        while launched < most and not self._spent:
            if not case_is_open(verdicts, launched, self._judged.context.alarms):
                break
            launched += 1
            self._look_again([case], case.key, (launched, self._launches), fresh=not known)
            verdicts = self._judged.look(self._bench.cases[case.key], *gates)
        self._confirmed[case.variant] += bool(launched) and is_slow(verdicts)
        verdicts = _marked(verdicts, launched, fresh=not known)
        self._judged.keep(case.key, verdicts)
        return self._bench.cases[case.key], verdicts

    def variant(self, name: str) -> tuple[Verdict, ...]:
        """Return the verdicts on *name* as a whole, once; none where it was judged before."""
        if name in self._whole:
            return ()
        self._whole.add(name)
        verdicts = self._judged.variant(name)
        launched = 0
        beside = companion_of(name, verdicts, self._judged.context)
        cases = self._some_cases(name, beside)
        while launched < self._launches_of_variant and not self._spent:
            if not variant_is_open(verdicts, launched, self._judged.context.alarms):
                break
            of = (launched + 1, self._launches_of_variant)
            whole = self._look_again(cases, f"{name} as a whole", of, beside=beside, keep=True)
            verdicts = self._judged.variant(name)
            if not whole:
                break
            launched += 1
        verdicts = _marked(verdicts, launched, fresh=True)
        self._judged.keep_life(name, verdicts)
        return verdicts

    def life(self, record: VariantRecord) -> tuple[Verdict, ...]:
        """Return the verdicts on the life of a variant that has ended."""
        verdicts = self._judged.life(record)
        self._judged.keep_life(record.id, verdicts)
        return verdicts

    def _look_again(
        self,
        cases: Sequence[Case],
        what: str,
        number: tuple[int, int],
        *,
        fresh: bool = True,
        beside: str | None = None,
        keep: bool = False,
    ) -> bool:
        """Measure *cases* once more, those of the variant *beside* with them.

        Returns:
            Whether all could be; records that are to *keep* stay where not.
        """
        began = self._clock()
        how = "fresh launch {} of {}".format(*number) if fresh else "once more"
        self._progress.say(f"{what}: slower; measured again ({how})")
        complete = True
        for case in cases:
            before, first = self._bench.cases[case.key], case is cases[0]
            other = self._other(case, beside)
            now = self._bench.look_again(case, fresh=fresh and first, beside=other, keep=keep)
            complete = now is not before
            if not complete:
                break
        self._spent_s += self._clock() - began
        return complete

    @property
    def _spent(self) -> bool:
        """Whether confirming took all the time that it may take."""
        measuring_s = self._clock() - self._began - self._spent_s
        return self._spent_s >= max(self._least_s, TIMES_THE_REST * measuring_s)

    def _some_cases(self, name: str, beside: str | None) -> list[Case]:
        """Return cases of a variant that were measured, evenly spread over all of them.

        Those that *beside* has too come first: both are launched for the first one.
        """
        records = self._bench.cases.values()
        cases = [r.case for r in records if r.case.variant == name and r.error is None]
        step = max(1, -(-len(cases) // MOST_CASES))
        return sorted(cases[::step], key=lambda case: self._other(case, beside) is None)

    def _other(self, case: Case, beside: str | None) -> Case | None:
        """Return what *beside* has been asked as *case* was, if that could be measured."""
        if beside is None:
            return None
        record = self._bench.cases.get(msgspec.structs.replace(case, variant=beside).key)
        return record.case if record is not None and record.error is None else None


def companion_of(name: str, verdicts: Iterable[Verdict], context: Context) -> str | None:
    """Return whose ratio tells of what *verdicts* suspect of *name*, if that is the reference."""
    if name != context.reference:
        return None
    found = (
        companion(CATALOGUE[verdict.metric], context)
        for verdict in _times(verdicts)
        if is_suspected([verdict], SUSPICIOUS)
    )
    return next((other for other in found if other is not None), None)


def case_is_open(verdicts: Sequence[Verdict], launched: int, alarms: Alarms) -> bool:
    """Whether *verdicts* on a case, after *launched* fresh launches, ask for one more."""
    chance = SUSPICIOUS if launched else alarms.suspected_case
    return _is_open(verdicts, launched, chance, alarms.of_case)


def variant_is_open(verdicts: Sequence[Verdict], launched: int, alarms: Alarms) -> bool:
    """Whether *verdicts* on a variant as a whole do, likewise."""
    chance = HOPELESS if launched else SUSPICIOUS
    return _is_open(verdicts, launched, chance, alarms.of_variant)


def _is_open(verdicts: Sequence[Verdict], launched: int, chance: float, alpha: float) -> bool:
    if not is_suspected(verdicts, chance):
        return False
    return not (launched and is_certain(verdicts, alpha))


def is_suspected(verdicts: Iterable[Verdict], chance: float) -> bool:
    """Whether a noisy metric fails, or its evidence is as improbable as *chance*.

    A slower machine that may be the cause of it leaves nothing to suspect.
    """
    return any(
        verdict.kind is VerdictKind.REGRESSED or (verdict.p is not None and verdict.p <= chance)
        for verdict in _unexplained(verdicts)
    )


def is_slow(verdicts: Iterable[Verdict]) -> bool:
    """Whether any of *verdicts* is a regression of something that does not repeat exactly."""
    return any(verdict.kind is VerdictKind.REGRESSED for verdict in _times(verdicts))


def is_certain(verdicts: Iterable[Verdict], alpha: float) -> bool:
    """Whether more launches could hardly change what is said of any time.

    Args:
        verdicts: after one fresh launch at least.
        alpha: probability that a single verdict may err with.
    """
    return not any(
        verdict.kind is VerdictKind.REGRESSED  # a limit that is broken has no chance
        if verdict.p is None
        else CERTAIN * alpha < verdict.p <= HOPELESS
        for verdict in _unexplained(verdicts)
    )


def _unexplained(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [verdict for verdict in _times(verdicts) if not verdict.machine_slowed]


def _times(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.metric in CATALOGUE and CATALOGUE[v.metric].kind is Kind.NOISY]


def _marked(verdicts: Sequence[Verdict], times: int, *, fresh: bool) -> tuple[Verdict, ...]:
    """Return *verdicts*, those that fail with a line that says how they were confirmed."""
    where = f"in {times} fresh launch{'es'[: 2 * (times > 1)]}" if fresh else "once more"
    pair = ("confirmed", f"measured again {where}")
    slow = set(_times(verdicts)) if times else set()
    return tuple(
        msgspec.structs.replace(v, block=(*v.block, pair))
        if v in slow and v.kind is VerdictKind.REGRESSED
        else v
        for v in verdicts
    )
