"""Test items made of the configuration alone: a file, its suites, their cases, and lives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmbench.domain.case import Case
from pytest_llmbench.runner.bout import bout_of
from pytest_llmbench.runner.plan import LIFE_CYCLE, Plan

if TYPE_CHECKING:
    from pytest_llmbench.plugin.run import Run


class ConfigFile(pytest.File):
    """The configuration: collects its suites, then the lives of the variants they use."""

    run: Run

    @classmethod
    def of(cls, parent: pytest.Collector, path: Path, run: Run) -> ConfigFile:
        """Return the collector of *path*."""
        file: ConfigFile = cls.from_parent(parent, path=path)
        file.run = run
        return file

    def collect(self) -> Iterable[pytest.Collector]:
        """Return one collector a suite, and one for the lives of the variants."""
        suites = [SuiteNode.of(self, name, cases) for name, cases in self.run.suites.items()]
        return [*suites, LivesNode.of(self)] if suites else []


class SuiteNode(pytest.Collector):
    """One suite; its items are cases."""

    cases: tuple[Case, ...]

    @classmethod
    def of(cls, parent: ConfigFile, name: str, cases: tuple[Case, ...]) -> SuiteNode:
        """Return the collector of the suite *name*."""
        node: SuiteNode = cls.from_parent(parent, name=name)
        node.cases = cases
        return node

    def collect(self) -> Iterable[pytest.Item]:
        """Return one item a case."""
        assert isinstance(self.parent, ConfigFile)
        return [CaseItem.of(self, case, self.parent.run) for case in self.cases]


class LivesNode(pytest.Collector):
    """The lives of the variants; one item each."""

    @classmethod
    def of(cls, parent: ConfigFile) -> LivesNode:
        """Return the collector."""
        node: LivesNode = cls.from_parent(parent, name=LIFE_CYCLE)
        return node

    def collect(self) -> Iterable[pytest.Item]:
        """Return one item a variant that any case needs."""
        assert isinstance(self.parent, ConfigFile)
        run = self.parent.run
        used = dict.fromkeys(case.variant for cases in run.suites.values() for case in cases)
        return [LifeItem.of(self, variant, run) for variant in used]


class _BenchItem(pytest.Item):
    """What the two kinds of item share."""

    run: Run
    variant: str

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say where it was written: in the configuration."""
        assert self.parent is not None
        return self.path, None, f"{self.parent.name}::{self.name}"


class CaseItem(_BenchItem):
    """One case: measured and judged, without any Python of the user's."""

    case: Case

    @classmethod
    def of(cls, parent: SuiteNode, case: Case, run: Run) -> CaseItem:
        """Return the item of *case*."""
        item: CaseItem = cls.from_parent(parent, name=case.id)
        item.case, item.variant, item.run = case, case.variant, run
        return item

    def runtest(self) -> None:
        """Measure and judge; fails with the verdicts that say so."""
        self.run.run_case(self.case)


class LifeItem(_BenchItem):
    """One variant: judges all of its cases together, frees it, and judges its life."""

    @classmethod
    def of(cls, parent: LivesNode, variant: str, run: Run) -> LifeItem:
        """Return the item of *variant*."""
        item: LifeItem = cls.from_parent(parent, name=variant)
        item.variant, item.run = variant, run
        return item

    def runtest(self) -> None:
        """Judge the variant as a whole and its life; skipped where its engine is absent."""
        self.run.run_life(self.variant)


def variant_of(item: pytest.Item) -> str | None:
    """Return the variant that *item* needs, ours or a Python test's; ``None`` for other tests."""
    if isinstance(item, _BenchItem):
        return item.variant
    case = case_of(item)
    if case is not None:
        return case.variant
    callspec: Any = getattr(item, "callspec", None)
    variant = callspec.params.get("llmbench_variant") if callspec is not None else None
    return variant if isinstance(variant, str) else None


def case_of(item: pytest.Item) -> Case | None:
    """Return the case that *item* is for; ``None`` for every other test."""
    if isinstance(item, CaseItem):
        return item.case
    callspec: Any = getattr(item, "callspec", None)
    case = callspec.params.get("llmbench") if callspec is not None else None
    return case if isinstance(case, Case) else None


def grouped(items: list[pytest.Item], plan: Plan) -> list[pytest.Item]:
    """Return *items* with those of one crew together, bout by bout, and its variants' lives last.

    Other tests stay where they are: the places of our items are filled anew, so that a model is
    loaded once, and a crew is freed before the next is loaded. The reference is freed last: the
    others may have to be held against it once more.
    """
    places = [number for number, item in enumerate(items) if variant_of(item) in plan.variants]
    bouts: dict[str, int] = {}
    for place in places:
        case = case_of(items[place])
        if case is not None:
            bouts.setdefault(bout_of(case), len(bouts))
    ours = sorted((items[place] for place in places), key=lambda item: _rank(item, plan, bouts))
    ordered = list(items)
    for place, item in zip(places, ours, strict=True):
        ordered[place] = item
    return ordered


def _rank(item: pytest.Item, plan: Plan, bouts: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Return what *item* is sorted by: crew, kind, bout, variant."""
    variant = variant_of(item) or ""
    number = list(plan.variants).index(variant)
    if isinstance(item, LifeItem):
        return plan.crew(variant), 2, variant == plan.reference, number
    case = case_of(item)
    if case is None:
        return plan.crew(variant), 1, 0, number
    return plan.crew(variant), 0, bouts[bout_of(case)], number
