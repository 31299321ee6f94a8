"""The baseline as grids of logarithms: sessions × cases, of one metric of one variant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import harmonic_mean

import numpy as np

from pytest_llmbench.domain.baseline import Baseline, BaselineCase, BaselineSession
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import Environment, ModelFacts, Readings
from pytest_llmbench.verdict.noise import Grid, Spread, split

Identities = Mapping[str, Mapping[str, str]]
"""For each variant that was loaded, what identifies its model."""


class Past:
    """What the baseline knows, looked up often and computed once.

    Args:
        baseline: the sessions; ``None`` has nothing.
        environment: this session's: absolute times compare on one machine only.
        cases: those of this session: a case that asked for something else is none of them.
    """

    def __init__(
        self, baseline: Baseline | None, environment: Environment, cases: Iterable[Case] = ()
    ) -> None:
        self._sessions = baseline.sessions if baseline else ()
        self._machine = environment.identity
        self._asked = {case.key: case.workload for case in cases}
        self._grids: dict[tuple[object, ...], Grid] = {}
        self._launches: dict[tuple[object, ...], float] = {}
        self._spreads: dict[tuple[str, str, str | None], Spread] = {}

    def foreign(self, variant: str, to: str, known: Identities) -> bool:
        """Whether all sessions that :meth:`relative` has are another machine's, if any."""
        rows = self._in_turns(variant, to, known)
        return bool(rows) and all(
            self._sessions[number].environment.identity != self._machine for number in rows
        )

    @property
    def readings(self) -> tuple[Readings, ...]:
        """How fast this machine was in each of its sessions."""
        here = (s for s in self._sessions if s.environment.identity == self._machine)
        return tuple(session.readings for session in here)

    def absolute(
        self, metric: Metric, variant: str, keys: tuple[str, ...], known: Identities
    ) -> Grid:
        """Return the sessions of this machine and of the same model, shape ``(n, len(keys))``."""
        rows = tuple(
            number
            for number, s in enumerate(self._sessions)
            if s.environment.identity == self._machine and _same(s, variant, known)
        )
        return self._grid(rows, metric, keys, relative=False)

    def relative(
        self, metric: Metric, variant: str, to: str, keys: tuple[str, ...], known: Identities
    ) -> Grid:
        """Return the multiples of *to*'s, of sessions in which both models were the same.

        Machines may differ: what the ratio differs by between them is part of its spread.
        """
        return self._grid(self._in_turns(variant, to, known), metric, keys, relative=True)

    def launches(
        self, metric: Metric, variant: str, to: str, keys: tuple[str, ...], known: Identities
    ) -> float:
        """Return how many launches a session of :meth:`relative` stands for.

        It is the harmonic mean over the sessions, of each one's least: where a few cases were
        launched again, all of them stand for no more than the others. It is 1 where a session is
        another machine's: by what machines differ, all launches of a session do.
        """
        rows = self._in_turns(variant, to, known)
        asked = (rows, metric.name, keys)
        if asked not in self._launches:
            here = all(self._sessions[row].environment.identity == self._machine for row in rows)
            counts = [self._launches_of(self._sessions[row], metric, keys) for row in rows]
            least = [min(row) for row in counts if row]
            self._launches[asked] = harmonic_mean(least) if least and here else 1.0
        return self._launches[asked]

    def _launches_of(
        self, session: BaselineSession, metric: Metric, keys: tuple[str, ...]
    ) -> list[int]:
        """Return how many launches each of the ratios is of that are compared with."""
        found = [(key, session.cases.get(key)) for key in keys]
        return [
            case.launches
            for key, case in found
            if case and math.isfinite(self._cell(key, case, metric, relative=True))
        ]

    def _in_turns(self, variant: str, to: str, known: Identities) -> tuple[int, ...]:
        """Return the numbers of the sessions in which both models were as they are now."""
        return tuple(
            number
            for number, s in enumerate(self._sessions)
            if s.reference == to and _same(s, variant, known) and _same(s, to, known)
        )

    def lives(self, metric: Metric, variant: str, known: Identities) -> Grid:
        """Return a metric of the variant's life in the sessions of this machine and model."""
        values = [
            signed_log(session.variants[variant].metrics.get(metric.name), metric)
            for session in self._sessions
            if session.environment.identity == self._machine and _same(session, variant, known)
        ]
        there = [value for value in values if math.isfinite(value)]
        return np.array(there, dtype=float).reshape(len(there), 1)

    def others(self, metric: Metric, variant: str, *, to: str | None) -> tuple[Spread, ...]:
        """Return the shared spread of every other variant: of sessions; of a ratio, of launches."""
        names = {name for session in self._sessions for name in session.variants} - {variant}
        spreads = [self._spread_of(metric, name, to=to) for name in sorted(names)]
        return tuple(spread for spread in spreads if spread.freedom)

    def _spread_of(self, metric: Metric, variant: str, *, to: str | None) -> Spread:
        asked = (metric.name, variant, to)
        if asked not in self._spreads:
            self._spreads[asked] = self._seen_of(metric, variant, to=to)
        return self._spreads[asked]

    def _seen_of(self, metric: Metric, variant: str, *, to: str | None) -> Spread:
        rows = [s for s in self._sessions if variant in s.variants]
        if not rows or (to is None and rows[-1].environment.identity != self._machine):
            return Spread(variance=0.0, freedom=0.0)
        newest: Identities = {name: v.identity for name, v in rows[-1].variants.items()}
        keys = tuple(sorted(k for k, c in rows[-1].cases.items() if c.variant == variant))
        if to is None:
            return split(self.absolute(metric, variant, keys, newest)).shared
        if to not in newest:
            return Spread(variance=0.0, freedom=0.0)
        seen = split(self.relative(metric, variant, to, keys, newest)).shared
        launches = self.launches(metric, variant, to, keys, newest)
        return Spread(variance=seen.variance * launches, freedom=seen.freedom)

    def _grid(
        self, rows: tuple[int, ...], metric: Metric, keys: tuple[str, ...], *, relative: bool
    ) -> Grid:
        """Return the sessions with the numbers *rows* that have any of the cases *keys*."""
        asked = (rows, metric.name, keys, relative)
        if asked not in self._grids:
            sessions = [self._sessions[number] for number in rows]
            grid = [self._row(session, metric, keys, relative=relative) for session in sessions]
            grid = [row for row in grid if any(map(math.isfinite, row))]
            self._grids[asked] = np.array(grid, dtype=float).reshape(len(grid), len(keys))
        return self._grids[asked]

    def _row(
        self, session: BaselineSession, metric: Metric, keys: tuple[str, ...], *, relative: bool
    ) -> list[float]:
        return [self._cell(key, session.cases.get(key), metric, relative=relative) for key in keys]

    def _cell(
        self, key: str, case: BaselineCase | None, metric: Metric, *, relative: bool
    ) -> float:
        if case is None or self._asked.get(key, case.workload) != case.workload:
            return math.nan
        return signed_log((case.relative if relative else case.metrics).get(metric.name), metric)


def signed_log(value: float | None, metric: Metric) -> float:
    """Return the logarithm of *value*, turned so that more is worse; NaN where it has none."""
    if value is None or not value > 0 or not math.isfinite(value):
        return math.nan
    return -math.log(value) if metric.better == "higher" else math.log(value)


def identities(facts: Iterable[tuple[str, ModelFacts | None]]) -> dict[str, dict[str, str]]:
    """Return what identifies each model that was loaded, by variant."""
    return {name: told.identity for name, told in facts if told is not None}


def _same(session: BaselineSession, variant: str, known: Identities) -> bool:
    kept = session.variants.get(variant)
    return kept is not None and kept.identity == known.get(variant)
