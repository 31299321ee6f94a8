"""Verdicts with whom they are about, and the same thing said of many as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.verdict import VerdictKind

SAVE: Final = "pytest --llmbench --llmbench-save"
_REPLACE: Final = "pytest --llmbench --llmbench-replace"
_ACCEPT: Final = "pytest --llmbench --llmbench-no-compare --llmbench-replace"


class Spoken(Fact, frozen=True, kw_only=True):
    """A verdict and whom it is about.

    Attributes:
        noun: ``case`` or ``variant``.
        name: its key, or its name.
        metric: empty where all of it is meant.
        kind: what was found.
        sentence: in one sentence.
        compared: whether it was held against a baseline.
        causes: what else had changed: ``torch 2.12.0 -> 2.13.0``.
    """

    noun: str
    name: str
    metric: str
    kind: VerdictKind
    sentence: str
    compared: bool = False
    causes: tuple[str, ...] = ()

    @property
    def folds_with(self) -> tuple[str, str]:
        """What it shares with the same thing said of others."""
        return self.noun, self.sentence.replace(self._subject, "\0")

    @property
    def line(self) -> str:
        """The sentence, with whom it is about."""
        if self._subject in self.sentence:
            return self.sentence
        return f"{self.name if self.noun == 'case' else self._subject}: {self.sentence}"

    @property
    def _subject(self) -> str:
        return f"{self.noun} {self.name}"


def spoken(
    noun: str,
    name: str,
    metric: str,
    kind: VerdictKind,
    sentence: str,
    evidence: Iterable[tuple[str, str]],
) -> Spoken:
    """Return a verdict with whom it is about; *evidence* is its block, label and value."""
    pairs = tuple(evidence)
    return Spoken(
        noun=noun,
        name=name,
        metric=metric,
        kind=kind,
        sentence=sentence,
        compared=any(label == "baseline" for label, _ in pairs),
        causes=tuple(value for label, value in pairs if label == "changed"),
    )


def failed(noun: str, name: str, error: str) -> Spoken:
    """Return what an error of which nothing else was said comes to."""
    sentence = f"{noun} {name} failed: {error}"
    return Spoken(noun=noun, name=name, metric="", kind=VerdictKind.ERROR, sentence=sentence)


def folded(said: Iterable[Spoken]) -> Iterator[tuple[Spoken, ...]]:
    """Yield those that say the same of different subjects together, in the order of the first."""
    groups: dict[tuple[str, str], list[Spoken]] = {}
    for each in said:
        groups.setdefault(each.folds_with, []).append(each)
    yield from map(tuple, groups.values())


def all_new(said: Iterable[Spoken]) -> bool:
    """Whether nothing that was measured is in the baseline; what failed doesn't count."""
    every = list(said)
    lost = {(s.noun, s.name) for s in every if s.kind is VerdictKind.ERROR}
    subjects = {(s.noun, s.name) for s in every} - lost
    new = {(s.noun, s.name) for s in every if s.kind is VerdictKind.NEW and not s.metric}
    return bool(subjects) and subjects == new


def to_type(said: Iterable[Spoken]) -> Iterator[str]:
    """Yield how to accept what changed; a limit is not accepted but edited."""
    compared = {each.kind for each in said if each.compared}
    if VerdictKind.IMPROVED in compared:
        yield (
            f"to accept what improved, type {SAVE} (adds this to the baseline) "
            f"or {_REPLACE} (starts it anew)"
        )
    if VerdictKind.REGRESSED in compared:
        yield f"to accept what regressed, if on purpose, type {_ACCEPT}"
