"""A case as it was and as it is now, with the one thing changed that a test is about."""

from __future__ import annotations

from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.gate import Gates, Limit, Tolerance
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    Measured,
    ModelFacts,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.trace import Contention, HostMemory, Memory, Round
from tests.support import token_trace

KEY = "tasks/base-sum-n8-t0"
MEMORY = Memory(
    host=HostMemory(rss=1, rss_anon=None, rss_file=None, rss_peak=None, system_used=1), device=None
)


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


def make_case(*, prompt="What is 2 + 2?", score=None, temperature=0.0):
    return Case(
        suite="tasks",
        variant="base",
        prompt=Prompt(
            id="sum",
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


def make_round(*, run_delay_s=0.0, cached=0, tokens=3):
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
    )
    return Round(trace=trace, contention=contention)


def make_record(case=None, *, rounds=None, error=None, memory=MEMORY, **metrics):
    return CaseRecord(
        case=case or make_case(),
        rounds=(make_round(),) * 3 if rounds is None else tuple(rounds),
        memory=memory,
        metrics=measured(metrics),
        text="4",
        finish_reason="stop",
        error=error,
    )


def make_life(*, error=None, facts=None, loaded=True, **metrics):
    return VariantRecord(
        id="base",
        config={},
        facts=(facts or make_facts()) if loaded else None,
        life_cycle=measured(metrics),
        warnings=(),
        error=error,
    )


def measured(metrics):
    return {
        name: Measured(value=value, gate=value, rounds=(value,)) for name, value in metrics.items()
    }


def make_session(case=None, *, environment=None, facts=None, life=None, key=KEY, **metrics):
    facts = facts or make_facts()
    return BaselineSession(
        saved_at="2026-01-01T00:00:00Z",
        environment=environment or make_environment(),
        variants={
            "base": BaselineVariant(
                identity=facts.identity, settings=facts.settings, metrics=life or {}
            )
        },
        cases={
            key: BaselineCase(
                variant="base", workload=(case or make_case()).workload, metrics=metrics
            )
        },
    )


def make_baseline(*sessions):
    return Baseline(schema_version=1, machine="box", name="main", sessions=tuple(sessions))


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
