"""What metrics of one kind have in common; :mod:`.catalogue` says what each has for itself."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

from pytest_llmbench.domain.metric import Kind, Metric, Statistic
from pytest_llmbench.units import Unit

_TIMING_NOISE: Final = 0.015
_TIMING_TOLERANCE: Final = 0.01
_MEMORY_TOLERANCE: Final = 0.05
_MEMORY_FLOOR: Final = 32.0 * 2**20
_CLOCK_FLOOR: Final = 10e-6
"""A hundred times the grain of the coarsest clock (100 ns), and 1 % of a token of a millisecond.
More would hide of small models on fast devices what their tolerance asks for."""
_TOKEN_JITTER: Final = 0.2e-3


def timing(
    name: str,
    summary: str,
    *,
    gated: bool = False,
    statistic: Statistic = Statistic.MIDDLE,
    noise: float = _TIMING_NOISE,
    floor: float = _CLOCK_FLOOR,
    jitter: float = _TOKEN_JITTER,
    group: str | None = "decode",
) -> Metric:
    """Return a time of a round, in seconds."""
    return Metric(
        name=name,
        unit="s",
        better="lower",
        kind=Kind.NOISY,
        of="case",
        gated=gated,
        statistic=statistic,
        tolerance=_TIMING_TOLERANCE,
        floor=floor,
        noise=noise,
        jitter=jitter,
        summary=summary,
        group=group,
    )


def rate(name: str, summary: str, *, noise: float = _TIMING_NOISE, group: str = "decode") -> Metric:
    """Return a rate of a round, in tokens per second."""
    return Metric(
        name=name,
        unit="tok/s",
        better="higher",
        kind=Kind.NOISY,
        of="case",
        statistic=Statistic.MIDDLE,
        tolerance=_TIMING_TOLERANCE,
        noise=noise,
        summary=summary,
        group=group,
    )


def life_time(name: str, summary: str) -> Metric:
    """Return a time of a variant's life, in seconds."""
    return Metric(
        name=name,
        unit="s",
        better="lower",
        kind=Kind.NOISY,
        of="variant",
        tolerance=0.25,
        floor=0.1,
        noise=0.10,
        summary=summary,
    )


def memory(
    name: str,
    summary: str,
    *,
    of: Literal["case", "variant"],
    gated: bool = False,
    floor: float = _MEMORY_FLOOR,
) -> Metric:
    """Return an amount of memory, in bytes."""
    return Metric(
        name=name,
        unit="B",
        better="lower",
        kind=Kind.NEAR_EXACT,
        of=of,
        gated=gated,
        tolerance=_MEMORY_TOLERANCE,
        floor=floor,
        summary=summary,
    )


def exact(
    name: str,
    unit: Unit,
    summary: str,
    *,
    better: Literal["lower", "higher"] | None,
    of: Literal["case", "variant"] = "case",
    gated: bool = False,
) -> Metric:
    """Return what repeats exactly."""
    return Metric(
        name=name,
        unit=unit,
        better=better,
        kind=Kind.EXACT,
        of=of,
        gated=gated,
        summary=summary,
    )


def beside(
    name: str,
    unit: Unit,
    summary: str,
    *,
    better: Literal["lower", "higher"] | None,
    undrifted: float | None,
    kind: Kind = Kind.EXACT,
    part: Literal["drift", "answers"] = "drift",
    gated: bool = False,
    tolerance: float = 0.0,
    floor: float = 0.0,
) -> Metric:
    """Return a metric of a text, or of all answers, beside the reference's."""
    return Metric(
        name=name,
        unit=unit,
        better=better,
        kind=kind,
        of="case" if part == "drift" else "variant",
        gated=gated,
        tolerance=tolerance,
        floor=floor,
        summary=summary,
        part=part,
        undrifted=undrifted,
    )


drift: Final = partial(beside, kind=Kind.NEAR_EXACT)
"""A metric that repeats nearly: the arithmetic of a model does not quite."""


def informative(name: str, summary: str) -> Metric:
    """Return an amount of memory that nobody judges, in bytes."""
    return Metric(
        name=name,
        unit="B",
        better=None,
        kind=Kind.INFORMATIVE,
        of="variant",
        summary=summary,
    )
