"""Which of two grounds a noisy metric is judged on: its own past, or its ratio to the reference.

The ratio to a variant whose rounds took turns with these is free of what slowed the machine; the
times themselves are free of what happened to the reference. The one that can tell more decides: the
steadier over the baseline's sessions, or the one that more of them have.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import CaseRecord
from pytest_llmbench.verdict.evidence import Evidence
from pytest_llmbench.verdict.noise import Grid
from pytest_llmbench.verdict.panel import Panel
from pytest_llmbench.verdict.past import Identities, Past, signed_log

Ground = Literal["absolute", "ratio", "side by side"]

RATIO_NOISE: Final = 0.01
"""Standard deviation between launches that is assumed of a ratio. Measured on twins in turns:
0.5 to 0.8 %."""

FOREIGN_NOISE: Final = 0.05
"""What is assumed besides where all sessions of the baseline are another machine's."""

MOST_JITTER: Final = 0.1
"""What a token's jitter can come to is assumed to be no more than this share of it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Held:
    """The evidence on one case or one variant, and where it comes from.

    Attributes:
        evidence: the change for the worse.
        ground: what was compared.
        to: the variant that a ratio is to.
        sessions: of the baseline, that were compared with.
        launches: of this session.
        cases: how many cases it is about.
        moved: the reference and what it did by its own times, where it is what changed. Then the
            ratio does not decide, or, where that became better, is no praise.
        alone: of a ratio that changed, what the variant and the other did by their own times.
        aside: the ratio, where it does not decide though something besides the other may have
            changed.
    """

    evidence: Evidence
    ground: Ground
    to: str | None
    sessions: int
    launches: int
    cases: int
    moved: tuple[str, Evidence] | None = None
    alone: tuple[Evidence, Evidence] | None = None
    aside: Held | None = None


_Found = tuple[Ground, str | None, Panel]
"""A ground, the variant that a ratio is to, and the numbers."""


class Grounds:
    """All that is known of one variant's metric.

    Args:
        past: the baseline.
        metric: a noisy one.
        variant: whose.
        cases: those that were collected for it.
        records: those that were measured, by key.
        known: what identifies the models that were loaded.
        side_by_side: whether the ratio is to a twin, and nothing else decides.
    """

    def __init__(
        self,
        past: Past,
        metric: Metric,
        variant: str,
        cases: Sequence[Case],
        records: Mapping[str, CaseRecord],
        known: Identities,
        *,
        side_by_side: bool = False,
    ) -> None:
        self.variant = variant
        self._past = past
        self._metric = metric
        self._keys = tuple(case.key for case in cases)
        self._records = records
        self._known = known
        self._side_by_side = side_by_side

    def of_case(self, key: str) -> Held | None:
        """Return what is known of one case; ``None`` where it can't be compared."""
        return self._held(self._chosen(key), key)

    def of_variant(self) -> Held | None:
        """Return what is known of all cases together; ``None`` where it can't be compared."""
        return self._held(self._chosen(None), None)

    def has(self, key: str) -> bool:
        """Whether *key* is one of the cases."""
        return key in self._keys

    def own(self, key: str | None = None) -> Held | None:
        """Return what one case, or all together, show by their own times alone."""
        return None if self._side_by_side else self._held(self._absolute(key), key)

    def beside(self, key: str | None = None) -> Held | None:
        """Return what one case, or all, show as multiples of the reference's, in any case."""
        return None if self._side_by_side else self._held(self._ratio(key), key)

    def _held(self, found: _Found | None, key: str | None) -> Held | None:
        """Return the evidence of a ground on one case, or on all."""
        if found is None:
            return None
        ground, to, panel = found
        evidence = panel.of_all() if key is None else panel.of_case(key)
        if evidence is None:
            return None
        if key is None:
            sessions, launches, cases = len(panel.past), len(panel.now), panel.compared
        else:
            column = panel.keys.index(key)
            sessions = int(np.isfinite(panel.past[:, column]).sum())
            launches = int(np.isfinite(panel.now[:, column]).sum())
            cases = 1
        return Held(
            evidence=evidence, ground=ground, to=to, sessions=sessions, launches=launches,
            cases=cases,
        )  # fmt: skip

    def _chosen(self, key: str | None) -> _Found | None:
        """Return the ground that decides on one case, or on all."""
        if self._side_by_side:
            to, nothing = self._counterpart(), np.empty((0, len(self._keys)))
            return ("side by side", to, self._panel(nothing, to)) if to is not None else None
        absolute, ratio = self._absolute(key), self._ratio(key)
        if ratio is None or absolute is None:
            return ratio or absolute
        return ratio if ratio[2].blur(key) <= absolute[2].blur(key) else absolute

    def _absolute(self, key: str | None) -> _Found | None:
        past = self._past.absolute(self._metric, self.variant, self._keys, self._known)
        panel = self._usable(self._panel(past, None), key)
        return None if panel is None else ("absolute", None, panel)

    def _ratio(self, key: str | None) -> _Found | None:
        to = self._counterpart()
        if to is None:
            return None
        past = self._past.relative(self._metric, self.variant, to, self._keys, self._known)
        panel = self._usable(self._panel(past, to), key)
        return None if panel is None else ("ratio", to, panel)

    def _usable(self, panel: Panel, key: str | None) -> Panel | None:
        if not len(panel.past):
            return None
        there = panel.of_all() if key is None else panel.of_case(key)
        return None if there is None else panel

    def _counterpart(self) -> str | None:
        for key in self._keys:
            record = self._records.get(key)
            ratio = None if record is None else record.relative.get(self._metric.name)
            if ratio is not None:
                return ratio.to
        return None

    def _panel(self, past: Grid, to: str | None) -> Panel:
        columns = [self._now(key, to) for key in self._keys]
        launches = sorted({launch for column, _ in columns for launch in column})
        now = [[column.get(launch, math.nan) for column, _ in columns] for launch in launches]
        return Panel(
            keys=self._keys,
            now=np.array(now, dtype=float).reshape(len(launches), len(self._keys)),
            past=past,
            errors=np.array([error for _, error in columns]),
            assumed=self._assumed(past, columns, to),
            others=()
            if self._side_by_side
            else self._past.others(self._metric, self.variant, to=to),
            lasting=to is None,
            launches_before=self._launches_before(to),
        )

    def _launches_before(self, to: str | None) -> float:
        if to is None or self._side_by_side:
            return 1.0
        return self._past.launches(self._metric, self.variant, to, self._keys, self._known)

    def _now(self, key: str, to: str | None) -> tuple[dict[int, float], float]:
        """Return the launches' logarithms of one case, and their standard error.

        A case whose time is zero has none, and so no ratio either.
        """
        record, name = self._records.get(key), self._metric.name
        own = None if record is None else record.metrics.get(name)
        if record is None or own is None or not own.gate > 0:
            return {}, 0.0
        measured = own if to is None else record.relative.get(name)
        if measured is None:
            return {}, 0.0
        values = [signed_log(value, self._metric) for value in measured.launches]
        numbers = sorted({entry.launch for entry in record.rounds})
        if len(numbers) != len(values):
            numbers = list(range(len(values)))
        return dict(zip(numbers, values, strict=True)), measured.error

    def _assumed(
        self, past: Grid, columns: Sequence[tuple[dict[int, float], float]], to: str | None
    ) -> float:
        if to is not None:
            foreign = not self._side_by_side and self._past.foreign(self.variant, to, self._known)
            return math.hypot(RATIO_NOISE, FOREIGN_NOISE if foreign else 0.0)
        logs = [v for column, _ in columns for v in column.values() if math.isfinite(v)]
        typical = math.exp(float(np.median(logs))) if logs else math.inf
        return assumed_noise(self._metric, typical, len(past))


def held_alone(metric: Metric, now: float, past: Grid) -> Held | None:
    """Return the evidence on a single number, such as a variant's load time, against *past*.

    There is none on a time of zero.
    """
    if not now > 0:
        return None
    panel = Panel(
        keys=("",),
        now=np.array([[signed_log(now, metric)]]),
        past=past,
        errors=np.zeros(1),
        assumed=assumed_noise(metric, now, len(past)),
    )
    evidence = panel.of_case("")
    if evidence is None:
        return None
    return Held(
        evidence=evidence, ground="absolute", to=None, sessions=len(past), launches=1, cases=1
    )


def held_beside(metric: Metric, now: float, other: float, twin: str) -> Held | None:
    """Return the evidence on a single number against the one of *twin*, likewise."""
    held = held_alone(metric, now, np.array([[signed_log(other, metric)]]))
    return None if held is None else dataclasses.replace(held, ground="side by side", to=twin)


def assumed_noise(metric: Metric, typical: float, sessions: int) -> float:
    """Return the standard deviation between launches that is assumed, as a share.

    What a token's jitter adds, however small the model, gives way to what sessions show.
    *typical* is a value of the metric, above zero.
    """
    jitter = min(MOST_JITTER, metric.jitter / typical)
    return math.hypot(metric.noise, jitter / max(1, sessions))
