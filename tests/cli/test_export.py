"""``llmbench export``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.report.exports.registry import EXPORTS
from pytest_llmbench.report.json_report import write_json
from tests.cli.conftest import Said
from tests.report.exports.facts import full, results

Type = Callable[..., Said]


@pytest.fixture
def record(here: Path) -> Path:
    """A results file."""
    write_json(here / "out.json", full())
    return here / "out.json"


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.name)
def test_every_format_on_standard_output(run: Type, record: Path, export) -> None:
    said = run("export", "out.json", "--format", export.name)
    assert said.code == 0
    if export.name != "benchmark-json":
        assert said.out == export.render(results())


def test_to_a_file(run: Type, record: Path) -> None:
    said = run("export", "out.json", "--format=bencher", "--output=new/bmf.json")
    assert (said.code, said.out) == (0, "wrote new/bmf.json\n")
    assert json.loads((record.parent / "new" / "bmf.json").read_text())


def test_what_is_no_record_is_one_sentence(run: Type, here: Path) -> None:
    said = run("export", "none.json", "--format=csv")
    assert said.code == 2
    assert said.err.startswith("llmbench: none.json can't be read: No such file or directory; name")


def test_no_place_for_the_file(run: Type, record: Path) -> None:
    said = run("export", "out.json", "--format=csv", "--output=.")
    assert said.code == 2
    assert "--output=. can't be written: it is a folder; type --output=FILE with" in said.err


def test_an_unknown_format_lists_those_there_are(run: Type, record: Path) -> None:
    said = run("export", "out.json", "--format=xml")
    assert said.code == 2
    assert all(export.name in said.err for export in EXPORTS)
    assert run("export", "out.json").code == 2
