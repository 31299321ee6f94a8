"""Base units inside, people's units at the edge: the only place that scales or prints numbers.

Inside this package a time is in seconds, a size in bytes, a rate in tokens per second, a share
or score a plain number. What a user types (``"50 MiB"``, ``"80 ms"``) is read here, and what a
user sees is written here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, Literal

Unit = Literal["s", "tok/s", "B", "tokens", "chars", "nats", "1", "count"]

_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0}
_BYTES: Final = {
    "B": 1.0,
    "kB": 1e3,
    "KB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
    "TiB": 2.0**40,
}
_SUFFIXES: Final[dict[str, dict[str, float]]] = {
    "s": _SECONDS,
    "B": _BYTES,
    "tok/s": {"tok/s": 1.0, "tokens/s": 1.0},
    "tokens": {"tokens": 1.0, "tok": 1.0},
    "chars": {"chars": 1.0},
    "nats": {"nats": 1.0, "nat": 1.0},
    "count": {},
    "1": {"%": 0.01},
}
_AMOUNT: Final = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<suffix>\S*)\s*"
)


def parse_amount(text: str, unit: Unit) -> float:
    """Return what *text* means in the base unit *unit*.

    A bare number is already in the base unit: ``parse_amount("0.5", "s") == 0.5``,
    ``parse_amount("80 ms", "s") == 0.08``, ``parse_amount("50 MiB", "B") == 52428800``.

    Raises:
        ValueError: not a finite number, or a suffix that this unit does not have; the message
            says which suffixes it has.
    """
    match = _AMOUNT.fullmatch(text)
    suffixes = _SUFFIXES[unit]
    if match is None:
        raise ValueError(f"{text!r} is not an amount such as {example_amount(unit)!r}")
    suffix = match["suffix"]
    if suffix and suffix not in suffixes:
        allowed = ", ".join(suffixes) or "none"
        raise ValueError(f"{text!r} has the unknown unit {suffix!r} (allowed here: {allowed})")
    value = float(match["number"]) * (suffixes[suffix] if suffix else 1.0)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value


def example_amount(unit: Unit) -> str:
    """Return an amount a user could type for *unit*, for use in messages."""
    examples = {"s": "80 ms", "B": "50 MiB", "tok/s": "10 tok/s", "tokens": "64"}
    examples |= {"nats": "0.01 nats", "1": "0.02"}
    return examples.get(unit, "3")


def format_amount(value: float, unit: Unit, *, digits: int = 3) -> str:
    """Return *value*, given in the base unit, as people read it, with so many *digits*."""
    if unit == "s":
        return format_seconds(value, digits=digits)
    if unit == "B":
        return format_bytes(value, digits=digits)
    if unit in ("tok/s", "tokens", "chars", "nats"):
        return f"{_digits(value, digits)} {unit}"
    return _digits(value, digits)


def format_seconds(value: float, *, digits: int = 3) -> str:
    """Return a duration in s, ms or µs: ``0.0123`` → ``"12.3 ms"``."""
    size = abs(value)
    if size >= 1 or size == 0:
        return f"{_digits(value, digits)} s"
    if size >= 1e-3:
        return f"{_digits(value * 1e3, digits)} ms"
    return f"{_digits(value * 1e6, digits)} µs"


def format_bytes(value: float, *, digits: int = 3) -> str:
    """Return a size in binary multiples: ``52428800`` → ``"50 MiB"``."""
    for suffix in ("TiB", "GiB", "MiB", "KiB"):
        if abs(value) >= _BYTES[suffix]:
            return f"{_digits(value / _BYTES[suffix], digits)} {suffix}"
    return f"{_digits(value, digits)} B"


def axis_scale(values: Iterable[float], unit: Unit) -> tuple[float, str]:
    """Return what to divide *values* by to show them on one axis, and the unit they then have.

    The largest decides: ``axis_scale([0.02, 0.3], "s") == (1e-3, "ms")``.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    steps = {"s": ("s", "ms", "µs"), "B": ("TiB", "GiB", "MiB", "KiB", "B")}.get(unit, ())
    factors = [(_SUFFIXES[unit][suffix], suffix) for suffix in steps]
    fitting = [each for each in factors if largest >= each[0]]
    return next(iter(fitting or factors[-1:]), (1.0, "" if unit in ("1", "count") else unit))


def format_percent(share: float, *, signed: bool = False) -> str:
    """Return a share as a percentage: ``0.125`` → ``"12.5 %"``, signed ``"+12.5 %"``."""
    percent = share * 100
    text = f"{percent:.1f}" if abs(percent) < 100 else f"{percent:.0f}"
    text = text.removesuffix(".0")
    return f"{'+' if signed and percent > 0 else ''}{text} %"


def format_times(ratio: float) -> str:
    """Return a multiple of something else: ``1.52`` → ``"1.52×"``."""
    return f"{_digits(ratio, 3)}×"


def _digits(value: float, digits: int) -> str:
    """So many significant digits, never fewer than the whole part, no trailing zeros."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
