"""A session with everything that an exporter can meet, as its results file says it."""

from __future__ import annotations

from typing import Any

import msgspec

from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.record import Measured, Relative
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.results import Results, session_results
from tests.report.facts import HOSTILE, case, life, measured, ok, regressed, session, verdict

FORMULA = "=HYPERLINK(\"http://x.invalid\";'a')"
"""What no spreadsheet may calculate."""

MARKUP = (
    "<script>alert(1)</script> @octocat [a](http://x.invalid) | `x` #1 ![i](http://x.invalid/i)"
)
"""What no page may render, and nobody may be called by."""

MIB = 2.0**20


def rich(*verdicts: Any, rounds: tuple[float, ...] = (0.010, 0.012, 0.011), **of: Any) -> Any:
    """A case with rounds that differ, a score, drift, and a ratio to the reference."""
    judged = case(*verdicts, **of)
    slowed = tuple(value * 100 for value in rounds)
    median = sorted(rounds)[len(rounds) // 2]
    metrics = {
        "ttft_s": Measured(value=median, gate=median, rounds=rounds),
        "latency_s": Measured(value=median * 100, gate=median * 100, rounds=slowed),
        "decode_tps": Measured(value=50.0, gate=50.0, rounds=(50.0, 49.0, 51.0)),
        **measured({"rss_peak_bytes": 412 * MIB, "score": 1.0, "kl_mean": 0.25}),
    }
    drift = Drift(
        to="base-fp16", kl=(0.0, 0.5), agrees=(True, False), delta_p=(0, -0.5), delta_logp=(0, -1)
    )
    ratio = Relative(to="base-fp16", value=1.5, launches=(1.5,), error=0.01)
    record = msgspec.structs.replace(
        judged.record, metrics=metrics, relative={"decode_tps": ratio}, drift=drift
    )
    return msgspec.structs.replace(judged, record=record)


def full() -> Any:
    """Two variants, one that failed, hostile names and texts, and a missing case."""
    gone = verdict(VerdictKind.MISSING, sentence="case tasks/gone was not run")
    cases = [
        rich(ok("ttft_s"), variant="base-fp16", suite="tasks"),
        rich(regressed(), variant="int8", suite="tasks", rounds=(0.02, 0.03, 0.025)),
        case(error="it died", variant="int8", suite="tasks", prompt="dead"),
        rich(ok(), variant=FORMULA, suite=MARKUP, prompt=HOSTILE, text=MARKUP),
    ]
    variants = [
        life("base-fp16", ok("load_s")),
        life("int8", regressed("load_s"), warnings=["flash-attention is missing"]),
        life(FORMULA),
        life("lost", error="no such model", loaded=False),
    ]
    record = session(cases, variants, [("tasks/gone", gone)])
    return msgspec.structs.replace(record, reference="base-fp16")


def results() -> Results:
    """The same as an exporter reads it."""
    return session_results(full())
