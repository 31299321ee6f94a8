"""What is said below the table: every verdict that is not ok, warnings, and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.record import JudgedVariant, SessionRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.report.spoken import SAVE, Spoken, all_new, failed, folded, spoken, to_type
from pytest_llmbench.report.text import one_line
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.outcome import SEVERITY

_MOST_LINES: Final = 10
_MOST_WARNINGS: Final = 3
_LONGEST: Final = 400
_LONGEST_WARNING: Final = 160
_MUCH: Final = 0.05
"""Where the reference changed by more than this share during a session, that is pointed out."""


def summary_lines(
    record: SessionRecord,
    *,
    baseline: str | None,
    quiet: Collection[VerdictKind] = (),
    apart: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the lines below the table.

    Verdicts that are not ok stand by kind, worst first; the same thing said of many is one
    line, and a kind has at most 10. Then come the variants' warnings (three each), why variants
    did not take turns and how much the reference changed meanwhile, how many verdicts there are
    of each kind, and what to type to accept a change.

    Args:
        record: the session.
        baseline: what it was compared with, in words: ``no baseline 'main' for machine X yet``.
            Stands for all of the verdicts "new" where nothing at all could be compared;
            ``None`` has them said one by one.
        quiet: kinds that are only counted, because the user's policy lets them pass.
        apart: why variants were not loaded together: sentences that begin with a variant.
    """
    said = tuple(_said(record))
    nothing_compared = baseline is not None and all_new(said)
    lines: list[str] = []
    for kind in SEVERITY:
        passed_over = kind is VerdictKind.OK or kind in quiet
        if not passed_over and not (nothing_compared and kind is VerdictKind.NEW):
            lines.extend(_of_kind(kind, [s for s in said if s.kind is kind]))
    lines.extend(_skipped(record))
    for judged in record.variants:
        lines.extend(_warnings(judged))
    lines.extend(_apart(apart))
    lines.extend(_control(record))
    lines.extend(_counts(said))
    if nothing_compared:
        lines.append(f"{one_line(str(baseline))}: all of this is new; to keep it, type {SAVE}")
    lines.extend(to_type(said))
    return tuple(lines)


def _skipped(record: SessionRecord) -> Iterator[str]:
    for judged in record.variants:
        if judged.record.skipped is not None:
            yield f"skipped: variant {judged.record.id}: {one_line(judged.record.skipped)}"


def _said(record: SessionRecord) -> Iterator[Spoken]:
    for judged in record.cases:
        key = judged.record.case.key
        yield from _about("case", key, judged.verdicts, judged.record.error)
    for life in record.variants:
        yield from _about("variant", life.record.id, life.verdicts, life.record.error)
    for key, verdict in record.missing:
        yield _of_verdict("case", key, verdict)


def _about(
    noun: str, name: str, verdicts: Sequence[Verdict], error: str | None
) -> Iterator[Spoken]:
    """Yield what was said; an error of which nothing was said speaks for itself."""
    if error is not None and not verdicts:
        yield failed(noun, name, error)
    for verdict in verdicts:
        yield _of_verdict(noun, name, verdict)


def _of_verdict(noun: str, name: str, verdict: Verdict) -> Spoken:
    return spoken(noun, name, verdict.metric, verdict.kind, verdict.sentence, verdict.block)


def _of_kind(kind: VerdictKind, said: Sequence[Spoken]) -> Iterator[str]:
    """Yield a heading and the sentences of one kind, folded."""
    if not said:
        return
    yield f"{kind}:"
    shown = list(folded(said))[:_MOST_LINES]
    for group in shown:
        yield f"  {one_line(group[0].line, _LONGEST)}{_others(group)}"
    if rest := len(said) - sum(map(len, shown)):
        yield f"  … and {rest} more (all in --llmbench-json)"


def _others(group: Sequence[Spoken]) -> str:
    more = len(group) - 1
    return f" (and {_plural(more, f'other {group[0].noun}')} likewise)" if more else ""


def _warnings(judged: JudgedVariant) -> Iterator[str]:
    counted = Counter(one_line(text, _LONGEST_WARNING) for text in judged.record.warnings)
    if not counted:
        return
    yield f"warnings of {one_line(judged.record.id)}:"
    for text, times in list(counted.items())[:_MOST_WARNINGS]:
        yield f"  {text}{f' ({times} times)' if times > 1 else ''}"
    if len(counted) > _MOST_WARNINGS:
        yield f"  … and {len(counted) - _MOST_WARNINGS} more (all in --llmbench-json)"


def _apart(reasons: Sequence[str]) -> Iterator[str]:
    """Yield a heading and the reasons, those that only the variant tells apart as one."""
    if not reasons:
        return
    yield "measured one after the other:"
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        groups.setdefault(reason.partition("' ")[2], []).append(reason)
    shown = list(groups.values())[:_MOST_LINES]
    for group in shown:
        more = f" (and {_plural(len(group) - 1, 'other variant')} likewise)" if group[1:] else ""
        yield f"  {one_line(group[0], _LONGEST)}{more}"
    if rest := len(reasons) - sum(map(len, shown)):
        yield f"  … and {rest} more"


def _control(record: SessionRecord) -> Iterator[str]:
    """Yield how the reference had changed when it was measured again at the end."""
    if not record.control:
        return
    changes = ", ".join(
        f"{name} {format_percent(change, signed=True)}" for name, change in record.control.items()
    )
    much = any(abs(change) > _MUCH for change in record.control.values())
    advice = "; the machine changed: compare variants with each other with care" if much else ""
    yield f"{one_line(str(record.reference))}, measured again at the end: {changes}{advice}"


def _counts(said: Sequence[Spoken]) -> Iterator[str]:
    counted = Counter(s.kind for s in said)
    if counted:
        kinds = ", ".join(f"{counted[kind]} {kind}" for kind in SEVERITY if counted[kind])
        yield f"verdicts: {kinds}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
