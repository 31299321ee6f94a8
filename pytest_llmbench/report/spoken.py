"""Verdicts with whom they are about, and the same thing said of many as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.verdict import VerdictKind


class Spoken(Fact, frozen=True, kw_only=True):
    """A verdict and whom it is about.

    Attributes:
        noun: ``case`` or ``variant``.
        name: its key, or its name.
        metric: empty where all of it is meant.
        kind: what was found.
        sentence: in one sentence.
        compared: whether it was held against a baseline.
    """

    noun: str
    name: str
    metric: str
    kind: VerdictKind
    sentence: str
    compared: bool = False

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


def failed(noun: str, name: str, error: str) -> Spoken:
    """Return what an error of which nothing else was said comes to."""
    sentence = f"{noun} {name} failed: {error}"
    return Spoken(noun=noun, name=name, metric="", kind=VerdictKind.ERROR, sentence=sentence)


def folded(spoken: Iterable[Spoken]) -> Iterator[tuple[Spoken, ...]]:
    """Yield those that say the same of different subjects together, in the order of the first."""
    groups: dict[tuple[str, str], list[Spoken]] = {}
    for each in spoken:
        groups.setdefault(each.folds_with, []).append(each)
    yield from map(tuple, groups.values())


def all_new(spoken: Iterable[Spoken]) -> bool:
    """Whether nothing that was measured is in the baseline; what failed doesn't count."""
    every = list(spoken)
    lost = {(s.noun, s.name) for s in every if s.kind is VerdictKind.ERROR}
    subjects = {(s.noun, s.name) for s in every} - lost
    new = {(s.noun, s.name) for s in every if s.kind is VerdictKind.NEW and not s.metric}
    return bool(subjects) and subjects == new
