"""One metric against its baseline: every edge, and properties that hold for any numbers."""

from __future__ import annotations

import math
import statistics

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_llmbench.domain.metric import CATALOGUE, Kind
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.compare import compare, session_spread

from .facts import make_tolerance

OK, REGRESSED = VerdictKind.OK, VerdictKind.REGRESSED
IMPROVED, INCONCLUSIVE = VerdictKind.IMPROVED, VerdictKind.INCONCLUSIVE

ITL = msgspec.structs.replace(CATALOGUE["itl_s"], floor=0.0, jitter=0.0)
TPS = CATALOGUE["decode_tps"]
RSS = CATALOGUE["rss_peak_bytes"]
SCORE = CATALOGUE["score"]
BYTES = CATALOGUE["model_bytes"]
TOKENS = CATALOGUE["output_tokens"]

GATED = [metric for metric in CATALOGUE.values() if metric.better and metric.kind is not Kind.EXACT]
positive = st.floats(min_value=1e-3, max_value=1e3)
histories = st.lists(positive, min_size=1, max_size=10)
tolerances = st.none() | st.floats(0, 0.5) | st.floats(0, 10).map(lambda amount: (amount,))


def kind(metric, now, history, given=None):
    tolerance = None if given is None else make_tolerance(metric.name, given)
    return compare(metric, now, history, tolerance).kind


# One session, noise 2 %: the interval's half-width is 2 * 0.02 * sqrt(2) = 5.657 %.
HALF = 2 * 0.02 * math.sqrt(2)


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (1.10 + HALF + 1e-6, REGRESSED),
        (1.10 + HALF - 1e-6, INCONCLUSIVE),
        (1.10 + 1e-6, INCONCLUSIVE),
        (1.10, OK),
        (1.0, OK),
        (0.90 - HALF + 1e-6, OK),
        (0.90 - HALF - 1e-6, IMPROVED),
    ],
)
def test_the_edges_of_a_noisy_metric(now, verdict):
    assert kind(ITL, now, [1.0]) is verdict


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (0.90 - HALF - 1e-6, REGRESSED),
        (0.90 - HALF + 1e-6, INCONCLUSIVE),
        (0.90, OK),
        (1.10 + HALF - 1e-6, OK),
        (1.10 + HALF + 1e-6, IMPROVED),
    ],
)
def test_the_edges_where_higher_is_better(now, verdict):
    assert kind(TPS, now, [1.0]) is verdict


def test_more_sessions_narrow_the_interval():
    halves = [compare(ITL, 1.0, [1.0] * n, None).half_width for n in (1, 2, 5, 10)]
    assert halves == pytest.approx([2 * 0.02 * math.sqrt(1 + 1 / n) for n in (1, 2, 5, 10)])


def test_one_session_has_the_documented_noise():
    assert session_spread(ITL, [2.0]) == pytest.approx(0.04)


def test_two_sessions_have_their_standard_deviation():
    assert session_spread(ITL, [1.0, 1.2]) == pytest.approx(statistics.stdev([1.0, 1.2]))
    assert session_spread(ITL, [1.0, 1.01]) == pytest.approx(0.02 * 1.005)


def test_three_sessions_have_their_median_absolute_deviation():
    history = [1.0, 1.1, 1.3, 1.2, 9.0]  # median 1.2, deviations .2 .1 .1 0 7.8
    assert session_spread(ITL, history) == pytest.approx(0.1 * 1.4826)
    assert session_spread(ITL, [1.0, 1.0, 9.0]) == pytest.approx(0.02)


def test_a_restless_baseline_carries_no_ok():
    history = [1.0, 1.1]
    result = compare(ITL, 1.05, history, None)
    assert result.half_width > result.bound
    assert result.kind is OK
    assert kind(ITL, 1.125, [1.0, 1.25]) is INCONCLUSIVE
    assert kind(ITL, 5.0, [1.0, 1.25]) is REGRESSED


def test_four_bounds_are_seen_wherever_ok_is_said():
    result = compare(ITL, 1.0, [1.0, 1.15], None)
    assert result.kind is OK
    assert kind(ITL, result.baseline + 4 * result.bound + 1e-9, [1.0, 1.15]) is REGRESSED


def test_one_session_is_assumed_to_jitter_up_to_a_tenth():
    itl = CATALOGUE["itl_s"]
    assert session_spread(itl, [0.02]) == pytest.approx(math.hypot(0.02 * 0.02, 0.2e-3))
    assert session_spread(itl, [0.001]) == pytest.approx(0.001 * math.hypot(0.02, 0.1))
    assert session_spread(itl, [0.02, 0.02]) == pytest.approx(0.02 * 0.02)


def test_what_the_rounds_show_widens_this_session_only():
    calm = compare(ITL, 1.0, [1.0] * 5, None)
    restless = compare(ITL, 1.0, [1.0] * 5, None, own_spread=0.1)
    assert calm.half_width == pytest.approx(2 * 0.02 * math.sqrt(1.2))
    assert restless.half_width == pytest.approx(2 * math.hypot(0.1, 0.02 / math.sqrt(5)))
    assert compare(ITL, 1.0, [1.0] * 5, None, own_spread=0.001) == calm


def test_pooled_sessions_speak_for_a_case_that_says_little():
    lucky = compare(ITL, 1.3, [1.0, 1.0], None)
    pooled = compare(ITL, 1.3, [1.0, 1.0], None, pooled=0.15)
    assert lucky.kind is REGRESSED
    assert pooled.kind is INCONCLUSIVE
    assert pooled.half_width == pytest.approx(2 * 0.15 * math.sqrt(1.5))


@pytest.mark.parametrize(
    ("given", "now", "verdict"),
    [
        (0.30, 1.3, OK),
        (0.30, 1.3 + HALF + 1e-6, REGRESSED),
        (0.05, 1.05 + HALF + 1e-6, REGRESSED),
        (0.05, 1.05, OK),
        (0.0, 1.0 + HALF + 1e-6, REGRESSED),
        ((0.02,), 1.02 + HALF + 1e-6, REGRESSED),
        ((0.2,), 1.2, OK),
        ((0.2,), 1.2 + HALF + 1e-6, REGRESSED),
    ],
)
def test_the_users_tolerance_takes_the_place_of_the_default(given, now, verdict):
    assert kind(ITL, now, [1.0], given) is verdict


def test_the_floor_holds_below_any_tolerance():
    itl = msgspec.structs.replace(CATALOGUE["itl_s"], jitter=0.0)  # floor 50 µs
    assert kind(itl, 100e-6 + 50e-6, [100e-6]) is OK
    assert kind(itl, 100e-6 + 50e-6, [100e-6], 0.01) is OK
    assert kind(itl, 100e-6 + 60e-6, [100e-6], 0.01) is REGRESSED


@pytest.mark.parametrize(
    ("now_mib", "verdict"), [(1074, OK), (1075, OK), (1076, REGRESSED), (973, OK), (972, IMPROVED)]
)
def test_memory_by_share(now_mib, verdict):
    assert kind(RSS, now_mib * 2**20, [1024 * 2**20]) is verdict


@pytest.mark.parametrize(
    ("now_mib", "verdict"), [(132, OK), (133, REGRESSED), (68, OK), (67, IMPROVED)]
)
def test_memory_by_its_floor_of_32_mib(now_mib, verdict):
    assert kind(RSS, now_mib * 2**20, [100 * 2**20]) is verdict
    assert kind(RSS, now_mib * 2**20, [90 * 2**20, 100 * 2**20, 300 * 2**20]) is verdict


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
    warnings = CATALOGUE["warnings"]
    assert kind(warnings, 0, [0]) is OK
    assert kind(warnings, 1, [0], 0.5) is REGRESSED
    assert kind(warnings, 1, [0], (1,)) is OK
    assert kind(CATALOGUE["rss_delta_bytes"], 33 * 2**20, [0]) is REGRESSED
    assert kind(CATALOGUE["free_s"], 0.1, [0.0]) is OK
    assert kind(CATALOGUE["free_s"], 0.11, [0.0]) is REGRESSED
    assert compare(warnings, 1, [0], None).share(1.0) is None


def test_a_negative_baseline_keeps_its_direction():
    delta = CATALOGUE["rss_delta_bytes"]
    assert kind(delta, -(2**30), [-(2**20)]) is IMPROVED
    assert kind(delta, 2**30, [-(2**20)]) is REGRESSED


def test_nothing_to_compare_with():
    with pytest.raises(ValueError, match="itl_s has no baseline value"):
        compare(ITL, 1.0, [], None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_does_not_pass(bad):
    with pytest.raises(ValueError, match="itl_s is not finite"):
        compare(ITL, bad, [1.0], None)
    with pytest.raises(ValueError, match="itl_s is not finite"):
        compare(ITL, 1.0, [1.0, bad], None)


@given(st.sampled_from(GATED), positive, histories, tolerances)
def test_the_interval_contains_the_change(metric, now, history, given):
    tolerance = None if given is None else make_tolerance(metric.name, given)
    result = compare(metric, now, history, tolerance)
    assert result.low <= result.worsening <= result.high
    assert result.detectable >= result.bound >= metric.floor
    if result.kind is REGRESSED:
        assert result.low > result.bound
    if result.kind is OK:
        assert result.worsening <= result.bound * (1 + 1e-9) + 1e-9


ORDER = {IMPROVED: 0, OK: 1, INCONCLUSIVE: 1, REGRESSED: 2}


@given(st.sampled_from(GATED), positive, positive, histories, tolerances)
def test_worse_is_never_judged_better(metric, one, other, history, given):
    better, worse = sorted((one, other), reverse=metric.better == "higher")
    assert ORDER[kind(metric, better, history, given)] <= ORDER[kind(metric, worse, history, given)]


@given(positive, histories, st.none() | st.floats(0, 0.5), st.sampled_from([2.0**-9, 0.5, 1024.0]))
def test_the_unit_does_not_matter(now, history, given, scale):
    scaled = kind(ITL, now * scale, [value * scale for value in history], given)
    assert scaled is kind(ITL, now, history, given)


@given(positive, histories, st.randoms(use_true_random=False))
def test_the_order_of_sessions_does_not_matter_to_a_noisy_metric(now, history, random):
    shuffled = random.sample(history, len(history))
    assert compare(ITL, now, shuffled, None) == compare(ITL, now, history, None)


@given(positive, histories, st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_wider_tolerance_never_regresses_what_a_narrower_one_did_not(now, history, one, other):
    narrow, wide = sorted((one, other))
    assume(kind(ITL, now, history, narrow) is not REGRESSED)
    assert kind(ITL, now, history, wide) is not REGRESSED


@given(st.sampled_from(list(CATALOGUE.values())), positive)
def test_no_change_is_ok_for_every_metric(metric, value):
    assert kind(metric, value, [value]) is OK
