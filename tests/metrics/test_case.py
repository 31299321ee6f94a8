"""A case's numbers over its rounds: medians, low quantile, and which rounds count."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.metric import CATALOGUE, Statistic
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.metrics.case import case_metrics, clean_rounds, round_spread, session_statistic

from .facts import (
    DEVICE,
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


def test_a_cached_prompt_leaves_its_round_out_of_the_prompt_s_metrics_alone():
    rounds = [make_round((10, 20)), make_round((1, 20), cached=5), make_round((12, 20))]
    metrics = case_metrics(rounds, make_prompt(), None)
    assert metrics["ttft_s"].rounds == pytest.approx((0.010, 0.012))
    assert metrics["ttft_s"].value == pytest.approx(0.011)
    assert metrics["itl_s"].rounds == pytest.approx((0.010, 0.019, 0.008))


def test_steal_counts_only_with_the_number_of_processors():
    stolen = Round(trace=make_trace(), contention=make_contention(steal_s=0.2))
    rounds = [make_round(), stolen]
    assert clean_rounds(rounds, processors=2) == (True, False)
    assert clean_rounds(rounds, processors=4) == (True, True)
    assert clean_rounds(rounds, processors=None) == (True, True)


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
    assert session_statistic(values, Statistic.MEDIAN) == pytest.approx(statistics.median(values))
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
    estimates = [round_spread(row.tolist(), Statistic.MEDIAN) for row in drawn]
    assert np.mean(estimates) == pytest.approx(0.3, rel=0.01)


def test_two_rounds_in_another_gear_are_seen():
    assert round_spread([1.55, 1.52, 2.61, 2.61, 1.55], Statistic.MEDIAN) > 0.4


def test_a_stall_says_nothing_of_the_fastest_rounds():
    assert round_spread([1.0, 1.0, 1.0, 1.0, 9.0], Statistic.LOW_QUANTILE) == 0.0
    assert round_spread([1.0], Statistic.MEDIAN) == 0.0
