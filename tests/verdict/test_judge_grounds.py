"""What can be compared at all, and what takes a verdict's ground: other work, other machines,
disturbed rounds, a slow machine.
"""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.case import FEWEST, case_metrics
from pytest_llmbench.metrics.taint import ACCEPTED_PACE, Machine
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.judge import judge_case

from .facts import (
    judge,
    kinds,
    make_case,
    make_context,
    make_environment,
    make_facts,
    make_gates,
    make_life,
    make_record,
    make_round,
    make_session,
    only,
)

OK, REGRESSED, NEW = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.NEW
MISSING, INCOMPARABLE = VerdictKind.MISSING, VerdictKind.INCOMPARABLE
INCONCLUSIVE = VerdictKind.INCONCLUSIVE

ACCEPTED = format_percent(CATALOGUE["itl_s"].tolerance)
EPYC = make_environment(cpu="EPYC")


# --- other work --------------------------------------------------------------------------------


def test_another_model_is_incomparable():
    sessions = [
        make_session(itl_s=0.03, facts=make_facts(weights=weights)) for weights in ("older", "old")
    ]
    verdict = only(judge(make_record(itl_s=0.3), *sessions))
    assert (verdict.metric, verdict.kind) == ("", INCOMPARABLE)
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 can't be compared with the baseline 'main', which measured "
        "something else (weights); --llmbench-replace=main starts it anew"
    )
    assert verdict.block == (("changed", "weights old -> abc"),)


def test_another_prompt_is_incomparable_and_limits_are_still_judged():
    then = make_session(make_case(prompt="What is 3 + 3?"), itl_s=0.03)
    gates = make_gates(("itl_s", "<=", 0.01))
    verdicts = judge(make_record(itl_s=0.03), then, gates=gates)
    assert kinds(verdicts) == {"itl_s": REGRESSED, "": INCOMPARABLE}
    assert [label for label, _ in verdicts[1].block] == ["changed"]
    assert verdicts[1].block[0][1].startswith("prompt ")


def test_an_engine_that_tells_nothing_of_its_model():
    record = make_record(itl_s=1.0)
    lives = {"base": make_life(loaded=False)}
    context = make_context([record], make_session(itl_s=1.0), lives=lives)
    verdict = only(judge_case(record, context, Gates()))
    assert verdict.kind is INCOMPARABLE
    assert verdict.block == (
        ("changed", "dtype float32 -> absent"),
        ("changed", "weights abc -> absent"),
    )


def test_incomparable_sessions_are_left_out_where_others_remain():
    sessions = [
        make_session(itl_s=9.0, facts=make_facts(weights="old")),
        make_session(itl_s=0.03),
        make_session(itl_s=9.0, environment=EPYC),
        make_session(make_case(prompt="3?"), itl_s=9.0),
    ]
    verdict = only(judge(make_record(itl_s=0.06), *sessions))
    assert verdict.kind is REGRESSED
    assert dict(verdict.block)["baseline"] == "30 ms"
    assert dict(verdict.block)["change"] == "+100 % against 1 session"


def test_causes_are_those_since_the_newest_compared_session():
    sessions = [
        make_session(itl_s=0.03, environment=make_environment(driver="1")),
        make_session(itl_s=0.03, environment=make_environment(driver="2")),
    ]
    verdict = only(
        judge(make_record(itl_s=0.06), *sessions, environment=make_environment(driver="3"))
    )
    assert verdict.block[-1] == ("changed", "driver 2 -> 3")


# --- other machines ----------------------------------------------------------------------------


def test_another_machine_leaves_exact_metrics_comparable():
    session = make_session(itl_s=0.03, rss_peak_bytes=1.0, score=1.0)
    verdicts = judge(
        make_record(itl_s=0.3, rss_peak_bytes=1e12, score=0.0), session, environment=EPYC
    )
    assert kinds(verdicts) == {"": INCOMPARABLE, "score": REGRESSED}
    assert verdicts[0].sentence == (
        "absolute times and memory of case tasks/base-sum-n8-t0 can't be compared with the "
        "baseline 'main', which is from another machine (cpu); --llmbench-machine=LABEL keeps one "
        "for this machine"
    )
    assert verdicts[0].block == (("changed", "cpu Xeon -> EPYC"),)
    assert ("changed", "cpu Xeon -> EPYC") in verdicts[1].block


def in_turns(ratio, **metrics):
    return make_record(relative={"itl_s": ratio}, to="ref", **metrics)


def kept_in_turns(ratio, **fields):
    return make_session(relative={"itl_s": ratio}, reference="ref", **fields)


@pytest.mark.parametrize(("ratio", "kind"), [(2.0, OK), (4.0, REGRESSED)])
def test_another_machine_leaves_the_ratio_comparable(ratio, kind):
    session = kept_in_turns(2.0, itl_s=0.03, ttft_s=0.1)
    verdicts = judge(in_turns(ratio, itl_s=0.001, ttft_s=9.0), session, environment=EPYC)
    assert kinds(verdicts) == {"": INCOMPARABLE, "itl_s": kind}
    assert "against ref, which took turns with it" in verdicts[1].sentence


def test_a_ratio_to_another_reference_is_not_comparable_elsewhere():
    session = make_session(relative={"itl_s": 2.0}, reference="base", itl_s=0.03)
    verdicts = judge(in_turns(2.0, itl_s=0.03), session, environment=EPYC)
    assert kinds(verdicts) == {"": INCOMPARABLE}


@pytest.mark.parametrize("factor", [0.2, 1.5, 30.0])
def test_the_ratio_is_immune_to_what_slows_the_whole_session(factor):
    session = kept_in_turns(2.0, itl_s=0.03)
    verdict = only(judge(in_turns(2.0, itl_s=0.03 * factor), session))
    assert verdict.kind is OK
    assert verdict.sentence == (
        f"itl_s is unchanged against ref, which took turns with it (accepted: {ACCEPTED})"
    )


def test_slower_than_the_reference_is_slower_however_fast_the_machine():
    verdict = only(judge(in_turns(3.0, itl_s=0.02), kept_in_turns(2.0, itl_s=0.03)))
    assert verdict.kind is REGRESSED
    assert verdict.sentence == (
        f"itl_s rose by 50 % against ref, which took turns with it (accepted: {ACCEPTED})"
    )
    assert dict(verdict.block)["baseline"] == "13.3 ms (at the pace that ref has now)"


# --- disturbed ---------------------------------------------------------------------------------

BUSY = make_round(run_delay_s=0.71)


def test_a_disturbed_regression_is_inconclusive_and_says_why():
    record = make_record(rounds=[BUSY, BUSY, make_round()], itl_s=0.06)
    verdict = only(judge(record, make_session(itl_s=0.03)))
    assert verdict.kind is INCONCLUSIVE
    assert verdict.sentence == (
        f"itl_s rose by 100 %, from 30 ms to 60 ms (accepted: {ACCEPTED}), but 2 of 3 rounds were "
        "disturbed (round 1: its threads waited for a processor 71 % of the time (accepted: 5 %))"
    )


def test_a_disturbed_limit_is_inconclusive_too():
    record = make_record(rounds=[BUSY, BUSY, make_round()], itl_s=0.06)
    verdicts = judge(record, gates=make_gates(("itl_s", "<=", 0.005)))
    assert kinds(verdicts) == {"itl_s": INCONCLUSIVE, "": NEW}


@pytest.mark.parametrize(
    "rounds", [[BUSY, make_round()], [BUSY] * 9 + [make_round()] * FEWEST], ids=["half", "enough"]
)
def test_where_enough_rounds_are_undisturbed_it_is_a_regression(rounds):
    record = make_record(rounds=rounds, itl_s=0.06)
    assert only(judge(record, make_session(itl_s=0.03))).kind is REGRESSED


def test_disturbance_spares_what_does_not_depend_on_time():
    record = make_record(rounds=[BUSY], score=0.0, rss_peak_bytes=2**30)
    verdicts = judge(record, make_session(score=1.0, rss_peak_bytes=2**20))
    assert kinds(verdicts) == {"score": REGRESSED, "rss_peak_bytes": REGRESSED}


@pytest.mark.parametrize(("pace", "kind"), [(0.99, REGRESSED), (1.01, INCONCLUSIVE)])
def test_a_machine_out_of_pace_takes_the_ground_from_its_rounds(pace, kind):
    slow = [make_round(paces_s=(1e-3 * ACCEPTED_PACE * pace,) * 2)] * 3
    record = make_record(rounds=slow, itl_s=0.06)
    machine = Machine(processors=2, pace_s=1e-3)
    verdict = only(judge(record, make_session(itl_s=0.03), machine=lambda _: machine))
    assert verdict.kind is kind
    told = "the machine itself was slow: a fixed piece of work took 1.26 times as long"
    assert (told in verdict.sentence) is (kind is INCONCLUSIVE)


def test_times_from_a_cache_are_none_and_the_others_are_judged():
    rounds = (make_round(cached=5),) * 3
    assert "ttft_s" not in case_metrics(rounds, make_case().prompt, None)
    verdicts = judge(make_record(rounds=rounds, itl_s=0.03), make_session(ttft_s=0.1, itl_s=0.03))
    assert kinds(verdicts) == {"ttft_s": MISSING, "itl_s": OK}


# --- a slow machine ----------------------------------------------------------------------------


def judge_beside(record, then, now, **fields):
    session = kept_in_turns(2.0, itl_s=0.03, readings=then, **fields)
    return only(judge(record, session, readings=lambda: now))


CALM, SLOW = Readings(pace_s=1e-3, calibration_s=0.1), Readings(pace_s=1e-3, calibration_s=0.19)


def test_a_slow_machine_is_not_a_slow_engine():
    verdict = judge_beside(make_record(itl_s=0.06), CALM, SLOW)
    assert verdict.kind is INCONCLUSIVE
    clause = "its memory-bound workload takes 90 % longer than in the baseline"
    assert verdict.sentence == (
        f"itl_s rose by 100 %, from 30 ms to 60 ms (accepted: {ACCEPTED}), but the machine itself "
        f"is slower: {clause}"
    )
    assert verdict.block[-1] == ("machine", clause)


@pytest.mark.parametrize(("then", "now"), [(CALM, CALM), (Readings(), SLOW), (CALM, Readings())])
def test_a_machine_as_fast_as_before_is_no_excuse(then, now):
    assert judge_beside(make_record(itl_s=0.06), then, now).kind is REGRESSED


def test_the_ratio_needs_no_excuse():
    assert judge_beside(in_turns(4.0, itl_s=0.06), CALM, SLOW).kind is REGRESSED


def test_another_machine_s_readings_say_nothing_of_this_one():
    fast = make_session(
        itl_s=0.03, environment=EPYC, readings=Readings(calibration_s=0.001, pace_s=1e-6)
    )
    here = make_session(itl_s=0.03, readings=CALM)
    verdict = only(judge(make_record(itl_s=0.06), fast, here, readings=lambda: CALM))
    assert verdict.kind is REGRESSED
