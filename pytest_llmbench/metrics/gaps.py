"""The gaps between tokens of many rounds as counts: small to keep, and exact to add up.

Steps are of equal ratio, :data:`STEPS` to a doubling, so that a step is 4.4 % of the gap whether
tokens take a millisecond or a second. Histograms of the kind are known from load testing (G. Tene,
HdrHistogram).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.trace import Arrivals, Trace

STEPS: Final = 16
"""Steps to a doubling."""

_NANOSECOND: Final = 1e-9


class Gaps(Fact, frozen=True, kw_only=True):
    """The gaps between arrivals, counted.

    Attributes:
        between: what arrived.
        steps_per_doubling: always :data:`STEPS`; stands beside the counts wherever they are kept.
        counts: how many gaps there were by step; step k is from ``2 ** (k / STEPS)`` seconds up
            to the next.
    """

    between: Arrivals
    steps_per_doubling: int
    counts: dict[int, int]


def gaps(traces: Sequence[Trace]) -> Gaps | None:
    """Return the gaps of *traces*, which are rounds of one case; ``None`` where there are none.

    A gap below a nanosecond counts as one: tokens that arrive together do so within the clock.
    """
    every = (max(b - a, 1) for trace in traces for a, b in pairwise(trace.stamps_ns))
    counts = Counter(step_of(gap * _NANOSECOND) for gap in every)
    if not counts:
        return None
    return Gaps(
        between=traces[0].arrivals, steps_per_doubling=STEPS, counts=dict(sorted(counts.items()))
    )


def step_of(value: float) -> int:
    """Return the step of *value*, which is above 0."""
    return math.floor(math.log2(value) * STEPS)


def bounds(step: int) -> tuple[float, float]:
    """Return where *step* begins and where the next one does."""
    return 2 ** (step / STEPS), 2 ** ((step + 1) / STEPS)


def added(several: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return all counts of *several* together."""
    total: Counter[int] = Counter()
    for counts in several:
        total.update(counts)
    return dict(sorted(total.items()))


def quantile(counts: Mapping[int, int], share: float) -> float:
    """Return the middle of the step below which *share* (0 to 1) of all counts are.

    Raises:
        ValueError: nothing was counted.
    """
    total = sum(counts.values())
    if not total:
        raise ValueError("a quantile of nothing is not defined")
    seen = 0
    for step in sorted(counts):
        seen += counts[step]
        if seen >= share * total:
            break
    return math.sqrt(math.prod(bounds(step)))
