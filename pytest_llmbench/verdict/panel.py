"""One metric of one variant, all of its cases, now and in the baseline: evidence of a change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pytest_llmbench.metrics.middle import middle, of_middle
from pytest_llmbench.verdict.evidence import Evidence
from pytest_llmbench.verdict.noise import (
    Grid,
    Split,
    Spread,
    drift,
    error_of_middle,
    moderated,
    split,
)

_FEW: Final = 5
"""From so many cases on, how far their changes are apart says how far one of them may be, and a
launch has a middle that withstands one of them."""

_OWN_FREEDOM: Final = 4.0
"""Observations behind a case's own spread where sessions show none: its rounds alone do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """Logarithms, signed so that more is worse.

    Attributes:
        keys: the cases, in the order of the columns.
        now: this session, shape ``(launches, cases)``; NaN where a launch lacks a case.
        past: the baseline, shape ``(sessions, cases)``; without rows where nothing is before
            and *now* holds ratios that are 0 if nothing differs (side by side).
        errors: standard errors of *now* that the rounds show, shape ``(cases,)``.
        assumed: standard deviation between launches that is documented for the metric.
        others: what other variants of the baseline's sessions show.
    """

    keys: tuple[str, ...]
    now: Grid
    past: Grid
    errors: NDArray[np.float64]
    assumed: float
    others: tuple[Spread, ...] = ()

    def of_case(self, key: str) -> Evidence | None:
        """Return the evidence on the case *key*; ``None`` where now or before lack it."""
        column = self.keys.index(key)
        launches = int(np.isfinite(self.now[:, column]).sum())
        change = self._changes[column]
        if not launches or not math.isfinite(change):
            return None
        weight = 1 / launches + self._of_past(column)
        own = max(self._own, float(self.errors[column]) * math.sqrt(launches))
        own_variance = own**2 * weight
        return welch(float(change), self._shared, weight, own_variance, self._freedom)

    def of_all(self) -> Evidence | None:
        """Return the evidence on all cases together: the middle of their changes in each launch.

        A launch weighs by how sure it is. One that was made to look at a few cases again says
        nothing of all of them: its middle does not withstand one that is out of line.
        """
        apart = self._whole_launches - self._centre
        cases = np.isfinite(apart).sum(axis=1)
        if not cases.any():
            return None
        shifts, cases = middle(apart, axis=1)[cases > 0], cases[cases > 0]
        beyond = self._beyond([*map(int, cases), self.compared], len(shifts))
        each, past = beyond[:-1], beyond[-1]
        share = 1 / (self._shared.variance + each)
        share /= share.sum()
        of_past = self._of_sessions()
        weight = float((share**2).sum()) + of_past
        own = float((share**2 * each).sum()) + of_past * past
        own = max(own, error_of_middle(self._changes) ** 2 - self._known_own * weight)
        change = float((share * shifts).sum())
        return welch(change, self._shared, weight, own, self._freedom)

    def _beyond(self, counts: Sequence[int], launches: int) -> NDArray[np.float64]:
        """Return what so many cases have of their own beyond what the sessions' shifts show.

        Args:
            counts: of cases, shape ``(n,)``.
            launches: that the rounds' errors come from.

        Returns:
            Variances of the middle over so many cases, shape ``(n,)``.
        """
        finite = np.isfinite(self._changes)
        typical = float(np.median(self.errors[finite])) * math.sqrt(launches)
        own = max(self._own, typical) ** 2
        return np.array([max(0.0, own * of_middle(c) - self._known_own) for c in counts])

    def _of_sessions(self) -> float:
        """Return the variance of what was before, in variances of one session."""
        sessions = min(len(self.past), *self._sessions) if len(self.past) else 0
        return of_middle(sessions) if sessions else 0.0

    @property
    def compared(self) -> int:
        """How many cases there are now and were before."""
        return int(np.isfinite(self._changes).sum())

    def shared(self) -> Spread:
        """Return the spread of one launch, as it is taken to be."""
        return self._shared

    @cached_property
    def _shared(self) -> Spread:
        seen = (self._split.shared, split(self._whole_launches).shared)
        assumed = math.sqrt(self.assumed**2 + drift(self._changes) + self._known_own)
        return moderated(assumed, seen, self.others)

    @cached_property
    def _known_own(self) -> float:
        """Return what cases have of their own in a session's shift, as the baseline shows it.

        The shifts differ by it as well, so that it is a part of what they share already.
        """
        return self._split.own**2 * of_middle(self.compared) if self.compared else 0.0

    @cached_property
    def _whole_launches(self) -> Grid:
        """Return the launches that looked at enough cases to speak of the variant."""
        cases = np.isfinite(self.now).sum(axis=1)
        enough: Grid = self.now[cases >= min(_FEW, int(cases.max(initial=0)))]
        return enough

    @cached_property
    def _own(self) -> float:
        """Return one cell's own standard deviation: by the sessions, and by how cases differ."""
        changes = self._changes
        finite = np.isfinite(changes)
        count = int(finite.sum())
        if count < _FEW:
            return self._split.own
        weights = [
            1 / max(1, int(np.isfinite(self.now[:, c]).sum())) + self._of_past(c)
            for c in map(int, np.flatnonzero(finite))
        ]
        apart = error_of_middle(changes) / math.sqrt(of_middle(count))
        return max(self._split.own, apart / math.sqrt(float(np.median(weights))))

    @cached_property
    def _freedom(self) -> float:
        rows, cases = self.past.shape
        return max(_OWN_FREEDOM, float((rows - 1) * (cases - 1)))

    @cached_property
    def _split(self) -> Split:
        return split(self.past)

    @cached_property
    def _centre(self) -> NDArray[np.float64]:
        """Return what each case was: the middle of its sessions, or 0 where nothing was before."""
        if not len(self.past):
            return np.zeros(len(self.keys))
        return middle(self.past, axis=0)

    @cached_property
    def _changes(self) -> NDArray[np.float64]:
        return mean(self.now) - self._centre

    @cached_property
    def _sessions(self) -> list[int]:
        """Return how many sessions have each of the cases that can be compared."""
        counts = np.isfinite(self.past).sum(axis=0)
        return [int(count) for count in counts[np.isfinite(self._changes)]] or [0]

    def _of_past(self, column: int) -> float:
        """Return the variance of the case's centre, in variances of one session."""
        sessions = int(np.isfinite(self.past[:, column]).sum())
        return of_middle(sessions) if sessions else 0.0


def mean(grid: Grid) -> NDArray[np.float64]:
    """Return each column's mean of what there is; NaN where there is nothing."""
    counts = np.isfinite(grid).sum(axis=0)
    sums = np.nansum(grid, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def welch(change: float, shared: Spread, weight: float, own: float, own_freedom: float) -> Evidence:
    """Return both variances together; degrees of freedom after Welch and Satterthwaite.

    Args:
        change: the estimate.
        shared: the variance of one launch, above zero.
        weight: how many of it the estimate has.
        own: the estimate's other variance.
        own_freedom: degrees of freedom behind that.
    """
    common = shared.variance * weight
    total = common + own
    parts = common**2 / shared.freedom + own**2 / own_freedom
    return Evidence(change=change, error=math.sqrt(total), freedom=total**2 / parts)
