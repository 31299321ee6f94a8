"""How far apart sessions of unchanged code are: what all cases share, and what each has alone.

A fresh process lands well or badly in memory, and on a quick or a slow minute: that shifts all
cases of a variant together. More rounds or more cases don't average it out, only more launches
and sessions do. What is left differs from case to case and averages out over them.

The spread of launches is *moderated*: few sessions say little of their own spread, so what is
assumed of the metric and what the other variants show count as some observations more. Source of
the idea: Smyth, Linear models and empirical Bayes methods for assessing differential expression,
Statistical Applications in Genetics and Molecular Biology 3 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.metrics.middle import middle, of_middle

ASSUMED_FREEDOM: Final = 4.0
"""Observations that the assumed spread of launches counts for."""

MOST_FREEDOM_OF_OTHERS: Final = 4.0
"""Observations that the other variants' spread counts for at most: they share slow minutes."""

STRETCHES: Final = 4
"""Into so many stretches the cases of a session are divided to see slow minutes."""

_FEW_OF_STRETCH: Final = 4

_MAD_TO_SD: Final = 1.4826

_ROUNDING: Final = 1e-9

Grid = NDArray[np.float64]
"""Logarithms of a metric, shape ``(launches or sessions, cases)``; NaN where there is none."""


class Spread(Fact, frozen=True, kw_only=True):
    """A variance with the degrees of freedom behind it; none is ``Spread(0, 0)``."""

    variance: float
    freedom: float


class Split(Fact, frozen=True, kw_only=True):
    """What a grid shows: the shared spread of its rows, and each cell's own standard deviation."""

    shared: Spread
    own: float


def split(grid: Grid) -> Split:
    """Return the shared and the own spread of *grid*, rows being sessions or launches.

    Each case is centred on its middle mean; what remains of a row is its shared shift, what
    remains of a cell is its own. One row shows nothing, nor does a case that is in one row alone.
    """
    shifts, residual = parts(grid)
    shifts = shifts[np.isfinite(shifts)]
    if len(shifts) < 2:
        return Split(shared=Spread(variance=0.0, freedom=0.0), own=0.0)
    shared = Spread(variance=float(np.var(shifts, ddof=1)), freedom=len(shifts) - 1.0)
    return Split(shared=shared, own=_own(residual))


def parts(grid: Grid) -> tuple[NDArray[np.float64], Grid]:
    """Return each row's shift, shape ``(rows,)``, and what is left of each cell, as *grid*."""
    several = np.isfinite(grid).sum(axis=0) >= 2
    centred = np.where(several, grid - middle(grid, axis=0), np.nan)
    shifts = middle(centred, axis=1)
    return shifts, centred - shifts[:, None]


def own_of_case(residual: Grid, column: int, pooled_own: float) -> Spread:
    """Return a case's own variance: what it shows itself, moderated by what all cases show.

    Args:
        residual: what is left of each cell, of :func:`parts`.
        column: the case's.
        pooled_own: standard deviation that all cases show together.
    """
    cells = residual[np.isfinite(residual[:, column]), column]
    cases = int(np.isfinite(residual).any(axis=0).sum())
    if len(cells) < 2 or cases < 2:
        return Spread(variance=pooled_own**2, freedom=0.0)
    freedom = (len(cells) - 1) * (cases - 1) / cases
    seen = Spread(variance=float(np.sum(cells**2)) / freedom, freedom=len(cells) - 1.0)
    return pooled([Spread(variance=pooled_own**2, freedom=ASSUMED_FREEDOM), seen])


def _own(residual: Grid) -> float:
    """Return the standard deviation of cells about their row's shift."""
    known = np.isfinite(residual)
    rows, cases = int(known.any(axis=1).sum()), int(known.any(axis=0).sum())
    if rows < 2 or cases < 2:
        return 0.0
    freedom = float(known.sum()) * (rows - 1) / rows * (cases - 1) / cases
    return math.sqrt(float(np.nansum(residual**2)) / freedom)


def moderated(assumed: float, seen: Iterable[Spread], others: Iterable[Spread]) -> Spread:
    """Return the variance of one launch's shared shift.

    Args:
        assumed: standard deviation that is documented for the metric.
        seen: what this variant's sessions and launches show.
        others: what the other variants of the same sessions show.
    """
    own = list(seen)
    rest = pooled(others)
    weight = min(rest.freedom / 2, MOST_FREEDOM_OF_OTHERS)
    return pooled(
        [
            Spread(variance=assumed**2, freedom=ASSUMED_FREEDOM),
            *own,
            Spread(variance=rest.variance, freedom=weight),
        ]
    )


def pooled(spreads: Iterable[Spread]) -> Spread:
    """Return several spreads as one, each weighing as much as the observations behind it."""
    every = list(spreads)
    freedom = sum(spread.freedom for spread in every)
    if freedom == 0:
        return Spread(variance=0.0, freedom=0.0)
    total = sum(spread.variance * spread.freedom for spread in every)
    return Spread(variance=total / freedom, freedom=freedom)


def largest(spreads: Iterable[Spread]) -> Spread:
    """Return the spread with the largest variance; of equal ones the one that is least known.

    Equal is what rounding alone tells apart: it must not say how much is known.
    """
    every = list(spreads)
    most = max(spread.variance for spread in every)
    alike = [spread for spread in every if spread.variance >= most * (1 - _ROUNDING)]
    return min(alike, key=lambda spread: spread.freedom)


def drift(changes: NDArray[np.float64]) -> float:
    """Return the variance of slow minutes within one session, as the cases show it in order.

    The middles of a few stretches of cases differ by more than the cases' own spread explains
    where the machine had slow and quick minutes; then whole launches differ as well, and one
    launch alone doesn't show it. 0 where there are too few cases to tell.

    Args:
        changes: of each case, in the order in which they were measured; NaN is left out.
    """
    finite = changes[np.isfinite(changes)]
    if len(finite) < STRETCHES * _FEW_OF_STRETCH:
        return 0.0
    stretches = np.array_split(finite, STRETCHES)
    middles = [float(middle(stretch, axis=0)) for stretch in stretches]
    own = [error_of_middle(stretch) ** 2 for stretch in stretches]
    return max(0.0, float(np.var(middles, ddof=1)) - sum(own) / len(own))


def error_of_middle(values: NDArray[np.float64]) -> float:
    """Return the standard error of the middle mean of what there is of *values*."""
    count = int(np.isfinite(values).sum())
    return spread_of(values) * math.sqrt(of_middle(count)) if count else 0.0


def spread_of(values: NDArray[np.float64]) -> float:
    """Return the standard deviation by the median absolute deviation; 0 of fewer than three."""
    finite = values[np.isfinite(values)]
    if len(finite) < 3:
        return 0.0
    return _MAD_TO_SD * float(np.median(np.abs(finite - np.median(finite))))
