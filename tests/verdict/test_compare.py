"""A metric that repeats against its baseline: every edge, and properties that hold for any."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.compare import accepted_amounts, compare

from .facts import make_tolerance

OK, REGRESSED, IMPROVED = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.IMPROVED

RSS = CATALOGUE["rss_peak_bytes"]
SCORE = CATALOGUE["score"]
BYTES = CATALOGUE["model_bytes"]
TOKENS = CATALOGUE["output_tokens"]
WARNINGS = CATALOGUE["warnings"]
MIB = 2**20

REPEATING = [m for m in CATALOGUE.values() if m.better and m.kind in (Kind.NEAR_EXACT, Kind.EXACT)]
positive = st.floats(min_value=1e-3, max_value=1e3)
histories = st.lists(positive, min_size=1, max_size=10)
tolerances = st.none() | st.floats(0, 0.5) | st.floats(0, 10).map(lambda amount: (amount,))


def kind(metric, now, history, given=None):
    tolerance = None if given is None else make_tolerance(metric.name, given)
    return compare(metric, now, history, tolerance).kind


FLOOR = RSS.floor / MIB
WIDE = 1024 * (1 + RSS.tolerance)
GOOD = 1024 * (1 - RSS.tolerance)


@pytest.mark.parametrize(
    ("now_mib", "verdict"),
    [(WIDE, OK), (WIDE + 1, REGRESSED), (GOOD, OK), (GOOD - 1, IMPROVED)],
)
def test_memory_by_share(now_mib, verdict):
    assert kind(RSS, now_mib * MIB, [1024 * MIB]) is verdict


@pytest.mark.parametrize(
    ("now_mib", "verdict"),
    [
        (100 + FLOOR, OK),
        (101 + FLOOR, REGRESSED),
        (100 - FLOOR, OK),
        (99 - FLOOR, IMPROVED),
    ],
)
def test_memory_by_its_floor(now_mib, verdict):
    assert kind(RSS, now_mib * MIB, [100 * MIB]) is verdict
    assert kind(RSS, now_mib * MIB, [90 * MIB, 100 * MIB, 300 * MIB]) is verdict, "the median"


@pytest.mark.parametrize(
    ("given", "grown_mib", "verdict"),
    [
        (0.3, 300, OK),
        (0.3, 301, REGRESSED),
        (0.05, 50, OK),
        (0.05, 51, REGRESSED),
        ((40 * MIB,), 40, OK),
        ((40 * MIB,), 41, REGRESSED),
        ((MIB,), FLOOR, OK),
        ((MIB,), FLOOR + 1, REGRESSED),
    ],
)
def test_the_users_tolerance_takes_the_place_of_the_default(given, grown_mib, verdict):
    assert kind(RSS, (1000 + grown_mib) * MIB, [1000 * MIB], given) is verdict


def test_what_is_accepted_by_share_by_amount_and_by_floor():
    assert accepted_amounts(RSS, -200.0, None) == (RSS.tolerance * 200, 0.0, RSS.floor)
    given = make_tolerance("rss_peak_bytes", 0.5)
    assert accepted_amounts(RSS, 200.0, given) == (100.0, 0.0, RSS.floor)
    given = make_tolerance("rss_peak_bytes", (7.0,))
    assert accepted_amounts(RSS, 200.0, given) == (0.0, 7.0, RSS.floor)


def test_exact_metrics_need_one_session():
    assert kind(SCORE, 0.0, [1.0]) is REGRESSED
    assert kind(SCORE, 1.0, [1.0]) is OK
    assert kind(SCORE, 1.0, [0.0]) is IMPROVED
    assert kind(BYTES, 8_000_000_001, [8_000_000_000]) is REGRESSED
    assert kind(BYTES, 7_999_999_999, [8_000_000_000]) is IMPROVED


def test_exact_metrics_are_held_against_the_newest_session():
    assert kind(SCORE, 0.0, [0.0, 0.0, 1.0]) is REGRESSED
    assert kind(SCORE, 0.0, [1.0, 1.0, 0.0]) is OK


def test_an_exact_metric_with_a_tolerance():
    assert kind(SCORE, 0.85, [0.87], (0.02,)) is OK
    assert kind(SCORE, 0.84, [0.87], (0.02,)) is REGRESSED
    assert kind(SCORE, 0.88, [0.87], (0.02,)) is IMPROVED


@pytest.mark.parametrize(("now", "verdict"), [(8, OK), (9, OK), (10, REGRESSED), (6, REGRESSED)])
def test_where_neither_direction_is_better_any_change_counts(now, verdict):
    assert kind(TOKENS, now, [8], (1,)) is verdict


def test_a_baseline_of_zero_is_compared_by_amount():
    assert kind(WARNINGS, 0, [0]) is OK
    assert kind(WARNINGS, 1, [0], 0.5) is REGRESSED
    assert kind(WARNINGS, 1, [0], (1,)) is OK
    delta = CATALOGUE["rss_delta_bytes"]
    assert kind(delta, delta.floor, [0]) is OK
    assert kind(delta, delta.floor + MIB, [0]) is REGRESSED


def test_a_time_of_zero_is_compared_by_amount():
    free = CATALOGUE["free_s"]
    assert kind(free, free.floor, [0.0]) is OK
    assert kind(free, free.floor * 1.01, [0.0]) is REGRESSED
    assert kind(free, 0.0, [free.floor * 9]) is IMPROVED


def test_a_negative_baseline_keeps_its_direction():
    delta = CATALOGUE["rss_delta_bytes"]
    assert kind(delta, -(2**30), [-(2**20)]) is IMPROVED
    assert kind(delta, 2**30, [-(2**20)]) is REGRESSED


def test_nothing_to_compare_with():
    with pytest.raises(ValueError, match="rss_peak_bytes has no baseline value"):
        compare(RSS, 1.0, [], None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_does_not_pass(bad):
    with pytest.raises(ValueError, match="rss_peak_bytes is not finite"):
        compare(RSS, bad, [1.0], None)
    with pytest.raises(ValueError, match="rss_peak_bytes is not finite"):
        compare(RSS, 1.0, [1.0, bad], None)


@given(st.sampled_from(REPEATING), positive, histories, tolerances)
def test_the_bound_decides(metric, now, history, given):
    tolerance = None if given is None else make_tolerance(metric.name, given)
    result = compare(metric, now, history, tolerance)
    assert result.bound >= metric.floor
    assert (result.kind is REGRESSED) <= (result.worsening > result.bound)
    assert (result.kind is IMPROVED) <= (result.worsening < 0)
    assert result.sessions == len(history)


ORDER = {IMPROVED: 0, OK: 1, REGRESSED: 2}


@given(st.sampled_from(REPEATING), positive, positive, histories, tolerances)
def test_worse_is_never_judged_better(metric, one, other, history, given):
    better, worse = sorted((one, other), reverse=metric.better == "higher")
    assert ORDER[kind(metric, better, history, given)] <= ORDER[kind(metric, worse, history, given)]


@given(positive, histories, st.none() | st.floats(0, 0.5), st.sampled_from([2.0**-9, 0.5, 1024.0]))
def test_the_unit_does_not_matter(now, history, given, scale):
    bare = msgspec.structs.replace(RSS, floor=0.0)
    scaled = kind(bare, now * scale, [value * scale for value in history], given)
    assert scaled is kind(bare, now, history, given)


@given(positive, histories, st.randoms(use_true_random=False))
def test_the_order_of_sessions_does_not_matter_to_memory(now, history, random):
    shuffled = random.sample(history, len(history))
    assert compare(RSS, now, shuffled, None) == compare(RSS, now, history, None)


@given(st.sampled_from(REPEATING), positive, histories, st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_wider_tolerance_never_regresses_what_a_narrower_one_did_not(
    metric, now, history, one, other
):
    narrow, wide = (kind(metric, now, history, share) for share in sorted((one, other)))
    assert narrow is REGRESSED or wide is not REGRESSED


@given(st.sampled_from(list(CATALOGUE.values())), positive)
def test_no_change_is_ok_for_every_metric(metric, value):
    assert kind(metric, value, [value]) is OK


def test_a_floor_holds_both_ways_for_what_repeats_exactly():
    length = CATALOGUE["length_change"]
    for before, now, kind in (
        (0.02, 0.11, VerdictKind.OK),
        (0.02, 0.13, VerdictKind.REGRESSED),
        (0.11, 0.02, VerdictKind.OK),
        (0.13, 0.02, VerdictKind.IMPROVED),
    ):
        assert compare(length, now, [before], None).kind is kind
