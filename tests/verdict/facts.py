"""A case as it was and as it is now, with the one thing changed that a test is about."""

from __future__ import annotations

import math
from statistics import median

from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates, Limit, Tolerance
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    Measured,
    ModelFacts,
    Readings,
    Relative,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.trace import Contention, HostMemory, Memory, Round
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.held import Held
from pytest_llmbench.verdict.judge import judge_case
from tests.support import token_trace

KEY = "tasks/base-sum-n8-t0"
MEMORY = Memory(
    host=HostMemory(rss=1, rss_anon=None, rss_file=None, rss_peak=None, system_used=1), device=None
)


def make_held(evidence, **more):
    """What a time is held against: one launch of one case, against one session of its past."""
    one = {"ground": "absolute", "to": None, "sessions": 1, "launches": 1, "cases": 1}
    return Held(evidence=evidence, **(one | more))


def make_environment(*, cpu="Xeon", **context):
    return Environment(identity={"cpu": cpu}, context={"python": "3.11", **context})


def make_facts(*, weights="abc", device="cpu", **settings):
    return ModelFacts(
        identity={"dtype": "float32", "weights": weights},
        settings={"torch": "2.12", **settings},
        model_bytes=77,
        context_tokens=None,
        device=device,
    )


def make_case(name="sum", *, variant="base", prompt="What is 2 + 2?", score=None, temperature=0.0):
    return Case(
        suite="tasks",
        variant=variant,
        prompt=Prompt(
            id=name,
            messages=(Message(role="user", content=prompt),),
            task="qa",
            expect="4" if score else None,
            score=score,
            source="suite.toml",
        ),
        parameters=Parameters(
            max_new_tokens=8,
            temperature=temperature,
            seed=0,
            top_p=1.0,
            top_k=0,
            length="natural",
            chat=None,
        ),
        sampling=Sampling(rounds=3, warmup=None, max_time_s=60.0),
    )


def make_round(*, run_delay_s=0.0, paces_s=None, cached=0, tokens=3, launch=0, turn=0):
    trace = token_trace(
        stamps_ns=tuple(range(10, 10 + tokens)),
        token_ids=tuple(range(tokens)),
        prompt_tokens=20,
        cached_prompt_tokens=cached,
        tokenize_ns=5,
        text="4",
        finish_reason="stop",
    )
    contention = Contention(
        wall_s=1.0,
        run_delay_s=run_delay_s,
        involuntary_switches=0,
        steal_s=0.0,
        load_1m=None,
        gpu_clock_reasons=None,
        gpu_temperature_c=None,
        paces_s=paces_s,
    )
    return Round(trace=trace, contention=contention, launch=launch, turn=turn)


def make_record(
    case=None, *, rounds=None, error=None, memory=MEMORY, relative=None, to="other", **metrics
):
    """A metric is a number, or a tuple of one a launch; so is one of *relative*, against *to*."""
    launches = max((len(v) for v in metrics.values() if isinstance(v, tuple)), default=1)
    if rounds is None:
        rounds = [
            make_round(launch=launch, turn=turn) for launch in range(launches) for turn in range(3)
        ]
    return CaseRecord(
        case=case or make_case(),
        rounds=tuple(rounds),
        memory=memory,
        metrics=measured(metrics),
        text="4",
        finish_reason="stop",
        error=error,
        relative={name: ratio(to, given) for name, given in (relative or {}).items()},
    )


def make_life(variant="base", *, engine=None, error=None, facts=None, loaded=True, **metrics):
    return VariantRecord(
        id=variant,
        config={} if engine is None else {"engine": engine},
        facts=(facts or make_facts()) if loaded else None,
        life_cycle=measured(metrics),
        warnings=(),
        error=error,
    )


def measured(metrics, *, error=0.0):
    return {name: _measured(name, given, error) for name, given in metrics.items()}


def _measured(name, given, error):
    launches = given if isinstance(given, tuple) else (given,)
    gate = median(launches)
    noisy = CATALOGUE[name].kind is Kind.NOISY
    return Measured(
        value=gate,
        gate=gate,
        rounds=launches,
        launches=launches if noisy else (),
        error=error if noisy else 0.0,
    )


def ratio(to, given, *, error=0.0):
    launches = given if isinstance(given, tuple) else (given,)
    value = math.exp(sum(map(math.log, launches)) / len(launches))
    return Relative(to=to, value=value, launches=launches, error=error)


def make_session(
    case=None,
    *,
    environment=None,
    facts=None,
    life=None,
    key=None,
    relative=None,
    reference=None,
    readings=None,
    **metrics,
):
    """One case in one session; *relative* are multiples of *reference*'s."""
    case = case or make_case()
    kept = BaselineCase(
        variant=case.variant, workload=case.workload, metrics=metrics, relative=relative or {}
    )
    return session_of(
        {key or case.key: kept},
        environment=environment,
        facts={case.variant: facts or make_facts()},
        life=life,
        reference=reference,
        readings=readings,
    )


def session_of(cases, *, environment=None, facts=None, life=None, reference=None, readings=None):
    """A session of *cases*, kept ones by key; models are *facts* by variant."""
    names = {case.variant for case in cases.values()} | {reference} - {None}
    models = {**dict.fromkeys(sorted(names), make_facts()), **(facts or {})}
    return BaselineSession(
        saved_at="2026-01-01T00:00:00Z",
        environment=environment or make_environment(),
        variants={
            name: BaselineVariant(
                identity=model.identity, settings=model.settings, metrics=life or {}
            )
            for name, model in models.items()
        },
        cases=cases,
        reference=reference,
        readings=readings or Readings(),
    )


def session_like(records, *, reference=None, factor=1.0, **fields):
    """A session in which *records* were measured, *factor* times as slow as they are now."""
    cases = {
        record.case.key: BaselineCase(
            variant=record.case.variant,
            workload=record.case.workload,
            metrics={name: m.gate * factor for name, m in record.metrics.items()},
            relative={name: r.value for name, r in record.relative.items()},
        )
        for record in records
    }
    return session_of(cases, reference=reference, **fields)


def make_baseline(*sessions):
    return Baseline(schema_version=2, machine="box", name="main", sessions=tuple(sessions))


def make_context(
    records=(), *sessions, lives=None, environment=None, cases=None, processors=2, **fields
):
    """A session that has measured *records*, held against *sessions*; its models are loaded."""
    records = tuple(records)
    names = dict.fromkeys(["base", *(record.case.variant for record in records)])
    return Context(
        environment=environment or make_environment(),
        baseline=make_baseline(*sessions) if sessions else None,
        cases=tuple(record.case for record in records) if cases is None else tuple(cases),
        records={record.case.key: record for record in records},
        lives={name: make_life(name) for name in names} | (lives or {}),
        **{"machine": lambda _: Machine(processors=processors), **fields},
    )


def make_gates(*limits, **tolerances):
    """Limits as ``("ttft_s", "<=", 0.5)``; tolerances as a share, or an amount in a tuple."""
    return Gates(
        limits={
            name: Limit(metric=name, operator=op, bound=bound, origin="llmbench.toml: limits")
            for name, op, bound in limits
        },
        tolerances={name: make_tolerance(name, given) for name, given in tolerances.items()},
    )


def make_tolerance(name, given):
    share, amount = (None, given[0]) if isinstance(given, tuple) else (given, None)
    return Tolerance(metric=name, share=share, amount=amount, origin="llmbench.toml: tolerance")


def judge(record, *sessions, facts=None, gates=None, **fields):
    """The verdicts on one case in a session that has measured nothing else."""
    lives = {record.case.variant: make_life(record.case.variant, facts=facts)}
    lives |= {ratio.to: make_life(ratio.to) for ratio in record.relative.values()}
    context = make_context([record], *sessions, lives=lives, **fields)
    return judge_case(record, context, gates or Gates())


def kinds(verdicts):
    return {verdict.metric: verdict.kind for verdict in verdicts}


def only(verdicts):
    (verdict,) = verdicts
    return verdict
