"""The whole judge on a case and a life: every verdict kind, with its words."""

from __future__ import annotations

import msgspec
import pytest

from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.metric import CATALOGUE
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.case import case_metrics
from pytest_llmbench.verdict.judge import judge_case, judge_life, missing_cases

from .facts import (
    KEY,
    make_baseline,
    make_case,
    make_environment,
    make_facts,
    make_gates,
    make_life,
    make_record,
    make_round,
    make_session,
)

OK, REGRESSED, NEW = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.NEW
MISSING, INCOMPARABLE = VerdictKind.MISSING, VerdictKind.INCOMPARABLE
IMPROVED, INCONCLUSIVE, ERROR = (
    VerdictKind.IMPROVED,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.ERROR,
)


def judge(record, *sessions, facts=None, environment=None, gates=None):
    return judge_case(
        record,
        facts or make_facts(),
        environment or make_environment(),
        gates or Gates(),
        make_baseline(*sessions) if sessions else None,
        processors=2,
    )


def kinds(verdicts):
    return {verdict.metric: verdict.kind for verdict in verdicts}


def only(verdicts):
    (verdict,) = verdicts
    return verdict


# --- new ---------------------------------------------------------------------------------------


def test_without_a_baseline_a_case_is_new():
    verdict = only(judge(make_record(itl_s=0.003, ttft_s=0.1)))
    assert (verdict.metric, verdict.kind) == ("", NEW)
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 has no baseline to be compared with; --llmbench-save keeps "
        "this session as one"
    )


def test_a_case_that_the_baseline_does_not_have_is_new():
    verdict = only(judge(make_record(itl_s=0.003), make_session(key="tasks/other")))
    assert verdict.kind is NEW
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 is not in the baseline 'main' yet; --llmbench-save=main adds it"
    )


def test_a_baseline_without_sessions_is_as_good_as_none():
    verdicts = judge_case(
        make_record(), make_facts(), make_environment(), Gates(), make_baseline(), processors=2
    )
    assert kinds(verdicts) == {"": NEW}


def test_a_metric_that_the_baseline_does_not_have_is_new():
    verdicts = judge(make_record(itl_s=0.003, ttft_s=0.1), make_session(itl_s=0.003))
    assert kinds(verdicts) == {"ttft_s": NEW, "itl_s": OK}
    assert verdicts[0].sentence == (
        "ttft_s is not in the baseline 'main' yet; --llmbench-save=main adds it"
    )


# --- compared ----------------------------------------------------------------------------------


def test_the_same_again_is_ok():
    verdicts = judge(make_record(itl_s=0.00305), make_session(itl_s=0.003))
    assert kinds(verdicts) == {"itl_s": OK}
    assert verdicts[0].sentence == "itl_s rose by 1.7 %, from 3 ms to 3.05 ms (accepted: 10 %)"
    assert verdicts[0].block == ()


def test_a_regression_in_full():
    sessions = [
        make_session(itl_s=value, environment=make_environment(load="0.1"))
        for value in (0.003, 0.00305, 0.0031)
    ]
    verdict = only(
        judge(
            make_record(itl_s=0.004),
            *sessions,
            facts=make_facts(torch="2.13", threads="2"),
            environment=make_environment(load="0.9"),
        )
    )
    assert (verdict.metric, verdict.kind) == ("itl_s", REGRESSED)
    assert verdict.sentence == "itl_s rose by 31.1 %, from 3.05 ms to 4 ms (accepted: 10 %)"
    assert verdict.block == (
        ("metric", "itl_s: median gap between two tokens of a round"),
        ("baseline", "3.05 ms (median of 3 sessions)"),
        ("now", "4 ms"),
        ("change", "+31.1 % (+950 µs)"),
        ("interval", "+25.5 % to +36.8 %"),
        ("tolerance", "10 % (default)"),
        ("changed", "load 0.1 -> 0.9"),
        ("changed", "threads absent -> 2"),
        ("changed", "torch 2.12 -> 2.13"),
    )


def test_a_regression_where_higher_is_better_and_nothing_changed():
    verdict = only(
        judge(
            make_record(decode_tps=15),
            make_session(decode_tps=20),
            gates=make_gates(decode_tps=0.05),
        )
    )
    assert verdict.kind is REGRESSED
    assert verdict.sentence == (
        "decode_tps fell by 25 %, from 20 tok/s to 15 tok/s (accepted: 5 %)"
    )
    assert verdict.block[1:] == (
        ("baseline", "20 tok/s (1 session)"),
        ("now", "15 tok/s"),
        ("change", "-25 % (-5 tok/s)"),
        ("interval", "-30.7 % to -19.3 %"),
        ("tolerance", "5 % (llmbench.toml: tolerance)"),
        ("changed", "nothing recorded"),
    )


def test_an_improvement_says_how_to_accept_it():
    verdict = only(judge(make_record(itl_s=0.002), make_session(itl_s=0.003)))
    assert verdict.kind is IMPROVED
    assert verdict.sentence == (
        "itl_s fell by 33.3 %, from 3 ms to 2 ms (accepted: 10 %); --llmbench-replace=main makes "
        "it the new baseline"
    )


def test_what_noise_could_have_done_is_inconclusive():
    verdict = only(judge(make_record(itl_s=0.0034), make_session(itl_s=0.003)))
    assert verdict.kind is INCONCLUSIVE
    assert verdict.sentence == (
        "itl_s rose by 13.3 %, from 3 ms to 3.4 ms (accepted: 10 %), but noise between sessions "
        "alone could carry it there (interval: -6.4 % to +33 %); measure again, or let "
        "--llmbench-save add to the 1 session in the baseline"
    )


def test_a_baseline_too_restless_to_tell():
    sessions = [make_session(itl_s=value) for value in (0.003, 0.004, 0.005)]
    verdict = only(judge(make_record(itl_s=0.0041), *sessions))
    assert verdict.kind is INCONCLUSIVE
    assert verdict.sentence == (
        "itl_s rose by 2.5 %, from 4 ms to 4.1 ms (accepted: 10 %), but with 3 sessions in the "
        "baseline, and as far apart as sessions are, nothing below 95.6 % can be told from noise; "
        "--llmbench-save adds sessions"
    )


def test_an_exact_regression_from_zero_says_amounts():
    verdict = only(
        judge(
            make_record(output_tokens=3),
            make_session(output_tokens=0),
            gates=make_gates(output_tokens=(2,)),
        )
    )
    assert verdict.kind is REGRESSED
    assert verdict.sentence == (
        "output_tokens rose by 3 tokens, from 0 tokens to 3 tokens (accepted: 2 tokens)"
    )
    assert verdict.block[3:6] == (
        ("change", "+3 tokens"),
        ("interval", "none, exact metrics repeat"),
        ("tolerance", "2 tokens (llmbench.toml: tolerance)"),
    )


def test_a_worse_score_is_a_regression_with_the_newest_session():
    sessions = [make_session(score=0.0), make_session(score=1.0)]
    verdict = only(judge(make_record(score=0.0), *sessions))
    assert verdict.kind is REGRESSED
    assert verdict.sentence == "score fell by 100 %, from 1 to 0 (accepted: no change)"
    assert verdict.block[1] == ("baseline", "1 (newest of 2 sessions)")


@pytest.mark.parametrize(
    ("gates", "accepted"),
    [
        (None, "32 MiB (the metric's floor)"),
        (
            {"rss_peak_bytes": (10 * 2**20,)},
            "32 MiB (the metric's floor, larger than the tolerance of llmbench.toml: tolerance)",
        ),
        ({"rss_peak_bytes": (40 * 2**20,)}, "40 MiB (llmbench.toml: tolerance)"),
        ({"rss_peak_bytes": 0.4}, "40 % (llmbench.toml: tolerance)"),
    ],
)
def test_where_the_bound_comes_from(gates, accepted):
    verdict = only(
        judge(
            make_record(rss_peak_bytes=200 * 2**20),
            make_session(rss_peak_bytes=100 * 2**20),
            gates=make_gates(**(gates or {})),
        )
    )
    assert dict(verdict.block)["tolerance"] == accepted
    assert dict(verdict.block)["interval"] == "none, near-exact metrics repeat"


def test_what_is_compared():
    names = ["ttft_s", "itl_s", "tpot_s", "decode_tps", "latency_s", "score", "rss_peak_bytes"]
    values = dict.fromkeys(names, 1.0)
    verdicts = judge(make_record(**values), make_session(**values))
    assert list(kinds(verdicts)) == ["ttft_s", "itl_s", "score", "rss_peak_bytes"]
    assert all(CATALOGUE[verdict.metric].gated for verdict in verdicts)


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
    key = warm.key
    record, session = make_record(warm, score=0.0), make_session(warm, key=key, score=1.0)
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


# --- incomparable ------------------------------------------------------------------------------


def test_another_model_is_incomparable():
    sessions = [
        make_session(itl_s=0.003, facts=make_facts(weights=weights)) for weights in ("older", "old")
    ]
    verdict = only(judge(make_record(itl_s=0.03), *sessions))
    assert (verdict.metric, verdict.kind) == ("", INCOMPARABLE)
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 can't be compared with the baseline 'main', which measured "
        "something else (weights); --llmbench-replace=main starts it anew"
    )
    assert verdict.block == (("changed", "weights old -> abc"),)


def test_another_prompt_is_incomparable_and_limits_are_still_judged():
    then = make_session(make_case(prompt="What is 3 + 3?"), itl_s=0.003)
    gates = make_gates(("itl_s", "<=", 0.01))
    verdicts = judge(make_record(itl_s=0.03), then, gates=gates)
    assert kinds(verdicts) == {"itl_s": REGRESSED, "": INCOMPARABLE}
    assert [label for label, _ in verdicts[1].block] == ["changed"]
    assert verdicts[1].block[0][1].startswith("prompt ")


def test_an_engine_that_tells_nothing_of_its_model():
    verdicts = judge_case(
        make_record(itl_s=1.0),
        None,
        make_environment(),
        Gates(),
        make_baseline(make_session(itl_s=1.0)),
        processors=2,
    )
    assert kinds(verdicts) == {"": INCOMPARABLE}
    assert verdicts[0].block == (
        ("changed", "dtype float32 -> absent"),
        ("changed", "weights abc -> absent"),
    )


def test_another_machine_leaves_exact_metrics_comparable():
    session = make_session(itl_s=0.003, rss_peak_bytes=1.0, score=1.0)
    verdicts = judge(
        make_record(itl_s=0.3, rss_peak_bytes=1e12, score=0.0),
        session,
        environment=make_environment(cpu="EPYC"),
    )
    assert kinds(verdicts) == {"": INCOMPARABLE, "score": REGRESSED}
    assert verdicts[0].sentence == (
        "times and memory of case tasks/base-sum-n8-t0 can't be compared with the baseline "
        "'main', which is from another machine (cpu); --llmbench-machine=LABEL keeps one for "
        "this machine"
    )
    assert verdicts[0].block == (("changed", "cpu Xeon -> EPYC"),)
    assert ("changed", "cpu Xeon -> EPYC") in verdicts[1].block


def test_incomparable_sessions_are_left_out_where_others_remain():
    sessions = [
        make_session(itl_s=9.0, facts=make_facts(weights="old")),
        make_session(itl_s=0.003),
        make_session(itl_s=9.0, environment=make_environment(cpu="EPYC")),
        make_session(make_case(prompt="3?"), itl_s=9.0),
    ]
    verdict = only(judge(make_record(itl_s=0.004), *sessions))
    assert verdict.kind is REGRESSED
    assert dict(verdict.block)["baseline"] == "3 ms (1 session)"


def test_causes_are_those_since_the_newest_compared_session():
    sessions = [
        make_session(itl_s=0.003, environment=make_environment(driver="1")),
        make_session(itl_s=0.003, environment=make_environment(driver="2")),
    ]
    verdict = only(
        judge(make_record(itl_s=0.004), *sessions, environment=make_environment(driver="3"))
    )
    assert verdict.block[-1] == ("changed", "driver 2 -> 3")


# --- disturbed ---------------------------------------------------------------------------------

BUSY = make_round(run_delay_s=0.71)


def test_a_disturbed_regression_is_inconclusive_and_says_why():
    record = make_record(rounds=[BUSY, BUSY, make_round()], itl_s=0.006)
    verdict = only(judge(record, make_session(itl_s=0.003)))
    assert verdict.kind is INCONCLUSIVE
    assert verdict.sentence == (
        "itl_s rose by 100 %, from 3 ms to 6 ms (accepted: 10 %), but 2 of 3 rounds were "
        "disturbed (round 1: its threads waited for a processor 71 % of the time (accepted: 5 %))"
    )


def test_a_disturbed_limit_is_inconclusive_too():
    record = make_record(rounds=[BUSY, BUSY, make_round()], itl_s=0.006)
    verdicts = judge(record, gates=make_gates(("itl_s", "<=", 0.005)))
    assert kinds(verdicts) == {"itl_s": INCONCLUSIVE, "": NEW}


def test_half_of_the_rounds_disturbed_is_still_a_regression():
    record = make_record(rounds=[BUSY, make_round()], itl_s=0.006)
    assert only(judge(record, make_session(itl_s=0.003))).kind is REGRESSED


def test_disturbance_spares_what_does_not_depend_on_time():
    record = make_record(rounds=[BUSY], score=0.0, rss_peak_bytes=2**30)
    verdicts = judge(record, make_session(score=1.0, rss_peak_bytes=2**20))
    assert kinds(verdicts) == {"score": REGRESSED, "rss_peak_bytes": REGRESSED}


def test_times_from_a_cache_are_none_and_the_others_are_judged():
    rounds = (make_round(cached=5),) * 3
    metrics = case_metrics(rounds, make_record().case.prompt, None)
    record = msgspec.structs.replace(make_record(rounds=rounds), metrics=metrics)
    itl_s = metrics["itl_s"].value
    verdicts = judge(record, make_session(ttft_s=0.1, itl_s=itl_s))
    assert kinds(verdicts) == {"ttft_s": MISSING, "itl_s": OK}


# --- lives -------------------------------------------------------------------------------------


def judge_variant(record, *sessions, environment=None, gates=None):
    return judge_life(
        record,
        environment or make_environment(),
        gates or Gates(),
        make_baseline(*sessions) if sessions else None,
    )


def test_a_new_variant():
    verdict = only(judge_variant(make_life(load_s=1.0)))
    assert verdict.kind is NEW
    assert verdict.sentence.startswith("variant base has no baseline to be compared with; ")


def test_a_bigger_variant():
    life = {"model_bytes": 100.0, "rss_after_load_bytes": 2.0**30, "load_s": 1.0}
    now = make_life(model_bytes=101.0, rss_after_load_bytes=2.0**31, load_s=9.0)
    verdicts = judge_variant(now, make_session(life=life))
    assert kinds(verdicts) == {"rss_after_load_bytes": REGRESSED, "model_bytes": REGRESSED}


def test_limits_and_tolerances_of_a_variant():
    gates = make_gates(("load_s", "<=", 5.0), ("itl_s", "<=", 1e-9), load_s=0.25, itl_s=0.1)
    verdicts = judge_variant(
        make_life(load_s=9.0), make_session(life={"load_s": 1.0}, itl_s=1.0), gates=gates
    )
    assert [verdict.metric for verdict in verdicts] == ["load_s", "load_s"]
    assert {verdict.kind for verdict in verdicts} == {REGRESSED}


def test_informative_metrics_are_never_compared():
    gates = make_gates(system_ram_peak_bytes=0.0)
    session = make_session(life={"system_ram_peak_bytes": 1.0})
    assert judge_variant(make_life(system_ram_peak_bytes=9.0), session, gates=gates) == ()


def test_a_variant_that_used_to_load():
    verdict = only(judge_variant(make_life(error="no file", loaded=False), make_session()))
    assert verdict.kind is ERROR
    assert verdict.sentence == (
        "variant base failed: no file (it used to work: 1 session of the baseline 'main')"
    )


def test_another_model_under_the_same_name():
    life = make_life(facts=make_facts(weights="new"), model_bytes=9.0)
    verdict = only(judge_variant(life, make_session(life={"model_bytes": 1.0})))
    assert (verdict.kind, verdict.block) == (INCOMPARABLE, (("changed", "weights abc -> new"),))


def test_another_machine_leaves_the_size_of_the_model():
    life = {"model_bytes": 1.0, "rss_after_load_bytes": 1.0}
    verdicts = judge_variant(
        make_life(model_bytes=1.0, rss_after_load_bytes=1e12),
        make_session(life=life),
        environment=make_environment(cpu="EPYC"),
    )
    assert kinds(verdicts) == {"": INCOMPARABLE, "model_bytes": OK}


def test_verdicts_are_plain_facts():
    verdicts = judge(make_record(itl_s=0.004), make_session(itl_s=0.003))
    assert msgspec.json.decode(msgspec.json.encode(verdicts), type=type(verdicts)) is not None
