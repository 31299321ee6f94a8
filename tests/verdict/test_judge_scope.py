"""The judge on what is compared at all, what is missing, and what failed."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.judge import compared_metrics, missing_cases

from .facts import (
    KEY,
    judge,
    kinds,
    make_baseline,
    make_case,
    make_gates,
    make_record,
    make_session,
    only,
)

OK, REGRESSED = VerdictKind.OK, VerdictKind.REGRESSED
MISSING, ERROR = VerdictKind.MISSING, VerdictKind.ERROR


# --- what is compared --------------------------------------------------------------------------


def test_what_is_compared():
    names = ["ttft_s", "itl_s", "tpot_s", "decode_tps", "latency_s", "score", "rss_peak_bytes"]
    values = dict.fromkeys(names, 1.0)
    verdicts = judge(make_record(**values), make_session(**values))
    assert list(kinds(verdicts)) == ["ttft_s", "itl_s", "score", "rss_peak_bytes"]
    assert all(CATALOGUE[verdict.metric].gated for verdict in verdicts)


def test_of_what_restates_one_another_one_alone_is_gated():
    gated = [metric.group for metric in compared_metrics("case", Gates(), greedy=True)]
    decode = [m.name for m in CATALOGUE.values() if m.group == "decode" and m.gated]
    assert gated.count("decode") == len(decode)
    assert "itl_s" in decode


def test_a_tolerance_adds_a_metric_to_what_is_compared():
    values = {"itl_s": 1.0, "tpot_s": 1.0, "output_tokens": 8}
    verdicts = judge(
        make_record(**values), make_session(**values), gates=make_gates(tpot_s=0.1, output_tokens=0)
    )
    assert kinds(verdicts) == {"itl_s": OK, "tpot_s": OK, "output_tokens": OK}


def test_a_tolerance_on_what_neither_side_has_says_nothing():
    verdicts = judge(make_record(itl_s=1.0), make_session(itl_s=1.0), gates=make_gates(score=0.1))
    assert kinds(verdicts) == {"itl_s": OK}


def test_quality_is_gated_on_greedy_cases_alone():
    warm = make_case(temperature=0.7, score="exact")
    record, session = make_record(warm, score=0.0), make_session(warm, score=1.0)
    assert judge(record, session) == ()
    assert kinds(judge(record, session, gates=make_gates(score=0.0))) == {"score": REGRESSED}


# --- missing, error ----------------------------------------------------------------------------


def test_a_metric_that_was_not_measured_now_is_missing():
    verdict = only(judge(make_record(), make_session(device_alloc_peak_bytes=5.0)))
    assert (verdict.metric, verdict.kind) == ("device_alloc_peak_bytes", MISSING)
    assert verdict.sentence == (
        "device_alloc_peak_bytes is in the baseline 'main' but was not measured now: the variant "
        "runs on the cpu, which has no device allocator"
    )


def test_a_case_that_failed():
    gates = make_gates(("itl_s", "<=", 0.01))
    verdict = only(judge(make_record(error="the prompt is too long."), gates=gates))
    assert (verdict.metric, verdict.kind) == ("", ERROR)
    assert verdict.sentence == "case tasks/base-sum-n8-t0 failed: the prompt is too long."


def test_a_case_that_failed_and_used_to_work():
    sessions = [make_session(itl_s=1.0), make_session(itl_s=1.0)]
    verdict = only(judge(make_record(error="SIGKILL"), *sessions))
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 failed: SIGKILL (it used to work: 2 sessions of the baseline "
        "'main')"
    )


def scope(variant, suite):
    """Whether the run was to measure it."""
    return lambda v, s: v == variant and s == suite


def test_cases_that_did_not_come():
    baseline = make_baseline(make_session(key="old/gone"), make_session())
    (missed,) = missing_cases(baseline, [], scope("base", "tasks"))
    assert missed[0] == KEY
    assert (missed[1].metric, missed[1].kind) == ("", MISSING)
    assert missed[1].sentence == (
        "case tasks/base-sum-n8-t0 is in the baseline 'main' (saved 2026-01-01T00:00:00Z) but was "
        "not run; if it was removed or renamed on purpose, --llmbench-replace=main starts the "
        "baseline anew without it"
    )


def test_a_case_of_an_older_session_is_missed_too():
    baseline = make_baseline(make_session(), make_session(key="tasks/other"))
    missed = missing_cases(baseline, ["tasks/other"], scope("base", "tasks"))
    assert [key for key, _ in missed] == [KEY]


@pytest.mark.parametrize(
    ("expected", "in_scope"),
    [
        ([KEY], scope("base", "tasks")),
        ([], scope("other", "tasks")),
        ([], scope("base", "task")),
    ],
)
def test_cases_that_came_or_were_left_out_on_purpose(expected, in_scope):
    assert missing_cases(make_baseline(make_session()), expected, in_scope) == ()


def test_nothing_is_missed_without_a_baseline():
    assert missing_cases(None, [], scope("base", "tasks")) == ()
    assert missing_cases(make_baseline(), [], scope("base", "tasks")) == ()
