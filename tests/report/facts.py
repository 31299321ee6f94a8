"""Records with the one thing that a test is about."""

from __future__ import annotations

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    JudgedCase,
    JudgedVariant,
    Measured,
    ModelFacts,
    SessionRecord,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.trace import Contention, Round
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from tests.support import token_trace

HOSTILE = "a\x1b[31mred\x1b[0m\x00[red]b[/red]\u202egnp.\u2028:smile:\ud800\ufffe\r\x9b2J"
MIB = 2.0**20

MEASURED = {
    "ttft_s": 0.0123,
    "latency_s": 1.27,
    "decode_tps": 50.4,
    "output_tps": 49.8,
    "rss_peak_bytes": 412 * MIB,
}


def measured(values, rounds=None):
    of_rounds = {"ttft_s", "latency_s", "decode_tps", "output_tps", "score"}
    return {
        name: Measured(value=v, gate=v, rounds=(v,) * 3 if name in of_rounds else rounds)
        for name, v in values.items()
    }


def verdict(kind, metric="", sentence=None, block=()):
    return Verdict(
        metric=metric, kind=kind, sentence=sentence or f"{metric} is {kind}", block=block
    )


def ok(metric="itl_s"):
    return verdict(VerdictKind.OK, metric)


def regressed(metric="itl_s", by="31.2 %", then="3.05 ms", now="4 ms"):
    return verdict(
        VerdictKind.REGRESSED,
        metric,
        f"{metric} rose by {by}, from {then} to {now} (accepted: 10 %)",
        (
            ("metric", f"{metric}: {CATALOGUE[metric].summary}"),
            ("baseline", f"{then} (median of 5 sessions)"),
            ("now", now),
            ("change", f"+{by}"),
            ("interval", "+24.1 % to +38.3 %"),
            ("tolerance", "10 % (default)"),
            ("changed", "torch 2.12.0 -> 2.13.0"),
            ("changed", "threads 4 -> 2"),
        ),
    )


def new(subject):
    sentence = (
        f"{subject} has no baseline to be compared with; --llmbench-save keeps this session as one"
    )
    return verdict(VerdictKind.NEW, sentence=sentence)


def make_case(variant="base-fp16", suite="exo-five", prompt="sum", **fields):
    return Case(
        suite=suite,
        variant=variant,
        prompt=Prompt(
            id=prompt,
            messages=(Message(role="user", content=fields.get("asked", "What is 2 + 2?")),),
            task="qa",
            expect=None,
            score=None,
            source="suite.toml",
        ),
        parameters=Parameters(
            max_new_tokens=64,
            temperature=0.0,
            seed=0,
            top_p=1.0,
            top_k=0,
            length="natural",
            chat=None,
        ),
        sampling=Sampling(rounds=3, warmup=None, max_time_s=60.0),
    )


def make_round(text="It is 4."):
    return Round(
        trace=token_trace(
            stamps_ns=(12_300_000, 32_000_000),
            token_ids=(5, 2),
            prompt_tokens=20,
            cached_prompt_tokens=0,
            tokenize_ns=500_000,
            text=text,
            finish_reason="stop",
        ),
        contention=Contention(
            wall_s=1.3,
            run_delay_s=0.001,
            involuntary_switches=3,
            steal_s=None,
            load_1m=0.5,
            gpu_clock_reasons=None,
            gpu_temperature_c=None,
        ),
    )


def case(*verdicts, metrics=MEASURED, error=None, text="It is 4.", **of):
    return JudgedCase(
        record=CaseRecord(
            case=make_case(**of),
            rounds=() if error else (make_round(text),) * 3,
            memory=None,
            metrics={} if error else measured(metrics),
            text=None if error else text,
            finish_reason=None if error else "stop",
            error=error,
        ),
        verdicts=verdicts,
    )


def life(name="base-fp16", *verdicts, load_s=1.234, warnings=(), error=None, loaded=True):
    return JudgedVariant(
        record=VariantRecord(
            id=name,
            config={"engine": "transformers", "model": "models/demo", "dtype": "float16"},
            facts=ModelFacts(
                identity={"weights": "sha256:ab12"},
                settings={"attention": "sdpa"},
                model_bytes=8_000_000,
                context_tokens=512,
                device="cpu",
            )
            if loaded
            else None,
            life_cycle=measured({"load_s": load_s}) if loaded else {},
            warnings=tuple(warnings),
            error=error,
        ),
        verdicts=verdicts,
    )


def session(cases=(), variants=(), missing=()):
    return SessionRecord(
        environment=Environment(identity={"cpu": "x"}, context={"torch": "2.12.0"}),
        variants=tuple(variants),
        cases=tuple(cases),
        missing=tuple(missing),
    )


def example():
    """Two variants on two suites; the second one's decoding got slower on three cases of five."""
    slow = MEASURED | {"decode_tps": 38.2, "output_tps": 37.4, "latency_s": 1.71}
    prompts = ("sum", "lora", "paris", "sky", "haiku")
    cases = [
        case(ok(), variant="base-fp16", prompt=p, metrics=MEASURED | {"rss_peak_bytes": 412 * MIB})
        for p in prompts
    ]
    cases += [
        case(
            regressed() if number < 3 else ok(),
            variant="finetuned-int8",
            prompt=p,
            metrics=slow | {"rss_peak_bytes": (301 + number) * MIB},
        )
        for number, p in enumerate(prompts)
    ]
    for variant, right in (("base-fp16", 22), ("finetuned-int8", 20)):
        timing = MEASURED if variant == "base-fp16" else slow
        cases += [
            case(
                ok(),
                variant=variant,
                suite="tasks",
                prompt=f"qa-{number}",
                metrics=timing | {"score": float(number < right)},
            )
            for number in range(24)
        ]
    return session(cases, (life("base-fp16", ok("load_s")), life("finetuned-int8", load_s=0.871)))
