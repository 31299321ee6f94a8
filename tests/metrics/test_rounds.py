"""Per-round metrics against the written definitions."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.trace import EngineTimings
from pytest_llmbench.metrics.rounds import round_metrics
from tests.support import token_trace

from .facts import make_trace

gaps_ns = st.lists(st.integers(min_value=1, max_value=10**9), min_size=2, max_size=60)


def stamps(gaps):
    total, made = 0, []
    for gap in gaps:
        total += gap
        made.append(total)
    return tuple(made)


def test_every_metric_of_a_round_by_hand():
    # Tokens at 100, 110, 130, 160 and 260 ms: gaps of 10, 20, 30 and 100 ms.
    metrics = round_metrics(make_trace((100, 110, 130, 160, 260), prompt_tokens=50, text="héllo"))
    assert metrics == pytest.approx(
        {
            "ttft_s": 0.1,
            "itl_s": 0.025,
            "itl_p90_s": 0.079,  # between the 3rd and 4th gap: 30 + 0.7 * 70 ms
            "itl_max_s": 0.1,
            "tpot_s": 0.04,
            "latency_s": 0.26,
            "tokenize_s": 0.0005,
            "decode_tps": 25.0,
            "prefill_tps": 500.0,
            "output_tps": 5 / 0.26,
            "prompt_tokens": 50,
            "output_tokens": 5,
            "output_chars": 5,
        }
    )


def test_names_are_of_the_catalogue_and_of_cases():
    assert all(CATALOGUE[name].of == "case" for name in round_metrics(make_trace()))


def test_one_token_has_no_gaps():
    metrics = round_metrics(make_trace((100,)))
    assert metrics["ttft_s"] == metrics["latency_s"] == pytest.approx(0.1)
    assert metrics["output_tps"] == pytest.approx(10)
    assert not {"itl_s", "itl_p90_s", "itl_max_s", "tpot_s", "decode_tps"} & metrics.keys()


def test_two_tokens_have_one_gap():
    metrics = round_metrics(make_trace((100, 110)))
    assert metrics["itl_s"] == metrics["itl_max_s"] == metrics["tpot_s"] == pytest.approx(0.01)


def test_no_token_has_no_time():
    metrics = round_metrics(make_trace((), text=""))
    assert metrics.keys() == {"prompt_tokens", "output_tokens", "output_chars", "tokenize_s"}
    assert metrics["output_tokens"] == 0


def test_a_clock_too_coarse_yields_no_rates():
    metrics = round_metrics(make_trace((0, 0, 0)))
    assert not {"decode_tps", "prefill_tps", "output_tps"} & metrics.keys()
    assert metrics["itl_s"] == 0


def test_a_cached_prompt_leaves_what_it_is_no_part_of():
    metrics = round_metrics(make_trace((100, 110), prompt_tokens=50, cached=30))
    assert not metrics.keys() & {"ttft_s", "latency_s", "prefill_tps", "output_tps"}
    assert metrics["itl_s"] == pytest.approx(0.01)
    assert metrics["decode_tps"] == pytest.approx(100)


CHUNKS = {"arrivals": "chunks", "token_ids": (), "tokenize_ns": None}


def test_every_metric_of_a_server_s_round_by_hand():
    # 9 tokens in chunks at 100, 110, 130 and 180 ms; the server answered first after 40 ms.
    trace = token_trace(
        **CHUNKS,
        stamps_ns=tuple(ms * 1_000_000 for ms in (100, 110, 130, 180)),
        first_response_ns=40_000_000,
        output_tokens=9,
        prompt_tokens=50,
        timings=EngineTimings(prefill_tokens=50, prefill_s=0.1, decode_tokens=8, decode_s=0.04),
    )
    assert round_metrics(trace) == pytest.approx(
        {
            "ttfr_s": 0.04,
            "ttft_s": 0.1,
            "icl_s": 0.02,
            "icl_p90_s": 0.044,  # between the 2nd and 3rd gap: 20 + 0.8 * 30 ms
            "icl_max_s": 0.05,
            "tpot_s": 0.01,
            "latency_s": 0.18,
            "decode_tps": 100.0,
            "prefill_tps": 500.0,
            "output_tps": 50.0,
            "engine_prefill_tps": 500.0,
            "engine_decode_tps": 200.0,
            "prompt_tokens": 50,
            "output_tokens": 9,
            "output_chars": 5,
        }
    )


def test_what_a_server_does_not_count_is_absent():
    uncounted = {"output_tokens": None, "prompt_tokens": None, "cached_prompt_tokens": None}
    metrics = round_metrics(token_trace(**CHUNKS, **uncounted))
    assert metrics.keys() == {
        "ttft_s", "icl_s", "icl_p90_s", "icl_max_s", "latency_s", "output_chars",
    }  # fmt: skip


def test_a_prompt_that_may_have_been_cached_has_no_prefill_rate():
    assert "prefill_tps" not in round_metrics(token_trace(cached_prompt_tokens=None))


def test_timings_without_time_give_no_rate():
    own = EngineTimings(prefill_tokens=5, prefill_s=0.0, decode_tokens=None, decode_s=1.0)
    assert not round_metrics(token_trace(timings=own)).keys() & {
        "engine_prefill_tps",
        "engine_decode_tps",
    }


@given(gaps_ns)
def test_gap_statistics_agree_with_the_standard_library(gaps):
    metrics = round_metrics(make_trace(stamps(gaps), ns=True))
    between = gaps[1:]
    assert metrics["itl_s"] == pytest.approx(statistics.median(between) * 1e-9)
    assert metrics["tpot_s"] == pytest.approx(statistics.mean(between) * 1e-9)
    if len(between) >= 2:
        deciles = statistics.quantiles(between, n=10, method="inclusive")
        assert metrics["itl_p90_s"] == pytest.approx(deciles[-1] * 1e-9)


@given(gaps_ns)
def test_restated_metrics_agree(gaps):
    m = round_metrics(make_trace(stamps(gaps), ns=True))
    tokens = m["output_tokens"]
    assert m["decode_tps"] * m["tpot_s"] == pytest.approx(1)
    assert m["latency_s"] == pytest.approx(m["ttft_s"] + (tokens - 1) * m["tpot_s"])
    assert m["output_tps"] * m["latency_s"] == pytest.approx(tokens)
    assert m["itl_s"] <= m["itl_max_s"] * (1 + 1e-12)
    assert m["itl_p90_s"] <= m["itl_max_s"] * (1 + 1e-12)


@given(gaps_ns, st.integers(min_value=2, max_value=50))
def test_a_machine_k_times_slower_has_times_k_times_longer(gaps, k):
    fast = round_metrics(make_trace(stamps(gaps), ns=True))
    slow = round_metrics(make_trace(stamps([gap * k for gap in gaps]), ns=True))
    for name in ("ttft_s", "itl_s", "itl_p90_s", "itl_max_s", "tpot_s", "latency_s"):
        assert slow[name] == pytest.approx(fast[name] * k)
    for name in ("decode_tps", "prefill_tps", "output_tps"):
        assert slow[name] == pytest.approx(fast[name] / k)
