"""Our own rule: recorded rounds through the package's metrics, baseline and judge.

What the plugin does around the judge is done here as it does it there: what is suspected is
launched again, each time judged on all launches.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
from sessions import EVERY, LAUNCH, METRICS, Cell, Session, twin_of

from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.config import Config
from pytest_llmbench.config.load import DEFAULT_SAMPLING
from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    ModelFacts,
    Readings,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt
from pytest_llmbench.domain.trace import Contention, Round, Trace
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.metrics.case import case_metrics
from pytest_llmbench.metrics.relative import relative_metrics
from pytest_llmbench.metrics.taint import Machine, round_pace, taint
from pytest_llmbench.runner.confirm import (
    LAUNCHES,
    LAUNCHES_OF_VARIANT,
    case_is_open,
    companion_of,
    variant_is_open,
)
from pytest_llmbench.runner.judged import Judged
from pytest_llmbench.runner.sampled import LEAST_ROUNDS
from pytest_llmbench.runner.session import usual_pace
from pytest_llmbench.verdict.alarms import Alarms
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.disturbance import disturbance
from pytest_llmbench.verdict.judge import judge_case, judge_variant

HERE = Environment(identity={"processor": "recorded"}, context={})
MOST_KEPT = 64


class Told(NamedTuple):
    """What came of a session.

    Attributes:
        kinds: by cell, those of variants as wholes among them.
        seconds: of generating, fresh launches to confirm with among them.
    """

    kinds: dict[Cell, VerdictKind]
    seconds: float


class Ours:
    """The package's judge; without a baseline, side by side with the twins that were recorded.

    Args:
        interleaved: whether the ratio to the reference may be used.
        confirmed: whether suspicions are launched again.
    """

    def __init__(self, *, interleaved: bool = True, confirmed: bool = True) -> None:
        self._interleaved = interleaved
        self._launches = LAUNCHES_OF_VARIANT if confirmed else 0

    def judge(
        self, baseline: Sequence[Session], now: Session, fresh: Sequence[Session]
    ) -> set[Cell]:
        """Return the accused cells, whole variants among them."""
        kinds = self.told(baseline, now, fresh).kinds
        return {cell for cell, kind in kinds.items() if kind is VerdictKind.REGRESSED}

    def told(self, baseline: Sequence[Session], now: Session, fresh: Sequence[Session]) -> Told:
        """Return what is said of every cell and of every variant as a whole."""
        reference = now.reference if self._interleaved else None
        bench = _Bench(baseline, now, tuple(fresh)[: self._launches], reference)
        said: dict[Cell, VerdictKind] = {}
        for key in bench.keys:
            for verdict in bench.case(key):
                if verdict.metric in METRICS:
                    said[Cell(*key, verdict.metric)] = verdict.kind
        for variant in dict.fromkeys(variant for variant, _ in bench.keys):
            for verdict in bench.variant(variant):
                if verdict.metric in METRICS:
                    said[Cell(variant, EVERY, verdict.metric)] = verdict.kind
        return Told(said, bench.spent_s)


def stopped_after(baseline: Sequence[Session], now: Session) -> dict[tuple[str, str], int]:
    """Return after how many of its rounds the runner would have stopped each case of *now*."""
    bench = _Bench(baseline, now, (), now.reference)
    return {key: bench.stops(key) for key in bench.keys}


class _Bench:
    """A session, replayed: measures by looking things up."""

    def __init__(
        self,
        baseline: Sequence[Session],
        now: Session,
        fresh: tuple[Session, ...],
        reference: str | None,
    ) -> None:
        self.keys = list(dict.fromkeys((cell.variant, cell.prompt) for cell in now.cells))
        self._launches, self._fresh = (now, *fresh), len(fresh)
        self.spent_s = 0.0
        variants = list(dict.fromkeys(variant for variant, _ in self.keys))
        self._twins = {} if baseline else {name: twin_of(name) for name in variants}
        self._reference = None if self._twins else reference
        before = _before(baseline, reference)
        readings = readings_of(now)
        usual_s = usual_pace(before, HERE)
        paces = [pace for pace in (usual_s, readings.pace_s) if pace is not None]
        self._machine = Machine(processors=2, pace_s=min(paces, default=None))
        self._records: dict[str, CaseRecord] = {}
        self._context = Context(
            environment=HERE,
            baseline=before,
            cases=tuple(_case(*key) for key in self.keys),
            records=self._records,
            lives={name: _life(name) for name in (*variants, *self._twins.values())},
            machine=lambda _: self._machine,
            readings=lambda: readings,
            reference=self._reference,
            twins=self._twins,
            alarms=Alarms(
                cases=len(self.keys) * len(METRICS),
                variants=(len(variants) + (self._reference is not None)) * len(METRICS),
            ),
        )
        for key in self.keys:
            self._measure(key, 1)

    def case(self, key: tuple[str, str]) -> tuple[Verdict, ...]:
        verdicts, launched = self._look(key), 0
        while launched < min(self._fresh, LAUNCHES):
            if not case_is_open(verdicts, launched, self._context.alarms):
                break
            launched += 1
            for each in {key, (self._reference or key[0], key[1])} & set(self.keys):
                self._measure(each, 1 + launched)
            verdicts = self._look(key)
        return verdicts

    def stops(self, key: tuple[str, str]) -> int:
        """Return after how many rounds nothing more is to be decided."""
        whole = self._records[_case(*key).key]
        clean = 0
        for count, entry in enumerate(whole.rounds, start=1):
            clean += taint(entry.contention, self._machine) is None
            if clean >= LEAST_ROUNDS and self._decided(key, whole.rounds[:count]):
                return count
        return len(whole.rounds)

    def _decided(self, key: tuple[str, str], rounds: Sequence[Round]) -> bool:
        case = _case(*key)
        record = msgspec.structs.replace(
            self._records[case.key],
            rounds=tuple(rounds),
            metrics=case_metrics(rounds, case.prompt, None, machine=self._machine, quality=False),
        )
        config = _config([key[0]], self._reference)
        return Judged(config, self._context, comparing=True).decides(record)

    def variant(self, name: str) -> tuple[Verdict, ...]:
        verdicts = judge_variant(name, self._context, Gates())
        together = {name, self._reference, companion_of(name, verdicts, self._context)}
        launched = 0
        while launched < self._fresh and variant_is_open(verdicts, launched, self._context.alarms):
            launched += 1
            for key in self.keys:
                if key[0] in together:
                    self._measure(key, 1 + launched)
            verdicts = judge_variant(name, self._context, Gates())
        return verdicts

    def _look(self, key: tuple[str, str]) -> tuple[Verdict, ...]:
        return judge_case(self._records[_case(*key).key], self._context, Gates())

    def _measure(self, key: tuple[str, str], launches: int) -> None:
        """Keep the records of *key* and of its twin, of so many launches."""
        variant, prompt = key
        taken, to = self._launches[:launches], self._twins.get(variant, self._reference)
        records = [_record(key, taken, to, self._machine)]
        if variant in self._twins:
            records.append(_record((self._twins[variant], prompt), taken, None, self._machine))
        for record in records:
            self._records[record.case.key] = record
            times = taken[-1].figures[record.case.variant, prompt, "latency_s"]
            self.spent_s += sum(times)


def _config(variants: Iterable[str], reference: str | None) -> Config:
    """Return a configuration whose cases all have the default gates."""
    return Config(
        keep_reference=False,
        source=Path("recorded"),
        reference=reference,
        variants={
            name: Variant(
                id=name, engine="recorded", options={}, base_dir=Path(), python=None, host=None,
                load_timeout_s=1.0, round_timeout_s=1.0, gates=Gates(),
            )
            for name in variants
        },
        suites={},
        gates=Gates(),
    )  # fmt: skip


_KEPT: dict[tuple[int, str | None], tuple[Session, BaselineSession]] = {}
"""Baseline sessions by the identity of what was recorded, which is kept alive with them."""


def _before(baseline: Sequence[Session], reference: str | None) -> Baseline | None:
    kept = tuple(_kept(session, reference) for session in baseline)
    if not kept:
        return None
    return Baseline(schema_version=2, machine="recorded", name="main", sessions=kept)


def _kept(session: Session, reference: str | None) -> BaselineSession:
    name = id(session), reference
    if name not in _KEPT:
        while len(_KEPT) >= MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[name] = session, _saved(session, reference)
    return _KEPT[name][1]


def _saved(session: Session, reference: str | None) -> BaselineSession:
    readings = readings_of(session)
    machine = Machine(processors=2, pace_s=readings.pace_s)
    keys = list(dict.fromkeys((cell.variant, cell.prompt) for cell in session.cells))
    records = [_record(key, (session,), reference, machine) for key in keys]
    return baseline_session(
        "2026-01-01T00:00:00+00:00",
        HERE,
        [_life(name) for name in dict.fromkeys(name for name, _ in keys)],
        records,
        reference=reference,
        readings=readings,
        untimed={r.case.key for r in records if disturbance(r.rounds, machine)},
    )


def _record(
    key: tuple[str, str], launches: Sequence[Session], reference: str | None, machine: Machine
) -> CaseRecord:
    case = _case(*key)
    rounds = _all_rounds(key, launches)
    relative = {}
    if reference is not None and key[0] != reference:
        others = _all_rounds((reference, key[1]), launches)
        relative = relative_metrics(rounds, others, reference, machine)
    return CaseRecord(
        case=case,
        rounds=rounds,
        memory=None,
        metrics=case_metrics(rounds, case.prompt, None, machine=machine, quality=False),
        text="",
        finish_reason="length",
        error=None,
        relative=relative,
    )


def _all_rounds(key: tuple[str, str], sessions: Sequence[Session]) -> tuple[Round, ...]:
    """Return the rounds of a case in all *sessions*, whose launches are numbered on."""
    rounds: list[Round] = []
    for session in sessions:
        first = 1 + rounds[-1].launch if rounds else 0
        rounds += (
            msgspec.structs.replace(entry, launch=first + entry.launch)
            for entry in rounds_of(session)[key]
        )
    return tuple(rounds)


_ROUNDS: dict[int, tuple[Session, dict[tuple[str, str], tuple[Round, ...]]]] = {}
"""The newest sessions' rounds by the sessions' identity, which are kept alive with them."""


def rounds_of(session: Session) -> Mapping[tuple[str, str], tuple[Round, ...]]:
    """Return the rounds of each variant and prompt."""
    if id(session) not in _ROUNDS:
        while len(_ROUNDS) >= MOST_KEPT:
            del _ROUNDS[next(iter(_ROUNDS))]
        columns: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
        for (variant, prompt, field), column in session.figures.items():
            columns.setdefault((variant, prompt), {})[field] = column
        _ROUNDS[id(session)] = session, {key: _made(each) for key, each in columns.items()}
    return _ROUNDS[id(session)][1]


def _made(columns: Mapping[str, tuple[float, ...]]) -> tuple[Round, ...]:
    return tuple(
        _round(turn, dict(zip(columns, figures, strict=True)))
        for turn, figures in enumerate(zip(*columns.values(), strict=True))
    )


def _round(turn: int, figures: Mapping[str, float]) -> Round:
    """Return a round whose first token and whose median gap are those recorded."""
    first, gap = figures["ttft_s"] * 1e9, figures["itl_s"] * 1e9
    wall_s = figures["latency_s"]
    before_s, after_s = figures.get("pace_before_s"), figures.get("pace_after_s")
    return Round(
        trace=Trace(
            arrivals="tokens",
            stamps_ns=tuple(round(first + number * gap) for number in range(4)),
            first_response_ns=None,
            token_ids=(1, 2, 3, 4),
            output_tokens=4,
            prompt_tokens=8,
            cached_prompt_tokens=0,
            tokenize_ns=None,
            text="",
            finish_reason="length",
            timings=None,
        ),
        contention=Contention(
            wall_s=wall_s,
            run_delay_s=figures["run_delay_share"] * wall_s,
            involuntary_switches=0,
            steal_s=figures["steal_share"] * wall_s,
            load_1m=None,
            gpu_clock_reasons=None,
            gpu_temperature_c=None,
            paces_s=None if before_s is None or after_s is None else (before_s, after_s),
        ),
        turn=turn,
        launch=round(figures.get(LAUNCH, 0)),
    )


def readings_of(session: Session) -> Readings:
    """Return how fast the machine was, as the runner reads it."""
    paces = [
        pace
        for rounds in rounds_of(session).values()
        for entry in rounds
        if (pace := round_pace(entry.contention)) is not None
    ]
    passes = [s for key, column in session.figures.items() if key[2] == "memory_s" for s in column]
    return Readings(
        pace_s=median(paces) if paces else None, calibration_s=median(passes) if passes else None
    )


@functools.cache
def _case(variant: str, prompt: str) -> Case:
    return Case(
        suite="recorded",
        variant=variant,
        prompt=Prompt(
            id=prompt,
            messages=(Message(role="user", content=prompt),),
            task=None,
            expect=None,
            score=None,
            source="recorded",
        ),
        parameters=Parameters(
            max_new_tokens=4, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="fixed",
            chat=None,
        ),
        sampling=DEFAULT_SAMPLING,
    )  # fmt: skip


@functools.cache
def _life(name: str) -> VariantRecord:
    return VariantRecord(
        id=name,
        config={"engine": name.partition("-")[0]},
        facts=ModelFacts(
            identity={"model": name},
            settings={},
            model_bytes=None,
            context_tokens=None,
            device="cpu",
        ),
        life_cycle={},
        warnings=(),
        error=None,
    )
