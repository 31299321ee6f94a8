"""The judge on a case: new, or compared, with its words and both sides of its limits."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.alarms import Alarms
from pytest_llmbench.verdict.evidence import quantile
from pytest_llmbench.verdict.held import assumed_noise
from pytest_llmbench.verdict.judge import judge_case
from pytest_llmbench.verdict.noise import ASSUMED_FREEDOM

from .facts import (
    judge,
    kinds,
    make_baseline,
    make_context,
    make_environment,
    make_facts,
    make_gates,
    make_record,
    make_session,
    only,
)

OK, REGRESSED, NEW = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.NEW
IMPROVED, INCONCLUSIVE = VerdictKind.IMPROVED, VerdictKind.INCONCLUSIVE

ITL = CATALOGUE["itl_s"]
ACCEPTED = format_percent(ITL.tolerance)
ALARMS = Alarms(cases=2, variants=2)


def margin_of_one_session(itl_s):
    """The margin of one launch against one session, under ALARMS."""
    return quantile(ALARMS.of_case, ASSUMED_FREEDOM) * assumed_noise(ITL, itl_s, 1) * math.sqrt(2)


# --- new ---------------------------------------------------------------------------------------


def test_without_a_baseline_a_case_is_new():
    verdict = only(judge(make_record(itl_s=0.03, ttft_s=0.1)))
    assert (verdict.metric, verdict.kind) == ("", NEW)
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 has no baseline to be compared with; --llmbench-save keeps "
        "this session as one"
    )


def test_a_case_that_the_baseline_does_not_have_is_new():
    verdict = only(judge(make_record(itl_s=0.03), make_session(key="tasks/other")))
    assert verdict.kind is NEW
    assert verdict.sentence == (
        "case tasks/base-sum-n8-t0 is not in the baseline 'main' yet; --llmbench-save=main adds it"
    )


def test_a_baseline_without_sessions_is_as_good_as_none():
    record = make_record()
    context = dataclasses.replace(make_context([record]), baseline=make_baseline())
    assert kinds(judge_case(record, context, Gates())) == {"": NEW}


def test_a_metric_that_the_baseline_does_not_have_is_new():
    verdicts = judge(make_record(itl_s=0.03, ttft_s=0.1), make_session(itl_s=0.03))
    assert kinds(verdicts) == {"ttft_s": NEW, "itl_s": OK}
    assert verdicts[0].sentence == (
        "ttft_s is not in the baseline 'main' yet; --llmbench-save=main adds it"
    )


# --- compared ----------------------------------------------------------------------------------


def test_the_same_again_is_ok():
    verdict = only(judge(make_record(itl_s=0.0301), make_session(itl_s=0.03)))
    assert (verdict.metric, verdict.kind, verdict.block) == ("itl_s", OK, ())
    assert verdict.sentence == (
        f"itl_s rose by 0.3 %, from 30 ms to 30.1 ms (accepted: {ACCEPTED})"
    )


def test_a_regression_in_full():
    verdict = only(
        judge(
            make_record(itl_s=0.06),
            make_session(itl_s=0.03, environment=make_environment(load="0.1")),
            facts=make_facts(torch="2.13", threads="2"),
            environment=make_environment(load="0.9"),
            alarms=ALARMS,
        )
    )
    margin = margin_of_one_session(0.06)
    low, high = (format_percent(2 * math.exp(m) - 1, signed=True) for m in (-margin, margin))
    detectable = format_percent((1 + ITL.tolerance) * math.exp(margin) - 1)
    assert (verdict.metric, verdict.kind) == ("itl_s", REGRESSED)
    assert verdict.sentence == f"itl_s rose by 100 %, from 30 ms to 60 ms (accepted: {ACCEPTED})"
    assert verdict.block == (
        ("metric", "itl_s: median gap between two tokens of a round"),
        ("baseline", "30 ms"),
        ("now", "60 ms (1 launch)"),
        ("change", "+100 % against 1 session"),
        ("interval", f"{low} to {high} worse"),
        ("chance", f"{verdict.p:.2g} (a verdict needs {ALARMS.of_case:.2g})"),
        ("tolerance", f"{ACCEPTED}, {ITL.tolerance * 30_000:.3g} µs (default)"),
        ("detectable", f"{detectable} and more"),
        ("changed", "load 0.1 -> 0.9"),
        ("changed", "threads absent -> 2"),
        ("changed", "torch 2.12 -> 2.13"),
    )


@pytest.mark.parametrize(("step", "kind"), [(1e-6, REGRESSED), (-1e-6, INCONCLUSIVE)])
def test_both_sides_of_the_limit(step, kind):
    # The jitter that is assumed hangs on the time now, so the limit is approached from there.
    now = 0.05
    worsening = math.log1p(ITL.tolerance) + margin_of_one_session(now) + step
    session = make_session(itl_s=now / math.exp(worsening))
    assert only(judge(make_record(itl_s=now), session, alarms=ALARMS)).kind is kind


def test_where_higher_is_better_and_nothing_changed():
    verdict = only(
        judge(
            make_record(decode_tps=10),
            make_session(decode_tps=20),
            gates=make_gates(decode_tps=0.05),
        )
    )
    assert verdict.kind is REGRESSED
    assert verdict.sentence == (
        "decode_tps fell by 50 %, from 20 tok/s to 10 tok/s (accepted: 5 %)"
    )
    block = dict(verdict.block)
    assert block["change"] == "-50 % against 1 session"
    assert block["tolerance"] == "5 %, 1 tok/s (llmbench.toml: tolerance)"
    assert block["changed"] == "nothing recorded"


@pytest.mark.parametrize("scale", [2.0**-9, 2.0, 1024.0])
@pytest.mark.parametrize("factor", [0.5, 0.9, 0.97, 1.0, 1.02, 2.0])
def test_the_unit_does_not_matter(scale, factor):
    gates = make_gates(decode_tps=0.01)
    one, other = (
        only(
            judge(
                make_record(decode_tps=20.0 * factor * by),
                *[make_session(decode_tps=value * by) for value in (20.0, 20.3)],
                gates=gates,
            )
        )
        for by in (1.0, scale)
    )
    assert (other.kind, other.p) == (one.kind, pytest.approx(one.p))


def test_more_cases_ask_for_more_evidence():
    record, session = make_record(itl_s=0.036), make_session(itl_s=0.03)
    one, many = (only(judge(record, session, alarms=Alarms(cases=n))) for n in (1, 10_000))
    assert (one.kind, many.kind) == (REGRESSED, INCONCLUSIVE)
    assert one.p == many.p


def test_an_improvement_says_how_to_accept_it():
    verdict = only(judge(make_record(itl_s=0.015), make_session(itl_s=0.03)))
    assert verdict.kind is IMPROVED
    assert verdict.sentence == (
        f"itl_s fell by 50 %, from 30 ms to 15 ms (accepted: {ACCEPTED}); --llmbench-replace=main "
        "makes it the new baseline"
    )


def test_a_baseline_too_restless_to_tell():
    sessions = [make_session(itl_s=value) for value in (0.02, 0.06, 0.03)]
    verdict = only(judge(make_record(itl_s=0.03), *sessions))
    assert verdict.kind is INCONCLUSIVE
    assert verdict.sentence.startswith(
        f"itl_s is unchanged at 30 ms (accepted: {ACCEPTED}), but as far apart as sessions are, "
        "only "
    )


def test_four_launches_find_what_one_does_not():
    session = make_session(itl_s=0.03)
    values = (0.0334, 0.0346, 0.0337, 0.0343)
    once = only(judge(make_record(itl_s=0.034), session, alarms=ALARMS))
    again = only(judge(make_record(itl_s=values), session, alarms=ALARMS))
    assert (once.kind, again.kind) == (INCONCLUSIVE, REGRESSED)
    assert dict(again.block)["now"] == "34 ms (4 launches)"


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
    assert verdict.p is None


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


def test_the_floor_of_a_time():
    before = ITL.floor
    verdict = only(judge(make_record(itl_s=1.9 * before), make_session(itl_s=before)))
    assert verdict.kind is not REGRESSED
    slow = only(judge(make_record(itl_s=100 * before), make_session(itl_s=before)))
    assert slow.kind is REGRESSED
    assert dict(slow.block)["tolerance"] == "100 %, 10 µs (the metric's floor)"


def test_a_time_of_zero_is_compared_by_amount():
    session = make_session(itl_s=0.0)
    assert only(judge(make_record(itl_s=ITL.floor), session)).kind is OK
    worse = only(judge(make_record(itl_s=2 * ITL.floor), session))
    assert worse.kind is REGRESSED
    assert dict(worse.block)["interval"] == "none, a time of zero is compared by amount"
    assert only(judge(make_record(itl_s=0.0), make_session(itl_s=0.03))).kind is IMPROVED


def test_verdicts_are_plain_facts():
    verdicts = judge(make_record(itl_s=0.06), make_session(itl_s=0.03))
    assert msgspec.json.decode(msgspec.json.encode(verdicts), type=type(verdicts)) is not None


def test_drift_counts_beyond_what_the_reference_drifts_from_itself():
    record = make_record(kl_mean=0.02)
    before = make_session(kl_mean=0.0)
    (key, kept), *_ = before.cases.items()
    kept = msgspec.structs.replace(kept, original="k")
    before = msgspec.structs.replace(before, cases={key: kept})
    for noise, kind in ((0.0, REGRESSED), (0.006, REGRESSED), (0.007, OK)):
        now = msgspec.structs.replace(
            record, original="4", original_key="k", drift_noise={"kl_mean": noise}
        )
        assert kinds(judge(now, before))["kl_mean"] is kind
