"""docs/exports.md, executed: what it shows is what the commands print."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmbench.cli import main
from pytest_llmbench.plugin.options import OPTIONS
from pytest_llmbench.report.choices import chosen
from pytest_llmbench.report.columns import known_columns
from pytest_llmbench.report.exports.registry import EXPORTS
from pytest_llmbench.report.json_report import write_json
from pytest_llmbench.report.rows import session_rows
from pytest_llmbench.report.table import render_table
from tests.docs.pages import DOCS, Fence, code, fences, rows, section
from tests.docs.session import page_baseline, page_session

PAGE, CLI = DOCS / "exports.md", DOCS / "cli.md"
WIDTH = 100
"""Columns of the terminal that the page's tables are drawn for."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the page's ``results.json`` is, and the baseline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    page_baseline(tmp_path / "baselines")
    write_json(tmp_path / "results.json", page_session())
    return tmp_path


def typed(fence: Fence) -> tuple[list[str], list[str]]:
    """The words of a fence's command, and the lines that it is said to print."""
    command, *shown = fence.text.splitlines()
    return shlex.split(command.removeprefix("$ ")), shown


def executed() -> list[Fence]:
    of_cli = [f for f in fences(CLI, "console") if "--history" in f.text or " export " in f.text]
    assert len(of_cli) == 2
    return [*fences(PAGE, "console"), *of_cli]


@pytest.mark.parametrize("fence", executed(), ids=str)
def test_commands_print_what_the_page_shows(
    fence: Fence, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, shown = typed(fence)
    printed = {"llmbench": _llmbench, "pytest": _table, "pytest-benchmark": _compare}[words[0]](
        words[1:], capsys
    )
    lines = iter([line.rstrip() for line in printed.splitlines()])
    for line in shown:
        assert line.strip() == "…" or line in lines, (
            f"{line!r} is not printed, or not there:\n{printed}"
        )


def _llmbench(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def _table(words: list[str], _: object) -> str:
    """The table that a session with these options shows."""
    given = dict(word.split("=", 1) for word in words if "=" in word)
    group, columns, sort = (
        given.get(f"--llmbench-{name}") for name in ("group", "columns", "sort")
    )
    choice = chosen(group, columns, sort)
    found = choice.ordered(session_rows(page_session(), choice.group))
    return render_table(found, width=WIDTH, color=False, shape=choice.shape(None))


def _compare(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """pytest-benchmark's own command, given the session's export twice."""
    for name in ("before.json", "now.json"):
        assert main(["export", "results.json", "--format=benchmark-json", f"--output={name}"]) == 0
    capsys.readouterr()
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_format_has_its_row_and_its_section() -> None:
    written = rows(section(PAGE, "Formats"))
    assert [code(row[0]) for row in written] == [export.name for export in EXPORTS]
    flags = {option.flag for option in OPTIONS}
    assert {code(row[1]).partition("=")[0] for row in written} <= flags
    shown = " ".join(fence.text for fence in fences(PAGE, "console", "text"))
    assert all(f"--format={export.name}" in shown for export in EXPORTS)


def test_columns_on_the_page_are_those_there_are() -> None:
    written = {code(row[0]).partition(":")[0] for row in rows(section(PAGE, "The table"))}
    assert written <= set(known_columns())
    assert {"speed", "history", "device", "cases", "verdict"} <= written
