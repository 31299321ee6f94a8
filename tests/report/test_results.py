"""What the results file holds comes back as it was; what is no such file is refused."""

from __future__ import annotations

import json
import math

import msgspec
import pytest

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.json_report import session_document, write_json
from pytest_llmbench.report.results import read_results, results_of, study_of

from .facts import HOSTILE, case, life, regressed, session
from .studies import REFERENCE
from .studies import session as whole_session


def results(**of):
    return results_of(session_document(session(**of)))


def test_the_file_and_the_document_are_the_same(tmp_path) -> None:
    write_json(tmp_path / "out.json", whole_session())
    read = read_results(tmp_path / "out.json")
    assert read == results_of(session_document(whole_session()))
    assert read.reference == REFERENCE
    assert read.invocation.command[0] == "pytest"


def test_a_case_comes_back() -> None:
    (read,) = results(cases=[case(regressed(), text=HOSTILE)]).cases
    assert read.text == HOSTILE
    assert read.value("latency_s") == 1.27
    assert read.value("itl_s") is None
    assert read.verdicts[0].kind is VerdictKind.REGRESSED
    assert read.verdicts[0].evidence == regressed().block
    assert read.gaps.counts == {-91: 3}
    assert read.asked == ("exo-five", "sum", "n64-t0")


def test_what_was_not_finite_is_no_value() -> None:
    (read,) = results(cases=[case(metrics={"ttft_s": math.nan})]).cases
    assert read.value("ttft_s") is None
    assert read.metrics["ttft_s"].rounds == (None, None, None)


def test_fields_of_a_later_version_are_passed_over() -> None:
    document = session_document(session(cases=[case()]))
    document["cases"][0]["colour"] = "blue"
    assert results_of(document).cases[0].variant == "base-fp16"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "out.json is no JSON"),
        ("\xff", "out.json is no JSON"),
        ("[" * 100_000, "out.json is no JSON"),
        ("[]", "has no schema_version"),
        ('{"sessions": []}', "has no schema_version"),
        ('{"schema_version": 7}', "has the schema_version 7, and this pytest-llmbench reads 1"),
        ('{"schema_version": 1}', "is not as docs/schema/results.schema.json has it"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, text, said) -> None:
    path = tmp_path / "out.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError) as caught:
        read_results(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read: No such file.*--llmbench-json=PATH"):
        read_results(tmp_path / "none.json")


def test_a_wrong_value_is_named() -> None:
    document = session_document(session(cases=[case()]))
    document["cases"][0]["parameters"]["max_new_tokens"] = "many"
    with pytest.raises(ConfigError, match=r"parameters\.max_new_tokens|\$\.cases\[0\]"):
        results_of(document)


def test_one_session_has_no_name() -> None:
    study = study_of([("monday", results(cases=[case()], variants=[life()]))])
    assert [name for name, _ in study.sessions] == [""]
    assert list(study.variants) == ["base-fp16"]


def test_variants_that_two_sessions_have_are_told_apart() -> None:
    monday = results(cases=[case(), case(variant="only")], variants=[life()])
    study = study_of([("monday", monday), ("friday", results(cases=[case()], variants=[life()]))])
    assert list(study.variants) == ["base-fp16 (monday)", "base-fp16 (friday)"]
    assert [each.variant for each in study.cases] == [
        "base-fp16 (monday)",
        "only",
        "base-fp16 (friday)",
    ]
    assert len({each.id for each in study.cases}) == 3


def test_references_and_drift_follow_their_variants() -> None:
    one = results_of(session_document(whole_session(prompts=1, rounds=1, grid=False)))
    study = study_of([("a", one), ("b", one)])
    assert study.references == {f"{REFERENCE} (a)", f"{REFERENCE} (b)"}
    held = {each.drift.to for each in study.cases if each.drift is not None}
    assert held == study.references
    beside = {ratio.to for each in study.cases for ratio in each.relative.values()}
    assert beside == study.references


def test_a_suite_that_is_called_like_a_variant_keeps_its_name() -> None:
    one = results(cases=[case(suite="base", variant="base")], variants=[life("base")])
    study = study_of([("a", one), ("b", one)])
    assert [each.id.partition("/")[0] for each in study.cases] == ["base", "base"]
    assert [each.id.partition("/")[2].startswith("base (a)-") for each in study.cases] == [
        True,
        False,
    ]


def test_the_record_written_is_whole(tmp_path) -> None:
    write_json(tmp_path / "out.json", msgspec.structs.replace(session(), reference="x"))
    assert json.loads((tmp_path / "out.json").read_bytes())["reference"] == "x"
