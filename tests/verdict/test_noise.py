"""How far apart sessions are: two levels found again, moderated, and how sure a middle is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.metrics.middle import middle, of_middle
from pytest_llmbench.verdict.noise import (
    ASSUMED_FREEDOM,
    MOST_FREEDOM_OF_OTHERS,
    Spread,
    drift,
    error_of_middle,
    moderated,
    pooled,
    split,
)

NAN = math.nan
NONE = Spread(variance=0.0, freedom=0.0)

spreads = st.builds(Spread, variance=st.floats(0, 10), freedom=st.floats(0, 50))


def grid(*rows):
    return np.array(rows, dtype=float)


# --- two levels --------------------------------------------------------------------------------


def test_a_shift_of_whole_rows_is_shared():
    found = split(grid([1.0, 5.0, 9.0], [1.1, 5.1, 9.1], [1.3, 5.3, 9.3]))
    assert found.shared.variance == pytest.approx(np.var([0.0, 0.1, 0.3], ddof=1))
    assert found.shared.freedom == 2
    assert found.own == pytest.approx(0.0, abs=1e-12)


def test_a_single_case_has_nothing_of_its_own():
    found = split(grid([1.0], [1.2]))
    assert found.shared == Spread(variance=pytest.approx(0.02), freedom=1)
    assert found.own == 0.0


def test_one_row_shows_nothing():
    assert split(grid([1.0, 2.0])).shared == NONE
    assert split(np.empty((0, 3))).shared == NONE


def test_a_row_without_anything_is_none():
    found = split(grid([1.0, 2.0], [NAN, NAN], [1.2, 2.2]))
    assert found.shared == Spread(variance=pytest.approx(0.02), freedom=1)
    assert split(grid([1.0, 2.0], [NAN, NAN])).shared == NONE


def test_a_case_that_some_rows_lack():
    whole = grid([1.0, 5.0, 9.0], [1.1, 5.1, 9.1], [1.3, 5.3, 9.3])
    whole[1, 2] = NAN
    assert split(whole).shared.variance == pytest.approx(np.var([0.0, 0.1, 0.3], ddof=1))


@pytest.mark.parametrize("rows", [2, 3, 5, 10])
def test_both_levels_are_found_again(rows):
    generator = np.random.default_rng(5)
    shared, own = [], []
    for _ in range(300):
        levels = generator.uniform(-5, 5, 20)
        shifts = 0.05 * generator.standard_normal((rows, 1))
        cells = 0.02 * generator.standard_normal((rows, 20))
        found = split(levels + shifts + cells)
        shared.append(found.shared.variance)
        own.append(found.own)
    assert math.sqrt(np.mean(shared)) == pytest.approx(0.05, rel=0.1)
    assert 0.0195 <= np.mean(own) <= 0.02 * 1.35, "it errs towards more"


def test_one_case_that_changed_moves_neither_level_much():
    generator = np.random.default_rng(6)
    calm = 0.01 * generator.standard_normal((5, 1)) + 0.005 * generator.standard_normal((5, 30))
    moved = calm.copy()
    moved[4:, 7] += 1.0
    assert split(moved).shared.variance == pytest.approx(split(calm).shared.variance, rel=0.1)


@given(st.permutations(range(6)), st.permutations(range(4)))
def test_the_order_of_cases_and_rows_does_not_matter(columns, rows):
    whole = np.random.default_rng(7).standard_normal((4, 6))
    one, other = split(whole), split(whole[list(rows)][:, list(columns)])
    assert other.shared.variance == pytest.approx(one.shared.variance)
    assert other.own == pytest.approx(one.own)


# --- moderated ---------------------------------------------------------------------------------


def test_pooled_by_what_stands_behind():
    found = pooled([Spread(variance=1.0, freedom=1), Spread(variance=4.0, freedom=2), NONE])
    assert found == Spread(variance=3.0, freedom=3)
    assert pooled([]) == NONE


def test_without_anything_seen_the_assumed_spread_stands():
    assert moderated(0.02, [NONE], []) == Spread(
        variance=pytest.approx(0.0004), freedom=ASSUMED_FREEDOM
    )


def test_what_is_seen_takes_over():
    few = moderated(0.01, [Spread(variance=0.05**2, freedom=1)], [])
    many = moderated(0.01, [Spread(variance=0.05**2, freedom=100)], [])
    assert 0.01 < math.sqrt(few.variance) < math.sqrt(many.variance) < 0.05
    assert many.variance == pytest.approx(0.05**2, rel=0.05)
    assert many.freedom == 100 + ASSUMED_FREEDOM


def test_others_count_half_and_only_so_much():
    one = moderated(0.01, [], [Spread(variance=0.0009, freedom=4)])
    assert one.freedom == ASSUMED_FREEDOM + 2
    expected = (0.0001 * ASSUMED_FREEDOM + 0.0009 * 2) / (ASSUMED_FREEDOM + 2)
    assert one.variance == pytest.approx(expected)
    many = moderated(0.01, [], [Spread(variance=0.0009, freedom=40)] * 9)
    assert many.freedom == ASSUMED_FREEDOM + MOST_FREEDOM_OF_OTHERS


@given(st.floats(1e-3, 1), st.lists(spreads, max_size=3), st.lists(spreads, max_size=4))
def test_it_lies_between_what_went_in(assumed, seen, others):
    found = moderated(assumed, seen, others)
    given_ = [assumed**2, *(s.variance for s in (*seen, *others) if s.freedom)]
    assert min(given_) * (1 - 1e-9) <= found.variance <= max(given_) * (1 + 1e-9)
    assert found.freedom >= ASSUMED_FREEDOM


# --- the error of a middle -----------------------------------------------------------------------


def test_the_error_of_a_middle_by_hand():
    # Median 3, deviations 2 1 0 1 2, their median 1.
    expected = math.sqrt(of_middle(5)) * 1.4826
    assert error_of_middle(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(expected)


def test_two_values_show_no_spread_of_a_middle():
    assert error_of_middle(np.array([1.0, NAN, 9.0])) == 0.0


@pytest.mark.parametrize("count", [11, 101])
def test_the_error_of_a_middle_is_what_middles_scatter_by(count):
    drawn = np.random.default_rng(8).standard_normal((4000, count))
    scatter = float(np.std(middle(drawn, axis=1)))
    estimates = [error_of_middle(row) for row in drawn[:800]]
    assert float(np.mean(estimates)) == pytest.approx(scatter, rel=0.1)


# --- slow minutes ------------------------------------------------------------------------------


def test_cases_that_differ_by_chance_show_no_drift():
    chance = np.random.default_rng(3)
    found = [drift(chance.normal(0, 0.05, 40)) for _ in range(300)]
    assert float(np.median(found)) <= 0.05**2 / 10


def test_a_slow_half_of_a_session_is_drift():
    chance = np.random.default_rng(4)
    changes = chance.normal(0, 0.01, 40) + np.repeat([0.0, 0.3], 20)
    assert math.sqrt(drift(changes)) == pytest.approx(0.3 * math.sqrt(1 / 3), rel=0.1)


def test_too_few_cases_show_no_drift():
    assert drift(np.repeat([0.0, 1.0], 7)) == 0.0
    assert drift(np.repeat([0.0, 1.0], [8, 8])) > 0.0
    assert drift(np.array([0.0, 1.0] * 7 + [NAN] * 9)) == 0.0
