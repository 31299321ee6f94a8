"""What a verdict on one thing has to know of all the others in its session."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import msgspec

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import CaseRecord, Environment, Readings, VariantRecord
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.verdict.alarms import Alarms
from pytest_llmbench.verdict.disturbance import disturbance
from pytest_llmbench.verdict.held import Grounds, Held, held_alone, held_beside
from pytest_llmbench.verdict.past import Identities, Past, identities


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """A session as far as it went; *records* and *lives* grow while it is under way.

    Attributes:
        environment: where it runs.
        baseline: what it is compared with.
        cases: those that were collected.
        records: those that were measured, by key.
        lives: the variants' lives so far.
        machine: what is known of the machine of a variant, to tell disturbed rounds.
        readings: how fast the machine is in this session, as far as it is known now.
        reference: the variant that others take turns with.
        twins: for a variant the one that it is held against side by side; where there are any,
            the baseline is not asked.
        other_context: what of the environment's context is not so for twins.
        alarms: how sure a verdict has to be.
    """

    environment: Environment
    baseline: Baseline | None = None
    cases: tuple[Case, ...] = ()
    records: Mapping[str, CaseRecord] = dataclasses.field(default_factory=dict)
    lives: Mapping[str, VariantRecord] = dataclasses.field(default_factory=dict)
    machine: Callable[[str], Machine] = lambda _: Machine()
    readings: Callable[[], Readings] = Readings
    reference: str | None = None
    twins: Mapping[str, str] = dataclasses.field(default_factory=dict)
    other_context: Mapping[str, str] = dataclasses.field(default_factory=dict)
    alarms: Alarms = Alarms()  # noqa: RUF009 — a frozen fact
    past: Past = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Look the baseline's grids up once for all verdicts."""
        past = Past(self.baseline, self.environment, self.cases)
        object.__setattr__(self, "past", past)

    def twin_of(self, case: Case) -> Case:
        """Return the case that *case* is held against side by side."""
        return msgspec.structs.replace(case, variant=self.twins[case.variant])

    def life(self, metric: Metric, record: VariantRecord) -> Held | None:
        """Return the evidence on a time of the variant's life; ``None`` without comparison."""
        measured = record.life_cycle.get(metric.name)
        twin = self.twins.get(record.id)
        if measured is None:
            return None
        if twin is not None:
            return self._life_beside(metric, measured.gate, twin)
        past = self.past.lives(metric, record.id, self._known())
        return held_alone(metric, measured.gate, past) if len(past) else None

    def _life_beside(self, metric: Metric, now: float, twin: str) -> Held | None:
        other = self.lives.get(twin)
        its = None if other is None else other.life_cycle.get(metric.name)
        return None if its is None else held_beside(metric, now, its.gate, twin)

    def _known(self) -> Identities:
        return identities((name, life.facts) for name, life in self.lives.items())

    def grounds(self, metric: Metric, variant: str, now: CaseRecord | None = None) -> Grounds:
        """Return what is known of *metric* of *variant*, with *now* as one of its records.

        Cases that failed or were disturbed say nothing of the others.
        """
        cases = [case for case in self.cases if case.variant == variant]
        if now is not None and all(case.key != now.case.key for case in cases):
            cases.append(now.case)
        machine = self.machine(variant)
        records = {
            case.key: self.records[case.key]
            for case in cases
            if case.key in self.records
            and self.records[case.key].error is None
            and disturbance(self.records[case.key].rounds, machine) is None
        }
        if now is not None:
            records[now.case.key] = now
        return Grounds(
            self.past,
            metric,
            variant,
            cases,
            records,
            self._known(),
            side_by_side=variant in self.twins,
        )
