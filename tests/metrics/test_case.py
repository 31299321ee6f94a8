"""A case's numbers over its rounds: medians, low quantile, and which rounds count."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Statistic
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.metrics.case import (
    FEWEST,
    case_metrics,
    clean_rounds,
    enough_clean,
    round_spread,
    session_statistic,
)
from pytest_llmbench.metrics.taint import Machine

from .facts import (
    DEVICE,
    HERE,
    make_contention,
    make_memory,
    make_prompt,
    make_round,
    make_trace,
)

finite = st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=30)


def ttft_rounds(*ttfts_ms, tainted=()):
    return [
        make_round((ttft, ttft + 5, ttft + 10), run_delay_s=0.9 if number in tainted else 0.0)
        for number, ttft in enumerate(ttfts_ms)
    ]


def test_value_is_the_median_and_gate_the_metrics_own_statistic():
    metrics = case_metrics(ttft_rounds(30, 10, 20, 50, 40), make_prompt(), None)
    assert metrics["ttft_s"].value == pytest.approx(0.030)
    assert metrics["ttft_s"].gate == pytest.approx(0.014)  # 10 + 0.4 * (20 - 10) ms
    assert metrics["ttft_s"].rounds == pytest.approx((0.03, 0.01, 0.02, 0.05, 0.04))
    assert metrics["itl_s"].value == metrics["itl_s"].gate == pytest.approx(0.005)


def test_the_order_is_the_catalogues():
    metrics = case_metrics(ttft_rounds(1), make_prompt("contains", "hell"), make_memory())
    assert list(metrics) == [name for name in CATALOGUE if name in metrics]
    assert metrics["score"].rounds == (1.0,)


def test_half_of_the_rounds_tainted_leaves_the_clean_ones():
    metrics = case_metrics(ttft_rounds(10, 90, 20, 80, tainted={1, 3}), make_prompt(), None)
    assert metrics["ttft_s"].value == pytest.approx(0.015)
    assert len(metrics["ttft_s"].rounds) == 4


def test_more_than_half_tainted_uses_all():
    metrics = case_metrics(ttft_rounds(10, 90, 80, tainted={1, 2}), make_prompt(), None)
    assert metrics["ttft_s"].value == pytest.approx(0.080)


def test_enough_clean_rounds_do_with_any_number_of_tainted_ones():
    clean, busy = [10.0] * FEWEST, [90.0] * 20
    tainted = range(FEWEST, FEWEST + 20)
    metrics = case_metrics(ttft_rounds(*clean, *busy, tainted=tainted), make_prompt(), None)
    assert metrics["ttft_s"].value == pytest.approx(0.010)


@pytest.mark.parametrize(
    ("clean", "tainted", "enough"),
    [
        (0, 0, True),
        (0, 1, False),
        (1, 1, True),
        (1, 2, False),
        (FEWEST - 1, FEWEST, False),
        (FEWEST, 100, True),
    ],
)
def test_both_sides_of_enough(clean, tainted, enough):
    assert enough_clean([True] * clean + [False] * tainted) is enough


def test_a_cached_prompt_leaves_its_round_out_of_the_prompt_s_metrics_alone():
    rounds = [make_round((10, 20)), make_round((1, 20), cached=5), make_round((12, 20))]
    metrics = case_metrics(rounds, make_prompt(), None)
    assert metrics["ttft_s"].rounds == pytest.approx((0.010, 0.012))
    assert metrics["ttft_s"].value == pytest.approx(0.011)
    assert metrics["itl_s"].rounds == pytest.approx((0.010, 0.019, 0.008))


def test_steal_counts_only_with_the_number_of_processors():
    stolen = Round(trace=make_trace(), contention=make_contention(steal_s=0.2))
    rounds = [make_round(), stolen]
    assert clean_rounds(rounds, HERE) == (True, False)
    assert clean_rounds(rounds, Machine(processors=4)) == (True, True)
    assert clean_rounds(rounds, Machine()) == (True, True)


def test_exact_metrics_use_every_round():
    rounds = [make_round(text="yes"), make_round(text="no"), make_round(text="no", run_delay_s=1)]
    score = case_metrics(rounds, make_prompt("exact", "yes"), None)["score"]
    assert (score.value, score.gate, score.rounds) == (0.0, 0.0, (1.0, 0.0, 0.0))


def test_a_metric_that_only_some_rounds_define():
    rounds = [make_round((10,)), make_round((10, 14))]
    itl = case_metrics(rounds, make_prompt(), None)["itl_s"]
    assert itl.rounds == pytest.approx((0.004,))


def test_a_metric_that_only_tainted_rounds_define_is_kept():
    rounds = [make_round((10,)), make_round((10, 14), run_delay_s=1.0)]
    assert case_metrics(rounds, make_prompt(), None)["itl_s"].value == pytest.approx(0.004)


def test_memory_of_host_and_device():
    metrics = case_metrics([], make_prompt(), make_memory(device=DEVICE))
    assert {name: m.value for name, m in metrics.items()} == {
        "rss_peak_bytes": 150,
        "device_alloc_peak_bytes": 7,
        "device_reserved_peak_bytes": 9,
        "device_process_bytes": 11,
    }
    assert all(m.rounds is None and m.gate == m.value for m in metrics.values())


def test_memory_that_could_not_be_read_is_absent():
    assert case_metrics([], make_prompt(), make_memory(rss_peak=None)) == {}
    assert case_metrics([], make_prompt(), None) == {}


# Published: R's quantile(x, 0.1, type = 7), the default of R, numpy and Excel's PERCENTILE.INC,
# for 1..10 is 1.9, and for the data of R's own example (0, 1, 4, 9, 16) 0.4.
@pytest.mark.parametrize(
    ("values", "quantile"), [(range(1, 11), 1.9), ((0, 1, 4, 9, 16), 0.4), ((3,), 3)]
)
def test_low_quantile_is_type_seven(values, quantile):
    assert session_statistic(list(values), Statistic.LOW_QUANTILE) == pytest.approx(quantile)


@given(finite)
def test_the_statistics_agree_with_the_standard_library(values):
    assert session_statistic(values, Statistic.VALUE) == pytest.approx(statistics.median(values))
    if len(values) >= 2:
        low = statistics.quantiles(values, n=10, method="inclusive")[0]
        assert session_statistic(values, Statistic.LOW_QUANTILE) == pytest.approx(low)


@given(finite, st.randoms(use_true_random=False))
def test_the_order_of_rounds_does_not_matter(values, random):
    rounds = [make_round((value * 1000, value * 1000 + 7)) for value in values]
    shuffled = random.sample(rounds, len(rounds))
    one, other = (case_metrics(each, make_prompt(), None) for each in (rounds, shuffled))
    assert {n: (m.value, m.gate) for n, m in one.items()} == {
        n: (m.value, m.gate) for n, m in other.items()
    }


@given(finite, st.integers(min_value=0), st.floats(min_value=0, max_value=10))
def test_a_slower_round_never_makes_the_case_faster(values, place, extra):
    slower = list(values)
    slower[place % len(values)] += extra
    for statistic in Statistic:
        grain = 1e-12 * max(slower)
        assert session_statistic(slower, statistic) >= session_statistic(values, statistic) - grain


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_the_spread_of_rounds_estimates_their_standard_deviation(count):
    generator = np.random.default_rng(3)
    drawn = generator.standard_normal((20_000, count)) * 0.3 + 5
    estimates = [round_spread(row.tolist(), Statistic.MIDDLE) for row in drawn]
    assert np.mean(estimates) == pytest.approx(0.3, rel=0.01)


# Expected range of n standard normal values: d2 of every table of control chart constants.
D2 = {2: 1.128, 3: 1.693, 4: 2.059, 5: 2.326, 6: 2.534, 7: 2.704, 8: 2.847, 9: 2.970, 10: 3.078}


@pytest.mark.parametrize(("count", "d2"), D2.items())
def test_the_published_factors_of_a_range(count, d2):
    values = [0.0, *[d2 / 2] * (count - 2), d2]
    assert round_spread(values, Statistic.MIDDLE) == pytest.approx(1.0)


def test_beyond_ten_rounds_the_factor_errs_towards_more():
    drawn = np.random.default_rng(4).standard_normal((2000, 20))
    estimates = [round_spread(row.tolist(), Statistic.MIDDLE) for row in drawn]
    assert 1.0 <= np.mean(estimates) <= 1.3


def test_two_rounds_in_another_gear_are_seen():
    assert round_spread([1.55, 1.52, 2.61, 2.61, 1.55], Statistic.MIDDLE) > 0.4


def test_a_stall_says_nothing_of_the_fastest_rounds():
    assert round_spread([1.0, 1.0, 1.0, 1.0, 9.0], Statistic.LOW_QUANTILE) == 0.0
    assert round_spread([1.0], Statistic.MIDDLE) == 0.0


# --- launches ----------------------------------------------------------------------------------


def launched(*launches, tainted=()):
    """Rounds of several launches, each the times to the first token, in ms."""
    rounds = []
    for number, ttfts_ms in enumerate(launches):
        for turn, ttft in enumerate(ttfts_ms):
            delay = 0.9 if (number, turn) in tainted else 0.0
            stamps = (ttft, ttft + ttft, ttft * 3)
            rounds.append(make_round(stamps, run_delay_s=delay, launch=number, turn=turn))
    return rounds


def itl(*launches, **kwargs):
    return case_metrics(launched(*launches, **kwargs), make_prompt(), None)["itl_s"]


def test_the_gate_is_the_middle_of_the_launches_statistics():
    found = itl((10, 20, 30), (40,), (90, 80, 70))
    assert found.launches == pytest.approx((0.020, 0.040, 0.080))
    assert found.gate == pytest.approx(0.040)
    assert found.value == pytest.approx(0.040)
    assert len(found.rounds) == 7


def test_launches_weigh_alike_however_many_rounds_they_have():
    found = itl((10,) * 9, (30,))
    assert (found.value, found.gate) == pytest.approx((0.010, 0.020))


def test_a_launch_of_which_nothing_counts_is_none():
    found = itl((10, 10, 10), (90,), tainted={(1, 0)})
    assert found.launches == pytest.approx((0.010,))


def test_the_error_is_a_share_of_the_gate():
    found = itl((10, 20))
    spread = 0.010 / D2[2]
    assert found.error == pytest.approx(spread * math.sqrt(1 / 2) / found.gate)


def test_launches_sharpen_the_error():
    one, four = itl((10, 11, 12)), itl(*[(10, 11, 12)] * 4)
    assert four.error == pytest.approx(one.error / 2)
    assert four.gate == one.gate


@pytest.mark.parametrize("launches", [[(10,)], [(10, 10, 10)], [(10,), (90,)]])
def test_rounds_that_agree_or_stand_alone_show_no_error(launches):
    assert itl(*launches).error == 0.0


def test_what_repeats_has_neither_launches_nor_error():
    rounds = launched((10, 20), (30,))
    metrics = case_metrics(rounds, make_prompt("exact", "hello"), make_memory())
    for name in ("score", "output_tokens", "rss_peak_bytes"):
        assert (metrics[name].launches, metrics[name].error) == ((), 0.0)


@given(st.lists(st.lists(st.floats(1, 100), min_size=1, max_size=4), min_size=1, max_size=3))
def test_the_unit_does_not_matter_to_launches(launches):
    one, other = itl(*launches), itl(*[[t * 8 for t in launch] for launch in launches])
    assert other.gate == pytest.approx(8 * one.gate, rel=1e-5)
    assert other.error == pytest.approx(one.error, rel=1e-3, abs=1e-6)
