"""Verdicts: what is said of one metric of one case, or of one variant's life."""

from __future__ import annotations

from enum import StrEnum

from pytest_llmbench.domain.fact import Fact


class VerdictKind(StrEnum):
    """The eight things that can be said."""

    OK = "ok"
    REGRESSED = "regressed"
    IMPROVED = "improved"
    INCONCLUSIVE = "inconclusive"
    NEW = "new"
    MISSING = "missing"
    INCOMPARABLE = "incomparable"
    ERROR = "error"


class Difference(Fact, frozen=True, kw_only=True):
    """One thing that is not as it was: *field*, its value *then* and *now*."""

    field: str
    then: str
    now: str


class Verdict(Fact, frozen=True, kw_only=True):
    """One metric judged.

    Attributes:
        metric: the metric's name; empty for a verdict on the whole case (missing, error).
        kind: see :class:`VerdictKind`.
        sentence: what happened, in one sentence with the numbers in it.
        block: the evidence, one ``label: value`` pair per line of a failure's detail block.
        p: of a noisy metric that was compared, how probable such evidence is, at most, where
            the change is an accepted one; ``None`` of all others.
        machine_slowed: whether the machine itself became slower by enough to be the cause of a
            time that is held against its own past, and no ratio says otherwise.
    """

    metric: str
    kind: VerdictKind
    sentence: str
    block: tuple[tuple[str, str], ...] = ()
    p: float | None = None
    machine_slowed: bool = False
