"""The report as Markdown: verdicts first, then the tables that people make by hand.

It fits a comment on a pull request, which has 65,536 characters at most: what is least important
is left out, and named. Source of the limit: GitHub's answer to a longer one ("body is too long").
"""

from __future__ import annotations

from typing import Final

from pytest_llmbench.report.exports.markdown_details import every_case, examples, surroundings
from pytest_llmbench.report.exports.markdown_fit import fitted
from pytest_llmbench.report.exports.markdown_spread import spread
from pytest_llmbench.report.exports.markdown_tables import (
    by_length,
    by_task,
    by_temperature,
    drift,
    life,
    performance,
)
from pytest_llmbench.report.exports.markdown_text import code
from pytest_llmbench.report.exports.markdown_verdicts import heading, verdicts
from pytest_llmbench.report.results import Results
from pytest_llmbench.verdict.words import plural

COMMENT: Final = 65_536
"""Characters of a comment at most; bytes are counted, which are no fewer."""


def render(results: Results, *, limit: int = COMMENT) -> str:
    """Return the report in *limit* bytes of UTF-8 at most, which is 2,048 or more."""
    found = (
        verdicts(results),
        performance(results) if results.cases or results.variants else None,
        drift(results),
        by_task(results),
        life(results),
        by_length(results),
        by_temperature(results),
        spread(results),
        surroundings(results),
        every_case(results),
        examples(results),
    )
    return fitted(_head(results), [section for section in found if section is not None], limit)


def _head(results: Results) -> str:
    counts = [plural(len(results.variants), "variant"), plural(len(results.cases), "case")]
    reference = "" if results.reference is None else f", reference {code(results.reference)}"
    asked = results.invocation
    against = "" if asked is None else f"; {code(asked.compared_with)}"
    return f"## {heading(results)}\n\n{', '.join(counts)}{reference}{against}\n"
