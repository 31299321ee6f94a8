"""A comparison in words: one sentence with the numbers in it, one block with the evidence."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_llmbench.domain.gate import Tolerance
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.verdict import Difference, Verdict, VerdictKind
from pytest_llmbench.units import format_amount, format_percent
from pytest_llmbench.verdict.compare import BLIND, Comparison, accepted_amounts
from pytest_llmbench.verdict.words import (
    amount_pair,
    changed_pair,
    movement,
    plural,
    signed_amount,
    signed_share_or_amount,
)


def comparison_verdict(
    metric: Metric,
    result: Comparison,
    tolerance: Tolerance | None,
    changed: Iterable[Difference],
    baseline_name: str,
) -> Verdict:
    """Return *result* as a verdict; everything but ok carries its evidence.

    *changed* is what else differs between the newest compared session and now.
    """
    accepted, origin = _accepted(metric, result, tolerance)
    said = f"{movement(metric, result.baseline, result.now)} (accepted: {accepted})"
    block: tuple[tuple[str, str], ...] = ()
    if result.kind is not VerdictKind.OK:
        block = _block(metric, result, f"{accepted} ({origin})", changed)
    ending = _ending(metric, result, baseline_name)
    return Verdict(metric=metric.name, kind=result.kind, sentence=said + ending, block=block)


def _ending(metric: Metric, result: Comparison, baseline_name: str) -> str:
    """Return what follows from the verdict: how sure it is, and what to type."""
    if result.kind is VerdictKind.IMPROVED:
        return f"; --llmbench-replace={baseline_name} makes it the new baseline"
    if result.kind is not VerdictKind.INCONCLUSIVE:
        return ""
    kept = plural(result.sessions, "session")
    if result.half_width > BLIND * result.bound:
        least = _plain(result.detectable, result, metric)
        return (
            f", but with {kept} in the baseline, and as far apart as sessions are, nothing below "
            f"{least} can be told from noise; --llmbench-save adds sessions"
        )
    return (
        f", but noise between sessions alone could carry it there (interval: "
        f"{_interval(metric, result)}); measure again, or let --llmbench-save add to the "
        f"{kept} in the baseline"
    )


def _block(
    metric: Metric, result: Comparison, tolerance: str, changed: Iterable[Difference]
) -> tuple[tuple[str, str], ...]:
    then, now = amount_pair(result.baseline, result.now, metric.unit)
    differs = tuple(changed_pair(difference) for difference in changed)
    return (
        ("metric", f"{metric.name}: {metric.summary}"),
        ("baseline", f"{then} ({_provenance(metric, result)})"),
        ("now", now),
        ("change", _change(metric, result)),
        ("interval", _interval(metric, result)),
        ("tolerance", tolerance),
        *(differs or (("changed", "nothing recorded"),)),
    )


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


def _interval(metric: Metric, result: Comparison) -> str:
    """Return the interval of the change (not of the worsening), with its sign."""
    if metric.kind is not Kind.NOISY:
        return f"none, {metric.kind} metrics repeat"
    change = result.now - result.baseline
    ends = (change - result.half_width, change + result.half_width)
    low, high = (signed_share_or_amount(end, result.baseline, metric.unit) for end in ends)
    return f"{low} to {high}"


def _accepted(metric: Metric, result: Comparison, tolerance: Tolerance | None) -> tuple[str, str]:
    """Return the bound for people, and where it comes from."""
    share, amount, floor = accepted_amounts(metric, result.baseline, tolerance)
    origin = "default" if tolerance is None else tolerance.origin
    if floor > max(share, amount):
        asked = "" if tolerance is None else f", larger than the tolerance of {origin}"
        return format_amount(floor, metric.unit), f"the metric's floor{asked}"
    if result.bound == 0:
        return "no change", origin
    if amount > share:
        return format_amount(amount, metric.unit), origin
    return format_percent(share / abs(result.baseline)), origin


def _plain(amount: float, result: Comparison, metric: Metric) -> str:
    share = result.share(amount)
    return format_amount(amount, metric.unit) if share is None else format_percent(share)
