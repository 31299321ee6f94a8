"""Paired answers, against published examples and the definitions."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.metrics.answers import answer_metrics, lowest_change, mcnemar


def values(pairs) -> dict[str, float]:
    return {name: measured.value for name, measured in answer_metrics(pairs).items()}


def test_counts_and_their_change() -> None:
    pairs = [(1, 1)] * 6 + [(1, 0)] * 3 + [(0, 1)] + [(0, 0)] * 2
    found = values(pairs)
    assert found["flips"] == 3
    assert found["flips_p"] == pytest.approx(5 / 16)
    assert found["score_change"] == pytest.approx(-2 / 12)
    assert -1 < found["score_change_low"] < -2 / 12
    assert values([]) == {}


@given(worse=st.integers(0, 9), better=st.integers(0, 9))
def test_mcnemar_is_what_coins_do(worse: int, better: int) -> None:
    total = worse + better
    as_bad = sum(math.comb(total, count) for count in range(worse, total + 1))
    assert mcnemar(worse, better) == pytest.approx(as_bad / 2**total)


def test_the_exact_test_of_a_textbook() -> None:
    """Approval of a prime minister, 1600 asked twice: 150 and 86 changed their minds.

    A. Agresti, Categorical data analysis; the tail and the bound are calculated by hand.
    """
    assert mcnemar(150, 86) == pytest.approx(1.858e-5, rel=1e-3)
    assert lowest_change(150, 86, 1600) == pytest.approx(-0.05568, abs=1e-5)


@pytest.mark.parametrize(("worse", "better"), [*itertools.product((0, 1, 4), repeat=2)])
def test_the_bound_is_below_the_change_and_narrows(worse: int, better: int) -> None:
    few, many = (lowest_change(worse * n, better * n, 20 * n) for n in (1, 100))
    change = (better - worse) / 20
    assert -1 <= few < many < change or (worse == better == 0 and few < many < 0)


def test_how_many_prompts_show_that_none_of_two_points_is_lost() -> None:
    assert lowest_change(0, 0, 80) < -0.02 < lowest_change(0, 0, 81)
