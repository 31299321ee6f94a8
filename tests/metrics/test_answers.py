"""Paired answers, against published examples and the definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.metrics.answers import (
    ADDED,
    answer_metrics,
    length_metrics,
    lowest_change,
    lowest_mean_change,
    mcnemar,
)


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


def test_shares_have_the_bound_of_the_bootstrap() -> None:
    """Against the percentiles of many draws: the bound corrects them by little where n is large."""
    rng = np.random.default_rng(3)
    one = rng.uniform(0.4, 1, 200)
    other = np.clip(one - rng.normal(0.05, 0.1, 200), 0, 1)
    changes = other - one
    draws = rng.choice([*changes, -ADDED, ADDED], (20_000, 202)).mean(axis=1)
    found = values([*zip(one, other, strict=True)])
    assert found["score_change"] == pytest.approx(changes.mean())
    assert found["score_change_low"] == pytest.approx(np.quantile(draws, 0.05), abs=2e-3)
    assert values([*zip(one, other, strict=True)]) == found, "the draws are seeded"


def test_the_bootstrap_s_bound_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    below = 0
    for _ in range(200):
        changes = rng.choice([-0.5, 0.0, 0.25], 40, p=[0.2, 0.5, 0.3])
        below += lowest_mean_change(changes.tolist()) <= -0.1 + 0.075
    assert below / 200 >= 0.92


def test_one_share_among_many_equals_makes_no_bound_sure() -> None:
    few = lowest_mean_change([0.0] * 19 + [0.01])
    assert few == pytest.approx(lowest_change(0, 0, 20), abs=0.02)
    assert lowest_mean_change([1 / 3, 1 / 3 + 1e-16]) < 0.2


@pytest.mark.parametrize("changes", [[0.0], [0.0] * 30, [-0.25] * 5])
def test_changes_that_are_all_the_same_have_a_bound_below_them(changes: list[float]) -> None:
    assert -1 <= lowest_mean_change(changes) < changes[0]
    assert lowest_mean_change(changes * 4) > lowest_mean_change(changes)


def test_lengths() -> None:
    def change(pairs) -> dict[str, float]:
        return {name: measured.value for name, measured in length_metrics(pairs).items()}

    assert change([(10, 9), (30, 27)]) == {"length_change": pytest.approx(0.1)}
    assert change([(10, 30), (30, 10)]) == {"length_change": 0.0}, "of all prompts together"
    assert change([(10, 25)]) == {"length_change": pytest.approx(1.5)}
    assert change([]) == change([(0, 5)]) == {}
