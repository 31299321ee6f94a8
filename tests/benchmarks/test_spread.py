"""How far apart recorded sessions are: known shifts come out as they were put in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sessions import Plant, slowed
from spread import NOTHING, own_times, ratios, rows, spread_of

from tests.benchmarks.launches import launch

SHIFTS = (0.0, 0.02, -0.02, 0.05, 0.01)


def shifted(shifts: tuple[float, ...] = SHIFTS, *, twins: bool = False) -> list:
    """Sessions without noise in which one variant is slower by a shift, as a logarithm."""
    return [
        slowed(launch(seed=0, twins=twins), Plant(variant="small", prompt=None, slowdown=by))
        for by in map(math.expm1, shifts)
    ]


def test_of_sessions_the_standard_deviation_and_the_steps_between_them() -> None:
    found = spread_of(own_times(shifted(), "small", "itl_s"))
    assert found.apart == pytest.approx(np.std(SHIFTS, ddof=1))
    assert found.successive == pytest.approx(math.sqrt(np.mean(np.diff(SHIFTS) ** 2) / 2))
    assert spread_of(own_times(shifted(), "large", "itl_s")) == (0, 0)


def test_a_ratio_moves_with_the_one_that_moved() -> None:
    grid = ratios(shifted(), "small", "large", "itl_s")
    assert grid.shape == (5, 2)
    assert spread_of(grid).apart == pytest.approx(np.std(SHIFTS, ddof=1))


@pytest.mark.parametrize("rows", [0, 1])
def test_so_few_sessions_are_not_apart(rows: int) -> None:
    grid = np.full((3, 2), NOTHING)
    grid[:rows] = 0.0
    assert np.isnan(spread_of(grid)).all()


def test_a_row_for_each_variant_and_for_each_two() -> None:
    assert [what for what, _ in rows(shifted(), "itl_s")] == ["large", "small", "small ÷ large"]
    assert [what for what, _ in rows(shifted(twins=True), "ttft_s")] == [
        "large", "small", "large@twin ÷ large", "small@twin ÷ small",
    ]  # fmt: skip
