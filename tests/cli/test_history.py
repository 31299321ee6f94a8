"""``llmbench show --history``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.baselines.store import Store
from tests.cli.conftest import Said
from tests.cli.test_show_baseline import session

Type = Callable[..., Said]
MACHINE = "--machine=box"


@pytest.fixture
def kept(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine sessions, and room for all; from the sixth on a token takes half as long again."""
    monkeypatch.setenv("COLUMNS", "120")
    rng = random.Random(1)
    store = Store(here / "baselines")
    for day in range(1, 10):
        level = 0.015 if day >= 6 else 0.010
        store.add("box", "main", session(day, level * math.exp(rng.gauss(0, 0.002))))
    store.add("box", "short", session(1, 0.010))
    return here


def test_values_a_sparkline_and_the_change(run: Type, kept: Path) -> None:
    said = run("show", "--history", "itl_s", MACHINE)
    assert said.code == 0
    assert said.out.startswith("itl_s over 9 sessions of baseline main, machine box\n")
    rows = [line.split() for line in said.out.splitlines()]
    (fast,) = [row for row in rows if row[:1] == ["fast"]]
    assert fast[1] == "▁▁▁▁▁████"
    assert (fast[2:4], fast[-1]) == (["10", "ms"], "ms")
    assert ["own/fast-talk", "▁▁▁▁▁████"] in [row[:2] for row in rows]
    assert "  with session 6 (2026-01-06T12:00:00+00:00)\n" in said.out
    assert "    fast: itl_s rose by 49.8 %, from 10 ms to 15 ms" in said.out
    assert "; changed: torch 2.5 -> 2.6\n" in said.out


def test_a_life_and_a_part(run: Type, kept: Path) -> None:
    said = run("show", "--history=load_s", MACHINE, "--of=fast")
    assert "cases" not in said.out
    assert said.out.endswith("changes\n  none\n")
    none = run("show", "--history=load_s", MACHINE, "--of=slow*,x")
    assert none.code == 2
    assert "the baseline 'main' of machine box has no load_s of slow*,x; llmbench show" in none.err


def test_too_few_sessions_say_so(run: Type, kept: Path) -> None:
    said = run("show", "--history=itl_s", MACHINE, "--baseline=short")
    assert said.code == 0
    assert "none can be told yet: it takes 4 sessions to tell a change of a time" in said.out


def test_a_narrow_terminal_shows_the_newest(
    run: Type, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    said = run("show", "--history=itl_s", MACHINE)
    assert "sessions have no room here)" in said.out
    rows = [line for line in said.out.splitlines() if "▁▁▁▁▁████" in line]
    assert rows
    assert all(len(line) <= 60 for line in rows)
    assert all(line.endswith(" ms") for line in rows)


def test_the_page(run: Type, kept: Path) -> None:
    said = run("show", "--history=itl_s", MACHINE, "--html=out/trends.html")
    assert said.out.endswith("wrote out/trends.html\n")
    page = (kept / "out" / "trends.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "own/fast-talk" in page
    blocked = run("show", "--history=itl_s", MACHINE, "--html=out")
    assert blocked.code == 2
    assert "--html=out can't be written: it is a folder" in blocked.err
    assert not blocked.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--history=itl"], "--history=itl: unknown metric 'itl' (did you mean 'itl_s'? allowed"),
        (["--history=system_ram_peak_bytes"], "baselines do not keep it, because it is the mach"),
        (["--history=itl_s", "--baseline=x"], "there is no baseline 'x' of machine box in baselin"),
        (["--history=itl_s", "metrics"], "--history and metrics are two questions; ask one"),
        (["--html=x"], "--html and --of are of a history; add --history=METRIC"),
        (["--history=score"], "the baseline 'main' of machine box has no score; llmbench show"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    run: Type, kept: Path, words: list[str], message: str
) -> None:
    said = run("show", MACHINE, *words)
    assert said.code == 2
    assert message in said.err
    assert said.err.count("\n") == 1


def test_options_before_the_subject_still_count(run: Type, kept: Path) -> None:
    assert run("show", MACHINE, "baseline").out.startswith("baseline main of machine box: 9")
    assert run("show", "baseline", MACHINE).out.startswith("baseline main of machine box: 9")
