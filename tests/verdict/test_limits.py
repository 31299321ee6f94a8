"""Limits on both sides of the edge, and their sentences in full."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Measured
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.limits import judge_limits

from .facts import make_gates, measured

OK, REGRESSED = VerdictKind.OK, VerdictKind.REGRESSED


def judged(name, operator, bound, value):
    limits = make_gates((name, operator, bound)).limits.values()
    (verdict,) = judge_limits(measured({name: value}), limits, lambda name: "no reason")
    assert verdict.metric == name
    return verdict


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [
        ("<=", OK, OK, REGRESSED),
        (">=", REGRESSED, OK, OK),
        ("<", OK, REGRESSED, REGRESSED),
        (">", REGRESSED, REGRESSED, OK),
        ("==", REGRESSED, OK, REGRESSED),
    ],
)
def test_both_sides_of_every_operator(operator, below, at, above):
    kinds = [judged("ttft_s", operator, 0.5, 0.5 + step).kind for step in (-1e-9, 0, 1e-9)]
    assert kinds == [below, at, above]


@pytest.mark.parametrize(
    ("name", "operator", "bound", "value", "sentence"),
    [
        (
            "ttft_s",
            "<=",
            0.5,
            0.62,
            "ttft_s is 620 ms; the limit is <= 500 ms: 24 % above (llmbench.toml: limits)",
        ),
        (
            "decode_tps",
            ">=",
            10,
            8.2,
            "decode_tps is 8.2 tok/s; the limit is >= 10 tok/s: 18 % below (llmbench.toml: limits)",
        ),
        (
            "rss_peak_bytes",
            "<=",
            2**30,
            2**29,
            "rss_peak_bytes is 512 MiB; the limit is <= 1 GiB: 50 % below (llmbench.toml: limits)",
        ),
        (
            "ttft_s",
            "<",
            0.5,
            0.5,
            "ttft_s is 500 ms; the limit is < 500 ms: exactly at it (llmbench.toml: limits)",
        ),
        (
            "ttft_s",
            "<=",
            0.5,
            0.50001,
            ("ttft_s is 500.01 ms; the limit is <= 500 ms: 0 % above (llmbench.toml: limits)"),
        ),
        (
            "warnings",
            "==",
            0,
            3,
            "warnings is 3; the limit is == 0: 3 above (llmbench.toml: limits)",
        ),
    ],
)
def test_sentences(name, operator, bound, value, sentence):
    assert judged(name, operator, bound, value).sentence == sentence


def test_the_block_of_a_broken_limit():
    assert judged("ttft_s", "<=", 0.5, 0.62).block == (
        (
            "metric",
            f"ttft_s: {CATALOGUE['ttft_s'].summary}",
        ),
        ("now", "620 ms"),
        ("limit", "<= 500 ms (llmbench.toml: limits)"),
        ("margin", "24 % above"),
    )


def test_a_kept_limit_has_no_block():
    assert judged("ttft_s", "<=", 0.5, 0.4).block == ()


def test_a_metric_that_was_not_measured():
    limits = make_gates(("itl_s", "<=", 0.01)).limits.values()
    (verdict,) = judge_limits({}, limits, lambda name: f"nobody asked for {name}")
    assert verdict.kind is VerdictKind.MISSING
    assert verdict.sentence == (
        "itl_s has the limit <= 10 ms (llmbench.toml: limits) but was not measured: nobody asked "
        "for itl_s"
    )


def test_the_limit_holds_for_the_value_that_reports_show():
    limits = make_gates(("ttft_s", "<=", 0.5)).limits.values()
    metrics = {"ttft_s": Measured(value=0.6, gate=0.4, rounds=None)}
    assert judge_limits(metrics, limits, str)[0].kind is REGRESSED
