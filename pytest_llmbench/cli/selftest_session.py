"""One session of the self-test: through the real workers, the real judge, real baseline files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.selftest_subject import Subject
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.record import CaseRecord, Environment, SessionRecord, VariantRecord
from pytest_llmbench.errors import EngineNotInstalledError
from pytest_llmbench.probes.machine import machine_label
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.confirm import Confirming
from pytest_llmbench.runner.judged import Judged
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.verdict.disturbance import disturbance

NAME: Final = "selftest"
"""The name of the self-test's baseline."""

PAUSES_S: Final = (0.2, 1.0, 3.0)
"""Seconds before each further look at a case that is about to fail: shorter than a test run's,
because three of its sessions are meant to fail, and somebody waits."""


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """What was measured; *absent* says of each variant without its engine what is missing."""

    cases: tuple[CaseRecord, ...]
    variants: tuple[VariantRecord, ...]
    absent: dict[str, str]

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong, each once."""
        said = [life.error for life in self.variants] + [case.error for case in self.cases]
        return tuple(dict.fromkeys(error for error in said if error))

    def disturbances(self, processors: int) -> tuple[str, ...]:
        """Return a line for every case that other work on this machine disturbed."""
        found = ((c.case.key, disturbance(c.rounds, processors)) for c in self.cases)
        return tuple(f"{key}: {what.sentence}" for key, what in found if what)


class Laboratory:
    """Measures sessions of one subject, keeps them, and judges them by what it kept.

    Args:
        subject: what is measured.
        store: where the baseline is.
        environment: this machine.
        progress: told what is being done.
        processors: how many the machine has.
    """

    def __init__(
        self,
        subject: Subject,
        store: Store,
        environment: Environment,
        progress: Progress,
        *,
        processors: int,
    ) -> None:
        self.subject = subject
        self.processors = processors
        self._store = store
        self._environment = environment
        self._progress = progress
        self._machine = machine_label(environment.identity)

    def measure(self) -> Session:
        """Measure every case in fresh processes, one variant after the other.

        It stops at the first case that other work disturbed: such a session is no baseline.
        """
        absent: dict[str, str] = {}
        with closing(self._bench({})) as bench:
            for variant, cases in self.subject.cases.items():
                try:
                    quiet = self._measure_each(bench, cases)
                except EngineNotInstalledError as exc:
                    quiet, absent[variant] = True, str(exc)
                bench.end_variant(variant)
                if not quiet:
                    break
        self._progress.clear()
        lives = (life for name, life in bench.variants.items() if name not in absent)
        return Session(tuple(bench.cases.values()), tuple(lives), absent)

    def _measure_each(self, bench: Bench, cases: tuple[Case, ...]) -> bool:
        """Return whether all of *cases* were measured."""
        records = (bench.measure(case) for case in cases)
        return not any(disturbance(record.rounds, self.processors) for record in records)

    def keep(self, session: Session, *, first: bool) -> None:
        """Add *session* to the baseline; the *first* starts it anew."""
        when = datetime.now(UTC).replace(microsecond=0).isoformat()
        kept = baseline_session(when, self._environment, session.variants, session.cases)
        write = self._store.replace if first else self._store.add
        write(self._machine, NAME, kept)

    def judge(self, slowdowns: Mapping[str, float]) -> SessionRecord:
        """Measure every case and return the session, judged as ``pytest --llmbench`` judges it.

        What is about to fail for its times is measured again, as there.

        Args:
            slowdowns: planted regressions by variant, as shares.
        """
        with closing(self._bench(slowdowns)) as bench:
            judged = Judged(
                self.subject.config,
                self._environment,
                self._store.read(self._machine, NAME),
                comparing=True,
                processors=self.processors,
            )
            confirming = Confirming(bench, judged, self._progress, pauses_s=PAUSES_S)
            for variant, cases in self.subject.cases.items():
                for case in cases:
                    confirming.case(case)
                life = bench.end_variant(variant)
                if life is not None:
                    judged.life(life)
        self._progress.clear()
        return judged.session(bench.cases.values(), bench.variants.values())

    def _bench(self, slowdowns: Mapping[str, float]) -> Bench:
        return Bench(
            self.subject.config, self._progress, processors=self.processors, slowdowns=slowdowns
        )
