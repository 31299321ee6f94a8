"""What the variants said, side by side: differences marked, good and bad examples first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.metrics.faults import faults
from pytest_llmbench.report.difference import MOST_WORDS, Piece, merged
from pytest_llmbench.report.figures.drift import divergence
from pytest_llmbench.report.figures.facts import Tags, name_of
from pytest_llmbench.report.figures.verdicts import kind_of
from pytest_llmbench.report.page.findings import (
    Sentence,
    all_of,
    anchor_of,
    case_tags,
    sentence_of,
)
from pytest_llmbench.report.results import CaseResult, Study
from pytest_llmbench.report.text import cut, one_line, plain
from pytest_llmbench.units import format_amount, format_percent, format_seconds

LONGEST: Final = 4000
"""Characters that are shown of a text; the record has them all."""

_MANY: Final = 250
"""With more texts that differ than this, fewer of their words are compared one by one."""

FEWER_WORDS: Final = 60
_EXAMPLES: Final = 3
_TITLE: Final = 110


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one variant said to one question.

    Attributes:
        anchor: its place on the page.
        variant: its name.
        reference: whether the others are held against it.
        kind: the worst that was said of it.
        pieces: the text, with what the reference's has and it has not, and the reverse.
        differs: whether its text is another one than the reference's; ``None``: nobody knows.
        notes: numbers beside it, as people read them.
        said: what was said of it and is not ok.
        error: why there is no text.
        tags: what filters see.
    """

    anchor: str
    variant: str
    reference: bool
    kind: VerdictKind | None
    pieces: tuple[Piece, ...]
    differs: bool | None
    notes: tuple[str, ...]
    said: tuple[Sentence, ...]
    error: str | None
    tags: Tags


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt with its parameters, and what every variant said to it."""

    title: str
    prompt: str
    expect: str | None
    where: str
    outputs: tuple[Output, ...]

    @property
    def differing(self) -> int:
        """How many variants said something else than the reference."""
        return sum(output.differs is True for output in self.outputs)

    @property
    def kinds(self) -> tuple[VerdictKind, ...]:
        """The kinds of verdicts on it that are not ok."""
        kinds = dict.fromkeys(o.kind for o in self.outputs if o.kind is not None)
        return tuple(kind for kind in kinds if kind is not VerdictKind.OK)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A good or a bad answer, and why it is one."""

    why: str
    anchor: str
    variant: str
    prompt: str
    text: str
    tags: Tags


def questions(study: Study) -> tuple[Question, ...]:
    """Return every question with what was said to it, the reference's text first."""
    groups: dict[tuple[str, str, str], list[CaseResult]] = {}
    for case in study.cases:
        groups.setdefault(case.asked, []).append(case)
    changed = sum(_original(study, case, group) is not None
                  for group in groups.values() for case in group)  # fmt: skip
    words = MOST_WORDS if changed <= _MANY else FEWER_WORDS
    return tuple(_question(study, group, words) for group in groups.values())


def examples(study: Study) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Return good and bad answers, each of another question, and as many variants as can be.

    Bad is what scored lowest, among equals what has a fault or is furthest from the reference;
    good is what scored highest, among equals what came soonest. Without scores the similarity to
    the reference's text stands for them.
    """
    metric = "score" if any("score" in case.metrics for case in study.cases) else "similarity"
    rated = [
        (rate, case)
        for case in study.cases
        if case.text is not None and (rate := case.value(metric)) is not None
    ]
    worst = sorted(rated, key=lambda each: (each[0], -_faults(each[1]), -_distance(each[1])))
    best = sorted(rated, key=lambda each: (-each[0], _seconds(each[1])))
    if not rated or best[0][0] == worst[0][0]:
        top = rated[0][0] if rated else 0.0
        return _chosen(best) if top >= 0.5 else (), _chosen(worst) if rated and top < 0.5 else ()
    return (
        _chosen([each for each in best if each[0] == best[0][0]]),
        _chosen([each for each in worst if each[0] < best[0][0]]),
    )


def _question(study: Study, group: Sequence[CaseResult], words: int) -> Question:
    first = group[0]
    ordered = sorted(group, key=lambda case: case.variant not in study.references)
    expect = None if first.expect is None else f"{first.scorer}: {plain(str(first.expect))}"
    return Question(
        title=one_line(first.prompt, _TITLE),
        prompt=plain(cut(first.prompt, LONGEST)),
        expect=expect,
        where=one_line(f"{first.suite}/{first.prompt_id} {first.parameters.label}"),
        outputs=tuple(_output(study, case, group, words) for case in ordered),
    )


def _output(study: Study, case: CaseResult, group: Sequence[CaseResult], words: int) -> Output:
    anchor = anchor_of(case)
    original = _original(study, case, group)
    text = case.text or ""
    return Output(
        anchor=anchor,
        variant=name_of(case.variant),
        reference=case.variant in study.references,
        kind=kind_of(case),
        pieces=_pieces(text, original, words),
        differs=_differs(study, case, group),
        notes=tuple(_notes(case)),
        said=tuple(
            sentence_of(case, said, anchor)
            for said in all_of(case)
            if said.kind is not VerdictKind.OK
        ),
        error=None if case.error is None else plain(cut(case.error, LONGEST)),
        tags=case_tags(case),
    )


def _held_against(study: Study, case: CaseResult, group: Sequence[CaseResult]) -> str | None:
    """Return the text that *case* is held against: the record's, else the reference's here."""
    if case.original is not None:
        return case.original
    if case.variant in study.references or not case.parameters.greedy:
        return None
    texts = (other.text for other in group if other.variant in study.references)
    return next(texts, None)


def _differs(study: Study, case: CaseResult, group: Sequence[CaseResult]) -> bool | None:
    original = _held_against(study, case, group)
    return None if original is None or case.text is None else original != case.text


def _original(study: Study, case: CaseResult, group: Sequence[CaseResult]) -> str | None:
    """Return the text that *case* is held against where it differs from its own."""
    if not _differs(study, case, group):
        return None
    return _held_against(study, case, group)


def _pieces(text: str, original: str | None, words: int) -> tuple[Piece, ...]:
    shown = cut(text, LONGEST)
    if original is None:
        return (("same", plain(shown)),) if shown else ()
    found = merged(cut(original, LONGEST), shown, words=words)
    return tuple((kind, plain(piece)) for kind, piece in found)


def _notes(case: CaseResult) -> Iterator[str]:
    score, latency = case.value("score"), case.value("latency_s")
    tokens, cosine = case.value("output_tokens"), case.value("similarity")
    kl = case.value("kl_mean")
    if score is not None:
        yield f"score {format_percent(score)}"
    if latency is not None:
        yield format_seconds(latency)
    if tokens is not None:
        yield format_amount(tokens, "tokens")
    if case.finish_reason == "length" and case.parameters.length == "natural":
        yield "cut at the token limit"
    if kl is not None:
        yield f"KL {divergence(kl)}"
    if cosine is not None:
        yield f"cosine {cosine:.3f}"
    if case.value("faults"):
        yield f"faults: {', '.join(faults(case.text or ''))}"


def _faults(case: CaseResult) -> float:
    return case.value("faults") or 0.0


def _distance(case: CaseResult) -> float:
    return case.value("kl_mean") or 0.0


def _seconds(case: CaseResult) -> float:
    return case.value("latency_s") or 0.0


def _chosen(rated: Sequence[tuple[float, CaseResult]]) -> tuple[Example, ...]:
    """Return the first few, no question twice, and a variant again only after the others."""
    chosen: list[CaseResult] = []
    for again in (False, True):
        for _, case in rated:
            if len(chosen) == _EXAMPLES:
                break
            if case.prompt in {other.prompt for other in chosen}:
                continue
            if again or case.variant not in {other.variant for other in chosen}:
                chosen.append(case)
    return tuple(map(_example, chosen))


def _example(case: CaseResult) -> Example:
    why = " · ".join(_notes(case))
    return Example(
        why=why,
        anchor=anchor_of(case),
        variant=name_of(case.variant),
        prompt=plain(cut(case.prompt, 400)),
        text=plain(cut(case.text or "", 600)),
        tags=case_tags(case),
    )
