"""``llmbench show baseline`` and the baselines in ``llmbench list``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.domain.baseline import BaselineCase, BaselineSession, BaselineVariant
from pytest_llmbench.domain.record import Environment
from tests.cli.conftest import Said

Type = Callable[..., Said]
MACHINE = "box"


def session(day: int, itl_s: float) -> BaselineSession:
    return BaselineSession(
        saved_at=f"2026-01-0{day}T12:00:00+00:00",
        environment=Environment(
            identity={}, context={"python": "CPython 3.11.7", "pytest-llmbench": "0.1.0"}
        ),
        variants={
            "fast": BaselineVariant(
                identity={},
                settings={"torch": f"2.{day}", "device": "cpu"},
                metrics={"rss_after_load_bytes": 100.0 * 2**20, "load_s": 1.5},
            )
        },
        cases={
            "own/fast-talk": BaselineCase(
                variant="fast", workload={}, metrics={"itl_s": itl_s, "latency_s": 1.0}
            )
        },
    )


@pytest.fixture
def kept(here: Path) -> Path:
    store = Store(here / "baselines")
    for day, itl_s in ((1, 0.010), (2, 0.012), (3, 0.020)):
        store.add(MACHINE, "main", session(day, itl_s))
    store.add(MACHINE, "other", session(1, 0.010))
    return here


def test_metrics_over_the_sessions(run: Type, kept: Path) -> None:
    said = run("show", "baseline", "--machine", MACHINE)
    assert said.code == 0
    assert said.out.startswith("baseline main of machine box: 3 sessions\n")
    rows = [line.split() for line in said.out.splitlines()]
    newest = "2026-01-03T12:00:00+00:00"
    assert ["own/fast-talk", "itl_s", "20", "ms", "12", "ms", "3", newest] in rows
    life = ["fast", "rss_after_load_bytes", "100", "MiB", "100", "MiB", "3", newest]
    assert life in rows
    assert "latency_s" not in said.out
    assert "CPython 3.11.7, pytest-llmbench 0.1.0, torch 2.3" in said.out


def test_another_name_and_folder(run: Type, kept: Path) -> None:
    (kept / "baselines").rename(kept / "elsewhere")
    said = run("show", "baseline", "other", "--machine=box", "--baselines=elsewhere")
    assert said.code == 0
    assert said.out.startswith("baseline other of machine box: 1 session\n")


def test_another_machine_is_not_taken_for_this_one(run: Type, kept: Path) -> None:
    said = run("show", "baseline")
    assert said.code == 2
    assert "there is no baseline 'main' of machine " in said.err
    assert "(there are: box/main, box/other)" in said.err
    assert "--machine=LABEL" in said.err


def test_none_at_all(run: Type, here: Path) -> None:
    said = run("show", "baseline")
    assert said.code == 2
    assert "there is no baseline in baselines; save one with" in said.err


def test_a_corrupt_one_is_an_error_everywhere(run: Type, kept: Path) -> None:
    (kept / "baselines" / MACHINE / "main.json").write_text("{")
    for words in (["list"], ["show", "baseline", "--machine", MACHINE]):
        said = run(*words)
        assert said.code == 2
        assert "can't be read" in said.err


def test_list_says_how_many_and_how_new(run: Type, kept: Path) -> None:
    said = run("list")
    rows = [line.split() for line in said.out.splitlines()]
    assert ["box", "main", "3", "sessions", "newest", "2026-01-03T12:00:00+00:00"] in rows
    assert ["box", "other", "1", "session", "newest", "2026-01-01T12:00:00+00:00"] in rows
