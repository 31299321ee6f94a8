"""The lines below the table: order, folding, and what to type."""

from __future__ import annotations

import msgspec
import pytest

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.summary import summary_lines

from .facts import HOSTILE, case, example, life, new, ok, regressed, session, verdict

BASELINE = "baseline 'main' for machine ci (5 sessions)"
NONE_YET = "no baseline 'main' for machine ci yet"
SAVE = "pytest --llmbench --llmbench-save"


def lines(cases=(), variants=(), missing=(), baseline=BASELINE):
    return summary_lines(session(cases, variants, missing), baseline=baseline)


def key(prompt):
    return f"exo-five/base-fp16-{prompt}-n64-t0"


def new_case(prompt):
    return case(new(f"case {key(prompt)}"), prompt=prompt)


def improved():
    block = (("baseline", "4 ms (1 session)"), ("now", "3 ms"))
    return verdict(VerdictKind.IMPROVED, "itl_s", "itl_s fell by 25 %, from 4 ms to 3 ms", block)


def test_a_session_with_a_regression(golden):
    golden("summary-regressed", "\n".join(summary_lines(example(), baseline=BASELINE)))


def test_every_kind_worst_first(golden):
    inconclusive = verdict(VerdictKind.INCONCLUSIVE, "itl_s", "itl_s rose by 12 %, but noise")
    other = f"times and memory of case {key('o')} can't be compared with the baseline 'main'"
    cases = [
        new_case("n"),
        case(ok(), improved(), prompt="i"),
        case(verdict(VerdictKind.INCOMPARABLE, sentence=other), prompt="o"),
        case(inconclusive, prompt="c"),
        case(regressed(), prompt="r"),
        case(error="it died", prompt="e"),
    ]
    gone = verdict(VerdictKind.MISSING, sentence=f"case {key('gone')} was not run")
    variants = [life("base-fp16", regressed("rss_after_load_bytes"), warnings=["slow kernel"])]
    said = lines(cases, variants, [(key("gone"), gone)])
    golden("summary-kinds", "\n".join(said))


def test_all_ok_is_one_line():
    assert lines([case(ok()), case(ok(), prompt="q")]) == ("verdicts: 2 ok",)


def test_nothing_said_no_lines():
    assert lines() == ()
    assert lines([case()], [life()]) == ()


def test_without_any_baseline_new_is_one_line():
    cases = [new_case(f"p{n}") for n in range(40)]
    said = lines(cases, [life("base-fp16", new("variant base-fp16"))], baseline=NONE_YET)
    assert said == (
        "verdicts: 41 new",
        f"{NONE_YET}: all of this is new; to keep it, type {SAVE}",
    )


def test_without_any_baseline_limits_and_errors_are_still_said():
    cases = [new_case("a"), case(error="it died", prompt="b")]
    cases[0] = case(regressed(), *cases[0].verdicts, prompt="a")
    said = lines(cases, baseline=NONE_YET)
    assert said[0] == "error:"
    assert said[2] == "regressed:"
    assert "new:" not in said
    assert NONE_YET in said[-2]


def test_new_cases_beside_known_ones_are_said():
    said = lines([case(ok()), new_case("a"), new_case("b")])
    assert said[0] == "new:"
    assert said[1].startswith(f"  case {key('a')} has no baseline")
    assert said[1].endswith("(and 1 other case likewise)")


def test_without_a_description_new_is_said_one_by_one():
    assert lines([new_case("a")], baseline=None)[0] == "new:"


def test_the_same_of_many_is_one_line():
    cases = [
        case(
            verdict(VerdictKind.ERROR, sentence=f"case {key(f'p{n}')} failed: the worker died"),
            error="the worker died",
            prompt=f"p{n}",
        )
        for n in range(500)
    ]
    assert lines(cases) == (
        "error:",
        f"  case {key('p0')} failed: the worker died (and 499 other cases likewise)",
        "verdicts: 500 error",
    )


@pytest.mark.parametrize(("count", "more"), [(10, None), (11, 1), (500, 490)])
def test_a_kind_has_at_most_ten_lines(count, more):
    said = lines([case(regressed(by=f"{n + 11} %"), prompt=f"p{n}") for n in range(count)])
    sentences = [line for line in said if "itl_s rose" in line]
    assert len(sentences) == min(count, 10)
    rest = [line for line in said if line.startswith("  …")]
    assert rest == ([] if more is None else [f"  … and {more} more (all in --llmbench-json)"])


def test_an_improvement_says_how_to_keep_it():
    assert f"type {SAVE}" in lines([case(improved())])[-1]


def test_a_regression_says_how_to_accept_it():
    said = lines([case(regressed())])[-1]
    assert said.endswith("pytest --llmbench --llmbench-no-compare --llmbench-replace")


def test_a_broken_limit_is_not_accepted_by_replacing():
    limit = verdict(VerdictKind.REGRESSED, "ttft_s", "ttft_s is 2 s", (("limit", "<= 1 s"),))
    assert lines([case(limit)])[-1] == "verdicts: 1 regressed"


@pytest.mark.parametrize(("count", "length"), [(3, 4), (4, 5)])
def test_at_most_three_warnings_a_variant(count, length):
    said = lines(variants=[life(warnings=[f"warning {n}" for n in range(count)])])
    assert said[0] == "warnings of base-fp16:"
    assert len(said) == length


def test_a_warning_is_one_line_and_folded():
    said = lines(variants=[life(warnings=["a\n  b", "a b", "c" * 500])])
    assert said[1] == "  a b (2 times)"
    assert said[2].endswith("c … (340 more characters)")


def test_a_variant_that_failed_unjudged_speaks_for_itself():
    said = lines(variants=[life("gone", error="no model", loaded=False)])
    assert said == ("error:", "  variant gone failed: no model", "verdicts: 1 error")


FULL = "to load them together all the same, type --llmbench-interleave=on"
UNKNOWN = "is loaded alone: how much memory it takes is not known beforehand"


def test_why_variants_did_not_take_turns_is_said_before_the_counts():
    reason = f"'b' is not loaded together with 'a': together they would take 8 GiB; {FULL}"
    said = summary_lines(session([case(ok())]), baseline=BASELINE, apart=[reason])
    assert said == ("measured one after the other:", f"  {reason}", "verdicts: 1 ok")


def test_the_same_reason_of_many_is_one_line():
    apart = [f"{name!r} {UNKNOWN}" for name in "abc"] + [f"'d' is different; {FULL}"]
    said = summary_lines(session(), baseline=BASELINE, apart=apart)
    assert said == (
        "measured one after the other:",
        f"  'a' {UNKNOWN} (and 2 other variants likewise)",
        f"  'd' is different; {FULL}",
    )


@pytest.mark.parametrize(("count", "length"), [(10, 11), (11, 12), (40, 12)])
def test_there_are_at_most_ten_reasons(count, length):
    apart = [f"'v{number}' has reason {number}" for number in range(count)]
    said = summary_lines(session(), baseline=BASELINE, apart=apart)
    assert len(said) == length
    assert said[-1] == (f"  … and {count - 10} more" if count > 10 else "  'v9' has reason 9")


def controlled(**control):
    record = session([case(ok())])
    return msgspec.structs.replace(record, reference="base-fp16", control=control)


def test_how_the_reference_changed_is_said():
    said = summary_lines(controlled(itl_s=0.008, ttft_s=-0.012), baseline=BASELINE)
    assert said == (
        "base-fp16, measured again at the end: itl_s +0.8 %, ttft_s -1.2 %",
        "verdicts: 1 ok",
    )


@pytest.mark.parametrize(
    ("change", "much"), [(0.05, False), (0.051, True), (-0.05, False), (-0.051, True)]
)
def test_a_machine_that_changed_is_pointed_out(change, much):
    said = summary_lines(controlled(ttft_s=0.0, itl_s=change), baseline=BASELINE)[0]
    assert said.endswith("; the machine changed: compare variants with each other with care") == (
        much
    )


def test_hostile_text_is_harmless():
    cases = [case(error=HOSTILE, variant=HOSTILE)]
    record = session(cases, [life(HOSTILE, warnings=[HOSTILE])])
    record = msgspec.structs.replace(record, reference=HOSTILE, control={"itl_s": 0.0})
    said = summary_lines(record, baseline=HOSTILE, apart=[f"'{HOSTILE}' is alone"])
    text = "".join(said)
    assert not set("\x1b\x00\x9b\u202e\u2028\ud800\r\n") & set(text)
    assert "[red]" in text
