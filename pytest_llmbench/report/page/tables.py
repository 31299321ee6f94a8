"""The tables of the page: variants and suites at the top, every case at the end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.ranking import geometric_mean
from pytest_llmbench.report.columns import ABSENT
from pytest_llmbench.report.figures.drift import agreement, divergence, token_divergence
from pytest_llmbench.report.figures.facts import Line, Table, Tags, name_of, task_of
from pytest_llmbench.report.figures.select import DEVICE, RESIDENT, highest, mean, median, values
from pytest_llmbench.report.figures.verdicts import kind_of
from pytest_llmbench.report.page.findings import anchor_of, case_tags
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.report.text import one_line
from pytest_llmbench.units import format_amount, format_bytes, format_percent, format_seconds
from pytest_llmbench.verdict.outcome import SEVERITY

_TOKEN_TIMES: Final = ("itl_s", "icl_s")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in a cell: as people read it, and as it is sorted."""

    text: str
    sort: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case in the table of all: its words, its verdict, its numbers."""

    anchor: str
    words: tuple[str, ...]
    kind: VerdictKind | None
    severity: int
    numbers: tuple[Number, ...]
    tags: Tags


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """One variant on one suite."""

    variant: str
    reference: bool
    suite: str
    kinds: tuple[tuple[VerdictKind, int], ...]
    cases: int
    numbers: tuple[Number, ...]
    tags: Tags


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of numbers: its heading, what it says in full, and a number of a case."""

    heading: str
    title: str
    value: Callable[[CaseResult], float | None]
    shown: Callable[[float], str]


def _of(metric: str) -> Callable[[CaseResult], float | None]:
    return lambda case: case.value(metric)


def _rate(value: float) -> str:
    return format_amount(value, "tok/s")


_COLUMNS: Final = (
    _Column(heading="TTFT", title="time to first token", value=_of("ttft_s"), shown=format_seconds),
    _Column(
        heading="ITL",
        title="median time between tokens, or a server's chunks",
        value=lambda case: next(
            (v for name in _TOKEN_TIMES if (v := case.value(name)) is not None), None
        ),
        shown=format_seconds,
    ),
    _Column(heading="output", title="output tokens per second", value=_of("output_tps"),
            shown=_rate),
    _Column(heading="latency", title="start to last token", value=_of("latency_s"),
            shown=format_seconds),
    _Column(heading="tokens", title="output tokens", value=_of("output_tokens"),
            shown="{:g}".format),
    _Column(heading="RSS peak", title="peak of resident memory", value=_of("rss_peak_bytes"),
            shown=format_bytes),
    _Column(heading="device peak", title="peak of device memory",
            value=lambda case: highest([case], DEVICE), shown=format_bytes),
    _Column(heading="score", title="by the prompt's scorer", value=_of("score"),
            shown=format_percent),
    _Column(heading="KL", title="divergence from the reference", value=_of("kl_mean"),
            shown=divergence),
    _Column(heading="cosine", title="similarity to the reference's text",
            value=_of("similarity"), shown="{:.3f}".format),
)  # fmt: skip

CASE_WORDS: Final = ("variant", "suite", "prompt", "task", "parameters")


def case_columns(study: Study) -> tuple[tuple[str, str], ...]:
    """Return heading and title of each column of numbers that any case has."""
    return tuple((column.heading, column.title) for column in _held(study))


def case_lines(study: Study) -> tuple[CaseLine, ...]:
    """Return every case, in the order measured."""
    columns = _held(study)
    return tuple(
        CaseLine(
            anchor=anchor_of(case),
            words=(
                name_of(case.variant),
                one_line(case.suite, 60),
                one_line(case.prompt_id, 60),
                task_of(case) if case.task else ABSENT,
                case.parameters.label,
            ),
            kind=(kind := kind_of(case)),
            severity=len(SEVERITY) if kind is None else SEVERITY.index(kind),
            numbers=tuple(_number(column.value(case), column.shown) for column in columns),
            tags=case_tags(case),
        )
        for case in study.cases
    )


SUMMARY_NUMBERS: Final = (
    ("load", "from a ready process to a loaded model"),
    ("TTFT", "time to first token, median of the cases"),
    ("ITL", "time between tokens, median of the cases"),
    ("output", "output tokens per second, median of the cases"),
    ("latency", "start to last token, median of the cases"),
    ("speed", "tokens per second beside the reference's, measured in turns, geometric mean"),
    ("RSS peak", "highest resident memory"),
    ("VRAM peak", "highest device memory"),
    ("score", "mean of the scored cases"),
    ("KL", "divergence from the reference, mean over tokens"),
    ("top-1", "share of tokens both find most probable"),
    ("cosine", "similarity to the reference's text, mean"),
)


def life_table(study: Study) -> Table | None:
    """Return all that is known of the variants' lives, a line a metric; ``None``: nothing."""
    names = list(study.variants)
    lines = tuple(
        Line(cells=(metric.name, *(_life(study, name, metric) for name in names)))
        for metric in CATALOGUE.values()
        if any(study.variants[name].value(metric.name) is not None for name in names)
    )
    if not lines:
        return None
    return Table(headings=("metric", *map(name_of, names)), words=1, lines=lines)


def _life(study: Study, variant: str, metric: Metric) -> str:
    value = study.variants[variant].value(metric.name)
    return ABSENT if value is None else format_amount(value, metric.unit)


def summary(study: Study) -> tuple[tuple[tuple[str, str], ...], tuple[SummaryLine, ...]]:
    """Return the columns in which any line has a number, and a line for each variant and suite."""
    groups: dict[tuple[str, str], list[CaseResult]] = {}
    for case in study.cases:
        groups.setdefault((case.variant, case.suite), []).append(case)
    lines = [_summary_line(study, *place, cases) for place, cases in groups.items()]
    held = [
        n
        for n in range(len(SUMMARY_NUMBERS))
        if any(line.numbers[n].sort is not None for line in lines)
    ]
    kept = tuple(
        dataclasses.replace(line, numbers=tuple(line.numbers[n] for n in held)) for line in lines
    )
    return tuple(SUMMARY_NUMBERS[n] for n in held), kept


def _summary_line(
    study: Study, variant: str, suite: str, cases: Sequence[CaseResult]
) -> SummaryLine:
    life = study.variants.get(variant)
    kinds = [kind for case in cases if (kind := kind_of(case)) is not None]
    times = next((v for name in _TOKEN_TIMES if (v := values(cases, name))), [])
    return SummaryLine(
        variant=name_of(variant),
        reference=variant in study.references,
        suite=one_line(suite, 60),
        kinds=tuple((kind, kinds.count(kind)) for kind in SEVERITY if kind in kinds),
        cases=len(cases),
        numbers=(
            _number(None if life is None else life.value("load_s"), format_seconds),
            _number(median(values(cases, "ttft_s")), format_seconds),
            _number(median(times), format_seconds),
            _number(median(values(cases, "output_tps")), _rate),
            _number(median(values(cases, "latency_s")), format_seconds),
            _number(_beside(cases), lambda ratio: f"{ratio:.2f} ×"),
            _number(highest(cases, RESIDENT), format_bytes),
            _number(highest(cases, DEVICE), format_bytes),
            _number(mean(values(cases, "score")), format_percent),
            _number(mean(token_divergence(cases)), divergence),
            _number(agreement(cases), format_percent),
            _number(mean(values(cases, "similarity")), "{:.3f}".format),
        ),
        tags={"variant": name_of(variant), "suite": one_line(suite, 60)},
    )


def _beside(cases: Sequence[CaseResult]) -> float | None:
    """Return the speed of generating beside the reference's, geometric mean over the cases."""
    ratios = [case.relative[name] for case in cases for name in ("decode_tps",)
              if name in case.relative]  # fmt: skip
    found = [ratio.value for ratio in ratios if ratio.value is not None and ratio.value > 0]
    return geometric_mean(found) if found else None


def _held(study: Study) -> tuple[_Column, ...]:
    return tuple(
        column for column in _COLUMNS if any(column.value(case) is not None for case in study.cases)
    )


def _number(value: float | None, shown: Callable[[float], str]) -> Number:
    if value is None or not math.isfinite(value):
        return Number(text=ABSENT)
    return Number(text=shown(value), sort=value)
