"""What a Markdown report says first: how many verdicts of each kind, then what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.exports.markdown_fit import Section
from pytest_llmbench.report.exports.markdown_text import code
from pytest_llmbench.report.results import Results, Said
from pytest_llmbench.report.spoken import Spoken, all_new, failed, folded, spoken, to_type
from pytest_llmbench.verdict.outcome import SEVERITY
from pytest_llmbench.verdict.words import plural

_MOST_LINES: Final = 20
_MOST_WARNINGS: Final = 10
_MOST_CAUSES: Final = 5


def heading(results: Results) -> str:
    """Return ``llmbench: 2 regressed, 51 ok``."""
    counted = Counter(each.kind for each in _said(results))
    kinds = ", ".join(f"{counted[kind]} {kind}" for kind in SEVERITY if counted[kind])
    return f"llmbench: {kinds or 'nothing was judged'}"


def verdicts(results: Results) -> Section:
    """Return every verdict that is not ok, worst first, the same thing of many as one line."""
    said = tuple(_said(results))
    nothing_compared = all_new(said)
    body: list[str] = []
    for kind in SEVERITY:
        if kind is VerdictKind.OK or (nothing_compared and kind is VerdictKind.NEW):
            continue
        body += _of_kind(kind, [each for each in said if each.kind is kind])
    if nothing_compared:
        body.append("Nothing was compared: there is no baseline of any of this yet.\n")
    body += _skipped(results)
    body += _warnings(results)
    body += (f"{line[0].upper()}{line[1:]}." for line in to_type(said))
    if not body:
        body.append("All is well." if said else _nothing(results))
    return Section(title="Verdicts", body=tuple(body))


def _nothing(results: Results) -> str:
    return "Nothing was judged." if results.cases else "Nothing was measured."


def _said(results: Results) -> Iterator[Spoken]:
    for case in results.cases:
        yield from _about("case", case.id, case.verdicts, case.error)
    for name, variant in results.variants.items():
        yield from _about("variant", name, variant.verdicts, variant.error)
    for gone in results.missing:
        yield Spoken(
            noun="case",
            name=gone.case,
            metric="",
            kind=VerdictKind.MISSING,
            sentence=gone.sentence,
        )


def _about(noun: str, name: str, said: Sequence[Said], error: str | None) -> Iterator[Spoken]:
    if error is not None and not said:
        yield failed(noun, name, error)
    for each in said:
        yield spoken(noun, name, each.metric, each.kind, each.sentence, each.evidence)


def _of_kind(kind: VerdictKind, said: Sequence[Spoken]) -> Iterator[str]:
    """Yield the word, then its sentences as a list, with what else had changed."""
    groups = list(folded(said))[:_MOST_LINES]
    shown = [f"{code(group[0].line)}{_others(group)}{_causes(group[0])}" for group in groups]
    if rest := len(said) - sum(map(len, groups)):
        shown.append(f"… and {rest} more")
    yield from _list(kind.value.capitalize(), shown)


def _others(group: Sequence[Spoken]) -> str:
    more = len(group) - 1
    return f" and {plural(more, f'other {group[0].noun}')} likewise" if more else ""


def _causes(each: Spoken) -> str:
    """Return what else had changed, where the evidence says so."""
    causes = ", ".join(map(code, each.causes[:_MOST_CAUSES]))
    more = len(each.causes) - _MOST_CAUSES
    return f" (changed: {causes}{f' and {more} more' if more > 0 else ''})" if causes else ""


def _list(word: str, items: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a list, the word that says what it is with the first of them."""
    for number, item in enumerate(items):
        before = f"**{word}**\n\n" if number == 0 else ""
        after = "\n" if number == len(items) - 1 else ""
        yield f"{before}- {item}{after}"


def _skipped(results: Results) -> Iterator[str]:
    shown = [
        f"{code(name)}: {code(variant.skipped)}"
        for name, variant in results.variants.items()
        if variant.skipped is not None
    ]
    yield from _list("Skipped", shown)


def _warnings(results: Results) -> Iterator[str]:
    warned = [(name, text) for name, v in results.variants.items() for text in v.warnings]
    shown = [f"{code(name)}: {code(text)}" for name, text in warned[:_MOST_WARNINGS]]
    if len(warned) > _MOST_WARNINGS:
        shown.append(f"… and {len(warned) - _MOST_WARNINGS} more")
    yield from _list("Warnings", shown)
