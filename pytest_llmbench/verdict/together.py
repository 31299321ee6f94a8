"""Did all variants move together? Then it is something that they share, and no variant's own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.context import Context

ALIKE: Final = 0.5
"""A variant moved along where its times changed by at least this share of the other's change."""

_TOLD: Final = (VerdictKind.REGRESSED, VerdictKind.INCONCLUSIVE, VerdictKind.IMPROVED)


def told_of_others(
    verdict: Verdict, metric: Metric, variant: str, change: float, context: Context
) -> Verdict:
    """Return *verdict* on *variant*'s own times, with what all the others did where it is the same.

    Args:
        verdict: on the variant as a whole, by its own times.
        metric: a noisy one.
        variant: whose.
        change: the logarithm of the worsening behind *verdict*.
        context: the session.
    """
    if verdict.kind not in _TOLD:
        return verdict
    others = {
        name: context.grounds(metric, name).own()
        for name in dict.fromkeys(case.variant for case in context.cases)
        if name != variant
    }
    known = {name: own.evidence.change for name, own in others.items() if own is not None}
    if not known or not _alike(change, known.values()):
        return verdict
    said = ", ".join(f"{name} {_percent(moved)}" for name, moved in known.items())
    return msgspec.structs.replace(
        verdict,
        sentence=f"{verdict.sentence}; all variants moved together",
        block=(*verdict.block, ("together", f"{said}: look for what they share")),
    )


def _alike(change: float, others: Iterable[float]) -> bool:
    return all(moved * change > 0 and abs(moved) >= ALIKE * abs(change) for moved in others)


def _percent(change: float) -> str:
    return f"{format_percent(math.expm1(change), signed=True)} worse"
