"""What holds for any panel: units, order, monotony, and that more is never less."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llmbench.verdict.noise import Spread

from .panels import make_panel

NAN = math.nan

logs = st.floats(-3, 3)
cells = logs | st.just(NAN)


@st.composite
def panels(draw, *, cell=cells, most_cases=7, least_sessions=0):
    cases = draw(st.integers(1, most_cases))

    def rows(least, most):
        count = draw(st.integers(least, most))
        row = st.lists(cell, min_size=cases, max_size=cases)
        return [draw(row) for _ in range(count)]

    return make_panel(
        np.array(rows(1, 3), dtype=float).reshape(-1, cases),
        rows(least_sessions, 4),
        errors=draw(st.lists(st.floats(0, 0.2), min_size=cases, max_size=cases)),
        assumed=draw(st.floats(0.005, 0.1)),
        others=tuple(draw(st.lists(st.just(Spread(variance=0.001, freedom=2)), max_size=3))),
    )


def every(panel):
    return [panel.of_all(), *(panel.of_case(key) for key in panel.keys)]


def moved(panel, *, now=0.0, past=0.0):
    return dataclasses.replace(panel, now=panel.now + now, past=panel.past + past)


@given(panels())
def test_whatever_comes_out_is_sound(panel):
    for found in every(panel):
        if found is not None:
            assert math.isfinite(found.change)
            assert found.error > 0
            assert found.freedom >= 1


EQUALLY_APART = make_panel(
    np.array([[0.0, 0.0, NAN]]), [[NAN, 0.75, 0.0], [0.0, 1.0, 0.001]], errors=[0.0] * 3
)


@given(panels(least_sessions=1), st.floats(-5, 5))
@example(EQUALLY_APART, 1.0)
def test_the_unit_does_not_matter(panel, step):
    for one, other in zip(every(panel), every(moved(panel, now=step, past=step)), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert other.change == pytest.approx(one.change, abs=1e-9)
            assert other.error == pytest.approx(one.error)
            assert other.freedom == pytest.approx(one.freedom)


@given(panels(), st.floats(1e-6, 2), st.floats(0, 0.5))
def test_a_slower_session_is_never_more_probable(panel, step, bound):
    for one, other in zip(every(panel), every(moved(panel, now=step)), strict=True):
        if one is not None:
            assert other.p_worse(bound) <= one.p_worse(bound) + 1e-9
            assert other.p_better(bound) >= one.p_better(bound) - 1e-9


@given(panels(cell=logs, most_cases=4), st.integers(0, 3), st.floats(1e-6, 2), st.floats(0, 0.5))
def test_a_slower_case_among_few_is_never_more_probable(panel, place, step, bound):
    column = place % len(panel.keys)
    slower = np.zeros(len(panel.keys))
    slower[column] = step
    one, other = (each.of_case(f"c{column}") for each in (panel, moved(panel, now=slower)))
    assert other.p_worse(bound) <= one.p_worse(bound) + 1e-9


@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_cases_does_not_matter(panel, chance):
    order = chance.sample(range(len(panel.keys)), len(panel.keys))
    shuffled = dataclasses.replace(
        panel,
        keys=tuple(panel.keys[n] for n in order),
        now=panel.now[:, order],
        past=panel.past[:, order],
        errors=panel.errors[order],
    )
    pairs = [(panel.of_all(), shuffled.of_all())]
    pairs += [(panel.of_case(key), shuffled.of_case(key)) for key in panel.keys]
    for one, other in pairs:
        assert (one is None) == (other is None)
        if one is not None:
            assert (other.change, other.error) == pytest.approx((one.change, one.error), abs=1e-12)


@given(panels(), st.randoms(use_true_random=False))
def test_the_order_of_sessions_and_launches_does_not_matter(panel, chance):
    past, now = (chance.sample(range(len(g)), len(g)) for g in (panel.past, panel.now))
    shuffled = dataclasses.replace(panel, now=panel.now[now], past=panel.past[past])
    for one, other in zip(every(panel), every(shuffled), strict=True):
        if one is not None:
            assert (other.change, other.error) == pytest.approx((one.change, one.error), abs=1e-9)


@given(panels(cell=logs))
def test_the_same_session_again_has_not_changed(panel):
    same = dataclasses.replace(panel, now=panel.now[:1], past=panel.now[:1])
    for found in every(same):
        assert found.change == 0.0
        assert found.p_worse(0.0) == pytest.approx(0.5)


def spread_out(rows, spread, cases=6):
    """So many rows, all cases alike, whose standard deviation is exactly *spread*."""
    shifts = np.linspace(-1.0, 1.0, rows) if rows > 1 else np.zeros(1)
    if rows > 1:
        shifts *= spread / np.std(shifts, ddof=1)
    return np.tile(shifts[:, None], (1, cases))


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0.001, 0.1),
    st.sampled_from([0.05, 0.005, 1e-3, 1e-5]),
)
def test_more_sessions_never_widen_the_interval(fewer, more, spread, alpha):
    few, many = (
        make_panel([0.0] * 6, spread_out(count, spread), assumed=spread)
        for count in (fewer, fewer + more)
    )
    assert many.of_all().margin(alpha) <= few.of_all().margin(alpha) * (1 + 1e-9)
    assert many.of_case("c0").margin(alpha) <= few.of_case("c0").margin(alpha) * (1 + 1e-9)


@given(st.integers(1, 5), st.integers(1, 5), st.floats(0.001, 0.1))
def test_more_launches_never_widen_the_interval(fewer, more, spread):
    few, many = (
        make_panel(spread_out(count, spread), spread_out(3, spread), assumed=spread)
        for count in (fewer, fewer + more)
    )
    assert many.of_all().margin(0.001) <= few.of_all().margin(0.001) * (1 + 1e-9)
