"""What a failed test shows: each failing verdict with its evidence, then what was generated.

The same text goes to a terminal, to JUnit XML and to log files: it has no colours, and nothing
in it but its line feeds is a control character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import Verdict
from pytest_llmbench.metrics.faults import faults
from pytest_llmbench.report.difference import changed_words, marked
from pytest_llmbench.report.text import cut, one_line, plain

_INDENT: Final = "    "
_LONGEST_TEXT: Final = 400
_MOST_LINES: Final = 12


def failure_text(
    name: str,
    verdicts: Sequence[Verdict],
    text: str | None,
    original: str | None = None,
    departures: Sequence[str] = (),
) -> str:
    """Return why *name* failed, several lines without a line end after the last.

    The first line names it and says the first sentence: short summaries show no more.

    Args:
        name: whose verdicts these are: a case's key or a variant's name.
        verdicts: those that fail the test, each a sentence and its block.
        text: what was generated; quoted and cut, ``None`` where there is none.
        original: what the reference generated: shown beside it where a verdict is about what
            the text says.
        departures: the ways in which the text is of another kind than the reference's.
    """
    parts = ["\n".join(_verdict(verdict)) for verdict in verdicts] or [""]
    parts[0] = _named(one_line(name), parts[0])
    if text is not None and original is not None and any(map(_is_about_text, verdicts)):
        parts.append("\n".join(_side_by_side(original, text)))
    elif text is not None:
        parts.append("\n".join(_quoted("generated text", text)))
    if text is not None and any(verdict.metric == "faults" for verdict in verdicts):
        parts.append(f"faults: {', '.join(faults(text)) or 'none in the last round'}")
    if departures and any(verdict.metric == "departures" for verdict in verdicts):
        parts.append(f"departures: {', '.join(departures)}")
    return "\n\n".join(parts)


def _named(name: str, text: str) -> str:
    """Return *text* with *name* before it, unless its first line has it already."""
    if name in text.partition("\n")[0]:
        return text
    return f"{name}: {text}" if text else name


def _verdict(verdict: Verdict) -> Iterator[str]:
    yield plain(verdict.sentence)
    block = [(one_line(label), plain(value)) for label, value in verdict.block]
    width = max((len(label) for label, _ in block), default=0)
    for label, value in block:
        first, *rest = value.split("\n")
        yield f"{_INDENT}{label:<{width}}  {first}"
        for line in rest:
            yield f"{_INDENT}{'':<{width}}  {line}"


def _is_about_text(verdict: Verdict) -> bool:
    metric = CATALOGUE.get(verdict.metric)
    return metric is not None and (metric.of_drift or metric.name in {"faults", "score"})


def _side_by_side(original: str, text: str) -> Iterator[str]:
    """Yield both texts with their differences marked, and the numbers and names that changed."""
    if original == text:
        yield from _quoted("generated text, the same as the reference's", text)
        return
    reference, now = marked(original, text)
    yield from _quoted("the reference's text", reference)
    yield from _quoted("generated text", now)
    for kind, change in changed_words(original, text):
        yield f"{kind} changed: {cut(one_line(change), _LONGEST_TEXT)}"


def _quoted(what: str, text: str) -> Iterator[str]:
    if not text:
        yield f"{what}: empty"
        return
    yield f"{what}:"
    lines = cut(plain(text), _LONGEST_TEXT).split("\n")
    for line in lines[:_MOST_LINES]:
        yield f"{_INDENT}> {line}".rstrip()
    if len(lines) > _MOST_LINES:
        yield f"{_INDENT}… ({len(lines) - _MOST_LINES} more lines)"
