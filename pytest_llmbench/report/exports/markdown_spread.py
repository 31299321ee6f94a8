"""How latency and throughput vary: over all rounds, whatever was asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pytest_llmbench.metrics.described import Described, described
from pytest_llmbench.report.exports.markdown_fit import Section
from pytest_llmbench.report.exports.markdown_text import ABSENT, code_cell, number, row, table
from pytest_llmbench.report.results import CaseResult, Results
from pytest_llmbench.units import Unit, format_amount

_VARIED: Final = ("latency", "output tok/s")


def spread(results: Results) -> Section | None:
    """Return how latency and throughput vary over all rounds of all cases of a variant."""
    body = []
    for name in dict.fromkeys(case.variant for case in results.cases):
        cases = [case for case in results.cases if case.variant == name]
        latency, rate = _rounds(cases, "latency_s"), _rounds(cases, "output_tps")
        if latency is not None:
            cells = (*_varied(latency, "s"), *_varied(rate, "tok/s"))
            body.append(row((code_cell(name), str(len(latency.values)), *cells)))
    if not body:
        return None
    each = ("mean", "deviation", "range")
    headings = ("variant", "rounds", *(f"{what} {word}" for what in _VARIED for word in each))
    said = "Of all timed rounds, those that other work disturbed among them."
    return Section(
        title="Spread over rounds",
        lead=(said, "", *table(headings, (False, *(True for _ in headings[1:])))),
        body=(*body,),
    )


def _rounds(cases: Iterable[CaseResult], metric: str) -> Described | None:
    return described(
        value for case in cases if metric in case.metrics for value in case.metrics[metric].rounds
    )


def _varied(found: Described | None, unit: Unit) -> tuple[str, str, str]:
    if found is None:
        return (ABSENT,) * 3
    mean, deviation, low, high = (
        ABSENT if value is None else format_amount(value, "count" if unit == "tok/s" else unit)
        for value in (found.mean, found.deviation, found.lowest, found.highest)
    )
    return number(mean), number(deviation), number(f"{low} – {high}")
