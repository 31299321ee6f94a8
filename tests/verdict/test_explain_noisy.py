"""A noisy comparison in words: whole sentences and whole blocks."""

from __future__ import annotations

import math

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import Difference, VerdictKind
from pytest_llmbench.verdict.evidence import Evidence
from pytest_llmbench.verdict.explain_noisy import noisy_verdict
from pytest_llmbench.verdict.noisy import compare_noisy
from tests.verdict.facts import make_held

ITL, TPS = CATALOGUE["itl_s"], CATALOGUE["decode_tps"]
CHANGED = (Difference(field="torch", then="2.12", now="2.13"),)
MORE = "; --llmbench-launches=3 looks closer"


def said(
    change,
    *,
    metric=ITL,
    now=0.004,
    error=0.02,
    ground="absolute",
    to=None,
    cases=1,
    launches=1,
    sessions=3,
    baseline="main",
    changed=(),
    alone=None,
):
    held = make_held(
        Evidence(change=change, error=error, freedom=8.0),
        ground=ground,
        to=to,
        sessions=sessions,
        launches=launches,
        cases=cases,
        alone=alone,
    )
    result = compare_noisy(metric, held, now, share=0.01, amount=0.0, alpha=0.001)
    return noisy_verdict(metric, result, "default", changed, baseline)


SLOWER = math.log(1.25)


def test_ok_is_one_sentence():
    verdict = said(math.log(1.005))
    assert verdict.kind is VerdictKind.OK
    assert verdict.sentence == "itl_s rose by 0.5 %, from 3.98 ms to 4 ms (accepted: 1 %)"
    assert verdict.block == ()
    assert 0.5 < verdict.p < 1


def test_a_regression_in_full():
    verdict = said(SLOWER, changed=CHANGED)
    assert (verdict.metric, verdict.kind) == ("itl_s", VerdictKind.REGRESSED)
    assert verdict.sentence == "itl_s rose by 25 %, from 3.2 ms to 4 ms (accepted: 1 %)"
    assert verdict.block == (
        ("metric", "itl_s: median gap between two tokens of a round"),
        ("baseline", "3.2 ms"),
        ("now", "4 ms (1 launch)"),
        ("change", "+25 % against 3 sessions"),
        ("interval", "+14.2 % to +36.8 % worse"),
        ("chance", "2.6e-06 (a verdict needs 0.001)"),
        ("tolerance", "1 %, 32 µs (default)"),
        ("detectable", "10.5 % and more"),
        ("changed", "torch 2.12 -> 2.13"),
    )


@pytest.mark.parametrize(
    ("metric", "alone", "told"),
    [
        (ITL, (SLOWER, 0.0), "25 % slower (±3 %) by its own times, ref as it was (±3 %)"),
        (ITL, (0.0, -SLOWER), "as it was (±3 %) by its own times, ref 20 % faster (±3 %)"),
        (TPS, (SLOWER, -SLOWER), "20 % slower (±3 %) by its own times, ref 25 % faster (±3 %)"),
    ],
)
def test_a_ratio_says_what_both_did_alone(metric, alone, told):
    both = tuple(Evidence(change=change, error=0.03, freedom=8.0) for change in alone)
    verdict = said(SLOWER, metric=metric, ground="ratio", to="ref", alone=both)
    assert dict(verdict.block)["alone"] == told
    assert "alone" not in dict(said(SLOWER, ground="ratio", to="ref").block)


def test_a_regression_of_a_rate_of_a_whole_variant():
    verdict = said(SLOWER, metric=TPS, now=20, cases=12, launches=4, sessions=1)
    assert verdict.sentence == "over 12 cases decode_tps fell by 20 % (accepted: 1 %)"
    assert verdict.block == (
        ("metric", "decode_tps: 1 / tpot_s"),
        ("baseline", "25 tok/s (geometric mean over the cases)"),
        ("now", "20 tok/s (4 launches)"),
        ("change", "-20 % against 1 session"),
        ("interval", "+12.5 % to +26.9 % worse"),
        ("chance", "2.6e-06 (a verdict needs 0.001)"),
        ("tolerance", "1 %, 0.25 tok/s (default)"),
        ("detectable", "9.5 % and more"),
        ("changed", "nothing recorded"),
    )


def test_against_the_reference():
    verdict = said(SLOWER, ground="ratio", to="float32")
    assert verdict.sentence == (
        "itl_s rose by 25 % against float32, which took turns with it (accepted: 1 %)"
    )
    block = dict(verdict.block)
    assert block["baseline"] == "3.2 ms (at the pace that float32 has now)"
    assert block["change"] == "+25 % as a multiple of float32's, against 3 sessions"
    whole = said(SLOWER, ground="ratio", to="float32", cases=7)
    assert whole.sentence == (
        "over 7 cases itl_s rose by 25 % against float32, which took turns with it (accepted: 1 %)"
    )
    assert dict(whole.block)["baseline"] == (
        "3.2 ms (geometric mean over the cases, at the pace that float32 has now)"
    )


@pytest.mark.parametrize(
    ("change", "metric", "now", "sentence"),
    [
        (
            SLOWER,
            ITL,
            0.004,
            "itl_s is 25 % above that of q4@old, side by side: 4 ms against 3.2 ms",
        ),
        (
            SLOWER,
            TPS,
            20,
            "decode_tps is 20 % below that of q4@old, side by side: 20 tok/s against 25 tok/s",
        ),
        (
            -SLOWER,
            ITL,
            0.004,
            "itl_s is 20 % below that of q4@old, side by side: 4 ms against 5 ms",
        ),
    ],
)
def test_side_by_side(change, metric, now, sentence):
    verdict = said(
        change,
        metric=metric,
        now=now,
        ground="side by side",
        to="q4@old",
        sessions=0,
        launches=2,
        baseline=None,
    )
    assert verdict.sentence == f"{sentence} (accepted: 1 %)"
    block = dict(verdict.block)
    assert "baseline" not in block
    assert block["against"] in sentence
    assert block["change"].endswith("% against q4@old, in turns")


def test_side_by_side_over_all_cases():
    verdict = said(SLOWER, ground="side by side", to="q4@old", cases=9, baseline=None)
    assert verdict.sentence == (
        "over 9 cases itl_s is 25 % above that of q4@old, side by side (accepted: 1 %)"
    )


def test_an_improvement_says_how_to_accept_it():
    verdict = said(-SLOWER)
    assert verdict.kind is VerdictKind.IMPROVED
    assert verdict.sentence == (
        "itl_s fell by 20 %, from 5 ms to 4 ms (accepted: 1 %); --llmbench-replace=main makes it "
        "the new baseline"
    )
    faster = said(-SLOWER, metric=TPS, now=25.0)
    assert faster.sentence.startswith("decode_tps rose by 25 %, from 20 tok/s to 25 tok/s")


def test_what_noise_could_have_done_is_inconclusive():
    verdict = said(math.log(1.08))
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert verdict.sentence == (
        "itl_s rose by 8 %, from 3.7 ms to 4 ms (accepted: 1 %), but noise alone could carry it "
        f"there (interval: -1.3 % to +18.2 %){MORE}, --llmbench-save adds sessions"
    )


def test_sessions_too_far_apart_to_tell():
    verdict = said(0.0, error=0.2)
    assert verdict.kind is VerdictKind.INCONCLUSIVE
    assert verdict.sentence == (
        "itl_s is unchanged at 4 ms (accepted: 1 %), but as far apart as sessions are, "
        f"only 148 % and more can be told from noise{MORE}, --llmbench-save adds sessions"
    )


def test_side_by_side_there_is_no_baseline_to_add_to():
    verdict = said(math.log(1.08), ground="side by side", to="q4@old", baseline=None)
    assert verdict.sentence.endswith(MORE)


@pytest.mark.parametrize("change", [0.0, 1e-17, -1e-5])
def test_what_did_not_change(change):
    same = said(change)
    assert same.sentence == "itl_s is unchanged at 4 ms (accepted: 1 %)"
    assert said(change, cases=3).sentence == "over 3 cases itl_s is unchanged (accepted: 1 %)"
    assert said(change, ground="ratio", to="float32").sentence == (
        "itl_s is unchanged against float32, which took turns with it (accepted: 1 %)"
    )
    assert said(change, ground="side by side", to="q4@old", baseline=None).sentence == (
        "itl_s is the same as that of q4@old, side by side: 4 ms (accepted: 1 %)"
    )


def test_a_chance_too_small_for_digits():
    assert dict(said(9.0, error=0.001).block)["chance"].startswith("below 1e-12 (")
