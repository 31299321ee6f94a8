"""What several cases come to."""

from __future__ import annotations

import math

import pytest

from pytest_llmbench.metrics.across import across, quotients, together


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("ttft_s", 2.0),
        ("decode_tps", 2.0),
        ("rss_peak_bytes", 9.0),
        ("faults", 12.0),
        ("score", 4.0),
        ("kl_mean", 4.0),
        ("unheard_of", 4.0),
    ],
)
def test_each_kind_in_its_way(metric: str, expected: float) -> None:
    assert across(metric, [1.0, 9.0, 2.0]) == expected


def test_what_is_absent_or_not_finite_is_no_value() -> None:
    assert across("score", [None, math.nan, math.inf, 0.5]) == 0.5
    assert across("score", [None, math.nan]) is None
    assert across("score", []) is None


def test_twice_and_half_are_one() -> None:
    assert together([2.0, 0.5]) == pytest.approx(1.0)
    assert together([None, 0.0, -1.0, math.inf, math.nan, 4.0]) == pytest.approx(4.0)
    assert together([]) is None


def test_quotients_of_what_both_have() -> None:
    mine = {"a": 3.0, "b": 1.0, "c": None, "d": 0.0, "e": 2.0}
    theirs = {"a": 2.0, "c": 1.0, "d": 1.0, "e": 0.0}
    assert quotients(mine, theirs) == {"a": 1.5}
