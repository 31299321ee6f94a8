"""Gaps between tokens, counted in steps of equal ratio."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.metrics.gaps import STEPS, added, bounds, gaps, quantile, step_of
from tests.support import token_trace


@given(st.floats(min_value=1e-9, max_value=1e4))
def test_a_value_is_within_its_step(value: float) -> None:
    low, high = bounds(step_of(value))
    assert low <= value * (1 + 1e-12)
    assert value < high * (1 + 1e-12)


def test_a_doubling_has_its_steps() -> None:
    assert step_of(0.5) == -STEPS
    assert step_of(1.0) == 0
    assert step_of(2.0) == STEPS


def test_gaps_of_all_rounds_are_counted() -> None:
    one = token_trace(stamps_ns=(5_000_000, 10_000_000, 15_000_000))
    other = token_trace(stamps_ns=(5_000_000, 25_000_000))
    found = gaps([one, other])
    assert found is not None
    assert found.between == "tokens"
    assert found.steps_per_doubling == STEPS
    assert found.counts == {step_of(0.005): 2, step_of(0.02): 1}


def test_tokens_that_arrive_together_are_a_nanosecond_apart() -> None:
    found = gaps([token_trace(stamps_ns=(5_000_000, 5_000_000))])
    assert found is not None
    assert found.counts == {step_of(1e-9): 1}


@pytest.mark.parametrize("stamps", [(), (5_000_000,)])
def test_a_single_token_has_no_gap(stamps: tuple[int, ...]) -> None:
    assert gaps([token_trace(stamps_ns=stamps)]) is None
    assert gaps([]) is None


def test_counts_add_up() -> None:
    assert added([{3: 1, 1: 2}, {3: 4}, {}]) == {1: 2, 3: 5}


@pytest.mark.parametrize(("share", "step"), [(0.0, 0), (0.5, 0), (0.51, 8), (1.0, 8)])
def test_a_quantile_is_the_middle_of_its_step(share: float, step: int) -> None:
    low, high = bounds(step)
    assert quantile({8: 2, 0: 2}, share) == pytest.approx(math.sqrt(low * high))


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="a quantile of nothing is not defined"):
        quantile({}, 0.5)
