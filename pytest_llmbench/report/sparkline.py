"""A row of numbers as a row of little bars, for a line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"
GAP: Final = "·"
"""Stands for a number that is not there."""

LEAST_SPAN: Final = 0.05
"""The bars' whole height is at least this share of the middle: noise of a percent looks flat."""


def sparkline(values: Sequence[float | None]) -> str:
    """Return a character for each of *values*, the lowest of them lowest.

    What is absent or not finite is a gap. Where all of them are about the same, the bars are of
    middle height.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return GAP * len(values)
    low, high = min(known) / 2, max(known) / 2
    middle = low + high
    half = max(high - low, LEAST_SPAN * abs(middle) / 2)
    return "".join(_bar(value, middle, half) for value in values)


def _bar(value: float | None, middle: float, half: float) -> str:
    if value is None or not math.isfinite(value):
        return GAP
    share = 0.5 if half == 0 else (value - middle) / half / 2 + 0.5
    return _BARS[min(len(_BARS) - 1, max(0, int(share * len(_BARS))))]
