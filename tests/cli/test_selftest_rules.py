"""What must hold of a self-test's session, on both sides of each rule."""

from __future__ import annotations

import pytest

from pytest_llmbench.cli.selftest_rules import Finding, Outcome, judge_planted, judge_unchanged
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    JudgedCase,
    JudgedVariant,
    Measured,
    SessionRecord,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt, Sampling
from pytest_llmbench.domain.verdict import Verdict, VerdictKind

OK, REGRESSED, IMPROVED = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.IMPROVED
INCONCLUSIVE, ERROR, NEW = VerdictKind.INCONCLUSIVE, VerdictKind.ERROR, VerdictKind.NEW


def said(**kinds: VerdictKind) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(metric=metric, kind=kind, sentence=f"{metric} is {kind}")
        for metric, kind in kinds.items()
    )


def case(variant: str, *verdicts: Verdict, tokens: int = 8) -> JudgedCase:
    metrics = {"ttft_s": 0.1} | ({"itl_s": 0.01} if tokens > 1 else {})
    asked = Case(
        suite="s",
        variant=variant,
        prompt=Prompt(
            id="p",
            messages=(Message(role="user", content="?"),),
            task=None,
            expect=None,
            score=None,
            source="test",
        ),
        parameters=Parameters(
            max_new_tokens=8,
            temperature=0.0,
            seed=0,
            top_p=1.0,
            top_k=0,
            length="fixed",
            chat=None,
        ),
        sampling=Sampling(rounds=5, warmup=None, max_time_s=1.0),
    )
    record = CaseRecord(
        case=asked,
        rounds=(),
        memory=None,
        metrics={n: Measured(value=v, gate=v, rounds=None) for n, v in metrics.items()},
        text="",
        finish_reason="length",
        error=None,
    )
    return JudgedCase(record=record, verdicts=verdicts)


def life(variant: str, *verdicts: Verdict) -> JudgedVariant:
    record = VariantRecord(
        id=variant, config={}, facts=None, life_cycle={}, warnings=(), error=None
    )
    return JudgedVariant(record=record, verdicts=verdicts)


def session(*cases: JudgedCase, lives: tuple[JudgedVariant, ...] = ()) -> SessionRecord:
    environment = Environment(identity={}, context={})
    return SessionRecord(environment=environment, variants=lives, cases=cases, missing=())


def outcome(finding: Finding) -> Outcome:
    assert finding.line
    assert bool(finding.sentences) is (finding.outcome is not Outcome.PASSED)
    return finding.outcome


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"itl_s": OK, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": IMPROVED, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": REGRESSED, "ttft_s": OK}, Outcome.FAILED),
        ({"itl_s": OK, "rss_peak_bytes": REGRESSED}, Outcome.FAILED),
        ({"": ERROR}, Outcome.FAILED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": OK}, Outcome.INCONCLUSIVE),
        ({"itl_s": INCONCLUSIVE, "score": REGRESSED}, Outcome.FAILED),
        ({"": NEW}, Outcome.FAILED),
        ({"": VerdictKind.INCOMPARABLE, "score": OK}, Outcome.FAILED),
    ],
)
def test_unchanged_code(kinds: dict[str, VerdictKind], expected: Outcome) -> None:
    judged = session(case("b", *said(itl_s=OK)), case("a", *said(**kinds)))
    assert outcome(judge_unchanged(judged)) is expected


def test_an_accused_life_of_unchanged_code() -> None:
    lives = (life("a", *said(rss_after_load_bytes=REGRESSED)),)
    finding = judge_unchanged(session(case("a", *said(itl_s=OK)), lives=lives))
    assert outcome(finding) is Outcome.FAILED
    assert finding.sentences == ("a: rss_after_load_bytes is regressed",)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"itl_s": REGRESSED, "ttft_s": REGRESSED}, Outcome.PASSED),
        ({"itl_s": REGRESSED, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": REGRESSED}, Outcome.PASSED),
        ({"itl_s": REGRESSED, "latency_s": REGRESSED}, Outcome.PASSED),
        ({"itl_s": OK, "ttft_s": OK}, Outcome.FAILED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": OK}, Outcome.INCONCLUSIVE),
        ({"itl_s": REGRESSED, "rss_peak_bytes": REGRESSED}, Outcome.FAILED),
        ({"itl_s": REGRESSED, "score": REGRESSED}, Outcome.FAILED),
        ({"": ERROR}, Outcome.FAILED),
    ],
)
def test_a_planted_slowdown(kinds: dict[str, VerdictKind], expected: Outcome) -> None:
    judged = session(
        case("a", *said(itl_s=REGRESSED)), case("a", *said(**kinds)), case("b", *said(itl_s=OK))
    )
    assert outcome(judge_planted(judged, ("a",))) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OK, Outcome.PASSED),
        (INCONCLUSIVE, Outcome.PASSED),
        (REGRESSED, Outcome.FAILED),
        (ERROR, Outcome.FAILED),
    ],
)
def test_who_was_spared(kind: VerdictKind, expected: Outcome) -> None:
    judged = session(case("a", *said(itl_s=REGRESSED)), case("b", *said(itl_s=kind)))
    assert outcome(judge_planted(judged, ("a",))) is expected


def test_one_silent_case_among_unsure_ones_fails() -> None:
    judged = session(case("a", *said(itl_s=INCONCLUSIVE)), case("a", *said(itl_s=OK)))
    assert outcome(judge_planted(judged, ("a",))) is Outcome.FAILED


def test_one_token_has_no_gap_to_slow() -> None:
    short = case("a", *said(ttft_s=OK), tokens=1)
    assert outcome(judge_planted(session(short), ("a",))) is Outcome.INCONCLUSIVE
    beside = session(short, case("a", *said(itl_s=REGRESSED)))
    assert outcome(judge_planted(beside, ("a",))) is Outcome.PASSED
