"""What pages show: a session in every format (docs/exports.md), a baseline over time (docs/cli.md).

Two variants, two questions.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.domain.baseline import BaselineCase, BaselineSession, BaselineVariant
from pytest_llmbench.domain.record import (
    Environment,
    JudgedCase,
    JudgedVariant,
    Measured,
    Relative,
    SessionRecord,
)
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from tests.report.facts import case, life

MIB = 2**20
ASKED = {"capital": "What is the capital of France?", "refund": "May I have a refund?"}
ANSWERS = {"capital": "It is Paris.", "refund": "Yes, within 30 days."}
SLOWER = "itl_s rose by 20.4 %, from 9.8 ms to 11.8 ms (accepted: 1 %)"


def page_session() -> SessionRecord:
    """What the page's ``results.json`` holds."""
    cases = [
        _case("base", "capital", 1.0, (0.0098, 0.0101, 0.0099), rss=412),
        _case("base", "refund", 1.0, (0.0098, 0.0097, 0.0099), rss=412),
        _case("int8", "capital", 1.0, (0.0118, 0.0119, 0.0117), rss=301, slower=SLOWER),
        _case("int8", "refund", 0.0, (0.0101, 0.0099, 0.0100), rss=301),
    ]
    return SessionRecord(
        environment=Environment(
            identity={"processor": "AMD EPYC", "memory": "24 GiB", "gpus": "none"},
            context={"python": "CPython 3.12.3", "git_commit": "0123456789"},
        ),
        variants=(_life("base", "float32", 1.62), _life("int8", "float32", 2.05)),
        cases=tuple(cases),
        missing=(),
        reference="base",
    )


def _case(
    variant: str,
    prompt: str,
    score: float,
    gaps: tuple[float, ...],
    *,
    rss: int,
    slower: str | None = None,
) -> JudgedCase:
    kind = VerdictKind.OK if slower is None else VerdictKind.REGRESSED
    said = Verdict(metric="itl_s", kind=kind, sentence=slower or "itl_s is unchanged at 9.8 ms")
    judged = case(said, variant=variant, suite="support", prompt=prompt, asked=ASKED[prompt])
    middle = sorted(gaps)[1]
    values = {
        "ttft_s": tuple(gap * 2 for gap in gaps),
        "itl_s": gaps,
        "latency_s": tuple(round(gap * 64, 4) for gap in gaps),
        "decode_tps": tuple(round(1 / gap, 1) for gap in gaps),
        "output_tps": tuple(round(0.97 / gap, 1) for gap in gaps),
    }
    metrics = {name: _over(rounds) for name, rounds in values.items()}
    metrics["score"] = Measured(value=score, gate=score, rounds=(score,) * len(gaps))
    metrics["rss_peak_bytes"] = Measured(value=rss * MIB, gate=rss * MIB, rounds=None)
    ratio = round(0.0098 / middle, 3)
    relative = Relative(to="base", value=ratio, launches=(ratio,), error=0.004)
    record = msgspec.structs.replace(
        judged.record,
        metrics=metrics,
        relative={} if variant == "base" else {"decode_tps": relative},
        text=ANSWERS[prompt] if score else "I do not know.",
    )
    return msgspec.structs.replace(judged, record=record)


def _over(rounds: tuple[float, ...]) -> Measured:
    middle = sorted(rounds)[len(rounds) // 2]
    return Measured(value=middle, gate=middle, rounds=rounds)


def _life(variant: str, dtype: str, load_s: float) -> JudgedVariant:
    judged = life(variant, load_s=load_s)
    facts = msgspec.structs.replace(judged.record.facts, identity={"dtype": dtype})
    return msgspec.structs.replace(
        judged, record=msgspec.structs.replace(judged.record, facts=facts)
    )


GAPS_MS = (10.1, 10.0, 9.98, 10.0, 10.05, 11.2, 11.25, 11.2)
"""Of int8, in the eight sessions of the page's baseline."""


def page_baseline(root: Path) -> None:
    """Write the baseline whose history docs/cli.md shows, of the machine gpu-runner-1."""
    store = Store(root)
    for number, gap in enumerate(GAPS_MS):
        store.add("gpu-runner-1", "main", _kept(number, gap / 1000))


def _kept(number: int, gap: float) -> BaselineSession:
    torch = {"torch": "2.12.0" if number < 5 else "2.13.0"}
    gaps = {"base": 0.0098, "int8": gap}
    return BaselineSession(
        saved_at=f"2026-03-{number + 2:02}T08:00:00+00:00",
        environment=Environment(identity={}, context={}),
        variants={
            name: BaselineVariant(identity={}, settings=torch, metrics={"load_s": 2.0})
            for name in gaps
        },
        cases={
            f"support/{name}-{prompt}-n64-t0": BaselineCase(
                variant=name, workload={}, metrics={"itl_s": round(gap * times, 6)}
            )
            for name, gap in gaps.items()
            for prompt, times in (("capital", 1.0), ("refund", 1.01))
        },
    )
