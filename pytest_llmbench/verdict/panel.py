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
from pytest_llmbench.verdict.alarms import SESSION
from pytest_llmbench.verdict.evidence import Evidence, quantile
from pytest_llmbench.verdict.noise import (
    ASSUMED_FREEDOM,
    Grid,
    Split,
    Spread,
    drift,
    error_of_middle,
    largest,
    moderated,
    own_of_case,
    parts,
    pooled,
    split,
    spread_of,
)

_FEW: Final = 5
"""From so many cases on, how far their changes are apart says how far one of them may be, and a
launch has a middle that withstands one of them."""

_GRAIN: Final = 1e-9
"""A launch that nothing tells from another weighs as much as that one, and no more."""

_FAR_OFF: Final = 3.0
"""Launches that are apart in a case by so many times its usual variance make it less sure. Less is
chance, and what sessions show is known far better than what a few launches do."""

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
        lasting: whether what sessions differ by lasts through a session, so that its launches
            share it: of times it does, of ratios of variants in turns it doesn't.
        launches_before: launches that a session of the baseline is the middle of, where each
            is an observation of its own (nothing lasts).
    """

    keys: tuple[str, ...]
    now: Grid
    past: Grid
    errors: NDArray[np.float64]
    assumed: float
    others: tuple[Spread, ...] = ()
    lasting: bool = False
    launches_before: float = 1.0

    def of_case(self, key: str) -> Evidence | None:
        """Return the evidence on the case *key*; ``None`` where now or before lack it."""
        column = self.keys.index(key)
        launches = int(np.isfinite(self.now[:, column]).sum())
        change = self._changes[column]
        if not launches or not math.isfinite(change):
            return None
        of_past = self._of_past(column)
        own = self._own_of(column, launches)
        return welch(
            float(change),
            self._common(1 / launches, of_past),
            Spread(variance=own.variance * (1 / launches + of_past), freedom=own.freedom),
        )

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
        apart_by = self.shared.variance - self._stays + each
        share = 1 / np.maximum(apart_by, _GRAIN * self.shared.variance)
        share /= share.sum()
        of_past = self._of_all_past()
        weight = float((share**2).sum())
        own = float((share**2 * each).sum()) + of_past * past
        seen = error_of_middle(self._changes) ** 2 - self._known_own * (weight + of_past)
        return welch(
            float((share * shifts).sum()),
            self._common(weight, of_past),
            Spread(variance=max(own, seen), freedom=self._freedom),
        )

    def blur(self, key: str | None) -> float:
        """Return the half-width that what sessions differ by alone gives an interval.

        It says which of two panels can tell more, whatever this session's rounds are like and
        had it as many launches as those of the baseline.

        Args:
            key: the case; ``None`` for all together.
        """
        of_past = self._of_all_past() if key is None else self._of_past(self.keys.index(key))
        width = quantile(SESSION / 10, self.shared.freedom)
        return width * math.sqrt(self.shared.variance * (1 / self.launches_before + of_past))

    @property
    def compared(self) -> int:
        """How many cases there are now and were before."""
        return int(np.isfinite(self._changes).sum())

    @cached_property
    def shared(self) -> Spread:
        """The spread of one session's shift, as it is taken to be."""
        slow_minutes = drift(self._changes) if self.lasting else 0.0  # a ratio is free of them
        assumed = math.sqrt(self.assumed**2 + slow_minutes + self._known_own)
        within = () if self.lasting else (self._within,)
        spread = moderated(assumed, (self._split.shared, *within), self.others)
        restless = self.lasting and self._within.variance > spread.variance
        return pooled((spread, self._within)) if restless else spread

    @cached_property
    def _within(self) -> Spread:
        """The spread of this session's launches."""
        return split(self._whole_launches).shared

    @property
    def _stays(self) -> float:
        """The part of the shared variance that all launches of this session have in common."""
        if not self.lasting:
            return 0.0
        if not self._within.freedom:
            return self.shared.variance
        return max(0.0, self.shared.variance - self._within.variance)

    def _common(self, weight: float, of_past: float) -> Spread:
        """Return the shared part of a change's variance.

        Args:
            weight: variance of the mean over the launches, in variances of one of them.
            of_past: variance of what was before, in variances of one launch.
        """
        total = self.shared.variance
        now = self._stays + (total - self._stays) * weight
        return Spread(variance=now + total * of_past, freedom=self.shared.freedom)

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

    @cached_property
    def _known_own(self) -> float:
        """What cases have of their own in a session's shift, as the baseline shows it.

        The shifts differ by it as well, so that it is a part of what they share already.
        """
        cases = int((np.isfinite(self.past).sum(axis=0) >= 2).sum())
        return self._split.own**2 * of_middle(cases) if cases else 0.0

    @cached_property
    def _whole_launches(self) -> Grid:
        """The launches that looked at enough cases to speak of the variant."""
        return self.now[self._are_whole]

    @cached_property
    def _are_whole(self) -> NDArray[np.bool_]:
        """Which launches those are, shape ``(launches,)``."""
        cases = np.isfinite(self.now).sum(axis=1)
        enough: NDArray[np.bool_] = cases >= min(_FEW, int(cases.max(initial=0)))
        return enough

    def _own_of(self, column: int, launches: int) -> Spread:
        """Return a case's own variance in one launch: the largest that anything shows."""
        rounds = float(self.errors[column]) * math.sqrt(launches)
        itself = own_of_case(self._residual, column, self._split.own)
        found = (
            Spread(variance=self._own**2, freedom=self._freedom),
            Spread(variance=itself.variance, freedom=max(_OWN_FREEDOM, itself.freedom)),
            Spread(variance=rounds**2, freedom=_OWN_FREEDOM),
            self._between_launches(column),
        )
        return largest(found)

    def _between_launches(self, column: int) -> Spread:
        """Return a case's own variance as this session's launches show it, where that is far more.

        What became slower is so in every launch. One launch that is far from the others, by more
        than all of its cases are, makes the case less sure.
        """
        known = np.isfinite(self.now[:, column])
        usual = Spread(variance=self._own**2, freedom=self._freedom)
        if known.sum() < 2:
            return usual
        apart = float(np.var((self.now[:, column] - self._shifts_now)[known], ddof=1))
        whole, cases = self._are_whole[known], self.compared
        alone = 1.0 if whole.sum() < 2 else float(np.mean(~whole))
        shared = alone * (self.shared.variance - self._stays)
        fitted = 1.0 if cases < 2 else cases / (cases - 1)  # to a shift that is the cases' own
        variance = max(0.0, apart * (alone + (1 - alone) * fitted) - shared)
        if variance <= _FAR_OFF * usual.variance:
            return usual
        seen = Spread(variance=variance, freedom=float(known.sum()) - 1)
        return pooled((Spread(variance=usual.variance, freedom=ASSUMED_FREEDOM), seen))

    @cached_property
    def _shifts_now(self) -> NDArray[np.float64]:
        """How far each launch is from all of them, shape ``(launches,)``; 0 of too few cases."""
        apart = self.now - self._changes - self._centre
        return np.where(self._are_whole, np.nan_to_num(middle(apart, axis=1)), 0.0)

    @cached_property
    def _own(self) -> float:
        """One cell's own standard deviation: by the sessions, and by how cases differ."""
        changes = self._changes
        finite = np.isfinite(changes)
        if int(finite.sum()) < _FEW:
            return self._split.own
        weights = [
            1 / max(1, int(np.isfinite(self.now[:, c]).sum())) + self._of_past(c)
            for c in map(int, np.flatnonzero(finite))
        ]
        apart = spread_of(changes)
        return max(self._split.own, apart / math.sqrt(float(np.median(weights))))

    @cached_property
    def _freedom(self) -> float:
        rows, cases = self.past.shape
        return max(_OWN_FREEDOM, float((rows - 1) * (cases - 1)))

    @cached_property
    def _split(self) -> Split:
        return split(self._apart)

    @cached_property
    def _residual(self) -> Grid:
        return parts(self._apart)[1]

    @cached_property
    def _apart(self) -> Grid:
        """The baseline's sessions as far from their centre as single launches would be."""
        away: Grid = (self.past - self._centre) * math.sqrt(self.launches_before)
        return away

    @cached_property
    def _centre(self) -> NDArray[np.float64]:
        """What each case was: the middle of its sessions, or 0 where nothing was before."""
        if not len(self.past):
            return np.zeros(len(self.keys))
        return middle(self.past, axis=0)

    @cached_property
    def _changes(self) -> NDArray[np.float64]:
        return mean(self.now) - self._centre

    def _of_all_past(self) -> float:
        """Return the variance of all cases' centres, in variances of one launch."""
        finite = np.flatnonzero(np.isfinite(self._changes))
        return float(np.mean([self._of_past(int(column)) for column in finite]))

    def _of_past(self, column: int) -> float:
        """Return the variance of the case's centre, in variances of one launch."""
        sessions = int(np.isfinite(self.past[:, column]).sum())
        return of_middle(sessions) / self.launches_before if sessions else 0.0


def mean(grid: Grid) -> NDArray[np.float64]:
    """Return each column's mean of what there is; NaN where there is nothing."""
    counts = np.isfinite(grid).sum(axis=0)
    sums = np.nansum(grid, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def welch(change: float, common: Spread, own: Spread) -> Evidence:
    """Return both variances together; degrees of freedom after Welch and Satterthwaite.

    Args:
        change: the estimate.
        common: the shared part of its variance, above zero.
        own: the rest.
    """
    total = common.variance + own.variance
    squares = common.variance**2 / common.freedom + own.variance**2 / own.freedom
    return Evidence(change=change, error=math.sqrt(total), freedom=total**2 / squares)
