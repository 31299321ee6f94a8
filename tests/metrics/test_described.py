"""Rounds in the words of other tools: held against pytest-benchmark's own figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from pytest_llmbench.metrics.described import described

VALUES = st.lists(
    st.floats(1e-6, 1e3, allow_nan=False, allow_infinity=False), min_size=1, max_size=40
)


@given(VALUES)
def test_it_says_what_pytest_benchmark_says(values: list[float]) -> None:
    theirs = Stats()
    for value in values:
        theirs.update(value)
    ours = described(values)
    assert ours is not None
    assert ours.lowest == theirs.min
    assert ours.highest == theirs.max
    assert ours.median == theirs.median
    assert ours.mean == pytest.approx(theirs.mean)
    assert (ours.deviation or 0.0) == pytest.approx(theirs.stddev)
    assert (ours.deviation is None) == (len(values) == 1), "one value shows none"
    assert (ours.q1, ours.q3) == pytest.approx((theirs.q1, theirs.q3))
    assert ours.between_quartiles == pytest.approx(theirs.iqr, abs=1e-9)
    assert ours.total == pytest.approx(theirs.total)


@pytest.mark.parametrize(
    "values",
    [
        [3.0],
        [1.0, 2.0],
        [1.0, 2.0, 3.0],
        [1.0, 2.0, 3.0, 4.0, 50.0],
        [-40.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        [2.0, 2.0, 2.0, 2.0, 9.0, 2.0, 2.0, 1.0],
    ],
)
def test_so_it_does_of_outliers(values: list[float]) -> None:
    theirs = Stats()
    for value in values:
        theirs.update(value)
    ours = described(values)
    assert ours is not None
    assert ours.far_from_mean == theirs.stddev_outliers
    assert ours.far_from_quartiles == theirs.iqr_outliers
    assert (ours.lowest_near, ours.highest_near) == (theirs.ld15iqr, theirs.hd15iqr)


def test_what_is_absent_or_not_finite_is_left_out() -> None:
    found = described([None, math.nan, 2.0, math.inf, 1.0])
    assert found is not None
    assert found.values == (2.0, 1.0)
    assert described([None, math.nan]) is None
    assert described([]) is None
