"""What the rounds of a case come to in the words of other tools: extremes, quartiles, deviation.

Quartiles are those of pytest-benchmark, since its export carries them: of an even number of values
the medians of both halves, of an odd number methods 3 of the common list (Mendenhall and Sincich).
Nothing here decides anything: verdicts rest on :mod:`.middle` and on the spread of launches.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from pytest_llmbench.domain.fact import Fact

_FENCE: Final = 1.5


class Described(Fact, frozen=True, kw_only=True):
    """Several values of one metric, in its base unit.

    Attributes:
        values: all of them that are finite, in the order measured; at least one.
        lowest, q1, median, q3, highest: their order statistics.
        mean: their sum by their number.
        deviation: their standard deviation (n - 1); ``None`` of one value, which shows none.
        far_from_mean: how many are more than one *deviation* from the mean.
        far_from_quartiles: how many are beyond the quartiles by more than 1.5 times the distance
            between them (Tukey's fences).
        lowest_near, highest_near: the extremes of those that are not.
    """

    values: tuple[float, ...]
    lowest: float
    q1: float
    median: float
    q3: float
    highest: float
    mean: float
    deviation: float | None
    far_from_mean: int
    far_from_quartiles: int
    lowest_near: float
    highest_near: float

    @property
    def total(self) -> float:
        """Their sum."""
        return math.fsum(self.values)

    @property
    def between_quartiles(self) -> float:
        """The distance between the quartiles."""
        return self.q3 - self.q1


def described(values: Iterable[float | None]) -> Described | None:
    """Return what *values* come to; ``None`` where none of them is finite."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    ordered = sorted(known)
    mean = statistics.mean(known)
    deviation = statistics.stdev(known) if len(known) > 1 else None
    around = deviation or 0.0
    q1, q3 = _low_quartile(ordered), -_low_quartile([-value for value in reversed(ordered)])
    low, high = q1 - _FENCE * (q3 - q1), q3 + _FENCE * (q3 - q1)
    near = [value for value in ordered if low <= value <= high]
    return Described(
        values=tuple(known),
        lowest=ordered[0],
        q1=q1,
        median=statistics.median(known),
        q3=q3,
        highest=ordered[-1],
        mean=mean,
        deviation=deviation,
        far_from_mean=sum(not mean - around <= value <= mean + around for value in known),
        far_from_quartiles=len(known) - len(near),
        lowest_near=near[0],
        highest_near=near[-1],
    )


def _low_quartile(ordered: Sequence[float]) -> float:
    """Return the first quartile of *ordered*, which rises and has at least one value."""
    count = len(ordered)
    if count == 1:
        return ordered[0]
    if count % 2 == 0:
        return statistics.median(ordered[: count // 2])
    quarter = count // 4
    if count % 4 == 1:
        return 0.25 * ordered[quarter - 1] + 0.75 * ordered[quarter]
    return 0.75 * ordered[quarter] + 0.25 * ordered[quarter + 1]
