"""One session: plan, bench, judge and confirming wired together, for pytest and the self-test.

Who measures what, when and how often is the same for both, and so are the verdicts: what the
self-test proves of the gate holds for a test run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

import msgspec

from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.config import Config
from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.drift import KeptOriginals
from pytest_llmbench.domain.record import CaseRecord, Environment, SessionRecord, VariantRecord
from pytest_llmbench.domain.similarity import Similarity
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.domain.verdict import Verdict
from pytest_llmbench.errors import EngineNotInstalledError
from pytest_llmbench.metrics.answers import answer_metrics, length_metrics
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.confirm import Confirming
from pytest_llmbench.runner.control import reference_again
from pytest_llmbench.runner.crews import Interleave
from pytest_llmbench.runner.judged import Judged, alarms_for
from pytest_llmbench.runner.kept_reference import usable
from pytest_llmbench.runner.planning import plan_cases
from pytest_llmbench.runner.progress import Progress
from pytest_llmbench.runner.scoring import Scoring
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.disturbance import disturbance


class Session:
    """Measures and judges the selected cases.

    Args:
        config: variants, gates, and which variant is the reference.
        cases: all that will be asked for; nothing else is measured.
        environment: where it runs.
        baseline: what is compared with.
        progress: told what is being done.
        nvml: tells the memory of GPUs.
        mode: how variants are put together.
        launches: in how many fresh processes each case is measured.
        slowdowns: planted regressions by variant, as shares.
        strict: a variant whose engine is not installed has failed, and is not skipped.
        comparing: whether a baseline was wanted at all.
        twins: for a variant the one that it is held against side by side.
        other_context: what of the environment's context is not so for twins.
        kept: what a baseline keeps of the reference, for where it is not measured.
        keep: remember what a baseline is to keep of the reference.

    Raises:
        ConfigError: an answer could not be scored here.

    Attributes:
        plan: which cases go together.
        apart: why variants are not loaded together, as sentences.
        bench: measures.
        judged: judges, and keeps the verdicts that stand.
        confirming: measures again what is about to fail for its times.
    """

    def __init__(
        self,
        config: Config,
        cases: Sequence[Case],
        *,
        environment: Environment,
        baseline: Baseline | None,
        progress: Progress,
        nvml: Nvml | None = None,
        mode: Interleave = "auto",
        launches: int = 1,
        slowdowns: Mapping[str, float] | None = None,
        strict: bool = False,
        comparing: bool = True,
        twins: Mapping[str, Variant] | None = None,
        other_context: Mapping[str, str] | None = None,
        kept: KeptOriginals | None = None,
        keep: bool = False,
    ) -> None:
        self._config = config
        self.plan, self.apart = plan_cases(
            config,
            cases,
            mode=mode,
            launches=launches,
            nvml=nvml,
            baseline=baseline,
            twins=twins or {},
        )
        scoring = Scoring(config.code)
        scoring.check({id(case.prompt): case.prompt for case in cases}.values())
        self.bench = Bench(
            self.plan,
            progress,
            processors=os.cpu_count() or 1,
            slowdowns=slowdowns,
            strict=strict,
            pace_s=usual_pace(baseline, environment),
            similarity=config.similarity,
            scoring=scoring,
            kept=usable(kept, config),
            promised=config.reference if config.keep_reference and not twins else None,
            keep=keep,
            decides=lambda record: self.judged.decides(record),  # noqa: PLW0108 — comes below
        )
        context = Context(
            environment=_noted(environment, config.similarity, scoring.sources),
            baseline=baseline,
            cases=tuple(cases),
            records=self.bench.cases,
            lives=self.bench.variants,
            machine=self.bench.machine,
            readings=self.bench.readings,
            reference=config.reference,
            twins=self.plan.twins,
            other_context=other_context or {},
            alarms=alarms_for(config, cases, turns=self._in_turns(cases)),
        )
        self.judged = Judged(config, context, comparing=comparing or bool(twins))
        self.confirming = Confirming(self.bench, self.judged, progress)

    def _in_turns(self, cases: Iterable[Case]) -> bool:
        """Whether any of *cases* takes turns with the reference."""
        return not self.plan.twins and any(self.plan.counterpart(case) for case in cases)

    def life(self, variant: str) -> tuple[VariantRecord, tuple[Verdict, ...]]:
        """Judge *variant* as a whole, then free it, and its twin, and judge its life.

        Raises:
            EngineNotInstalledError: its engine is absent.
        """
        whole = self._whole(variant)
        record = self._with_answers(self.bench.lives.whole(variant))
        twin = self.plan.twins.get(variant)
        if twin is not None:
            with contextlib.suppress(EngineNotInstalledError):  # it is then in its record
                self.bench.lives.whole(twin)
        return record, (*whole, *self.confirming.life(record))

    def _whole(self, variant: str) -> tuple[Verdict, ...]:
        """Judge *variant* as a whole; what was loaded for that is freed again."""
        needed = self.bench.lives.loaded
        verdicts = self.confirming.variant(variant)
        for name in self.bench.lives.loaded:
            if name not in needed:
                self.bench.lives.end(name)
        return verdicts

    def _with_answers(self, record: VariantRecord) -> VariantRecord:
        """Return *record* with how its answers are beside those that they are held against.

        A prompt counts once, however often it is asked: with the last of its parameters.
        """
        pairs = self._paired(record.id)
        scores = [(_score(one), _score(other)) for one, other in pairs]
        lengths = [(_length(one), _length(other)) for one, other in pairs]
        metrics = {
            **record.life_cycle,
            **answer_metrics([pair for pair in scores if None not in pair]),  # type: ignore[misc]
            **length_metrics([pair for pair in lengths if None not in pair]),  # type: ignore[misc]
        }
        told = {name: metrics[name] for name in CATALOGUE if name in metrics}
        key = self._answers_key(pairs)
        record = msgspec.structs.replace(record, life_cycle=told, answers_key=key)
        self.bench.variants[record.id] = record
        return record

    def _answers_key(self, pairs: Sequence[tuple[CaseRecord, CaseRecord]]) -> str | None:
        """Return what stands for the prompts of *pairs*, and what they are held against."""
        if not pairs:
            return None
        originals = {other.case.variant for other, _ in pairs}
        facts = [self.bench.variants[name].facts for name in sorted(originals)]
        asked = sorted(
            (one.case.key, sorted(one.case.workload.items()), other.text) for other, one in pairs
        )
        told = (asked, [sorted(each.identity.items()) for each in facts if each is not None])
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def _paired(self, variant: str) -> list[tuple[CaseRecord, CaseRecord]]:
        """Return the greedy cases of *variant*, each after the one that it is held against."""
        pairs: dict[str, tuple[CaseRecord, CaseRecord]] = {}
        for record in list(self.bench.cases.values()):
            original = self.plan.original(record.case)
            other = None if original is None else self.bench.cases.get(original.key)
            mine = record.case.variant == variant and record.case.parameters.greedy
            if mine and other is not None:
                pairs[_question(record.case)] = other, record
        return [*pairs.values()]

    def end_variant(self, variant: str) -> None:
        """Free *variant*, which nothing needs any more, and what it is held against."""
        self.bench.lives.end(variant)
        if variant in self.plan.twins:
            self.bench.lives.end(self.plan.twins[variant])

    def last_measurements(self) -> tuple[list[tuple[str, Verdict]], dict[str, float]]:
        """Judge the variants that nobody asked for as wholes; measure the reference again.

        Returns:
            The verdicts with their variants, and how the reference had changed.
        """
        names = dict.fromkeys(r.case.variant for r in list(self.bench.cases.values()))
        unheard = [
            (name, verdict)
            for name in names
            if self._own(name) and self.bench.absent(name) is None
            for verdict in self._whole(name)
        ]
        return unheard, reference_again(self.bench)

    def record(self, control: Mapping[str, float] | None = None) -> SessionRecord:
        """Return all that is kept of the session, *control* being the reference's change."""
        return self.judged.session(
            [record for record in self.bench.cases.values() if self._own(record.case.variant)],
            [record for record in self.bench.variants.values() if self._own(record.id)],
            control,
        )

    def close(self) -> None:
        """End every worker; what was measured stays."""
        self.bench.close()

    def _own(self, variant: str) -> bool:
        """Whether *variant* is the configuration's, and no twin."""
        return variant in self._config.variants


def _score(record: CaseRecord) -> float | None:
    measured = record.metrics.get("score")
    return None if measured is None else measured.value


def _question(case: Case) -> str:
    """Return what is asked, with which parameters it ever is."""
    return f"{case.suite}/{case.prompt.id}: {case.prompt.expected}"


def _length(record: CaseRecord) -> int | None:
    return record.rounds[-1].trace.output_tokens if record.rounds else None


def _noted(
    environment: Environment, asked: Similarity | None, scorers: Mapping[str, str]
) -> Environment:
    """Return *environment* with what judges texts: other models and functions judge otherwise."""
    model = {} if asked is None else {"similarity model": asked.model}
    context = {**environment.context, **model, **scorers}
    return msgspec.structs.replace(environment, context=context)


def usual_pace(baseline: Baseline | None, environment: Environment) -> float | None:
    """Return this machine's usual pace in the sessions of *baseline*: their median, in seconds."""
    sessions = baseline.sessions if baseline else ()
    here = [s for s in sessions if s.environment.identity == environment.identity]
    paces = [s.readings.pace_s for s in here if s.readings.pace_s is not None]
    return median(paces) if paces else None


def kept_session(
    record: SessionRecord, saved_at: str, machine: Callable[[str], Machine]
) -> tuple[BaselineSession, frozenset[str]]:
    """Return what a baseline keeps of *record*, and the keys of cases whose times it does not.

    Times of cases that something else disturbed are no ground for later verdicts.

    Args:
        record: the session.
        saved_at: its time, in ISO 8601.
        machine: what is known of the machine of a variant, to tell disturbed rounds.
    """
    cases = [judged.record for judged in record.cases]
    untimed = frozenset(
        case.case.key for case in cases if disturbance(case.rounds, machine(case.case.variant))
    )
    kept = baseline_session(
        saved_at,
        record.environment,
        (judged.record for judged in record.variants),
        cases,
        reference=record.reference,
        readings=record.readings,
        untimed=untimed,
    )
    return kept, untimed
