"""Every export of a file is that of the session itself, and holds nothing that acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.exports.kinds import better, kind_of
from pytest_llmbench.report.exports.registry import EXPORTS
from pytest_llmbench.report.json_report import write_json
from pytest_llmbench.report.results import read_results, session_results
from tests.report.exports.facts import full, results
from tests.report.facts import HOSTILE, case, session


def test_a_file_reads_as_the_session_itself(tmp_path: Path) -> None:
    write_json(tmp_path / "out.json", full())
    assert read_results(tmp_path / "out.json") == session_results(full())


@pytest.mark.parametrize("export", [e for e in EXPORTS if e.name != "benchmark-json"])
def test_both_give_the_same_export(export, tmp_path: Path) -> None:
    write_json(tmp_path / "out.json", full())
    assert export.render(read_results(tmp_path / "out.json")) == export.render(results())


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.name)
def test_nothing_measured_is_no_error(export) -> None:
    assert isinstance(export.render(session_results(session())), str)


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.name)
def test_no_control_character_gets_through(export) -> None:
    text = export.render(results())
    assert not {char for char in text if ord(char) < 32 or 127 <= ord(char) < 160} - set("\r\n")
    assert not set("\u202e\u2028\ud800\ufffe") & set(text)


def test_a_lone_surrogate_survives_the_file(tmp_path: Path) -> None:
    record = session([case(text=HOSTILE)])
    write_json(tmp_path / "out.json", record)
    assert read_results(tmp_path / "out.json").cases[0].text == HOSTILE


def test_the_worst_that_was_said() -> None:
    said = {case.prompt_id: kind_of(case) for case in results().cases}
    assert said["sum"] is VerdictKind.REGRESSED
    assert said["dead"] is VerdictKind.ERROR
    assert kind_of(results().variants["lost"]) is VerdictKind.ERROR
    (silent,) = session_results(session([case()])).cases
    assert kind_of(silent) is None
    assert (better("ttft_s"), better("output_tokens"), better("no such")) == ("lower", None, None)
