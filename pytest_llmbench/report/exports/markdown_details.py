"""What a Markdown report shows on a click: every case, examples of answers, where it ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.report.commands import commands
from pytest_llmbench.report.exports.kinds import kind_of
from pytest_llmbench.report.exports.markdown_fit import Section
from pytest_llmbench.report.exports.markdown_text import (
    ABSENT,
    block,
    code,
    code_cell,
    number,
    row,
    table,
)
from pytest_llmbench.report.results import CaseResult, Results
from pytest_llmbench.units import format_amount

_SHOWN: Final = (
    "ttft_s",
    "decode_tps",
    "output_tps",
    "output_tokens",
    "latency_s",
    "rss_peak_bytes",
    "device_alloc_peak_bytes",
    "score",
    "kl_mean",
    SIMILARITY,
)


_LONGEST: Final = 3000
"""Characters of the commands that are shown."""


def every_case(results: Results) -> Section | None:
    """Return a row for each case, in the order measured."""
    shown = [name for name in _SHOWN if any(c.value(name) is not None for c in results.cases)]
    headings = ("case", *shown, "verdict")
    body = tuple(
        row((code_cell(case.id), *(_amount(case, name) for name in shown), _verdict(case)))
        for case in results.cases
    )
    if not body:
        return None
    flags = (False, *(True for _ in shown), False)
    return Section(title="Every case", lead=table(headings, flags), body=body, folded=True)


def examples(results: Results) -> Section | None:
    """Return an answer of each variant that scored all, and one that did not."""
    body = tuple(_shown_examples(results))
    return Section(title="Examples of answers", body=body, folded=True) if body else None


def surroundings(results: Results) -> Section:
    """Return where the session ran, and the lines to type to do it again."""
    told = {**results.environment.identity, **results.environment.context}
    body = tuple(row((code_cell(key), code_cell(value))) for key, value in told.items())
    lines = commands(results)
    again = ("To do it again:", "", block("\n".join(lines), limit=_LONGEST), "") if lines else ()
    return Section(
        title="Where it ran and how to do it again",
        lead=(*again, *table(("", ""), (False, False))),
        body=body,
        folded=True,
    )


def _shown_examples(results: Results) -> Iterator[str]:
    for name in dict.fromkeys(case.variant for case in results.cases):
        answered = [c for c in results.cases if c.variant == name and c.text is not None]
        scored = [(c, score) for c in answered if (score := c.value("score")) is not None]
        best = next((c for c, score in scored if score >= 1), None)
        worst = min(scored, key=lambda pair: pair[1], default=None)
        if best is not None:
            yield _example(best, "a good answer")
        if worst is not None and worst[1] < 1:
            yield _example(worst[0], "a bad answer")
        if not scored and answered:
            yield _example(answered[0], "an answer")


def _example(case: CaseResult, what: str) -> str:
    return "\n".join(
        (
            f"{what.capitalize()} of {code(case.variant)} to {code(case.prompt_id)}:",
            "",
            block(case.prompt),
            "",
            block(case.text or ""),
            "",
        )
    )


def _amount(case: CaseResult, name: str) -> str:
    value = case.value(name)
    return ABSENT if value is None else number(format_amount(value, CATALOGUE[name].unit))


def _verdict(case: CaseResult) -> str:
    kind = kind_of(case)
    return ABSENT if kind is None else kind.value
