"""Benches and lives whose workers are no processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_llmbench.domain.case import Case
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.lives import Lives
from pytest_llmbench.runner.progress import Quiet
from tests.runner.facts import FakePool, Script, make_case, make_plan
from tests.support import variant

MakeBench = Callable[..., tuple[Bench, FakePool]]
MakeLives = Callable[..., tuple[Lives, FakePool]]


def cases_of(*names: str, prompts: str = "pq", **sampling: Any) -> list[Case]:
    """A case of each variant and prompt, prompt by prompt."""
    return [make_case(name, prompt, **sampling) for prompt in prompts for name in names]


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Script]], FakePool]:
    """Let the next lives have workers that play scripts."""

    def take(scripts: dict[str, Script]) -> FakePool:
        pool = FakePool(scripts)
        monkeypatch.setattr("pytest_llmbench.runner.lives.WorkerPool", lambda _slowdowns: pool)
        return pool

    return take


@pytest.fixture
def make_lives(pooled: Callable[[dict[str, Script]], FakePool]) -> MakeLives:
    """Lives of the variants that have scripts."""

    def make(*, strict: bool = False, **scripts: Script) -> tuple[Lives, FakePool]:
        pool = pooled(scripts)
        known = {name: variant(name, "scripted") for name in scripts}
        return Lives(known, Quiet(), slowdowns={}, strict=strict), pool

    return make


@pytest.fixture
def make_bench(pooled: Callable[[dict[str, Script]], FakePool]) -> MakeBench:
    """A bench of the variants that have scripts, with the *cases* selected.

    *plan* goes to :func:`.make_plan`, all else to the bench.
    """

    def make(
        cases: list[Case], scripts: dict[str, Script], *, plan: dict | None = None, **more: Any
    ) -> tuple[Bench, FakePool]:
        pool = pooled(scripts)
        made = make_plan(*scripts, **(plan or {}))
        made.select(cases)
        told = {"processors": 2, "calibrate": lambda: 0.01, **more}
        return Bench(made, Quiet(), **told), pool

    return make
