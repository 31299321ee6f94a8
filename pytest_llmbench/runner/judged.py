"""A session's verdicts: every case and life held against its limits and the baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Literal

import msgspec

from pytest_llmbench.config import Config
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.record import (
    CaseRecord,
    JudgedCase,
    JudgedVariant,
    SessionRecord,
    VariantRecord,
)
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.verdict.alarms import Alarms
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.judge import (
    compared_metrics,
    judge_case,
    judge_life,
    judge_variant,
    missing_cases,
)
from pytest_llmbench.verdict.noisy import is_plain

PRECISE: Final = 0.5
"""The rounds of all cases of a variant together need to be no surer than this share of how far
apart launches are: what is left of them then adds an eighth to a launch's spread."""


_SCORE: Final = "score"


class Judged:
    """Judges records as they come and keeps what was said.

    Args:
        config: the gates of all, of each suite and of each variant.
        context: the session; without a baseline it compares with nothing, and says nothing of
            it where *comparing* is off.
        comparing: whether a baseline was wanted at all.
    """

    def __init__(self, config: Config, context: Context, *, comparing: bool) -> None:
        self._config = config
        self._comparing = comparing
        self._cases: dict[str, dict[Verdict, None]] = {}
        self._lives: dict[str, dict[Verdict, None]] = {}
        self._missing: tuple[tuple[str, Verdict], ...] = ()
        self.context = context

    def look(self, record: CaseRecord, *narrower: Gates) -> tuple[Verdict, ...]:
        """Return the verdicts on *record*, under the gates of its scopes and *narrower* ones."""
        gates = self._gates(record.case, narrower)
        return self._wanted(judge_case(record, self.context, gates))

    def decides(self, record: CaseRecord) -> bool:
        """Whether *record*'s rounds are as precise as its variant needs, or decide already.

        Asked between rounds, of every noisy metric that is gated. What is left of the rounds of
        one case averages out over the cases of the variant.
        """
        gates = self._gates(record.case, ())
        metrics = compared_metrics("case", gates, greedy=True)
        noisy = [metric for metric in metrics if metric.kind is Kind.NOISY]
        return all(self._decided(metric, record, gates) for metric in noisy)

    def _decided(self, metric: Metric, record: CaseRecord, gates: Gates) -> bool:
        measured = record.metrics.get(metric.name)
        variant = record.case.variant
        cases = sum(case.variant == variant for case in self.context.cases)
        needed = PRECISE * metric.noise * math.sqrt(max(1, cases))
        if measured is None or measured.error <= needed:
            return True
        held = self.context.grounds(metric, variant, record).of_case(record.case.key)
        return held is not None and is_plain(metric, held, gates.tolerances.get(metric.name))

    def keep(self, key: str, verdicts: Iterable[Verdict]) -> None:
        """Keep *verdicts* on the case *key*, beside those that other gates led to."""
        self._cases.setdefault(key, {}).update(dict.fromkeys(verdicts))

    def life(self, record: VariantRecord) -> tuple[Verdict, ...]:
        """Return the verdicts on the life of a variant."""
        gates = self._config.gates.narrowed(self._config.variants[record.id].gates)
        return self._wanted(judge_life(record, self.context, gates))

    def variant(self, name: str) -> tuple[Verdict, ...]:
        """Return the verdicts on the noisy metrics of all cases of a variant together."""
        gates = self._config.gates.narrowed(self._config.variants[name].gates)
        return self._wanted(judge_variant(name, self.context, gates))

    def keep_life(self, name: str, verdicts: Iterable[Verdict]) -> None:
        """Keep *verdicts* on the variant *name*."""
        self._lives.setdefault(name, {}).update(dict.fromkeys(verdicts))

    def missing(
        self, expected: Collection[str], in_scope: Callable[[str, str], bool]
    ) -> tuple[tuple[str, Verdict], ...]:
        """Return a verdict for each case of the baseline that is in scope and was not there.

        *in_scope* says of a variant and a suite, which may be gone from the configuration,
        whether this run was to measure them.
        """
        self._missing = missing_cases(self.context.baseline, expected, in_scope)
        return self._missing

    def session(
        self,
        cases: Iterable[CaseRecord],
        variants: Iterable[VariantRecord],
        control: Mapping[str, float] | None = None,
    ) -> SessionRecord:
        """Return all that is kept of the session."""
        return SessionRecord(
            environment=self.context.environment,
            cases=tuple(
                JudgedCase(record=record, verdicts=tuple(self._cases.get(record.case.key, ())))
                for record in cases
            ),
            variants=tuple(
                JudgedVariant(record=record, verdicts=tuple(self._lives.get(record.id, ())))
                for record in variants
            ),
            missing=self._missing,
            reference=self.context.reference,
            readings=self.context.readings(),
            control=dict(control or {}),
        )

    def _gates(self, case: Case, narrower: Iterable[Gates]) -> Gates:
        gates = gates_of(self._config, case)
        if case.prompt.score is None and any(c.prompt.score for c in self.context.cases):
            gates = self._of_unscored(gates, case.variant)
        for scope in narrower:
            gates = gates.narrowed(scope)
        return gates

    def _of_unscored(self, gates: Gates, variant: str) -> Gates:
        """Return *gates* without a limit on the score that holds for all, and so for others."""
        wide = (self._config.gates, self._config.variants[variant].gates)
        limits = dict(gates.limits)
        if limits.get(_SCORE) in [scope.limits[_SCORE] for scope in wide if _SCORE in scope.limits]:
            del limits[_SCORE]
        return msgspec.structs.replace(gates, limits=limits)

    def _wanted(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """Where no comparing was wanted, "new" would be noise."""
        return tuple(v for v in verdicts if self._comparing or v.kind is not VerdictKind.NEW)


def gates_of(config: Config, case: Case) -> Gates:
    """Return the limits and tolerances of *case*: those of all, its suite's, its variant's."""
    gates = config.gates
    suite = config.suites.get(case.suite)
    if suite is not None:
        gates = gates.narrowed(suite.gates)
    return gates.narrowed(config.variants[case.variant].gates)


def alarms_for(config: Config, cases: Iterable[Case], *, turns: bool) -> Alarms:
    """Return how many things are judged on noisy metrics when *cases* are measured.

    The reference counts twice where others take *turns* with it: its own times accuse it, or a
    ratio to it. Another variant's own times may accuse it in place of its ratio as well, but only
    where the reference's moved the other way.
    """
    groups = [(case.variant, _noisy_groups(gates_of(config, case), "case")) for case in cases]
    lives = {
        variant: _noisy_groups(config.gates.narrowed(config.variants[variant].gates), "variant")
        for variant, _ in groups
    }
    wholes = {(variant, group) for variant, found in groups for group in found}
    twice = [variant for variant, _ in wholes if turns and variant == config.reference]
    return Alarms(
        cases=sum(len(found) for _, found in groups),
        variants=len(wholes) + len(twice) + sum(map(len, lives.values())),
    )


def _noisy_groups(gates: Gates, of: Literal["case", "variant"]) -> frozenset[str]:
    metrics = compared_metrics(of, gates, greedy=True)
    return frozenset(metric.group or metric.name for metric in metrics if metric.kind is Kind.NOISY)
