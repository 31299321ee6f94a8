"""docs/reports.md names the parts and the figures that there are, and its commands are typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pytest_llmbench.cli import main
from pytest_llmbench.metrics.ranking import WEIGHTS
from pytest_llmbench.report.difference import MOST_WORDS
from pytest_llmbench.report.figures import all_figures
from pytest_llmbench.report.html_report import SECTIONS
from pytest_llmbench.report.json_report import write_json
from pytest_llmbench.report.page import outputs
from tests.docs.pages import DOCS, code, fences, rows, section
from tests.report.studies import session, study

PAGE = DOCS / "reports.md"
TEXT = PAGE.read_text("utf-8")


def test_the_parts_are_those_of_the_page() -> None:
    assert [row[0] for row in rows(section(PAGE, "What is in it"))] == list(SECTIONS.values())


def test_the_figures_are_those_that_are_written() -> None:
    names = [figure.name for figure in all_figures(study(prompts=1, rounds=1))]
    assert [code(row[0]) for row in rows(section(PAGE, "Figures"))] == names


def test_numbers_are_those_of_the_code() -> None:
    assert f"up to {MOST_WORDS} words" in TEXT.replace("\n", " ")
    assert f"up to {outputs.FEWER_WORDS}" in TEXT
    assert f"cut\nat {outputs.LONGEST:,} characters" in TEXT
    assert WEIGHTS == {"quality": 2, "speed": 1, "memory": 1}, "the words of the page need it too"


@pytest.mark.engine("report")
def test_the_command_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "results.json", session(prompts=1, rounds=1, grid=False))
    lines = [line for fence in fences(PAGE, "console") for line in fence.text.splitlines()]
    typed = [shlex.split(line)[2:] for line in lines if line.startswith("$ llmbench ")]
    assert typed
    for words in typed:
        assert main(words) == 0
    assert {"figures", "report.html"} <= {path.name for path in tmp_path.iterdir()}
