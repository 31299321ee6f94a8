"""CSV (RFC 4180): every metric of every case and of every variant's life, one line each.

A line a metric, not a column: engines measure different things, and a table keeps its columns when
a metric is added. Spreadsheets make a wide table of it with a pivot, pandas with ``pivot``.

Text that a spreadsheet would take for a formula is defused by an apostrophe, at the start of a
cell and after whatever another country's spreadsheet takes for the start of one. Source: OWASP's
page on CSV injection, and its Application Security Verification Standard 5.0, 1.2.10.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.described import described
from pytest_llmbench.report.exports.kinds import better
from pytest_llmbench.report.results import CaseResult, Results, Said, Value
from pytest_llmbench.report.text import one_line
from pytest_llmbench.verdict.outcome import worst_of

COLUMNS: Final = (
    "suite",
    "variant",
    "prompt",
    "task",
    "max_new_tokens",
    "temperature",
    "seed",
    "case",
    "metric",
    "unit",
    "better",
    "value",
    "rounds",
    "lowest",
    "q1",
    "q3",
    "highest",
    "deviation",
    "relative_to",
    "relative",
    "verdict",
    "error",
)
"""The columns; numbers are in base units, and what does not apply is empty."""

_FORMULA: Final = re.compile(r"(^|[;,|\"'])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
_Cell = str | float | int | None


def render(results: Results) -> str:
    """Return the table with its heading, lines ending in CR LF."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(results):
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def defused(text: str) -> str:
    """Return *text* as one line that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1\2'", one_line(text))


def _cell(value: _Cell) -> _Cell:
    return defused(value) if isinstance(value, str) else value


def _rows(results: Results) -> Iterator[dict[str, _Cell]]:
    for case in results.cases:
        subject = _subject(case)
        yield from _of(subject, case.metrics, case.verdicts, case.error, case)
    for name, variant in results.variants.items():
        if variant.skipped is not None:
            yield {"variant": name, "verdict": "skipped", "error": variant.skipped}
            continue
        yield from _of({"variant": name}, variant.life_cycle, variant.verdicts, variant.error)


def _subject(case: CaseResult) -> dict[str, _Cell]:
    return {
        "suite": case.suite,
        "variant": case.variant,
        "prompt": case.prompt_id,
        "task": case.task,
        "max_new_tokens": case.parameters.max_new_tokens,
        "temperature": case.parameters.temperature,
        "seed": case.parameters.seed,
        "case": case.id,
    }


def _of(
    subject: Mapping[str, _Cell],
    metrics: Mapping[str, Value],
    verdicts: Sequence[Said],
    error: str | None,
    case: CaseResult | None = None,
) -> Iterator[dict[str, _Cell]]:
    """Yield a line for each metric; one without a metric where there is only an error to tell."""
    for name, measured in metrics.items():
        line = {**subject, "metric": name, "unit": measured.unit, "better": better(name)}
        kind = VerdictKind.ERROR.value if error is not None else _verdict(verdicts, name)
        line |= {"value": measured.value, "verdict": kind, "error": error}
        yield line | _spread(measured) | ({} if case is None else _relative(case, name))
    if error is not None and not metrics:
        yield {**subject, "verdict": VerdictKind.ERROR.value, "error": error}


def _spread(measured: Value) -> dict[str, _Cell]:
    found = described(measured.rounds)
    if found is None:
        return {}
    return {
        "rounds": len(found.values),
        "lowest": found.lowest,
        "q1": found.q1,
        "q3": found.q3,
        "highest": found.highest,
        "deviation": found.deviation,
    }


def _relative(case: CaseResult, metric: str) -> dict[str, _Cell]:
    ratio = case.relative.get(metric)
    return {} if ratio is None else {"relative_to": ratio.to, "relative": ratio.value}


def _verdict(verdicts: Sequence[Said], metric: str) -> str | None:
    kind = worst_of(verdict.kind for verdict in verdicts if verdict.metric == metric)
    return None if kind is None else kind.value
