"""A session's verdicts: every case and life held against its limits and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from pytest_llmbench.config import Config
from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    JudgedCase,
    JudgedVariant,
    SessionRecord,
    VariantRecord,
)
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.verdict.judge import judge_case, judge_life, missing_cases


class Judged:
    """Judges records as they come and keeps what was said.

    Args:
        config: the gates of all, of each suite and of each variant.
        environment: where this session runs.
        baseline: what to compare with; ``None`` compares with nothing, and says nothing of it
            where *comparing* is off.
        comparing: whether a baseline was wanted at all.
        processors: how many the machine has, to tell disturbed rounds.
    """

    def __init__(
        self,
        config: Config,
        environment: Environment,
        baseline: Baseline | None,
        *,
        comparing: bool,
        processors: int,
    ) -> None:
        self._config = config
        self._environment = environment
        self._baseline = baseline
        self._comparing = comparing
        self._processors = processors
        self._cases: dict[str, dict[Verdict, None]] = {}
        self._lives: dict[str, tuple[Verdict, ...]] = {}
        self._missing: tuple[tuple[str, Verdict], ...] = ()

    def look(
        self, record: CaseRecord, variant: VariantRecord | None, *narrower: Gates
    ) -> tuple[Verdict, ...]:
        """Return the verdicts on *record*, under the gates of its scopes and *narrower* ones."""
        facts = variant.facts if variant else None
        elsewhere = facts.host_processors if facts else None
        verdicts = judge_case(
            record,
            facts,
            self._environment,
            self._gates(record.case, narrower),
            self._baseline,
            processors=elsewhere or self._processors,
        )
        return self._wanted(verdicts)

    def keep(self, key: str, verdicts: Iterable[Verdict]) -> None:
        """Keep *verdicts* on the case *key*, beside those that other gates led to."""
        self._cases.setdefault(key, {}).update(dict.fromkeys(verdicts))

    def life(self, record: VariantRecord) -> tuple[Verdict, ...]:
        """Return the verdicts on the life of a variant."""
        gates = self._config.gates.narrowed(self._config.variants[record.id].gates)
        verdicts = self._wanted(judge_life(record, self._environment, gates, self._baseline))
        self._lives[record.id] = verdicts
        return verdicts

    def missing(
        self, expected: Collection[str], in_scope: Callable[[str, str], bool]
    ) -> tuple[tuple[str, Verdict], ...]:
        """Return a verdict for each case of the baseline that is in scope and was not there.

        *in_scope* says of a variant and a suite, which may be gone from the configuration,
        whether this run was to measure them.
        """
        self._missing = missing_cases(self._baseline, expected, in_scope)
        return self._missing

    def session(
        self, cases: Iterable[CaseRecord], variants: Iterable[VariantRecord]
    ) -> SessionRecord:
        """Return all that is kept of the session."""
        return SessionRecord(
            environment=self._environment,
            cases=tuple(
                JudgedCase(record=record, verdicts=tuple(self._cases.get(record.case.key, ())))
                for record in cases
            ),
            variants=tuple(
                JudgedVariant(record=record, verdicts=self._lives.get(record.id, ()))
                for record in variants
            ),
            missing=self._missing,
        )

    def _gates(self, case: Case, narrower: Iterable[Gates]) -> Gates:
        gates = self._config.gates
        suite = self._config.suites.get(case.suite)
        if suite is not None:
            gates = gates.narrowed(suite.gates)
        gates = gates.narrowed(self._config.variants[case.variant].gates)
        for scope in narrower:
            gates = gates.narrowed(scope)
        return gates

    def _wanted(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """Where no comparing was wanted, "new" would be noise."""
        return tuple(v for v in verdicts if self._comparing or v.kind is not VerdictKind.NEW)
