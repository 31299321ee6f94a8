"""The judge side by side: a variant held against its twin of the same session, and nothing else."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.judge import judge_case, judge_life, judge_variant

from .facts import (
    kinds,
    make_case,
    make_context,
    make_facts,
    make_gates,
    make_life,
    make_record,
    make_round,
    only,
    session_like,
)

OK, REGRESSED, IMPROVED = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.IMPROVED
NEW, MISSING, INCOMPARABLE = VerdictKind.NEW, VerdictKind.MISSING, VerdictKind.INCOMPARABLE

ACCEPTED = format_percent(CATALOGUE["itl_s"].tolerance)
TWINS = {"base": "base@v1"}


def both(ratio, *, itl_s=0.03, cases=3, theirs=None, **mine):
    """The records of a variant, *ratio* times as slow as its twin's, and its twin's."""
    here = [
        make_record(
            make_case(f"c{n}"),
            rounds=[make_round(launch=launch) for launch in range(4)],
            relative={"itl_s": (ratio,) * 4},
            to="base@v1",
            **{"itl_s": itl_s * ratio, **mine},
        )
        for n in range(cases)
    ]
    there = [
        make_record(make_case(f"c{n}", variant="base@v1"), **{"itl_s": itl_s, **(theirs or {})})
        for n in range(cases)
    ]
    return here, there


def beside(ratio, *sessions, lives=None, **given):
    here, there = both(ratio, **given)
    return here[0], make_context([*here, *there], *sessions, twins=TWINS, lives=lives)


@pytest.mark.parametrize(("ratio", "kind"), [(1.0, OK), (1.3, REGRESSED), (0.7, IMPROVED)])
def test_a_variant_beside_its_twin(ratio, kind):
    record, context = beside(ratio)
    case, whole = judge_case(record, context, Gates()), judge_variant("base", context, Gates())
    assert kinds(case) == {"itl_s": kind}
    assert kinds(whole) == {"itl_s": kind}
    assert "--llmbench-replace" not in case[0].sentence


def test_side_by_side_in_words():
    record, context = beside(1.3)
    assert judge_case(record, context, Gates())[0].sentence == (
        f"itl_s is 30 % above that of base@v1, side by side: 39 ms against 30 ms (accepted: "
        f"{ACCEPTED})"
    )
    whole = only(judge_variant("base", context, Gates()))
    assert whole.sentence == (
        f"over 3 cases itl_s is 30 % above that of base@v1, side by side (accepted: {ACCEPTED})"
    )


def test_what_repeats_is_held_against_the_twin_too():
    record, context = beside(1.0, score=0.0, theirs={"score": 1.0})
    verdicts = judge_case(record, context, Gates())
    assert kinds(verdicts) == {"itl_s": OK, "score": REGRESSED}
    assert verdicts[1].sentence == (
        "score is 100 % below that of base@v1, side by side: 0 against 1 (accepted: no change)"
    )
    assert ("against", "1 (base@v1)") in verdicts[1].block


def test_memory_is_held_against_the_twin_too():
    record, context = beside(1.0, rss_peak_bytes=2.0**31, theirs={"rss_peak_bytes": 2.0**30})
    assert kinds(judge_case(record, context, Gates())) == {
        "itl_s": OK,
        "rss_peak_bytes": REGRESSED,
    }


def test_what_only_one_of_the_two_has():
    record, context = beside(1.0, score=1.0, theirs={"rss_peak_bytes": 1.0})
    verdicts = judge_case(record, context, Gates())
    assert kinds(verdicts) == {"itl_s": OK, "score": NEW, "rss_peak_bytes": MISSING}


def test_the_baseline_has_no_say():
    record, context = beside(1.0, session_like(both(1.0)[0], factor=0.01))
    assert kinds(judge_case(record, context, Gates())) == {"itl_s": OK}
    assert kinds(judge_variant("base", context, Gates())) == {"itl_s": OK}


def test_another_model_is_what_side_by_side_is_for():
    lives = {"base@v1": make_life("base@v1", facts=make_facts(weights="old", torch="2.11"))}
    record, context = beside(1.3, lives=lives)
    verdict = only(judge_case(record, context, Gates()))
    assert verdict.kind is REGRESSED
    assert ("changed", "torch 2.11 -> 2.12") in verdict.block


def test_another_python_is_a_likely_cause():
    here, there = both(1.3)
    context = make_context([*here, *there], twins=TWINS, other_context={"python": "3.10"})
    verdict = only(judge_case(here[0], context, Gates()))
    assert ("changed", "python 3.10 -> 3.11") in verdict.block


def test_a_wide_tolerance_is_heeded():
    record, context = beside(1.3)
    verdict = only(judge_case(record, context, make_gates(itl_s=0.5)))
    assert verdict.kind is OK


def test_without_the_twin_nothing_can_be_told():
    bare = make_record(make_case("c0"), itl_s=0.03)
    context = make_context([bare], twins=TWINS)
    verdict = only(judge_case(bare, context, Gates()))
    assert verdict.kind is INCOMPARABLE
    assert verdict.sentence == (
        "case tasks/base-c0-n8-t0 can't be compared side by side, because base@v1 has no result: "
        "it was not measured"
    )
    assert judge_variant("base", context, Gates()) == ()


def test_a_twin_that_failed_says_why():
    bare = make_record(make_case("c0"), itl_s=0.03)
    failed = make_record(make_case("c0", variant="base@v1"), error="SIGKILL")
    verdict = only(judge_case(bare, make_context([bare, failed], twins=TWINS), Gates()))
    assert (verdict.kind, verdict.sentence[-8:]) == (INCOMPARABLE, " SIGKILL")


def test_the_twin_as_a_whole_is_held_against_nothing():
    assert judge_variant("base@v1", beside(1.3)[1], Gates()) == ()


def test_lives():
    lives = {
        "base": make_life(model_bytes=9.0, load_s=9.0),
        "base@v1": make_life("base@v1", model_bytes=8.0, load_s=1.0),
    }
    context = make_context([], lives=lives, twins=TWINS)
    verdicts = judge_life(lives["base"], context, make_gates(load_s=0.25))
    assert kinds(verdicts) == {"load_s": REGRESSED, "model_bytes": REGRESSED}
    assert "that of base@v1, side by side" in verdicts[0].sentence
