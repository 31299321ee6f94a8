"""The tables of a Markdown report: variants, tasks, lengths, temperatures, memory, drift.

Drawing only: numbers come from :mod:`pytest_llmbench.report.rows` and from
:mod:`pytest_llmbench.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.metrics.described import described
from pytest_llmbench.report.columns import columns_named
from pytest_llmbench.report.exports.markdown_fit import Section
from pytest_llmbench.report.exports.markdown_text import (
    ABSENT,
    code,
    code_cell,
    number,
    row,
    table,
)
from pytest_llmbench.report.exports.result_rows import result_rows
from pytest_llmbench.report.precision import precision_of
from pytest_llmbench.report.results import Results, VariantResult
from pytest_llmbench.report.rows import GROUPINGS, Row
from pytest_llmbench.units import format_amount, format_percent

_PERFORMANCE: Final = (
    "verdict",
    "decode_tps",
    "speed",
    "ttft_s",
    "latency_s",
    "output_tps",
    "score",
    "kl_mean",
    SIMILARITY,
    "rss_peak_bytes",
    "device",
    "load_s",
)
"""What pages show of a wide table without scrolling comes first."""

_OF_LENGTH: Final = ("ttft_s", "latency_s", "decode_tps", "output_tps", "cases")
_LIFE: Final = (
    ("loading", "load_s"),
    ("cold first generation", "first_generate_s"),
    ("freeing", "free_s"),
    ("weights", "model_bytes"),
    ("process memory before", "rss_before_bytes"),
    ("process memory with the model", "rss_after_load_bytes"),
    ("process memory, increase", "rss_delta_bytes"),
    ("process memory, peak", "rss_life_peak_bytes"),
    ("process memory after freeing", "rss_after_free_bytes"),
    ("machine's memory before", "system_ram_before_bytes"),
    ("machine's memory with the model", "system_ram_after_load_bytes"),
    ("machine's memory, peak", "system_ram_peak_bytes"),
    ("machine's memory after freeing", "system_ram_after_free_bytes"),
    ("device memory, allocator's peak", "device_alloc_peak_bytes"),
    ("device memory, pool's peak", "device_reserved_peak_bytes"),
    ("device memory of the process", "device_process_bytes"),
    ("device memory, as the server says", "reported_device_bytes"),
    ("distinct warnings", "warnings"),
)
"""What is shown of a variant's life: the words, and the metric."""


def performance(results: Results) -> Section:
    """Return a row for each variant, and for each suite where there are several."""
    suites = {case.suite for case in results.cases}
    by = "suite" if len(suites) > 1 else "variant"
    found = result_rows(results, GROUPINGS[by])
    keys = _with_values(_PERFORMANCE, found)
    names = ["variant", *([by] if by == "suite" else [])]
    facts = _facts(results)
    headings = (*names, *_headings(keys), "runs on", "precision")
    flags = (*(False for _ in (*names, "verdict")), *_all(keys[1:]), False, False)
    return Section(
        title="Performance",
        lead=table(headings, flags),
        body=tuple(
            row((*_names(each, len(names)), *_cells(each, keys), *facts(each.variant)))
            for each in found
        ),
    )


def drift(results: Results) -> Section | None:
    """Return how far each variant is from the reference; ``None`` where that is not known."""
    found = [each for each in result_rows(results, GROUPINGS["variant"]) if _drifted(each)]
    if not found:
        return None
    reference = "" if results.reference is None else f" from {code(results.reference)}"
    columns: tuple[tuple[str, Callable[[Row], float | None], Callable[[float], str]], ...] = (
        ("KL, mean over tokens", lambda r: r.kl, _nats),
        ("same most probable token", lambda r: r.top1, format_percent),
        ("perplexity ratio", lambda r: r.value("ppl_ratio"), _plain),
        ("same text", lambda r: r.value("exact_match"), format_percent),
        ("cosine, mean", lambda r: r.value(SIMILARITY), _cosine),
        ("cosine, lowest", lambda r: _lowest(results, r.variant), _cosine),
        ("of another kind", lambda r: r.value("departures"), _plain),
        ("right there, wrong here", lambda r: r.value("flips"), _plain),
    )
    kept = [each for each in columns if any(each[1](r) is not None for r in found)]
    headings = ("variant", *(heading for heading, _, _ in kept))
    return Section(
        title="Drift",
        lead=(f"How far variants are{reference}.", "", *table(headings, (False, *_all(kept)))),
        body=tuple(
            row((code_cell(r.variant), *(_shown(value(r), show) for _, value, show in kept)))
            for r in found
        ),
    )


def by_task(results: Results) -> Section | None:
    """Return score, latency and memory by variant and task; ``None`` with one task or none."""
    found = result_rows(results, GROUPINGS["task"])
    tasks = tuple(dict.fromkeys(r.label for r in found if r.label is not None))
    if len(tasks) < 2:
        return None
    parts: list[str] = []
    for key, words in (("score", "Score"), ("latency_s", "Latency"), ("rss_peak_bytes", "Memory")):
        if any(r.value(key) is not None for r in found):
            parts += [f"{words}:", "", *_matrix(found, tasks, key), ""]
    return Section(title="By task", body=tuple(parts)) if parts else None


def life(results: Results) -> Section | None:
    """Return loading, freeing and memory of each variant, side by side."""
    found = [r for r in result_rows(results, GROUPINGS["variant"]) if r.metrics]
    body = [
        row((words, *(_amount(r, metric) for r in found)))
        for words, metric in _LIFE
        if any(r.value(metric) is not None for r in found)
    ]
    if not body:
        return None
    headings = ("", *(code_cell(r.variant) for r in found))
    return Section(
        title="Life and memory", lead=table(headings, (False, *_all(found))), body=tuple(body)
    )


def by_length(results: Results) -> Section | None:
    """Return speed by the longest output; ``None`` where no suite is asked for several."""
    return _swept(results, "By output length", "max_new_tokens", lambda p: str(p.max_new_tokens))


def by_temperature(results: Results) -> Section | None:
    """Return speed by temperature; ``None`` where no suite has several."""
    return _swept(results, "By temperature", "temperature", lambda p: f"{p.temperature:g}")


def _swept(
    results: Results, title: str, heading: str, of: Callable[[Parameters], str]
) -> Section | None:
    """Return a table of the suites that sweep over what *of* tells."""
    values: dict[str, set[str]] = {}
    for case in results.cases:
        values.setdefault(case.suite, set()).add(of(case.parameters))
    cases = tuple(case for case in results.cases if len(values[case.suite]) > 1)
    if not cases:
        return None
    found = result_rows(replace(results, cases=cases), lambda case: of(case.parameters))
    keys = _with_values(_OF_LENGTH, found)
    headings = ("variant", heading, *_headings(keys))
    return Section(
        title=title,
        lead=table(headings, (False, *_all(headings[1:]))),
        body=tuple(
            row((code_cell(r.variant), r.label, *_cells(r, keys)))
            for r in found
            if r.label is not None
        ),
    )


def _matrix(found: Sequence[Row], tasks: Sequence[str], key: str) -> list[str]:
    """Return a table of one column: variants down, tasks across."""
    tasks = [t for t in tasks if any(r.label == t and r.value(key) is not None for r in found)]
    (column,) = columns_named([key], stacked=False)
    cells = {(r.variant, r.label): number(column.cell(r)) for r in found}
    names = dict.fromkeys(r.variant for r in found if r.label is not None)
    return [
        *table(("variant", *map(code_cell, tasks)), (False, *_all(tasks))),
        *(row((code_cell(n), *(cells.get((n, t), ABSENT) for t in tasks))) for n in names),
    ]


def _facts(results: Results) -> Callable[[str], tuple[str, str]]:
    """Return what gives a variant's device and precision, as cells."""

    def cells(name: str) -> tuple[str, str]:
        variant = results.variants.get(name)
        if variant is None or variant.facts is None:
            return ABSENT, ABSENT
        return code_cell(variant.facts.device), _precision(variant)

    return cells


def _precision(variant: VariantResult) -> str:
    found = None if variant.facts is None else precision_of(variant.facts.identity)
    return ABSENT if found is None else code_cell(found)


def _names(each: Row, count: int) -> tuple[str, ...]:
    label = ABSENT if each.label is None else code_cell(each.label)
    return (code_cell(each.variant), label)[:count]


def _with_values(keys: Sequence[str], found: Sequence[Row]) -> tuple[str, ...]:
    """Return those of *keys* in which any row has a value."""
    return tuple(
        column.key
        for column in columns_named(keys, stacked=False)
        if column.key == "verdict" or any(column.cell(r) != ABSENT for r in found)
    )


def _headings(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(column.title for column in columns_named(keys, stacked=False))


def _cells(each: Row, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(number(column.cell(each)) for column in columns_named(keys, stacked=False))


def _amount(each: Row, metric: str) -> str:
    return _shown(each.value(metric), lambda v: format_amount(v, CATALOGUE[metric].unit))


def _drifted(each: Row) -> bool:
    return each.kl is not None or any(
        each.value(metric) is not None for metric in (SIMILARITY, "exact_match", "flips")
    )


def _lowest(results: Results, variant: str) -> float | None:
    found = described(case.value(SIMILARITY) for case in results.cases if case.variant == variant)
    return None if found is None else found.lowest


def _shown(value: float | None, show: Callable[[float], str]) -> str:
    return ABSENT if value is None else number(show(value))


def _all(columns: Sequence[object]) -> tuple[bool, ...]:
    return (True,) * len(columns)


def _nats(value: float) -> str:
    return f"{value:.2g} nats"


def _plain(value: float) -> str:
    return format_amount(value, "count")


def _cosine(value: float) -> str:
    return f"{value:.3f}"
