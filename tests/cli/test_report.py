"""``llmbench report``: what it writes, and what it refuses before it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.report.json_report import write_json
from tests.cli.conftest import Said
from tests.report.studies import session

Type = Callable[..., Said]
needs_libraries = pytest.mark.engine("report")


@pytest.fixture
def record(here: Path) -> Path:
    write_json(here / "out.json", session(prompts=1, rounds=2, grid=False))
    return here / "out.json"


@needs_libraries
def test_it_writes_a_page_and_figures(run: Type, here: Path, record: Path) -> None:
    said = run("report", "out.json", "--html=new/report.html", "--figures=figures")
    assert said.code == 0
    files = list((here / "figures").iterdir())
    assert said.out == f"wrote new/report.html\nwrote {len(files)} files in figures\n"
    assert (here / "new" / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert (here / "figures" / "ranking.png").is_file()
    assert (here / "figures" / "ranking.svg").is_file()


@needs_libraries
def test_several_records_are_shown_side_by_side(run: Type, here: Path, record: Path) -> None:
    (here / "monday.json").write_bytes(record.read_bytes())
    assert run("report", "out.json", "monday.json", "--html=report.html").code == 0
    text = (here / "report.html").read_text("utf-8")
    assert "nf4 (out)" in text
    assert "nf4 (monday)" in text


@needs_libraries
def test_records_of_one_name_are_called_by_their_paths(run: Type, here: Path, record: Path) -> None:
    (here / "b").mkdir()
    (here / "b" / "out.json").write_bytes(record.read_bytes())
    assert run("report", "out.json", "b/out.json", "--html=report.html").code == 0
    assert "nf4 (b/out.json)" in (here / "report.html").read_text("utf-8")


@needs_libraries
def test_a_record_given_twice_counts_once(run: Type, here: Path, record: Path) -> None:
    assert run("report", "out.json", "out.json", "--html=report.html").code == 0
    assert "nf4 (" not in (here / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out.json"], "nothing is asked for; type --html=report.html, --figures=figures, or both"),
        (["none.json", "--html=r.html"], "none.json can't be read: No such file or directory"),
        (["text.json", "--html=r.html"], "text.json is no JSON"),
        (["old.json", "--html=r.html"], "old.json has the schema_version 0"),
        (["out.json", "--html=out.json"], "--html=out.json is the record itself"),
        (["out.json", "--html=folder"], "--html=folder can't be written: it is a folder"),
        (["out.json", "--figures=text.json"], "--figures=text.json is a file; name a folder"),
    ],
)
@needs_libraries
def test_what_can_not_be_done_is_one_line_and_two(
    run: Type, here: Path, record: Path, words: list[str], said: str
) -> None:
    (here / "folder").mkdir()
    (here / "text.json").write_text("text")
    (here / "old.json").write_text(json.dumps({"schema_version": 0}))
    before = sorted(here.iterdir())
    answer = run("report", *words)
    assert answer.code == 2
    assert answer.err.startswith("llmbench: ")
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert sorted(here.iterdir()) == before


def test_without_the_extra_the_line_to_type_is_said(
    run: Type, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"no_such_module_here": "altair"}
    monkeypatch.setattr("pytest_llmbench.report.libraries._LIBRARIES", absent)
    said = run("report", "out.json", "--html=r.html")
    assert said.code == 2
    assert said.err == (
        "llmbench: llmbench report needs altair, which is not installed; type: "
        "pip install 'pytest-llmbench[report]'\n"
    )
