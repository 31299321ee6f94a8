"""Shares of the best, weighted means of them, and who is not beaten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.metrics.ranking import (
    WEIGHTS,
    geometric_mean,
    pareto_front,
    shares_of_best,
    weighted,
)


@pytest.mark.parametrize(
    ("better", "shares"),
    [("higher", {"a": 0.5, "b": 1.0}), ("lower", {"a": 1.0, "b": 0.5})],
)
def test_half_as_good_is_half(better, shares) -> None:
    assert shares_of_best({"a": 2.0, "b": 4.0}, better) == shares


def test_where_all_are_worth_nothing_all_are_alike() -> None:
    assert shares_of_best({"a": 0.0, "b": 0.0}, "higher") == {"a": 1.0, "b": 1.0}
    assert shares_of_best({"a": 0.0, "b": 2.0}, "lower") == {"a": 1.0, "b": 0.0}
    assert shares_of_best({}, "lower") == {}


def test_quality_counts_twice() -> None:
    assert weighted({"quality": 0.5, "speed": 1.0, "memory": 1.0}) == pytest.approx(0.5**0.5)
    assert weighted({"quality": 1.0, "speed": 0.5, "memory": 1.0}) == pytest.approx(0.5**0.25)
    assert WEIGHTS == {"quality": 2, "speed": 1, "memory": 1}


def test_parts_that_are_not_known_have_no_weight() -> None:
    assert weighted({"speed": 0.5, "memory": 0.5}) == pytest.approx(0.5)


def test_what_is_worth_nothing_in_one_part_is_worth_nothing() -> None:
    assert weighted({"quality": 0.0, "speed": 1.0}) == 0.0


def test_a_ranking_by_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="by nothing"):
        weighted({})


def test_geometric_mean() -> None:
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)


def test_nobody_on_the_front_is_beaten() -> None:
    points = {"quick": (1.0, 0.5), "good": (2.0, 0.9), "beaten": (2.5, 0.9), "slow": (3.0, 0.4)}
    assert pareto_front(points) == {"quick", "good"}


def test_equals_are_both_on_the_front() -> None:
    assert pareto_front({"a": (1.0, 1.0), "b": (1.0, 1.0)}) == {"a", "b"}
    assert pareto_front({}) == frozenset()


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.tuples(st.floats(0, 10), st.floats(0, 1)),
        min_size=1,
        max_size=12,
    )
)
def test_the_front_has_someone_and_the_quickest_of_the_best(points) -> None:
    front = pareto_front(points)
    assert front
    assert min(points, key=lambda name: (-points[name][1], points[name][0])) in front
