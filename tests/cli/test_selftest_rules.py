"""What must hold of a self-test's session, on both sides of each rule."""

from __future__ import annotations

import pytest

from pytest_llmbench.cli.selftest_reach import Reach
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


def life(variant: str, *verdicts: Verdict, skipped: str | None = None) -> JudgedVariant:
    record = VariantRecord(
        id=variant,
        config={},
        facts=None,
        life_cycle={},
        warnings=(),
        error=None,
        skipped=skipped,
    )
    return JudgedVariant(record=record, verdicts=verdicts)


def session(*cases: JudgedCase, lives: tuple[JudgedVariant, ...] = ()) -> SessionRecord:
    """A session; variants that *lives* leaves out have no verdicts as wholes."""
    names = dict.fromkeys(case.record.case.variant for case in cases)
    named = {life.record.id for life in lives}
    bare = tuple(life(name) for name in names if name not in named)
    environment = Environment(identity={}, context={})
    return SessionRecord(environment=environment, variants=(*lives, *bare), cases=cases, missing=())


def reach(detectable: float, *, variant: str = "a", accepted: float = 0.01) -> Reach:
    return Reach(
        variant=variant,
        metric="itl_s",
        detectable=detectable,
        accepted=accepted,
        ground="absolute",
        to=None,
        sessions=3,
        launches=1,
        cases=2,
    )


def outcome(finding: Finding) -> Outcome:
    assert finding.line
    assert bool(finding.sentences) is (finding.outcome is not Outcome.PASSED)
    return finding.outcome


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"itl_s": OK, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": IMPROVED, "ttft_s": OK}, Outcome.PASSED),
        ({"icl_s": OK}, Outcome.PASSED),
        ({"itl_s": REGRESSED, "ttft_s": OK}, Outcome.FAILED),
        ({"itl_s": OK, "rss_peak_bytes": REGRESSED}, Outcome.FAILED),
        ({"": ERROR}, Outcome.FAILED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": INCONCLUSIVE}, Outcome.INCONCLUSIVE),
        ({"itl_s": INCONCLUSIVE, "score": REGRESSED}, Outcome.FAILED),
        ({"": NEW}, Outcome.FAILED),
        ({"": VerdictKind.INCOMPARABLE, "score": OK}, Outcome.FAILED),
    ],
)
def test_unchanged_code_where_cases_are_all_there_is(
    kinds: dict[str, VerdictKind], expected: Outcome
) -> None:
    judged = session(case("b", *said(itl_s=OK)), case("a", *said(**kinds)))
    assert outcome(judge_unchanged(judged)) is expected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"itl_s": OK, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": OK, "ttft_s": INCONCLUSIVE}, Outcome.INCONCLUSIVE),
        ({"itl_s": REGRESSED, "ttft_s": OK}, Outcome.FAILED),
        ({"itl_s": OK, "rss_after_load_bytes": REGRESSED}, Outcome.FAILED),
        ({"rss_after_load_bytes": INCONCLUSIVE, "itl_s": OK}, Outcome.PASSED),
    ],
)
def test_a_variant_as_a_whole_must_be_told(
    kinds: dict[str, VerdictKind], expected: Outcome
) -> None:
    judged = session(case("a", *said(itl_s=OK)), lives=(life("a", *said(**kinds)),))
    assert outcome(judge_unchanged(judged)) is expected


def test_inconclusive_cases_are_counted_where_their_variant_is_told() -> None:
    unsure = case("a", *said(itl_s=INCONCLUSIVE, ttft_s=INCONCLUSIVE))
    judged = session(unsure, case("a", *said(itl_s=OK)), lives=(life("a", *said(itl_s=OK)),))
    finding = judge_unchanged(judged)
    assert outcome(finding) is Outcome.PASSED
    assert finding.line == "1 variant and 2 cases, none accused; 1 case inconclusive"


def test_what_cannot_be_told_is_said() -> None:
    lives = (life("a", *said(itl_s=INCONCLUSIVE)), life("b", *said(itl_s=OK)))
    finding = judge_unchanged(session(case("a"), case("b"), lives=lives))
    assert outcome(finding) is Outcome.INCONCLUSIVE
    assert finding.line == "1 of 2 variants can't be told"
    assert finding.sentences == ("a as a whole: itl_s is inconclusive",)


def test_an_accused_life_of_unchanged_code() -> None:
    lives = (life("a", *said(rss_after_load_bytes=REGRESSED)),)
    finding = judge_unchanged(session(case("a", *said(itl_s=OK)), lives=lives))
    assert outcome(finding) is Outcome.FAILED
    assert finding.sentences == ("a: rss_after_load_bytes is regressed",)


def test_a_variant_that_was_skipped_need_not_be_told() -> None:
    judged = session(case("a", *said(itl_s=OK)), lives=(life("b", skipped="not installed"),))
    finding = judge_unchanged(judged)
    assert outcome(finding) is Outcome.PASSED
    assert finding.line.startswith("1 variant and 1 case,")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"itl_s": REGRESSED, "ttft_s": REGRESSED}, Outcome.PASSED),
        ({"itl_s": REGRESSED, "ttft_s": OK}, Outcome.PASSED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": REGRESSED}, Outcome.PASSED),
        ({"icl_s": REGRESSED}, Outcome.PASSED),
        ({"itl_s": REGRESSED, "latency_s": REGRESSED}, Outcome.PASSED),
        ({"itl_s": OK, "ttft_s": OK}, Outcome.FAILED),
        ({"itl_s": INCONCLUSIVE, "ttft_s": OK}, Outcome.INCONCLUSIVE),
        ({"itl_s": REGRESSED, "rss_peak_bytes": REGRESSED}, Outcome.FAILED),
        ({"itl_s": REGRESSED, "score": REGRESSED}, Outcome.FAILED),
        ({"": ERROR}, Outcome.FAILED),
    ],
)
def test_a_planted_slowdown_in_a_case(kinds: dict[str, VerdictKind], expected: Outcome) -> None:
    judged = session(case("a", *said(**kinds)), case("b", *said(itl_s=OK)))
    assert outcome(judge_planted(judged, "a", 0.3)) is expected


@pytest.mark.parametrize(
    ("whole", "in_case", "line"),
    [
        (REGRESSED, REGRESSED, "found as a whole and in 1 of 2 cases, and nowhere else"),
        (REGRESSED, OK, "found as a whole, and nowhere else"),
        (OK, REGRESSED, "found in 1 of 2 cases, and nowhere else"),
        (INCONCLUSIVE, INCONCLUSIVE, None),
        (INCONCLUSIVE, OK, None),
    ],
)
def test_a_planted_slowdown_is_found_as_a_whole_or_in_a_case(
    whole: VerdictKind, in_case: VerdictKind, line: str | None
) -> None:
    cases = case("a", *said(itl_s=in_case)), case("a", *said(itl_s=OK))
    judged = session(*cases, lives=(life("a", *said(itl_s=whole)),))
    finding = judge_planted(judged, "a", 0.3)
    assert outcome(finding) is (Outcome.PASSED if line else Outcome.INCONCLUSIVE)
    assert finding.line == (line or "slowed, but it can't be told")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (OK, Outcome.PASSED),
        (INCONCLUSIVE, Outcome.PASSED),
        (IMPROVED, Outcome.PASSED),
        (REGRESSED, Outcome.FAILED),
        (ERROR, Outcome.FAILED),
    ],
)
def test_who_was_spared(kind: VerdictKind, expected: Outcome) -> None:
    slowed = case("a", *said(itl_s=REGRESSED))
    in_a_case = session(slowed, case("b", *said(itl_s=kind)))
    assert outcome(judge_planted(in_a_case, "a", 0.3)) is expected
    as_a_whole = session(slowed, case("b"), lives=(life("b", *said(itl_s=kind)),))
    assert outcome(judge_planted(as_a_whole, "a", 0.3)) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], Outcome.FAILED),
        ([reach(0.3)], Outcome.FAILED),
        ([reach(0.31)], Outcome.INCONCLUSIVE),
        ([reach(0.5), reach(0.2)], Outcome.FAILED),
        ([reach(0.5, accepted=0.29)], Outcome.INCONCLUSIVE),
        ([reach(0.5, accepted=0.3)], Outcome.FAILED),
        ([reach(0.5, variant="b")], Outcome.FAILED),
    ],
)
def test_what_noise_hides_is_not_held_against_the_gate(
    seen: list[Reach], expected: Outcome
) -> None:
    """What is accepted is: there the slowdown was no regression, however quiet it is."""
    finding = judge_planted(session(case("a", *said(itl_s=OK))), "a", 0.3, seen)
    assert outcome(finding) is expected
    assert ("can be told from noise" in finding.line) is (expected is Outcome.INCONCLUSIVE)


def test_one_token_has_no_gap_to_slow() -> None:
    short = case("a", *said(ttft_s=OK), tokens=1)
    assert outcome(judge_planted(session(short), "a", 0.3)) is Outcome.INCONCLUSIVE
    beside = session(short, case("a", *said(itl_s=REGRESSED)))
    assert outcome(judge_planted(beside, "a", 0.3)) is Outcome.PASSED
