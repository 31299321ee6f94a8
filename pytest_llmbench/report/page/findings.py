"""What a reader has to know in ten seconds: what failed, what improved, what could not be told."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.figures.facts import Tags, name_of, task_of
from pytest_llmbench.report.figures.verdicts import kind_of, worst_of
from pytest_llmbench.report.palette import SIGNS
from pytest_llmbench.report.results import CaseResult, Said, Study
from pytest_llmbench.report.text import one_line, plain
from pytest_llmbench.verdict.outcome import SEVERITY
from pytest_llmbench.verdict.words import plural

_MOST: Final = 40
"""Sentences that a finding shows; the cases below have them all."""

_LONGEST: Final = 500

GROUPS: Final = (
    ("What failed", (VerdictKind.ERROR, VerdictKind.REGRESSED)),
    (
        "What could not be told",
        (VerdictKind.INCONCLUSIVE, VerdictKind.INCOMPARABLE, VerdictKind.MISSING),
    ),
    ("What improved", (VerdictKind.IMPROVED,)),
    ("What is new", (VerdictKind.NEW,)),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Something that was said: of whom, what, and the evidence behind it.

    *anchor* is where the case stands on the page; ``None`` where it does not stand there. *whole*
    is of a variant as a whole.
    """

    text: str
    anchor: str | None
    label: str
    evidence: tuple[tuple[str, str], ...]
    tags: Tags
    whole: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The same kind of verdict on one metric of one variant."""

    kind: VerdictKind
    variant: str
    metric: str
    cases: int
    sentences: tuple[Sentence, ...]

    @property
    def whole(self) -> bool:
        """Whether it was said of the variant as a whole."""
        return self.sentences[0].whole

    @property
    def broke_limit(self) -> bool:
        """Whether it is a limit that was broken, and nothing got worse than before."""
        labels = {label for sentence in self.sentences for label, _ in sentence.evidence}
        return "limit" in labels

    @property
    def count(self) -> str:
        """Of how much it was said."""
        parts = ["as a whole"] if self.whole else []
        parts += [plural(self.cases, "case")] if self.cases else []
        return ", and ".join(parts)

    @property
    def said(self) -> int:
        """How many sentences there were."""
        return self.cases + self.whole

    @property
    def left_out(self) -> int:
        """How many of them are not among :attr:`sentences`."""
        return max(0, self.said - len(self.sentences))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The top of the page.

    Attributes:
        headline: the outcome in one sentence.
        kind: the worst that was said; ``None`` where nothing was.
        counts: of each kind that was said, its sign, its word and how many cases and lives.
        groups: headings with the findings below them; those of nothing are left out.
    """

    headline: str
    kind: VerdictKind | None
    counts: tuple[tuple[VerdictKind, str, int], ...]
    groups: tuple[tuple[str, tuple[Finding, ...]], ...]


def overview(study: Study) -> Overview:
    """Return what is said at the top."""
    found = findings(study)
    kinds = Counter(kind for case in study.cases if (kind := kind_of(case)) is not None)
    kinds[VerdictKind.MISSING] += len(study.missing)
    for life in study.variants.values():
        kind = VerdictKind.ERROR if life.error is not None else worst_of(life.verdicts)
        if kind is not None:
            kinds[kind] += 1
    worst = next((kind for kind in SEVERITY if kinds[kind]), None)
    return Overview(
        headline=_headline(study, found),
        kind=worst,
        counts=tuple((kind, SIGNS[kind], kinds[kind]) for kind in SEVERITY if kinds[kind]),
        groups=tuple(
            (heading, those)
            for heading, of in GROUPS
            if (those := tuple(finding for finding in found if finding.kind in of))
        ),
    )


def findings(study: Study) -> tuple[Finding, ...]:
    """Return everything that was said and is not ok, the worst and the most frequent first."""
    groups: dict[tuple[VerdictKind, str, str], list[Sentence]] = {}
    for variant, said, sentence in _all_said(study):
        if said.kind is not VerdictKind.OK:
            groups.setdefault((said.kind, variant, said.metric), []).append(sentence)
    found = [
        Finding(
            kind=kind,
            variant=name_of(variant),
            metric=metric,
            cases=sum(not sentence.whole for sentence in sentences),
            sentences=tuple(sorted(sentences, key=lambda each: not each.whole)[:_MOST]),
        )
        for (kind, variant, metric), sentences in groups.items()
    ]
    return tuple(
        sorted(found, key=lambda each: (SEVERITY.index(each.kind), not each.whole, -each.cases))
    )


def case_tags(case: CaseResult) -> dict[str, str]:
    """Return what filters see of *case*."""
    return {
        "variant": name_of(case.variant),
        "suite": one_line(case.suite, 60),
        "task": task_of(case),
        "verdict": kind_of(case) or "not judged",
    }


def shown_evidence(said: Said) -> tuple[tuple[str, str], ...]:
    """Return the evidence as it may be shown."""
    return tuple((one_line(label), plain(value)) for label, value in said.evidence)


def sentence_of(case: CaseResult, said: Said, anchor: str) -> Sentence:
    """Return what was said of *case*, which stands at *anchor*."""
    return Sentence(
        text=one_line(said.sentence, _LONGEST),
        anchor=anchor,
        label=one_line(f"{case.suite}/{case.prompt_id} {case.parameters.label}"),
        evidence=shown_evidence(said),
        tags=case_tags(case),
    )


def anchor_of(case: CaseResult) -> str:
    """Return the place of *case* on the page, which a link may name: the same in every report."""
    from urllib.parse import quote

    return f"case:{quote(case.id, safe='/:.-_~()', errors='backslashreplace')}"


def all_of(case: CaseResult) -> tuple[Said, ...]:
    """Return what was said of *case*; an error of which nothing was said speaks for itself."""
    if case.error is None or case.verdicts:
        return case.verdicts
    failed = f"it failed: {case.error}"
    return (Said(metric="", kind=VerdictKind.ERROR, sentence=failed, evidence=()),)


def _all_said(study: Study) -> Iterator[tuple[str, Said, Sentence]]:
    for case in study.cases:
        anchor = anchor_of(case)
        for said in all_of(case):
            yield case.variant, said, sentence_of(case, said, anchor)
    for variant, life in study.variants.items():
        verdicts = life.verdicts
        if life.error is not None and not verdicts:
            failed = f"it failed: {life.error}"
            verdicts = (Said(metric="", kind=VerdictKind.ERROR, sentence=failed, evidence=()),)
        for said in verdicts:
            yield variant, said, _of_life(variant, said)
    for gone in study.missing:
        said = Said(metric="", kind=VerdictKind.MISSING, sentence=gone.sentence, evidence=())
        yield (
            "",
            said,
            Sentence(
                text=one_line(gone.sentence, _LONGEST),
                anchor=None,
                label=one_line(gone.case),
                evidence=(),
                tags={"verdict": VerdictKind.MISSING},
            ),
        )


def _of_life(variant: str, said: Said) -> Sentence:
    return Sentence(
        text=one_line(said.sentence, _LONGEST),
        anchor=None,
        label="as a whole",
        evidence=shown_evidence(said),
        tags={"variant": name_of(variant), "verdict": said.kind},
        whole=True,
    )


def _headline(study: Study, found: Sequence[Finding]) -> str:
    """Return the outcome in one sentence."""
    failed = _variants(found, (VerdictKind.ERROR, VerdictKind.REGRESSED))
    there = {name for name, variant in study.variants.items() if variant.skipped is None}
    total = len({case.variant for case in study.cases} | there)
    if failed:
        return f"{len(failed)} of {plural(total, 'variant')} {_verb(found)}: {', '.join(failed)}"
    if not study.cases:
        return "Nothing was measured"
    unsure = _variants(found, (VerdictKind.INCONCLUSIVE, VerdictKind.INCOMPARABLE))
    if unsure:
        return f"Nothing got worse for sure; not all could be told of {', '.join(unsure)}"
    judged = any(case.verdicts for case in study.cases)
    if not judged:
        return f"{plural(total, 'variant')} measured; nothing was compared"
    if all(kind_of(case) is VerdictKind.NEW for case in study.cases):
        return f"{plural(total, 'variant')} measured; there is no baseline to compare with yet"
    better = _variants(found, (VerdictKind.IMPROVED,))
    more = f"; better than before: {', '.join(better)}" if better else ""
    missing = sum(finding.kind is VerdictKind.MISSING for finding in found)
    lacks = "; something of the baseline, or of a limit, was not measured" if missing else ""
    return f"Nothing got worse{more}{lacks}"


def _verb(found: Sequence[Finding]) -> str:
    """Return what variants did that have failed; a limit is broken without getting worse."""
    regressed = [finding for finding in found if finding.kind is VerdictKind.REGRESSED]
    did = {
        "got worse": any(not finding.broke_limit for finding in regressed),
        "broke a limit": any(finding.broke_limit for finding in regressed),
        "failed": any(finding.kind is VerdictKind.ERROR for finding in found),
    }
    return " or ".join(verb for verb, so in did.items() if so)


def _variants(found: Sequence[Finding], kinds: Sequence[VerdictKind]) -> list[str]:
    names = (finding.variant for finding in found if finding.kind in kinds and finding.variant)
    return list(dict.fromkeys(names))
