"""Little bars."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.report.sparkline import GAP, sparkline


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1.0], "▅"),
        ([0.0, 0.0], "▅▅"),
        ([1.0, 2.0], "▁█"),
        ([1.0, 1.5, 2.0], "▁▅█"),
        ([2.0, None, 1.0], "█·▁"),
        ([None, None], "··"),
        ([math.nan, math.inf, 3.0], "··▅"),
        ([-1.0, -2.0], "█▁"),
        ([100.0, 100.1, 99.9], "▅▅▄"),
    ],
)
def test_bars(values: list[float | None], bars: str) -> None:
    assert sparkline(values) == bars


@given(st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=12))
def test_each_value_has_one_character(values: list[float | None]) -> None:
    bars = sparkline(values)
    assert len(bars) == len(values)
    for value, bar in zip(values, bars, strict=True):
        assert (bar == GAP) == (value is None or not math.isfinite(value))
