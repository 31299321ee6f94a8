"""What a list of verdicts comes to: the worst of them, and which of them fail a test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from pytest_llmbench.domain.verdict import Verdict, VerdictKind

Policy = Literal["pass", "warn", "fail"]

SEVERITY: Final = (
    VerdictKind.ERROR,
    VerdictKind.REGRESSED,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.INCOMPARABLE,
    VerdictKind.MISSING,
    VerdictKind.NEW,
    VerdictKind.IMPROVED,
    VerdictKind.OK,
)
"""All kinds, worst first: what is broken, then what could not be told, then what is not guarded
(missing, new), then what is well."""


def worst(verdicts: Iterable[Verdict]) -> VerdictKind | None:
    """Return the worst kind among *verdicts* by :data:`SEVERITY`; ``None`` where there is none."""
    return worst_of(verdict.kind for verdict in verdicts)


def worst_of(kinds: Iterable[VerdictKind]) -> VerdictKind | None:
    """Return the worst of *kinds*; ``None`` where there is none."""
    there = set(kinds)
    return next((kind for kind in SEVERITY if kind in there), None)


def policy_of(kind: VerdictKind, missing: Policy, inconclusive: Policy) -> Policy:
    """Return what a verdict of *kind* does to its test.

    Regressed and error always fail. Missing follows its policy; inconclusive and incomparable
    follow the inconclusive policy, because both mean that nothing could be told. Ok, improved
    and new pass.
    """
    if kind in (VerdictKind.REGRESSED, VerdictKind.ERROR):
        return "fail"
    if kind is VerdictKind.MISSING:
        return missing
    if kind in (VerdictKind.INCONCLUSIVE, VerdictKind.INCOMPARABLE):
        return inconclusive
    return "pass"


def failing(
    verdicts: Iterable[Verdict], missing: Policy, inconclusive: Policy
) -> tuple[Verdict, ...]:
    """Return the verdicts that fail their test under the two policies, in order."""
    return tuple(v for v in verdicts if policy_of(v.kind, missing, inconclusive) == "fail")


def quiet_kinds(missing: Policy, inconclusive: Policy) -> frozenset[VerdictKind]:
    """Return the kinds that the user lets pass without a word."""
    return frozenset(
        kind
        for kind in (VerdictKind.MISSING, VerdictKind.INCONCLUSIVE, VerdictKind.INCOMPARABLE)
        if policy_of(kind, missing, inconclusive) == "pass"
    )
