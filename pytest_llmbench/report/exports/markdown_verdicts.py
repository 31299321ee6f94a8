"""What a Markdown report says first: how many verdicts of each kind, then what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.exports.markdown_fit import Section
from pytest_llmbench.report.exports.markdown_text import code
from pytest_llmbench.report.results import Results, Said
from pytest_llmbench.report.spoken import Spoken, all_new, failed, folded
from pytest_llmbench.verdict.outcome import SEVERITY
from pytest_llmbench.verdict.words import plural

_MOST_LINES: Final = 20
_MOST_WARNINGS: Final = 10


def heading(results: Results) -> str:
    """Return ``llmbench: 2 regressed, 51 ok``."""
    counted = Counter(each.kind for each in _spoken(results))
    kinds = ", ".join(f"{counted[kind]} {kind}" for kind in SEVERITY if counted[kind])
    return f"llmbench: {kinds or 'nothing was judged'}"


def verdicts(results: Results) -> Section:
    """Return every verdict that is not ok, worst first, the same thing of many as one line."""
    spoken = tuple(_spoken(results))
    nothing_compared = all_new(spoken)
    body: list[str] = []
    for kind in SEVERITY:
        if kind is VerdictKind.OK or (nothing_compared and kind is VerdictKind.NEW):
            continue
        body += _of_kind(kind, [each for each in spoken if each.kind is kind])
    if nothing_compared:
        body.append("Nothing was compared: there is no baseline of any of this yet.")
    body += _skipped(results)
    body += _warnings(results)
    return Section(title="Verdicts", body=tuple(body or ("All is well.",)))


def _spoken(results: Results) -> Iterator[Spoken]:
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
        yield Spoken(
            noun=noun, name=name, metric=each.metric, kind=each.kind, sentence=each.sentence
        )


def _of_kind(kind: VerdictKind, spoken: Sequence[Spoken]) -> Iterator[str]:
    groups = list(folded(spoken))
    shown = [f"{code(group[0].line)}{_others(group)}" for group in groups[:_MOST_LINES]]
    if rest := len(spoken) - sum(map(len, groups[:_MOST_LINES])):
        shown.append(f"… and {rest} more")
    yield from _list(kind.value.capitalize(), shown)


def _others(group: Sequence[Spoken]) -> str:
    more = len(group) - 1
    return f" and {plural(more, f'other {group[0].noun}')} likewise" if more else ""


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
