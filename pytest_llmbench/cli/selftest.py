"""``llmbench selftest``: proof, on this machine, that the gate passes and that it fires."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.configuration import look_for_config
from pytest_llmbench.cli.doctor_quiet import burning
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import heading, progress, say, say_table
from pytest_llmbench.cli.selftest_reach import Reach, by_metric
from pytest_llmbench.cli.selftest_rules import Finding, Outcome, judge_planted, judge_unchanged
from pytest_llmbench.cli.selftest_session import Laboratory, Sample
from pytest_llmbench.cli.selftest_subject import Subject, configured_subject, own_subject
from pytest_llmbench.metrics.taint import ACCEPTED_PACE, Machine, taint
from pytest_llmbench.probes.environment import host_environment
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.probes.pace import visit_processors
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.words import plural

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
        test = SelfTest(_laboratory(subject, folder, arguments), arguments.plant)
        finding = test.run()
    say(_conclusion(finding, test.laboratory.subject, arguments.plant))
    _say_sentences(finding)
    _say_reach(test.reach, test.laboratory.subject)
    if arguments.keep is not None:
        say(f"the baseline files are in {arguments.keep}")
    return Exit.FINE if finding.outcome is Outcome.PASSED else Exit.NO


class SelfTest:
    """The steps, each on one line as it ends.

    Args:
        laboratory: measures and judges.
        plant: how much slower planted variants are, as a share.
        rest: called between two attempts; waits for other work on this machine to end.

    Attributes:
        reach: what could have been found in the sessions that were judged.
    """

    def __init__(
        self,
        laboratory: Laboratory,
        plant: float,
        *,
        rest: Callable[[float | None], None] | None = None,
    ) -> None:
        self.laboratory = laboratory
        self.reach: list[Reach] = []
        self._plant = plant
        self._rest = rest or rest_until_quiet
        self._said: set[str] = set()

    def run(self) -> Finding:
        """Take the steps up to the first that does not pass; return its finding, or the last."""
        for step in self._steps():
            finding = step()
            if finding.outcome is not Outcome.PASSED:
                break
        return finding

    def _steps(self) -> Iterator[Callable[[], Finding]]:
        for number in range(1, BASELINE_SESSIONS + 1):
            what = f"baseline session {number} of {BASELINE_SESSIONS}"
            yield partial(self._step, what, partial(self._kept, first=number == 1))
        yield partial(self._step, "the same code again", self._unchanged)
        for variant in self.laboratory.subject.cases:
            what = f"{format_percent(self._plant)} planted in {variant}"
            yield partial(self._step, what, partial(self._slowed, variant))

    def _kept(self, *, first: bool) -> Finding:
        sample = self.laboratory.measure()
        finding = self._first_look(sample) if first else None
        if finding is None:
            finding = _fit_for_a_baseline(sample)
        if finding.outcome is Outcome.PASSED:
            self.laboratory.keep(sample, first=first)
        return finding

    def _first_look(self, sample: Sample) -> Finding | None:
        """Say what is not as it could be, and go on without the variants whose engine is absent.

        Returns:
            A finding where no variant is left.
        """
        for name, reason in sample.absent.items():
            say(f"  {name}: left out: {reason}")
        for sentence in self._unsaid(sample.apart):
            say(f"  {sentence.replace('--llmbench-interleave', '--interleave')}")
        self.laboratory.subject = self.laboratory.subject.without(tuple(sample.absent))
        if self.laboratory.subject.cases:
            return None
        return Finding(Outcome.INCONCLUSIVE, "no variant is left", tuple(sample.absent.values()))

    def _unsaid(self, sentences: Iterable[str]) -> list[str]:
        """Return those of *sentences* that were not said at an earlier attempt."""
        new = [sentence for sentence in sentences if sentence not in self._said]
        self._said.update(new)
        return new

    def _unchanged(self) -> Finding:
        trial = self.laboratory.judge({})
        self.reach += trial.reach
        return judge_unchanged(trial.record)

    def _slowed(self, variant: str) -> Finding:
        trial = self.laboratory.judge({variant: self._plant})
        self.reach += trial.reach
        return judge_planted(trial.record, variant, self._plant, trial.reach)

    def _step(self, what: str, attempt: Callable[[], Finding]) -> Finding:
        """Try *attempt* until it can be told, and say how it went and how long it took."""
        for number in range(1, ATTEMPTS + 1):
            began = time.monotonic()
            finding = attempt()
            again = finding.outcome is Outcome.INCONCLUSIVE and number < ATTEMPTS
            again = again and bool(self.laboratory.subject.cases)
            _say_step(what, finding, time.monotonic() - began, again=again)
            if not again:
                break
            self._rest(self.laboratory.pace_s)
        return finding


def rest_until_quiet(pace_s: float | None = None) -> None:
    """Wait until processors are to be had, and as quick as at *pace_s*; ten seconds at most."""
    deadline, threads = time.monotonic() + _LONGEST_REST_S, os.cpu_count() or 1
    while time.monotonic() < deadline:
        slow = pace_s is not None and min(visit_processors()) > ACCEPTED_PACE * pace_s
        if not slow and taint(burning(threads, _LOOK_S), Machine()) is None:
            break
        time.sleep(_LOOK_S)


def _say_step(what: str, finding: Finding, seconds: float, *, again: bool) -> None:
    retry = "; once more" if again else ""
    say(f"  {what:<32} {finding.outcome}: {finding.line}{retry} ({seconds:.1f} s)")


def _say_sentences(finding: Finding) -> None:
    for sentence in finding.sentences[:_MOST_SENTENCES]:
        say(f"  {sentence}")
    more = len(finding.sentences) - _MOST_SENTENCES
    if more > 0:
        say(f"  and {more} more")


def _say_reach(every: Sequence[Reach], subject: Subject) -> None:
    """Write the smallest worsening of each variant that could have been found, and by what."""
    if not every:
        return
    heading(f"what could be found here, held against {plural(BASELINE_SESSIONS, 'session')}")
    say_table(
        (at_once.variant, at_once.metric, *_found_from(at_once, at_best), _ground(at_once))
        for at_once, at_best in by_metric(every, subject.cases)
    )


def _found_from(at_once: Reach, at_best: Reach) -> tuple[str, str]:
    """Return from where on a worsening is found, in the fewest launches and in the most."""
    least = f"{format_percent(at_once.detectable)} and more"
    if at_best.detectable >= at_once.detectable:
        return least, ""
    launches = plural(at_best.launches, "launch", "launches")
    return least, f"{format_percent(at_best.detectable)} in {launches}"


def _ground(reach: Reach) -> str:
    against = "its own past" if reach.to is None else f"its ratio to {reach.to}"
    return f"{against}, {plural(reach.cases, 'case')}"


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


def _laboratory(subject: Subject, folder: Path, arguments: argparse.Namespace) -> Laboratory:
    nvml = Nvml.open()
    return Laboratory(
        subject,
        Store(folder / "baselines"),
        host_environment(nvml=nvml, folder=None),
        progress(),
        nvml=nvml,
        mode=arguments.interleave,
    )


def _fit_for_a_baseline(sample: Sample) -> Finding:
    if sample.errors:
        return Finding(Outcome.FAILED, "not everything could be measured", sample.errors)
    said = tuple(f"{key}: {sentence}" for key, sentence in sample.disturbed.items())
    if sample.timeless:
        return Finding(Outcome.INCONCLUSIVE, "other work disturbed the measuring", said)
    kept = f"{plural(len(sample.kept.cases), 'case')} kept"
    left_out = f", {len(said)} of them without times, which were disturbed" if said else ""
    return Finding(Outcome.PASSED, kept + left_out)


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
