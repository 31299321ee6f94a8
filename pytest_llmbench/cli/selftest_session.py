"""One session of the self-test: through the real workers, the real judge, real baseline files.

It is wired as one of ``pytest --llmbench`` is (:class:`.Session`), and goes in its order: crew by
crew, the cases of one prompt in turns, then each variant as a whole and its life.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.selftest_reach import Reach, reaches
from pytest_llmbench.cli.selftest_subject import Subject
from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.record import Environment, SessionRecord
from pytest_llmbench.errors import EngineNotInstalledError
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.probes.machine import machine_label
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.runner.crews import Interleave
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.runner.session import Session, kept_session, usual_pace
from pytest_llmbench.verdict.disturbance import disturbance
from pytest_llmbench.verdict.judge import FEWEST_CASES

NAME: Final = "selftest"
"""The name of the self-test's baseline."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """A session that was measured to be kept, and judged by nobody.

    Attributes:
        kept: what a baseline keeps of it.
        errors: what went wrong, each once.
        disturbed: for a case whose times are not kept, what disturbed it.
        absent: for a variant without its engine, what is missing.
        apart: why variants are not loaded together, as sentences.
    """

    kept: BaselineSession
    errors: tuple[str, ...]
    disturbed: dict[str, str]
    absent: dict[str, str]
    apart: tuple[str, ...]

    @property
    def timeless(self) -> tuple[str, ...]:
        """The variants of which too few cases were timed to tell anything of them as wholes."""
        names = dict.fromkeys(case.variant for case in self.kept.cases.values())
        return tuple(name for name in names if self._lacks_times(name))

    def _lacks_times(self, variant: str) -> bool:
        keys = [key for key, case in self.kept.cases.items() if case.variant == variant]
        timed = [key for key in keys if key not in self.disturbed]
        return len(timed) < min(FEWEST_CASES, len(keys))


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """A session that was judged, and how small a worsening could have been found in it."""

    record: SessionRecord
    reach: tuple[Reach, ...]


class Laboratory:
    """Measures sessions of one subject, keeps them, and judges others by what it kept.

    Args:
        subject: what is measured.
        store: where the baseline is.
        environment: this machine.
        progress: told what is being done.
        nvml: tells the memory of GPUs.
        mode: how variants are put together.
    """

    def __init__(
        self,
        subject: Subject,
        store: Store,
        environment: Environment,
        progress: Progress,
        *,
        nvml: Nvml | None = None,
        mode: Interleave = "auto",
    ) -> None:
        self.subject = subject
        self._store = store
        self._environment = environment
        self._progress = progress
        self._nvml = nvml
        self._mode = mode
        self._machine = machine_label(environment.identity)
        self._kept: Baseline | None = None

    @property
    def pace_s(self) -> float | None:
        """This machine's usual pace in the sessions that were kept, in seconds."""
        return usual_pace(self._kept, self._environment)

    def measure(self) -> Sample:
        """Measure every case in fresh processes.

        Nothing is judged: what is kept must not depend on what a verdict would have been.
        """
        absent: dict[str, str] = {}
        with closing(self._session({})) as session:
            for cases, variants in _in_order(session, self.subject):
                for case in cases:
                    try:
                        session.bench.measure(case)
                    except EngineNotInstalledError as exc:
                        absent[case.variant] = str(exc)
                for variant in variants:
                    session.end_variant(variant)
        self._progress.clear()
        return _sample(session, absent)

    def keep(self, sample: Sample, *, first: bool) -> None:
        """Add *sample* to the baseline; the *first* starts it anew."""
        write = self._store.replace if first else self._store.add
        write(self._machine, NAME, sample.kept)
        self._kept = self._store.read(self._machine, NAME)

    def judge(self, slowdowns: Mapping[str, float]) -> Trial:
        """Measure every case and return the session, judged as ``pytest --llmbench`` judges it.

        What is about to fail for its times is measured again in fresh processes, as there.

        Args:
            slowdowns: planted regressions by variant, as shares.
        """
        with closing(self._session(slowdowns)) as session:
            for cases, variants in _in_order(session, self.subject):
                for case in cases:
                    session.confirming.case(case)
                for variant in variants:
                    session.life(variant)
            _, control = session.last_measurements()
        self._progress.clear()
        reach = reaches(session.judged.context, self.subject.config, self.subject.cases)
        return Trial(session.record(control), reach)

    def _session(self, slowdowns: Mapping[str, float]) -> Session:
        return Session(
            self.subject.config,
            [case for cases in self.subject.cases.values() for case in cases],
            environment=self._environment,
            baseline=self._kept,
            progress=self._progress,
            nvml=self._nvml,
            mode=self._mode,
            slowdowns=slowdowns,
        )


def _in_order(
    session: Session, subject: Subject
) -> Iterator[tuple[tuple[Case, ...], tuple[str, ...]]]:
    """Yield each crew's cases, bout by bout, and its variants, the reference last."""
    plan = session.plan
    for crew in sorted({plan.crew(variant) for variant in subject.cases}):
        members = [name for name in plan.members(crew) if name in subject.cases]
        cases = tuple(case for bout in plan.bouts(crew) for case in bout)
        yield cases, tuple(sorted(members, key=lambda name: name == plan.reference))


def _sample(session: Session, absent: dict[str, str]) -> Sample:
    record, machine = session.record(), session.bench.machine
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    kept, untimed = kept_session(record, now, machine)
    errors = [life.record.error for life in record.variants]
    errors += [case.record.error for case in record.cases]
    return Sample(
        kept=kept,
        errors=tuple(dict.fromkeys(error for error in errors if error)),
        disturbed=_disturbances(record, machine, untimed),
        absent=absent,
        apart=session.apart,
    )


def _disturbances(
    record: SessionRecord, machine: Callable[[str], Machine], untimed: frozenset[str]
) -> dict[str, str]:
    cases = (judged.record for judged in record.cases)
    found = {c.case.key: disturbance(c.rounds, machine(c.case.variant)) for c in cases}
    return {key: what.sentence for key, what in found.items() if what and key in untimed}
