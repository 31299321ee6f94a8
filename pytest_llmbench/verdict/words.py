"""Numbers and changes as sentences want them."""

from __future__ import annotations

from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.units import Unit, format_amount, format_percent

_ABSENT = "absent"


def amount_pair(one: float, other: float, unit: Unit) -> tuple[str, str]:
    """Return both amounts for people, with as many digits as it takes to tell them apart."""
    for digits in range(3, 17):
        texts = format_amount(one, unit, digits=digits), format_amount(other, unit, digits=digits)
        if texts[0] != texts[1]:
            return texts
    return format_amount(one, unit), format_amount(other, unit)


def signed_amount(value: float, unit: Unit) -> str:
    """Return *value* with its sign: ``+0.95 ms``."""
    return f"{'+' if value > 0 else ''}{format_amount(value, unit)}"


def signed_share_or_amount(value: float, baseline: float, unit: Unit) -> str:
    """Return a change as a signed percentage of *baseline*; as an amount where that is 0."""
    if baseline == 0:
        return signed_amount(value, unit)
    return format_percent(value / abs(baseline), signed=True)


def movement(metric: Metric, baseline: float, now: float) -> str:
    """Return ``itl_s rose by 31.2 %, from 3.05 ms to 4 ms``."""
    if now == baseline:
        return f"{metric.name} is unchanged at {format_amount(now, metric.unit)}"
    then_text, now_text = amount_pair(baseline, now, metric.unit)
    verb, size = ("rose", now - baseline) if now > baseline else ("fell", baseline - now)
    by = signed_share_or_amount(size, baseline, metric.unit).removeprefix("+")
    return f"{metric.name} {verb} by {by}, from {then_text} to {now_text}"


def beside(metric: Metric, other: float, now: float, twin: str) -> str:
    """Return ``score is 50 % below that of base@main, side by side: 0.5 against 1``."""
    if now == other:
        amount = format_amount(now, metric.unit)
        return f"{metric.name} is the same as that of {twin}, side by side: {amount}"
    other_text, now_text = amount_pair(other, now, metric.unit)
    word, size = ("above", now - other) if now > other else ("below", other - now)
    by = signed_share_or_amount(size, other, metric.unit).removeprefix("+")
    compared = f"{metric.name} is {by} {word} that of {twin}, side by side"
    return f"{compared}: {now_text} against {other_text}"


def changed_pair(difference: Difference) -> tuple[str, str]:
    """Return one difference as a block's pair: ``("changed", "torch 2.12 -> 2.13")``."""
    return "changed", f"{difference.field} {difference.then} -> {difference.now}"


def differences(then: dict[str, str], now: dict[str, str]) -> tuple[Difference, ...]:
    """Return every field that differs, sorted; a field one side lacks is ``absent`` there."""
    return tuple(
        Difference(field=field, then=then.get(field, _ABSENT), now=now.get(field, _ABSENT))
        for field in sorted(then.keys() | now.keys())
        if then.get(field) != now.get(field)
    )


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Return ``1 session`` or ``5 sessions``; *many* where the plural is not regular."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"
