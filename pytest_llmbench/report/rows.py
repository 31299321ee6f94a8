"""What tables say, as facts: one row for each variant and suite, or however rows are grouped.

All arithmetic over cases stands here and in :mod:`pytest_llmbench.metrics.across`, so that the
drawing has none. Times and rates are the median of the cases' values, memory is the highest, the
score is the mean, and drift the mean over all tokens of the cases.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import JudgedCase, JudgedVariant, SessionRecord
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.across import across, quotients, together
from pytest_llmbench.verdict.outcome import SEVERITY, worst

SPEED: Final = "decode_tps"
"""What the speed of one variant beside another's is told by."""

NO_TASK: Final = "no task"

_DEVICE: Final = ("device_alloc_peak_bytes", "device_process_bytes", "reported_device_bytes")


class Seen(Fact, frozen=True, kw_only=True):
    """One measured case, as rows need it.

    Attributes:
        key, variant, suite, task, prompt, parameters: which case it is.
        values: each metric in its base unit, ``None`` where it is not finite.
        ratios: metrics as multiples of those of the variant that took turns with this one.
        kl: divergence from the reference token by token, nats; empty where there is none.
        agrees: whether both find the same token most probable, likewise.
        kind: the worst that was said of it.
    """

    key: str
    variant: str
    suite: str
    task: str | None
    prompt: str
    parameters: Parameters
    values: dict[str, float | None]
    ratios: dict[str, float | None]
    kl: tuple[float | None, ...]
    agrees: tuple[bool, ...]
    kind: VerdictKind | None

    @property
    def asked(self) -> str:
        """What variants have in common that were asked the same, in the same way."""
        return f"{self.suite}\0{self.prompt}\0{self.parameters.label}"


class Lived(Fact, frozen=True, kw_only=True):
    """A variant's life, as rows need it; *kind* is the worst that was said of it."""

    values: dict[str, float | None]
    kind: VerdictKind | None
    skipped: bool


class Row(Fact, frozen=True, kw_only=True):
    """One variant on one suite (or task …), in base units; ``None`` where no case has the metric.

    Attributes:
        variant: the variant's name.
        label: the suite's name, or what else rows are grouped by; ``None`` where they are not, and
            for a variant of which no case was measured.
        keys: the cases that the row stands for.
        metrics: what they come to, each metric that any of them has, and the variant's own.
        device_peak_bytes: what the engine's allocator says, else NVML, else the server.
        scored: how many cases have a score.
        kl: divergence from the reference, nats, mean over the tokens of all cases that have it.
        top1: share of these tokens at which both find the same one most probable.
        speed: decoding as a multiple of the reference's, the geometric mean over the cases: of
            rounds that took turns, else of both variants' values of the same case.
        kinds: each case counted once, by its worst verdict; worst first. A case that failed
            counts as an error; one of which nothing was said is in none.
        life: the worst verdict on the variant's life; ``None`` where nothing was said.
        skipped: whether the variant's engine is not installed.
    """

    variant: str
    label: str | None
    keys: tuple[str, ...]
    metrics: dict[str, float]
    device_peak_bytes: float | None
    scored: int
    kl: float | None
    top1: float | None
    speed: float | None
    kinds: tuple[tuple[VerdictKind, int], ...]
    life: VerdictKind | None
    skipped: bool = False

    @property
    def cases(self) -> int:
        """How many cases the row stands for."""
        return len(self.keys)

    def value(self, metric: str) -> float | None:
        """Return what the cases come to of *metric*; ``None`` where none has it."""
        return self.metrics.get(metric)


Grouping = Callable[[Seen], str | None]
"""What a case's row is called beside its variant."""

GROUPINGS: Final[Mapping[str, Grouping]] = {
    "suite": lambda case: case.suite,
    "variant": lambda _: None,
    "task": lambda case: case.task or NO_TASK,
}
"""How a user may have rows grouped: each variant by suite, as a whole, or by task."""


def session_rows(record: SessionRecord, by: str = "suite") -> tuple[Row, ...]:
    """Return the rows of a session, in the order in which cases were measured.

    Variants of which no case was measured come last, each in a row without a label.

    Args:
        record: the session.
        by: one of :data:`GROUPINGS`.
    """
    cases = [_seen(judged) for judged in record.cases]
    lives = {judged.record.id: _lived(judged) for judged in record.variants}
    return rows(cases, lives, GROUPINGS[by], record.reference)


def rows(
    cases: Sequence[Seen],
    lives: Mapping[str, Lived],
    by: Grouping,
    reference: str | None,
) -> tuple[Row, ...]:
    """Return a row for each variant and what *by* makes of its cases, likewise."""
    groups: dict[tuple[str, str | None], list[Seen]] = {}
    for case in cases:
        groups.setdefault((case.variant, by(case)), []).append(case)
    seen = {variant for variant, _ in groups}
    groups.update({(name, None): [] for name in lives if name not in seen})
    speeds = _speeds(cases, reference)
    return tuple(
        _row(variant, label, group, lives.get(variant), speeds)
        for (variant, label), group in groups.items()
    )


def _row(
    variant: str,
    label: str | None,
    cases: Sequence[Seen],
    life: Lived | None,
    speeds: Mapping[str, float],
) -> Row:
    metrics = _metrics(cases, life)
    tokens = [kl for case in cases for kl in case.kl if kl is not None]
    agrees = [float(agreed) for case in cases for agreed in case.agrees]
    return Row(
        variant=variant,
        label=label,
        keys=tuple(case.key for case in cases),
        metrics=metrics,
        device_peak_bytes=next((metrics[name] for name in _DEVICE if name in metrics), None),
        scored=sum(_is_number(case.values.get("score")) for case in cases),
        kl=statistics.fmean(tokens) if tokens else None,
        top1=statistics.fmean(agrees) if agrees else None,
        speed=together(speeds.get(case.key) for case in cases),
        kinds=_kinds(cases),
        life=None if life is None else life.kind,
        skipped=life is not None and life.skipped,
    )


def _metrics(cases: Sequence[Seen], life: Lived | None) -> dict[str, float]:
    """Return what the cases come to, then the variant's own, in the catalogue's order."""
    own = {} if life is None else life.values
    sources = {"case": [case.values for case in cases], "variant": [own]}
    found = {
        name: across(name, [values.get(name) for values in sources[metric.of]])
        for name, metric in CATALOGUE.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _speeds(cases: Iterable[Seen], reference: str | None) -> dict[str, float]:
    """Return each case's speed as a multiple of the reference's, by key."""
    every = list(cases)
    theirs = {c.asked: c.values.get(SPEED) for c in every if c.variant == reference}
    mine = {c.key: c.values.get(SPEED) for c in every}
    found = quotients(mine, {c.key: theirs.get(c.asked) for c in every})
    turns = {c.key: c.ratios.get(SPEED) for c in every}
    return found | {key: ratio for key, ratio in turns.items() if ratio is not None}


def _kinds(cases: Sequence[Seen]) -> tuple[tuple[VerdictKind, int], ...]:
    counted = Counter(case.kind for case in cases)
    return tuple((kind, counted[kind]) for kind in SEVERITY if counted[kind])


def _seen(judged: JudgedCase) -> Seen:
    record, case = judged.record, judged.record.case
    drift = record.drift
    return Seen(
        key=case.key,
        variant=case.variant,
        suite=case.suite,
        task=case.prompt.task,
        prompt=case.prompt.id,
        parameters=case.parameters,
        values={name: measured.value for name, measured in record.metrics.items()},
        ratios={name: ratio.value for name, ratio in record.relative.items()},
        kl=() if drift is None else drift.kl,
        agrees=() if drift is None else drift.agrees,
        kind=VerdictKind.ERROR if record.error is not None else worst(judged.verdicts),
    )


def _lived(judged: JudgedVariant) -> Lived:
    record = judged.record
    return Lived(
        values={name: measured.value for name, measured in record.life_cycle.items()},
        kind=VerdictKind.ERROR if record.error is not None else worst(judged.verdicts),
        skipped=record.skipped is not None,
    )


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
