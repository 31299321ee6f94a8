"""The results file read back is what the session said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.exports.kinds import better, kind_of
from pytest_llmbench.report.exports.registry import EXPORTS
from pytest_llmbench.report.exports.results import read_results, session_results
from pytest_llmbench.report.json_report import write_json
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


def test_fields_that_a_later_version_adds_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, full())
    document = json.loads(path.read_text())
    document["later"] = document["cases"][0]["later"] = 1
    document["variants"]["int8"]["later"] = 1
    path.write_text(json.dumps(document))
    assert read_results(path) == results()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON (*; name a file that pytest --llmbench --llmbench-json=PATH wrote"),
        ("\xff", "is no JSON (*"),
        ("[" * 100_000, "is no JSON (*"),
        ("[]", "has no schema_version, so it is no record of a session; name *"),
        ('{"schema_version": 99}', "has schema_version 99, and this pytest-llmbench reads *"),
        ('{"schema_version": 1}', "is no record of a session: *missing*"),
    ],
    ids=["cut", "no text", "deep", "list", "newer", "empty"],
)
def test_what_is_no_results_file_is_one_sentence(
    content: str, message: str, tmp_path: Path
) -> None:
    from fnmatch import fnmatchcase

    path = tmp_path / "out.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_results(path)
    escaped = message.replace("[", "[[]")
    assert fnmatchcase(str(caught.value), f"{path} {escaped}"), caught.value


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json can't be read: No such file"):
        read_results(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_results(tmp_path)


def test_the_worst_that_was_said() -> None:
    said = {case.prompt_id: kind_of(case) for case in results().cases}
    assert said["sum"] is VerdictKind.REGRESSED
    assert said["dead"] is VerdictKind.ERROR
    assert kind_of(results().variants["lost"]) is VerdictKind.ERROR
    (silent,) = session_results(session([case()])).cases
    assert kind_of(silent) is None
    assert (better("ttft_s"), better("output_tokens"), better("no such")) == ("lower", None, None)
