"""Where a metric changed for good over the sessions of a baseline.

*Times and rates*: of all ways to cut the series into stretches of two sessions and more, the one
with the most stretches counts in which every neighbouring pair is proven to differ. Student's t
decides, as in Hunter (Fleming, Kołaczkowski et al., Hunter: using change point detection to hunt
for performance regressions, ICPE 2023), in place of the permutations of E-divisive (Matteson and
James, A nonparametric approach for multiple change point analysis of multivariate data, JASA 109,
2014): a baseline keeps ten sessions, and five of ten can be chosen in 252 ways only, so that
permutations prove next to nothing. So few sessions can be cut in a few dozen ways: all are looked
at, where longer series are cut in two again and again (Scott and Knott, Biometrics 30, 1974), which
misses a rise that is followed by a fall. Penalized methods such as PELT need the variance of the
noise, the very thing that few sessions do not show; here it is the one by which verdicts are made
(:mod:`.noise`), or what the sessions show where that is more.

*What repeats* (memory, scores, drift) has no noise to be told from: a step is one that is larger
than what the judge accepts.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.verdict.compare import accepted_amounts
from pytest_llmbench.verdict.evidence import log_bound, student_tail
from pytest_llmbench.verdict.held import assumed_noise
from pytest_llmbench.verdict.noise import Spread, moderated

FEWEST: Final = 2
"""Sessions on either side of a change of a time: one alone is an outlier, or nobody knows yet."""

MOST: Final = 12
"""The newest sessions that are looked at: a baseline keeps ten, and ways to cut grow fast."""

FALSE_CHANGES: Final = 0.05
"""How probable any change point is among series that never changed, taken together."""

_ROUNDING: Final = 1e-12


_Edge = tuple[int, float | None]
"""Where a segment begins, and how probable that is by chance; ``None`` of what repeats."""


class Change(Fact, frozen=True, kw_only=True):
    """A change for good.

    Attributes:
        at: the first session with the new level, counted from 0.
        before, after: the levels on both sides, in the metric's base unit.
        p: how probable such a difference is, at most, where nothing changed by more than is
            accepted; ``None`` of what repeats.
    """

    at: int
    before: float
    after: float
    p: float | None


def change_points(
    metric: Metric, values: Sequence[float | None], *, alpha: float = FALSE_CHANGES
) -> tuple[Change, ...]:
    """Return where *values*, one a session and oldest first, changed for good.

    Args:
        metric: whose values they are; its tolerance and floor are accepted in both directions.
        values: in the base unit; ``None`` is passed over.
        alpha: how probable a false one is allowed to be in this series.
    """
    known = [(n, value) for n, value in enumerate(values) if value is not None]
    numbers = [value for _, value in known]
    edges: list[_Edge]
    if metric.kind is not Kind.NOISY:
        edges = [(edge, None) for edge in _steps(metric, numbers)]
    elif any(value <= 0 for value in numbers):
        return ()
    else:
        edges = _cuts(metric, numbers, alpha)
    return tuple(_changes([n for n, _ in known], numbers, edges))


def enough(metric: Metric, sessions: int) -> bool:
    """Whether so many sessions can show a change of *metric* at all."""
    return sessions >= (2 * FEWEST if metric.kind is Kind.NOISY else 2)


def _changes(
    places: Sequence[int], numbers: Sequence[float], edges: Sequence[_Edge]
) -> Iterator[Change]:
    """Yield a change at each edge, with the levels of the segments that it parts."""
    bounds = [0, *(edge for edge, _ in edges), len(numbers)]
    levels = [
        statistics.median(numbers[start:end])
        for start, end in itertools.pairwise(bounds)
        if end > start
    ]
    for number, (edge, p) in enumerate(edges):
        yield Change(at=places[edge], before=levels[number], after=levels[number + 1], p=p)


def _steps(metric: Metric, numbers: Sequence[float]) -> Iterator[int]:
    """Yield where a value is further from the segment's level than is accepted."""
    start = 0
    for place in range(1, len(numbers)):
        level = statistics.median(numbers[start:place])
        bound = max(accepted_amounts(metric, level, None))
        grain = _ROUNDING * max(abs(level), abs(numbers[place]), bound)
        if abs(numbers[place] - level) > bound + grain:
            start = place
            yield place


def _cuts(metric: Metric, numbers: Sequence[float], alpha: float) -> list[_Edge]:
    """Return the edges of the stretches that are proven to differ, each with its probability.

    Half of *alpha* is for one edge, a quarter for two, and so on; each is divided by the number of
    ways to have so many (Bonferroni).
    """
    first = max(0, len(numbers) - MOST)
    logs = [math.log(value) for value in numbers[first:]]
    ways: dict[int, list[tuple[int, ...]]] = {}
    for edges in _ways(0, len(logs)):
        ways.setdefault(len(edges), []).append(edges)
    for count in sorted(ways.keys() - {0}, reverse=True):
        tried = [_tested(metric, logs, edges) for edges in ways[count]]
        times = len(tried) * 2**count
        proven = [each for each in tried if max(each.ps) * times <= alpha]
        if proven:
            best = min(proven, key=lambda each: each.rest)
            return [(first + e, p * times) for e, p in zip(best.edges, best.ps, strict=True)]
    return []


class _Tested(Fact, frozen=True, kw_only=True):
    """One way to cut a series.

    Attributes:
        edges: where stretches begin, without the first.
        ps: how probable each step is by chance.
        rest: the sum of squares within the stretches.
    """

    edges: tuple[int, ...]
    ps: tuple[float, ...]
    rest: float


def _ways(start: int, end: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to cut a stretch, as the edges; not to cut it at all is the first."""
    yield ()
    for edge in range(start + FEWEST, end - FEWEST + 1):
        for rest in _ways(edge, end):
            yield edge, *rest


def _tested(metric: Metric, logs: Sequence[float], edges: tuple[int, ...]) -> _Tested:
    bounds = (0, *edges, len(logs))
    stretches = [logs[start:end] for start, end in itertools.pairwise(bounds)]
    rest = math.fsum(map(_squares, stretches))
    spread = _spread(metric, logs, rest, len(logs) - len(stretches))
    pairs = itertools.pairwise(stretches)
    return _Tested(edges=edges, ps=tuple(_p(metric, *pair, spread) for pair in pairs), rest=rest)


def _squares(values: Sequence[float]) -> float:
    """Return the sum of squares about the mean."""
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _p(metric: Metric, one: Sequence[float], other: Sequence[float], spread: Spread) -> float:
    """Return how probable it is that both differ so much by chance, in either direction."""
    change = abs(statistics.fmean(other) - statistics.fmean(one))
    error = math.sqrt(spread.variance * (1 / len(one) + 1 / len(other)))
    bound = log_bound(metric.tolerance, better=metric.better)
    return min(1.0, 2 * student_tail((change - bound) / error, spread.freedom))


def _spread(metric: Metric, logs: Sequence[float], rest: float, freedom: int) -> Spread:
    """Return the variance of a session: what is assumed and seen, or what is seen if more.

    *rest* is the sum of squares within stretches, which has *freedom*.
    """
    seen = Spread(variance=rest / freedom, freedom=float(freedom))
    typical = math.exp(statistics.median(logs))
    together = moderated(assumed_noise(metric, typical, len(logs)), [seen], ())
    return seen if seen.variance > together.variance else together
