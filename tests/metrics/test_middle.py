"""The middle mean: as published where it is, and as far apart as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, trim_mean

from pytest_llmbench.metrics.middle import middle, middle_mean, of_middle

NAN = math.nan

PUBLISHED = {3: 0.4487, 4: 0.2982}
"""Of so few values it is their median, whose variance is tabled by Teichroew, Tables of expected
values of order statistics, Annals of Mathematical Statistics 27 (1956)."""


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=30))
def test_it_is_scipy_s_trimmed_mean_from_four_values_on(values):
    assert middle_mean(values) == pytest.approx(trim_mean(values, 0.25), abs=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"), [([7.0], 7.0), ([1.0, 2.0], 1.5), ([1.0, 2.0, 90.0], 2.0)]
)
def test_of_three_values_two_go_already(values, expected):
    assert middle_mean(values) == expected


def test_one_bad_quarter_changes_little():
    assert middle_mean([1.0, 1.0, 1.0, 99.0]) == 1.0
    assert middle_mean([*[1.0] * 6, 99.0, 99.0]) == 1.0


def test_what_is_not_there_is_left_out():
    found = middle(np.array([[NAN, 1.0, 4.0], [NAN, 3.0, NAN], [NAN, 2.0, 6.0]]), axis=0)
    assert math.isnan(found[0])
    assert found[1:].tolist() == [2.0, 5.0]
    rows = middle(np.array([[NAN, 1.0, 4.0], [NAN, 3.0, NAN]]), axis=1)
    assert rows.tolist() == [2.5, 3.0]
    assert np.isnan(middle(np.empty((0, 2)), axis=0)).all()


@pytest.mark.parametrize(("count", "variance"), PUBLISHED.items())
def test_the_variance_of_few_is_the_published_one(count, variance):
    assert of_middle(count) == pytest.approx(variance, abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, *range(5, 21), 60])
def test_the_variance_is_how_far_middles_are_apart_or_a_little_more(count):
    drawn = np.random.default_rng(5).standard_normal((60_000, count))
    seen = float(np.var(middle(drawn, axis=1)))
    assert 0.97 * seen <= of_middle(count) <= 1.10 * seen


def test_the_limit_is_that_of_a_mean_trimmed_by_quarters():
    """Source: Huber and Ronchetti, Robust statistics (2009), the variance of a trimmed mean."""
    q = norm.ppf(0.75)
    inside = 0.5 - 2 * q * norm.pdf(q)
    assert of_middle(1000) * 1000 == pytest.approx((inside + 0.5 * q**2) / 0.25, rel=1e-4)


def test_nothing_has_no_middle() -> None:
    with pytest.raises(ValueError, match="middle of 0 values"):
        of_middle(0)
