"""``llmbench selftest``: proof, on this machine, that the gate passes and that it fires."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.configuration import look_for_config
from pytest_llmbench.cli.doctor_quiet import burning
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.listing import plural
from pytest_llmbench.cli.output import progress, say
from pytest_llmbench.cli.selftest_rules import Finding, Outcome, judge_planted, judge_unchanged
from pytest_llmbench.cli.selftest_session import Laboratory, Session
from pytest_llmbench.cli.selftest_subject import Subject, configured_subject, own_subject
from pytest_llmbench.metrics.taint import taint
from pytest_llmbench.probes.environment import host_environment
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.units import format_percent

BASELINE_SESSIONS: Final = 3
ATTEMPTS: Final = 3
"""How often a step is tried that other work on this machine made worthless."""

_LONGEST_REST_S: Final = 10.0
_LOOK_S: Final = 0.25
_MOST_SENTENCES: Final = 12


def run(arguments: argparse.Namespace) -> Exit:
    """Run the self-test; 0 where the gate works here, 1 where it does not or can't be told."""
    with ExitStack() as stack:
        folder = arguments.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="llmbench-selftest-"))
        )
        subject = _subject(arguments, folder)
        test = SelfTest(_laboratory(subject, folder), arguments.plant)
        finding = test.run()
    say(_conclusion(finding, test.laboratory.subject, arguments.plant))
    _say_sentences(finding)
    if arguments.keep is not None:
        say(f"the baseline files are in {arguments.keep}")
    return Exit.FINE if finding.outcome is Outcome.PASSED else Exit.NO


def _say_sentences(finding: Finding) -> None:
    for sentence in finding.sentences[:_MOST_SENTENCES]:
        say(f"  {sentence}")
    more = len(finding.sentences) - _MOST_SENTENCES
    if more > 0:
        say(f"  and {more} more")


class SelfTest:
    """The steps, each on one line as it ends.

    Args:
        laboratory: measures and judges.
        plant: how much slower planted variants are, as a share.
        rest: called between two attempts; waits for other work on this machine to end.
    """

    def __init__(
        self,
        laboratory: Laboratory,
        plant: float,
        *,
        rest: Callable[[], None] | None = None,
    ) -> None:
        self.laboratory = laboratory
        self._plant = plant
        self._rest = rest or rest_until_quiet

    def run(self) -> Finding:
        """Take the steps up to the first that does not pass; return its finding, or the last."""
        finding = self._baseline()
        if finding.outcome is Outcome.PASSED:
            finding = self._step("the same code again", self._unchanged)
        for planted in self._plantings():
            if finding.outcome is not Outcome.PASSED:
                break
            finding = self._plant_in(planted)
        return finding

    def _plantings(self) -> tuple[tuple[str, ...], ...]:
        """Return which variants are slowed in which session.

        Every second one, then the others: each is slowed once, and (beside another) spared
        once, however many there are.
        """
        names = tuple(self.laboratory.subject.cases)
        return tuple(half for half in (names[::2], names[1::2]) if half)

    def _baseline(self) -> Finding:
        finding = Finding(Outcome.PASSED, "")
        for number in range(1, BASELINE_SESSIONS + 1):
            what = f"baseline session {number} of {BASELINE_SESSIONS}"
            finding = self._step(what, partial(self._kept, first=number == 1))
            if finding.outcome is not Outcome.PASSED:
                break
        return finding

    def _kept(self, *, first: bool) -> Finding:
        session = self.laboratory.measure()
        finding = self._leave_out_absent(session) if first else None
        if finding is None:
            finding = _fit_for_a_baseline(session, self.laboratory.processors)
        if finding.outcome is Outcome.PASSED:
            self.laboratory.keep(session, first=first)
        return finding

    def _leave_out_absent(self, session: Session) -> Finding | None:
        """Go on without the variants whose engine is absent; a finding where none is left."""
        for name, reason in session.absent.items():
            say(f"  {name}: left out: {reason}")
        self.laboratory.subject = self.laboratory.subject.without(tuple(session.absent))
        if self.laboratory.subject.cases:
            return None
        return Finding(Outcome.INCONCLUSIVE, "no variant is left", tuple(session.absent.values()))

    def _unchanged(self) -> Finding:
        return judge_unchanged(self.laboratory.judge({}))

    def _plant_in(self, planted: tuple[str, ...]) -> Finding:
        what = f"{format_percent(self._plant)} planted in {', '.join(planted)}"
        return self._step(what, partial(self._slowed, planted))

    def _slowed(self, planted: tuple[str, ...]) -> Finding:
        return judge_planted(self.laboratory.judge(dict.fromkeys(planted, self._plant)), planted)

    def _step(self, what: str, attempt: Callable[[], Finding]) -> Finding:
        """Try *attempt* until it can be told, and say how it went and how long it took."""
        for number in range(1, ATTEMPTS + 1):
            began = time.monotonic()
            finding = attempt()
            again = finding.outcome is Outcome.INCONCLUSIVE and number < ATTEMPTS
            _say_step(what, finding, time.monotonic() - began, again=again)
            if not again or not self.laboratory.subject.cases:
                break
            self._rest()
        return finding


def rest_until_quiet() -> None:
    """Wait until threads get their processors when they want them, ten seconds at most."""
    deadline, threads = time.monotonic() + _LONGEST_REST_S, os.cpu_count() or 1
    while time.monotonic() < deadline and taint(burning(threads, _LOOK_S), None) is not None:
        time.sleep(_LOOK_S)


def _say_step(what: str, finding: Finding, seconds: float, *, again: bool) -> None:
    retry = "; once more" if again else ""
    say(f"  {what:<32} {finding.outcome}: {finding.line}{retry} ({seconds:.1f} s)")


def _subject(arguments: argparse.Namespace, folder: Path) -> Subject:
    found = look_for_config(arguments.config)
    if found is None:
        subject = own_subject(folder, arguments.variants, arguments.rounds)
        what = "the scripted engine with real work for the processor (no configuration here)"
    else:
        subject = configured_subject(found.config, arguments.variants, arguments.rounds)
        what = found.shown
    counts = f"{plural(len(subject.cases), 'variant')}, {plural(subject.count, 'case')}"
    say(f"self-test of {what}: {counts}")
    return subject


def _laboratory(subject: Subject, folder: Path) -> Laboratory:
    nvml = Nvml.open()
    return Laboratory(
        subject,
        Store(folder / "baselines"),
        host_environment(nvml=nvml, folder=None),
        progress(),
        processors=os.cpu_count() or 1,
    )


def _fit_for_a_baseline(session: Session, processors: int) -> Finding:
    if session.errors:
        return Finding(Outcome.FAILED, "not everything could be measured", session.errors)
    disturbed = session.disturbances(processors)
    if disturbed:
        return Finding(Outcome.INCONCLUSIVE, "other work disturbed the measuring", disturbed)
    return Finding(Outcome.PASSED, f"{plural(len(session.cases), 'case')} kept")


def _conclusion(finding: Finding, subject: Subject, plant: float) -> str:
    if finding.outcome is Outcome.PASSED:
        return (
            f"the gate works on this machine: the same code passed, and {format_percent(plant)} "
            f"more time a token was found in each of {plural(len(subject.cases), 'variant')} and "
            "nowhere else"
        )
    if finding.outcome is Outcome.INCONCLUSIVE:
        return (
            f"inconclusive: {finding.line}; llmbench doctor says what is installed, and whether "
            "anything else runs on this machine"
        )
    return f"the gate does not work on this machine: {finding.line}:"
