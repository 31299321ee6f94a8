"""A comparison of numbers that repeat, in words: one sentence, and one block with the evidence."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_llmbench.domain.gate import Tolerance
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.verdict import Difference, Verdict, VerdictKind
from pytest_llmbench.units import format_amount, format_percent
from pytest_llmbench.verdict.compare import Comparison, accepted_amounts
from pytest_llmbench.verdict.words import (
    amount_pair,
    beside,
    changed_pair,
    movement,
    signed_amount,
    signed_share_or_amount,
)


def comparison_verdict(
    metric: Metric,
    result: Comparison,
    tolerance: Tolerance | None,
    changed: Iterable[Difference],
    baseline: str | None,
    twin: str | None = None,
) -> Verdict:
    """Return *result* as a verdict; everything but ok carries its evidence.

    *changed* is what else differs between the newest compared session and now; *baseline* is
    the baseline's name, *twin* that of what it is held against instead, side by side.
    """
    accepted, origin = accepted_words(metric, result.baseline, tolerance)
    moved = (
        movement(metric, result.baseline, result.now)
        if twin is None
        else beside(metric, result.baseline, result.now, twin)
    )
    sentence = f"{moved} (accepted: {accepted})"
    block: tuple[tuple[str, str], ...] = ()
    if result.kind is not VerdictKind.OK:
        block = _block(metric, result, f"{accepted} ({origin})", changed, twin)
    if result.kind is VerdictKind.IMPROVED and baseline is not None and twin is None:
        sentence += f"; --llmbench-replace={baseline} makes it the new baseline"
    return Verdict(metric=metric.name, kind=result.kind, sentence=sentence, block=block)


def accepted_words(metric: Metric, before: float, tolerance: Tolerance | None) -> tuple[str, str]:
    """Return the accepted worsening of *before* for people, and where it comes from."""
    share, amount, floor = accepted_amounts(metric, before, tolerance)
    origin = "default" if tolerance is None else tolerance.origin
    if floor > max(share, amount):
        asked = "" if tolerance is None else f", larger than the tolerance of {origin}"
        return format_amount(floor, metric.unit), f"the metric's floor{asked}"
    if max(share, amount, floor) == 0:
        return "no change", origin
    if amount > share:
        return format_amount(amount, metric.unit), origin
    return format_percent(share / abs(before)), origin


def _block(
    metric: Metric,
    result: Comparison,
    tolerance: str,
    changed: Iterable[Difference],
    twin: str | None,
) -> tuple[tuple[str, str], ...]:
    then, now = amount_pair(result.baseline, result.now, metric.unit)
    differs = tuple(changed_pair(difference) for difference in changed)
    return (
        ("metric", f"{metric.name}: {metric.summary}"),
        ("baseline", f"{then} ({_provenance(metric, result)})")
        if twin is None
        else ("against", f"{then} ({twin})"),
        ("now", now),
        ("change", _change(metric, result)),
        ("interval", f"none, {_why_no_interval(metric)}"),
        ("tolerance", tolerance),
        *(differs or (("changed", "nothing recorded"),)),
    )


def _why_no_interval(metric: Metric) -> str:
    """Return why the numbers alone decide."""
    if metric.kind is Kind.NOISY:
        return "a time of zero is compared by amount"
    return f"{metric.kind} metrics repeat"


def _provenance(metric: Metric, result: Comparison) -> str:
    if result.sessions == 1:
        return "1 session"
    which = "newest" if metric.kind is Kind.EXACT else "median"
    return f"{which} of {result.sessions} sessions"


def _change(metric: Metric, result: Comparison) -> str:
    change = result.now - result.baseline
    amount = signed_amount(change, metric.unit)
    if result.baseline == 0:
        return amount
    return f"{signed_share_or_amount(change, result.baseline, metric.unit)} ({amount})"
