"""What an estimate proves: published quantiles, both directions, and how shares become sums."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.verdict.evidence import Evidence, log_bound, quantile, worsening_share

# Student's t, upper quantiles, as every table has them; the last row is the normal's.
PUBLISHED = {
    1: (6.314, 12.706, 31.821, 63.657, 636.619),
    2: (2.920, 4.303, 6.965, 9.925, 31.599),
    4: (2.132, 2.776, 3.747, 4.604, 8.610),
    10: (1.812, 2.228, 2.764, 3.169, 4.587),
    30: (1.697, 2.042, 2.457, 2.750, 3.646),
    1e9: (1.645, 1.960, 2.326, 2.576, 3.291),
}
CASES = [
    (freedom, alpha, t)
    for freedom, row in PUBLISHED.items()
    for alpha, t in zip((0.05, 0.025, 0.01, 0.005, 0.0005), row, strict=True)
]

changes = st.floats(-1, 1)
errors = st.floats(1e-3, 1)
freedoms = st.floats(1, 200)
bounds = st.floats(0, 1)
alphas = st.floats(1e-6, 0.4)
evidence = st.builds(Evidence, change=changes, error=errors, freedom=freedoms)
better = st.sampled_from(["lower", "higher"])


def test_the_cases_are_all_of_the_table():
    assert len(CASES) == 30


@pytest.mark.parametrize(("freedom", "alpha", "t"), CASES)
def test_the_published_quantiles(freedom, alpha, t):
    assert quantile(alpha, freedom) == pytest.approx(t, abs=6e-4)


@pytest.mark.parametrize(("freedom", "alpha", "t"), CASES)
def test_the_published_probabilities(freedom, alpha, t):
    found = Evidence(change=0.01 * t + 0.02, error=0.01, freedom=freedom)
    assert found.p_worse(0.02) == pytest.approx(alpha, rel=2e-3)
    gain = Evidence(change=-found.change, error=0.01, freedom=freedom)
    assert gain.p_better(0.02) == pytest.approx(alpha, rel=2e-3)


def test_the_margin_is_so_many_errors():
    found = Evidence(change=0.3, error=0.02, freedom=4)
    assert found.margin(0.005) == pytest.approx(4.604 * 0.02, rel=1e-3)


@given(evidence, bounds)
def test_no_estimate_is_worse_and_better(found, bound):
    assert found.p_worse(bound) + found.p_better(bound) >= 1 - 1e-9


@given(evidence, bounds)
def test_what_is_better_mirrors_what_is_worse(found, bound):
    mirrored = Evidence(change=-found.change, error=found.error, freedom=found.freedom)
    assert mirrored.p_better(bound) == pytest.approx(found.p_worse(bound))


@given(evidence, bounds, st.floats(0, 1))
def test_a_slower_now_is_never_more_probable(found, bound, more):
    slower = Evidence(change=found.change + more, error=found.error, freedom=found.freedom)
    assert slower.p_worse(bound) <= found.p_worse(bound) + 1e-12


@given(evidence, alphas, bounds)
def test_the_interval_and_the_probability_say_the_same(found, alpha, bound):
    low, p = found.change - found.margin(alpha), found.p_worse(bound)
    if low > bound + 1e-9:
        assert p < alpha
    if low < bound - 1e-9:
        assert p > alpha


@given(evidence, alphas, alphas)
def test_surer_is_wider(found, one, other):
    assert found.margin(min(one, other)) >= found.margin(max(one, other)) - 1e-12


@given(evidence, alphas, st.floats(0, 100))
def test_more_observations_are_never_wider(found, alpha, more):
    known = Evidence(change=0.0, error=found.error, freedom=found.freedom + more)
    assert known.margin(alpha) <= found.margin(alpha) + 1e-9


@pytest.mark.parametrize(
    ("share", "direction", "factor"),
    [
        (0.0, "lower", 1.0),
        (0.1, "lower", 1.1),
        (1.0, "lower", 2.0),
        (3.0, "lower", 4.0),
        (0.0, "higher", 1.0),
        (0.1, "higher", 1 / 0.9),
        (0.5, "higher", 2.0),
        (0.999, "higher", 1000.0),
        (1.0, "higher", math.inf),
        (2.0, "higher", math.inf),
    ],
)
def test_a_share_as_a_logarithm(share, direction, factor):
    assert log_bound(share, better=direction) == pytest.approx(math.log(factor))


@given(st.floats(0, 0.99), better)
def test_there_and_back(share, direction):
    there = log_bound(share, better=direction)
    assert worsening_share(there, better=direction) == pytest.approx(share)


def test_a_share_of_what_it_was():
    assert worsening_share(math.log(1.25), better="lower") == pytest.approx(0.25)
    assert worsening_share(math.log(1.25), better="higher") == pytest.approx(0.2)
    assert worsening_share(-math.log(1.25), better="lower") == pytest.approx(-0.2)
    assert worsening_share(-math.log(1.25), better="higher") == pytest.approx(-0.25)


def test_a_rate_that_may_fall_by_all_of_it_is_never_worse():
    found = Evidence(change=5.0, error=0.01, freedom=4)
    assert found.p_worse(log_bound(1.0, better="higher")) == 1.0
