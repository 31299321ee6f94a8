"""What the terminal table says, as facts: one row for each variant and suite.

All arithmetic over cases stands here, so that the drawing has none. Times and rates are the
median of the cases' values, memory is the highest, the score is the mean, and drift the mean over
all tokens of the cases.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import JudgedCase, JudgedVariant, Measured, SessionRecord
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.outcome import SEVERITY, worst

_DEVICE: Final = ("device_alloc_peak_bytes", "device_process_bytes", "reported_device_bytes")


class Row(Fact, frozen=True, kw_only=True):
    """One variant on one suite, in base units; ``None`` where no case has the metric.

    Attributes:
        variant: the variant's name.
        suite: the suite's name; ``None`` for a variant of which no case was measured.
        cases: how many cases the row stands for.
        load_s: the variant's own, the same in each of its rows.
        device_peak_bytes: what the engine's allocator says, else NVML, else the server.
        score: mean of the *scored* cases, 0 to 1.
        scored: how many cases have a score.
        kl: divergence from the reference, nats, mean over the tokens of all cases that have it.
        top1: share of these tokens at which both find the same one most probable.
        similarity: mean over the cases that have it.
        kinds: each case counted once, by its worst verdict; worst first. A case that failed
            counts as an error; one of which nothing was said is in none.
        life: the worst verdict on the variant's life; ``None`` where nothing was said.
        skipped: whether the variant's engine is not installed.
    """

    variant: str
    suite: str | None
    cases: int
    load_s: float | None
    ttft_s: float | None
    decode_tps: float | None
    output_tps: float | None
    latency_s: float | None
    rss_peak_bytes: float | None
    device_peak_bytes: float | None
    score: float | None
    scored: int
    kl: float | None
    top1: float | None
    similarity: float | None
    kinds: tuple[tuple[VerdictKind, int], ...]
    life: VerdictKind | None
    skipped: bool = False


def session_rows(record: SessionRecord) -> tuple[Row, ...]:
    """Return a row for each variant and suite, in the order in which cases were measured.

    Variants of which no case was measured come last, each in a row without a suite.
    """
    lives = {judged.record.id: judged for judged in record.variants}
    groups: dict[tuple[str, str | None], list[JudgedCase]] = {}
    for judged in record.cases:
        case = judged.record.case
        groups.setdefault((case.variant, case.suite), []).append(judged)
    seen = {variant for variant, _ in groups}
    groups.update({(name, None): [] for name in lives if name not in seen})
    return tuple(
        _row(variant, suite, cases, lives.get(variant))
        for (variant, suite), cases in groups.items()
    )


def _row(
    variant: str, suite: str | None, cases: Sequence[JudgedCase], life: JudgedVariant | None
) -> Row:
    scores = _values(cases, "score")
    drifts = [judged.record.drift for judged in cases if judged.record.drift is not None]
    return Row(
        variant=variant,
        suite=suite,
        cases=len(cases),
        load_s=None if life is None else _finite(life.record.life_cycle.get("load_s")),
        ttft_s=_median(_values(cases, "ttft_s")),
        decode_tps=_median(_values(cases, "decode_tps")),
        output_tps=_median(_values(cases, "output_tps")),
        latency_s=_median(_values(cases, "latency_s")),
        rss_peak_bytes=max(_values(cases, "rss_peak_bytes"), default=None),
        device_peak_bytes=_device_peak(cases),
        score=_mean(scores),
        scored=len(scores),
        kl=_mean([kl for found in drifts for kl in found.kl]),
        top1=_mean([float(agrees) for found in drifts for agrees in found.agrees]),
        similarity=_mean(_values(cases, SIMILARITY)),
        kinds=_kinds(cases),
        life=_life_kind(life),
        skipped=life is not None and life.record.skipped is not None,
    )


def _device_peak(cases: Sequence[JudgedCase]) -> float | None:
    """Return the highest device memory by the best witness that there is."""
    found = (max(_values(cases, metric), default=None) for metric in _DEVICE)
    return next((peak for peak in found if peak is not None), None)


def _kinds(cases: Sequence[JudgedCase]) -> tuple[tuple[VerdictKind, int], ...]:
    counted = Counter(_case_kind(judged) for judged in cases)
    return tuple((kind, counted[kind]) for kind in SEVERITY if counted[kind])


def _case_kind(judged: JudgedCase) -> VerdictKind | None:
    return VerdictKind.ERROR if judged.record.error is not None else worst(judged.verdicts)


def _life_kind(life: JudgedVariant | None) -> VerdictKind | None:
    if life is None:
        return None
    return VerdictKind.ERROR if life.record.error is not None else worst(life.verdicts)


def _values(cases: Sequence[JudgedCase], metric: str) -> list[float]:
    """Return the values of the cases that have *metric*; what is not finite is no value."""
    values = (_finite(judged.record.metrics.get(metric)) for judged in cases)
    return [value for value in values if value is not None]


def _finite(measured: Measured | None) -> float | None:
    return None if measured is None or not math.isfinite(measured.value) else measured.value


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None
