"""A session as it might have been: every part of a report has something to show.

Four variants of one model, one of them the reference; scored tasks, a grid over lengths and
temperatures, drift, similarity, memory of host and device, verdicts of many kinds. All of it comes
from one seed, so that goldens and benchmarks see the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    Invocation,
    JudgedCase,
    JudgedVariant,
    Measured,
    ModelFacts,
    Readings,
    Relative,
    SessionRecord,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.trace import Contention, Memory, Round
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.metrics.case import case_metrics
from pytest_llmbench.metrics.score import score
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.results import Study, results_of, study_of
from tests.support import token_trace

from .facts import regressed

MIB: Final = 2**20
REFERENCE: Final = "float16"

VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "float16": {"token_s": 0.018, "ttft_s": 0.060, "mib": 2300, "load_s": 2.9, "kl": 0.0,
                "right": 0.93, "device": True},
    "lora-int8": {"token_s": 0.041, "ttft_s": 0.120, "mib": 1445, "load_s": 7.2, "kl": 0.004,
                  "right": 0.95, "device": True},
    "nf4": {"token_s": 0.024, "ttft_s": 0.075, "mib": 980, "load_s": 3.5, "kl": 0.03,
            "right": 0.86, "device": True},
    "gguf-q4_0": {"token_s": 0.058, "ttft_s": 0.310, "mib": 690, "load_s": 0.6, "kl": 0.06,
                  "right": 0.8, "device": False},
}  # fmt: skip

TASKS: Final = {
    "qa": ("What is the capital of {}?", "Paris", "The capital is Paris, on the Seine."),
    "reasoning": ("If {} rains, the ground is wet. It is wet. Did it rain?", "not necessarily",
                  "No, not necessarily: a sprinkler wets the ground as well."),
    "coding": ("Write a function that adds {} to a number.", "return",
               "def add(number):\n    return number + 7\n"),
    "summarization": ("Sum up in a sentence why {} matters.", "energy",
                      "It gives clean energy, which costs less every year, and lasts."),
}  # fmt: skip
WRONG: Final = "I am sorry, as a language model I would rather talk about the weather in Lyon."
NOUNS: Final = ("France", "it", "seven", "the sun", "a cache", "a token", "a graph", "wind")


def session(*, prompts: int = 4, rounds: int = 5, grid: bool = True, seed: int = 1
            ) -> SessionRecord:  # fmt: skip
    """A session of four variants over *prompts* prompts of each task, and a grid."""
    dice = random.Random(seed)
    cases = [
        _case(dice, variant, _prompt(task, number), "tasks", _parameters(64, 0.0), rounds)
        for task in TASKS
        for number in range(prompts)
        for variant in VARIANTS
    ]
    if grid:
        cases += [
            _case(dice, variant, _prompt("qa", n, scored=False), "grid", _parameters(l, t), rounds)
            for n in range(2)
            for l in (64, 128, 256)  # noqa: E741
            for t in (0.0, 0.7)
            for variant in VARIANTS
        ]
    return SessionRecord(
        environment=Environment(
            identity={"processor": "AMD EPYC 9354", "memory": "128 GiB", "gpus": "NVIDIA H200",
                      "os": "Linux (Debian 12)"},
            context={"python": "CPython 3.11.7", "pytest-llmbench": "0.1.0", "gpu_driver": "570.1",
                     "git_commit": "1f2e3d4c5b6a+dirty"},
        ),
        variants=tuple(_life(dice, name) for name in VARIANTS),
        cases=tuple(cases),
        missing=(("tasks/old-capital-n64-t0", Verdict(
            metric="", kind=VerdictKind.MISSING,
            sentence="case tasks/old-capital-n64-t0 of the baseline was not run")),),
        reference=REFERENCE,
        readings=Readings(pace_s=1.02e-4, calibration_s=0.011),
        invocation=Invocation(
            command=("pytest", "--llmbench", "--llmbench-html=report.html"),
            started_at="2026-11-20T09:00:00+00:00",
            ended_at="2026-11-20T09:06:40+00:00",
            compared_with="baseline 'main' for machine amd-epyc-h200 (5 sessions)",
        ),
    )  # fmt: skip


def study(**of: Any) -> Study:
    """The same, read back from its record."""
    return study_of([("session", results_of(session_document(session(**of))))])


def _parameters(length: int, temperature: float) -> Parameters:
    return Parameters(max_new_tokens=length, temperature=temperature, seed=0, top_p=1.0, top_k=0,
                      length="natural", chat=None)  # fmt: skip


def _prompt(task: str, number: int, *, scored: bool = True) -> Prompt:
    asked, expect, _ = TASKS[task]
    return Prompt(
        id=f"{task}-{number}",
        messages=(Message(role="user", content=asked.format(NOUNS[number % len(NOUNS)])),),
        task=task,
        expect=expect if scored else None,
        score="contains" if scored else None,
        source="suite.toml",
    )


def _text(dice: random.Random, prompt: Prompt, *, right: bool, changed: bool) -> str:
    if not right:
        return WRONG
    _, _, text = TASKS[str(prompt.task)]
    words = (text + " That is all there is to say about it, for today at least.").split(" ")
    if changed:
        words[dice.randrange(len(words) // 2, len(words))] = dice.choice(("perhaps", "42", "Anna"))
    return " ".join(words)


def _case(
    dice: random.Random, variant: str, prompt: Prompt, suite: str, parameters: Parameters,
    rounds: int,
) -> JudgedCase:  # fmt: skip
    of = VARIANTS[variant]
    reference = variant == REFERENCE
    number = int(prompt.id.rpartition("-")[2])
    right = dice.random() < of["right"] or (reference and number % 3 > 0)
    changed = not reference and dice.random() < 0.6
    text = _text(dice, prompt, right=right, changed=changed)
    original = _text(dice, prompt, right=True, changed=False)
    each = tuple(_round(dice, of, text, parameters, turn) for turn in range(rounds))
    memory = _memory(of, parameters)
    metrics = case_metrics(each, prompt, memory)
    record = CaseRecord(
        case=Case(
            suite=suite,
            variant=variant,
            prompt=prompt,
            parameters=parameters,
            sampling=Sampling(rounds=rounds, warmup=None, max_time_s=60.0),
        ),
        rounds=each,
        memory=memory,
        metrics=metrics,
        text=text,
        finish_reason="stop",
        error=None,
        warmup_s=1.0,
    )
    if not reference and parameters.greedy:
        record = _beside(dice, record, of, original)
    return JudgedCase(record=record, verdicts=tuple(_verdicts(dice, variant, record, prompt)))


def _round(
    dice: random.Random, of: dict[str, Any], text: str, parameters: Parameters, turn: int
) -> Round:
    tokens = max(8, int(parameters.max_new_tokens * (0.6 + 0.2 * dice.random())))
    slower = 1.01 if parameters.temperature else 1.0
    stamps, at = [], of["ttft_s"] * dice.lognormvariate(0, 0.05)
    for _ in range(tokens):
        stamps.append(int(at * 1e9))
        at += of["token_s"] * slower * dice.lognormvariate(0, 0.06)
        at += 0.03 if dice.random() < 0.004 else 0.0
    trace = token_trace(stamps_ns=tuple(stamps), text=text, prompt_tokens=24)
    contention = Contention(
        wall_s=at, run_delay_s=0.0, involuntary_switches=0, steal_s=0.0, load_1m=0.4,
        gpu_clock_reasons=None, gpu_temperature_c=None, paces_s=(1e-4, 1e-4),
    )  # fmt: skip
    return Round(trace=trace, contention=contention, turn=turn)


def _memory(of: dict[str, Any], parameters: Parameters) -> Memory:
    from pytest_llmbench.domain.trace import DeviceMemory, HostMemory

    more = parameters.max_new_tokens * 2**14
    on_host = 900 * MIB if of["device"] else of["mib"] * MIB
    device = DeviceMemory(
        alloc_peak=of["mib"] * MIB + more,
        reserved_peak=(of["mib"] + 90) * MIB,
        process=(of["mib"] + 500) * MIB,
        process_is_difference=False,
    )
    return Memory(
        host=HostMemory(rss=on_host, rss_anon=on_host, rss_file=0, rss_peak=on_host + more,
                        system_used=9_000 * MIB),
        device=device if of["device"] else None,
    )  # fmt: skip


def _beside(
    dice: random.Random, record: CaseRecord, of: dict[str, Any], original: str
) -> CaseRecord:
    import msgspec

    kl = tuple(of["kl"] * dice.lognormvariate(0, 1.2) for _ in range(24))
    agrees = tuple(dice.random() > of["kl"] * 2 for _ in kl)
    drift = Drift(
        to=REFERENCE, kl=kl, agrees=agrees, delta_p=tuple(-k / 3 for k in kl),
        delta_logp=tuple(-k / 2 for k in kl),
    )  # fmt: skip
    values = {
        "kl_mean": sum(kl) / len(kl),
        "kl_p99": max(kl),
        "kl_max": max(kl),
        "top1_agreement": sum(agrees) / len(agrees),
        "similarity": 1.0 - of["kl"] * dice.random(),
        "exact_match": float(record.text == original),
    }
    added = {name: Measured(value=v, gate=v, rounds=None) for name, v in values.items()}
    ratio = VARIANTS[REFERENCE]["token_s"] / of["token_s"]
    relative = Relative(to=REFERENCE, value=ratio, launches=(ratio,), error=0.01)
    return msgspec.structs.replace(
        record,
        metrics={**record.metrics, **added},
        drift=drift,
        original=original,
        relative={"decode_tps": relative},
    )


def _verdicts(
    dice: random.Random, variant: str, record: CaseRecord, prompt: Prompt
) -> Iterator[Verdict]:
    rolled = dice.random()
    fine = "itl_s is unchanged at 24 ms (accepted: 1 %)"
    if variant == "nf4" and rolled < 0.4:
        yield regressed(by="12.4 %", then="21.4 ms", now="24.0 ms")
    elif variant == "gguf-q4_0" and rolled < 0.25:
        yield Verdict(metric="itl_s", kind=VerdictKind.INCONCLUSIVE,
                      sentence="itl_s may have risen by up to 9 %; 4 of 5 rounds were disturbed",
                      block=(("metric", "itl_s"), ("reason", "disturbed rounds")))  # fmt: skip
    elif variant == "lora-int8" and rolled < 0.5:
        yield Verdict(metric="ttft_s", kind=VerdictKind.IMPROVED,
                      sentence="ttft_s fell by 18 %, from 146 ms to 120 ms (accepted: 1 %); "
                      "--llmbench-replace=main makes it the new baseline",
                      block=(("metric", "ttft_s"),))  # fmt: skip
    else:
        yield Verdict(metric="itl_s", kind=VerdictKind.OK, sentence=fine, p=0.4)
    if prompt.score is not None and score(prompt, record.text or "") == 0 and variant == "nf4":
        yield Verdict(metric="score", kind=VerdictKind.REGRESSED,
                      sentence="score fell by 100 %, from 1 to 0 (accepted: no change)",
                      block=(("metric", "score: 0 to 1 by the prompt's scorer"),))  # fmt: skip


def _life(dice: random.Random, name: str) -> JudgedVariant:
    of = VARIANTS[name]
    host = 900 if of["device"] else of["mib"]
    values = {
        "start_s": 4.1,
        "load_s": of["load_s"],
        "first_generate_s": of["ttft_s"] * 6,
        "free_s": 0.09 + dice.random() / 10,
        "rss_before_bytes": 390 * MIB,
        "rss_after_load_bytes": host * MIB,
        "rss_life_peak_bytes": (host + 120) * MIB,
        "rss_after_free_bytes": 420 * MIB,
        "system_ram_before_bytes": 8_000 * MIB,
        "system_ram_after_load_bytes": (8_000 + host) * MIB,
        "system_ram_peak_bytes": (8_200 + host) * MIB,
        "system_ram_after_free_bytes": 8_050 * MIB,
        "model_bytes": of["mib"] * MIB * 0.9,
        "warnings": 1.0,
    }
    if of["device"]:
        values |= {
            "device_before_bytes": 0.0,
            "device_after_load_bytes": (of["mib"] + 400) * MIB,
            "device_after_free_bytes": 410 * MIB,
        }
    if name != REFERENCE:
        values |= {"flips": 3.0, "flips_p": 0.25, "score_change": -0.04}
    verdicts = [Verdict(metric="load_s", kind=VerdictKind.OK, sentence="load_s is unchanged")]
    if name == "nf4":
        verdicts.append(regressed(by="11.8 %", then="21.5 ms", now="24.0 ms"))
    return JudgedVariant(
        record=VariantRecord(
            id=name,
            config={"engine": "llama-cpp" if name.startswith("gguf") else "transformers",
                    "model": "models/tinyllama", "quantization": name},
            facts=ModelFacts(
                identity={"weights": "sha256:ab12", "dtype": name},
                settings={"attention": "sdpa", "torch": "2.13.0"},
                model_bytes=int(values["model_bytes"]),
                context_tokens=2048,
                device="cuda:0" if of["device"] else "cpu",
            ),
            life_cycle={n: Measured(value=v, gate=v, rounds=None) for n, v in values.items()},
            warnings=("FutureWarning: torch_dtype is called dtype now",),
            error=None,
        ),
        verdicts=tuple(verdicts),
    )  # fmt: skip
